"""What the frame around every page shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.conf import settings
from django.db.models import Exists, F, QuerySet
from django.http import HttpRequest

from conversations.models import Conversation
from notifications.models import Notification
from trochai import changes, paging
from trochai.accounts.models import Membership, Organization
from trochai.prepared import Prepared
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.access import MemberRequest


Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Mark:
    """What stands in the frame's foot in place of the channel's state: in short, and in full as its title."""

    text: str
    title: str


@dataclass(frozen=True)
class Marking:
    """An app's way to mark: ``is_marked`` is asked with the channel, so that nothing costs a query before."""

    is_marked: Exists
    mark_of: Callable[[Organization], Mark | None]


# The first counts. Apps add theirs in ``ready()``.
markings: list[Marking] = []


class Sidebar:
    """Asks the database only for what a template shows: a fragment without the frame costs nothing.

    ``unread``: how many conversations are unread, where the page has counted them. ``is_load``: whether
    somebody has come to the page, and may see what is kept (``changes.kept``).
    """

    def __init__(
        self,
        membership: Membership,
        memberships: Sequence[Membership],
        *,
        unread: paging.Count | None = None,
        is_load: bool = False,
    ) -> None:
        self._membership, self._memberships = membership, memberships
        self._counted = unread
        self._is_load = is_load

    @property
    def has_streams(self) -> bool:
        """Whether the page is told what changes (``trochai.live``)."""
        return settings.LIVE_EVENTS

    @property
    def unread_conversations(self) -> paging.Count:
        return self._unread["conversations"] if self._counted is None else self._counted

    @property
    def unread_notifications(self) -> paging.Count:
        return self._unread["notifications"]

    @cached_property
    def _unread(self) -> dict[str, paging.Count]:
        # Which of the numbers are counted depends on the page.
        return self._kept("unread" if self._counted is None else "notices", self._count_unread)

    def _count_unread(self) -> dict[str, paging.Count]:
        mine, counting = self._membership, ALL_UNREAD if self._counted is None else UNREAD_NOTICES
        return counting.of(membership=mine.pk, organization=mine.organization_id, user=mine.user_id)

    @cached_property
    def channel(self) -> Channel | None:
        """Return the channel whose state matters most: a stopped one, else any."""
        return self._kept("channel", self._worst_channel)

    def _worst_channel(self) -> Channel | None:
        return next(iter(_WORST_FIRST.rows(organization=self._membership.organization_id)), None)

    def _kept(self, what: str, find: Callable[[], Kept]) -> Kept:
        return changes.kept(f"{what}-{self._membership.pk}", self._told, find)

    @cached_property
    def _told(self) -> str:
        return changes.last_told(self._membership.organization_id, changes.FRAME) if self._is_load else ""

    @cached_property
    def mark(self) -> Mark | None:
        """Return what matters more than that a channel works."""
        for n, marking in enumerate(markings):
            if getattr(self.channel, f"mark_{n}", False):
                return marking.mark_of(self._membership.organization)
        return None

    @cached_property
    def memberships(self) -> list[Membership]:
        """Return the person's memberships: the organizations to switch between."""
        return sorted(self._memberships, key=lambda each: (each.organization.name.casefold(), each.pk))


def _worst_first(*, organization: int) -> QuerySet[Channel]:
    channels = Channel.objects.for_organization(Organization(pk=organization))
    channels = channels.annotate(**{f"mark_{n}": each.is_marked for n, each in enumerate(markings)})
    worst_first = channels.order_by(F("stopped_at").desc(nulls_last=True), "pk")
    return worst_first.only("name", "stopped_at", *Channel.STOP_FIELDS)[:1]


_WORST_FIRST = Prepared(_worst_first)
Unread = tuple[QuerySet[Any], list[QuerySet[Any]]]


def _notices(*, membership: int, organization: int, user: int) -> Unread:
    theirs = Membership(pk=membership, organization_id=organization, user_id=user)
    return Membership.objects.filter(pk=membership), [Notification.objects.for_member(theirs).unread()]


def _all(*, membership: int, organization: int, user: int) -> Unread:
    row, notices = _notices(membership=membership, organization=organization, user=user)
    conversations = Conversation.objects.for_organization(Organization(pk=organization)).current()
    return row, [*notices, conversations.filter(unread_count__gt=0)]


UNREAD_NOTICES = paging.PreparedCounts(["notifications"], _notices, paging.BADGE_CAP)
ALL_UNREAD = paging.PreparedCounts(["notifications", "conversations"], _all, paging.BADGE_CAP)


def sidebar(request: HttpRequest) -> dict[str, Any]:
    if not hasattr(request, "membership"):
        return {}
    member = cast("MemberRequest", request)
    is_load = request.method == "GET" and "HX-Request" not in request.headers
    return {"sidebar": Sidebar(member.membership, member.memberships, is_load=is_load)}
