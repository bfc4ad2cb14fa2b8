"""Whether a contact has another number than when somebody last decided about what waits for it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db.models import Max

from followups.models import ChangeKind, FollowUp, FollowUpChange, NumberChange

if TYPE_CHECKING:
    from conversations.models import Contact

# Whoever does one of these has the contact's number of that time before them.
DECISIONS = (
    ChangeKind.KEPT,
    ChangeKind.MOVED,
    ChangeKind.EDITED,
    ChangeKind.SENT_NOW,
    ChangeKind.RETRIED,
    ChangeKind.RESTORED,
    ChangeKind.RELEASED,
)
# Longer than anything may be scheduled ahead.
KEPT_FOR = dt.timedelta(days=400)


def remember(contact: Contact, before: str, *, now: dt.datetime) -> None:
    """Keep which number the contact had until now, if it had one and it is another."""
    if before and before != contact.display_phone:
        NumberChange.objects.create(contact=contact, before=before, at=now)


def numbers_before(rows: Collection[FollowUp]) -> dict[int, str]:
    """Return by follow-up id the number under which somebody last decided, where it is another one by now."""
    changes: dict[int, list[NumberChange]] = defaultdict(list)
    contacts = {row.conversation.contact_id for row in rows}
    for change in NumberChange.objects.filter(contact__in=contacts).order_by("at", "pk"):
        changes[change.contact_id].append(change)
    concerned = [row for row in rows if row.conversation.contact_id in changes]
    if not concerned:
        return {}
    decisions = FollowUpChange.objects.filter(follow_up__in=concerned, kind__in=DECISIONS).order_by()
    decided = dict(decisions.values_list("follow_up").annotate(Max("at")))
    before = {}
    for row in concerned:
        contact = row.conversation.contact
        since = decided.get(row.pk, row.created_at)
        number = next((each.before for each in changes[contact.pk] if each.at > since), None)
        if number is not None and number != contact.display_phone:
            before[row.pk] = number
    return before


def purge(*, now: dt.datetime) -> None:
    NumberChange.objects.filter(at__lte=now - KEPT_FOR).delete()
