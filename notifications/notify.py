"""``notify()``: the one way to put something into people's bells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notifications.models import Notification
from trochai import changes
from trochai.accounts.models import Membership, Organization, User

if TYPE_CHECKING:
    import datetime as dt


def recipients_for(organization: Organization, user_id: int | None) -> list[int]:
    """Return the ids of those to tell: the person, or the admins if that person has left."""
    members = Membership.objects.for_organization(organization).active()
    if user_id is not None and members.filter(user_id=user_id).exists():
        return [user_id]
    return list(members.admins().values_list("user_id", flat=True))


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
    """Write an unread notification for each notice, in one statement."""
    notices = list(notices)
    Notification.objects.bulk_create(
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
    changes.changed({notice.organization.pk for notice in notices})
