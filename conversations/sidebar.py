"""What the frame around every page shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db.models import F, QuerySet
from django.http import HttpRequest

from conversations.models import Conversation
from notifications.models import Notification
from trochai import paging
from trochai.accounts.models import Membership
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.access import MemberRequest


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
        worst_first = channels.order_by(F("stopped_at").desc(nulls_last=True), "pk")
        return worst_first.only("name", "stopped_at", *Channel.STOP_FIELDS).first()

    @cached_property
    def memberships(self) -> list[Membership]:
        """Return the person's memberships: the organizations to switch between."""
        return sorted(self._memberships, key=lambda each: (each.organization.name.casefold(), each.pk))


def sidebar(request: HttpRequest) -> dict[str, Any]:
    if not hasattr(request, "membership"):
        return {}
    member = cast("MemberRequest", request)
    return {"sidebar": Sidebar(member.membership, member.memberships)}
