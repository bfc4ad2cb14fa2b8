"""What is on hold at this moment: asked for with each claim and each mark, so it is one small query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import Q

from followups.models import Hold, HoldScope
from trochai.whatsapp.models import Channel, ChannelQuerySet


class OfChannel(Protocol):
    channel_id: Any
    organization_id: Any


@dataclass(frozen=True)
class Brake:
    """The organizations and channels whose follow-ups are on hold; falsy where nothing is."""

    everything: bool = False
    organizations: frozenset[int] = frozenset()
    channels: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.everything or self.organizations or self.channels)

    def holds(self, follow_up: OfChannel) -> bool:
        return self.stops(follow_up.channel_id, follow_up.organization_id)

    def stops(self, channel_id: int, organization_id: int) -> bool:
        return self.everything or organization_id in self.organizations or channel_id in self.channels

    def among(self, channels: ChannelQuerySet) -> ChannelQuerySet:
        """Return those of ``channels`` that are on hold."""
        if self.everything:
            return channels
        return channels.filter(Q(pk__in=self.channels) | Q(organization__in=self.organizations))

    def free(self, channels: ChannelQuerySet) -> ChannelQuerySet:
        """Return those of ``channels`` that are not."""
        if self.everything:
            return channels.none()
        if self:
            return channels.exclude(Q(pk__in=self.channels) | Q(organization__in=self.organizations))
        return channels


NOTHING = Brake()


def now_held() -> Brake:
    """Return what is on hold."""
    return brake_of(Hold.objects.in_force().order_by().values_list("scope", "organization", "channel"))


def brake_of(holds: Iterable[tuple[str, int | None, int | None]]) -> Brake:
    """Return what these hold, each with its scope and the ids of its organization and channel."""
    scopes = list(holds)
    return Brake(
        everything=any(scope == HoldScope.EVERYTHING for scope, _organization, _channel in scopes),
        organizations=frozenset(pk for _scope, pk, channel in scopes if pk is not None and channel is None),
        channels=frozenset(pk for _scope, _organization, pk in scopes if pk is not None),
    )


def channels_of(hold: Hold) -> ChannelQuerySet:
    """Return the channels in the hold's scope."""
    match hold.scope:
        case HoldScope.CHANNEL:
            return Channel.objects.filter(holds=hold)
        case HoldScope.ORGANIZATION:
            return Channel.objects.filter(organization=hold.organization_id)
    return Channel.objects.all()
