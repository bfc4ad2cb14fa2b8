"""Whose an event is: all numbers of one Meta app share one callback address.

What arrives at a channel's address may be about another number of the same organization. A number of another
organization is served only if its own app secret is the one that has signed the body; both then belong to
one Meta app.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections import Counter

from django.db.models import F, QuerySet

from trochai.whatsapp.models import Channel, UnknownNumber
from trochai.whatsapp.signals import number_unknown
from trochai.whatsapp.webhooks.parsing import Address

# Then no more are kept of one channel, nor looked for in one body: whoever signs could name thousands.
MOST_UNKNOWN = 20
# As many channels of other organizations are looked at as can share an account.
MOST_OTHERS = 100


class Router:
    """Finds the channels of one body's events, each asked for once."""

    def __init__(self, addressee: Channel) -> None:
        self._addressee = addressee
        self._found: dict[Address, Channel | None] = {}
        self.unknown: Counter[Address] = Counter()

    def channel_of(self, address: Address) -> Channel | None:
        """Return the channel; None where it is nobody's, which is counted."""
        if address not in self._found and len(self.unknown) < MOST_UNKNOWN:
            self._found[address] = self._find(address)
        channel = self._found.get(address)
        if channel is None:
            self.unknown[address] += 1
        return channel

    def note_unknown(self, *, now: dt.datetime) -> None:
        """Keep which numbers nobody here knows; sends ``number_unknown`` for each that is new."""
        for address, count in self.unknown.most_common(MOST_UNKNOWN):
            named = {"phone_number_id": address.phone_number_id, "waba_id": address.waba_id}
            known = UnknownNumber.objects.filter(channel=self._addressee, **named)
            if known.update(count=F("count") + count, last_at=now) or self._has_many():
                continue
            number = UnknownNumber(channel=self._addressee, **named, count=count, first_at=now, last_at=now)
            UnknownNumber.objects.bulk_create([number], ignore_conflicts=True)
            number_unknown.send(sender=Channel, channel=self._addressee, number=number)

    def _has_many(self) -> bool:
        return UnknownNumber.objects.filter(channel=self._addressee).count() >= MOST_UNKNOWN

    def _find(self, address: Address) -> Channel | None:
        mine = self._addressee
        if address.phone_number_id:
            if address.phone_number_id == mine.phone_number_id:
                return mine
            return self._allowed(Channel.objects.filter(phone_number_id=address.phone_number_id))
        if address.waba_id == mine.waba_id:
            return mine
        return self._allowed(Channel.objects.filter(waba_id=address.waba_id))

    def _allowed(self, channels: QuerySet[Channel]) -> Channel | None:
        mine = self._addressee
        of_the_organization = channels.filter(organization=mine.organization_id).order_by("pk").first()
        if of_the_organization is not None:
            return of_the_organization
        others = channels.order_by("pk")[:MOST_OTHERS]
        return next((channel for channel in others if self._signs(channel)), None)

    def _signs(self, channel: Channel) -> bool:
        mine = self._addressee
        return bool(mine.app_secret) and hmac.compare_digest(
            channel.app_secret.encode(), mine.app_secret.encode()
        )
