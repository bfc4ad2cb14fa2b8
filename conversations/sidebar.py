"""What the frame around every page shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db.models import Exists, F, QuerySet
from django.http import HttpRequest

from conversations.models import Conversation
from notifications.models import Notification
from trochai import paging
from trochai.accounts.models import Membership, Organization
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.access import MemberRequest


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

    ``unread``: how many conversations are unread, where the page has counted them.
    """

    def __init__(
        self,
        membership: Membership,
        memberships: Sequence[Membership],
        *,
        unread: paging.Count | None = None,
    ) -> None:
        self._membership, self._memberships = membership, memberships
        self._counted = unread

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
        lists: dict[str, QuerySet[Any]] = {
            "notifications": Notification.objects.for_member(self._membership).unread()
        }
        if self._counted is None:
            conversations = Conversation.objects.for_organization(self._membership.organization).current()
            lists["conversations"] = conversations.filter(unread_count__gt=0)
        mine = Membership.objects.filter(pk=self._membership.pk)
        return paging.counts_of(lists, paging.BADGE_CAP, of=mine)

    @cached_property
    def channel(self) -> Channel | None:
        """Return the channel whose state matters most: a stopped one, else any."""
        channels = Channel.objects.for_organization(self._membership.organization)
        channels = channels.annotate(**{f"mark_{n}": each.is_marked for n, each in enumerate(markings)})
        worst_first = channels.order_by(F("stopped_at").desc(nulls_last=True), "pk")
        return worst_first.only("name", "stopped_at", *Channel.STOP_FIELDS).first()

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


def sidebar(request: HttpRequest) -> dict[str, Any]:
    if not hasattr(request, "membership"):
        return {}
    member = cast("MemberRequest", request)
    return {"sidebar": Sidebar(member.membership, member.memberships)}
