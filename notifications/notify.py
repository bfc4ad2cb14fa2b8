"""``notify()``: the one way to put something into people's bells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notifications.models import Notification
from trochai import changes
from trochai.accounts.models import Membership, Organization, User
from trochai.changes import Kind
from trochai.copying import insert_all

if TYPE_CHECKING:
    import datetime as dt


def recipients_for(organization: Organization, user_id: int | None) -> list[int]:
    """Return the ids of those to tell: the person, or the admins if that person has left."""
    return recipients_for_all([(organization.pk, user_id)])[organization.pk, user_id]


def recipients_for_all(
    people: Collection[tuple[int, int | None]],
) -> dict[tuple[int, int | None], list[int]]:
    """Return the same for any number of people, each as ids of organization and user, in two statements."""
    active = Membership.objects.active()
    members = active.filter(
        organization__in={organization for organization, _user in people},
        user__in={user for _organization, user in people if user is not None},
    )
    recipients: dict[tuple[int, int | None], list[int]] = {}
    for organization, user in members.values_list("organization_id", "user_id"):
        recipients[organization, user] = [user]
    left = [each for each in people if each not in recipients]
    admins: dict[int, list[int]] = defaultdict(list)
    if left:
        theirs = active.admins().filter(organization__in={organization for organization, _user in left})
        for organization, user in theirs.values_list("organization_id", "user_id"):
            admins[organization].append(user)
    return recipients | {each: admins[each[0]] for each in left}


@dataclass(frozen=True)
class Notice:
    """What one person should know. How ``values`` are worded is registered for the kind."""

    organization: Organization
    recipient_id: int
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""


def notify(
    *,
    organization: Organization,
    recipients: Iterable[User | int],
    kind: str,
    values: Mapping[str, Any],
    url: str = "",
    now: dt.datetime,
) -> None:
    """Write one unread notification for each recipient."""
    ids = [recipient.pk if isinstance(recipient, User) else recipient for recipient in recipients]
    notify_all([Notice(organization, pk, kind, values, url) for pk in ids], now=now)


def notify_all(notices: Iterable[Notice], *, now: dt.datetime) -> None:
    """Write an unread notification for each notice, all of them together."""
    notices = list(notices)
    insert_all(
        Notification(
            organization=notice.organization,
            recipient_id=notice.recipient_id,
            kind=notice.kind,
            values=dict(notice.values),
            url=notice.url,
            created_at=now,
        )
        for notice in notices
    )
    changes.changed({notice.organization.pk for notice in notices}, [Kind.NOTICES])
