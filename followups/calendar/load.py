"""What so many follow-ups mean for the numbers that send them and for the portfolios' limits (pure).

About: the limit counts people who are written to first, in a moving 24 hours, and whatever else the portfolio
sends; here each follow-up of a day counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from followups.calendar.counting import Counts
from trochai.whatsapp import messaging_limits
from trochai.whatsapp.messaging_limits import MessagingLimit
from trochai.whatsapp.models import Channel

# Of the limit, from which on it is worth a second look.
NEAR = 0.8


@dataclass(frozen=True)
class Load:
    """What a day takes of the limit of one portfolio: ``used`` of ``limit`` people."""

    used: int
    limit: int

    @property
    def over(self) -> int:
        return max(0, self.used - self.limit)

    @property
    def percent(self) -> float:
        return round(min(100.0, 100 * self.used / self.limit), 1)

    @property
    def tone(self) -> str:
        """The bar's CSS modifier: over, near or none."""
        return "over" if self.over else "near" if self.used >= NEAR * self.limit else ""


@dataclass(frozen=True)
class Numbers:
    """An organization's channels, and the limits of their portfolios as far as they are known."""

    channels: Mapping[int, Channel]
    limits: Mapping[str, MessagingLimit]

    @classmethod
    def of(cls, channels: Sequence[Channel]) -> Numbers:
        return cls({channel.pk: channel for channel in channels}, messaging_limits.of_portfolios(channels))

    @property
    def portfolios(self) -> set[str]:
        return {channel.portfolio for channel in self.channels.values()}

    @property
    def only_limit(self) -> MessagingLimit | None:
        """The limit, where there is one portfolio and it is known."""
        return next(iter(self.limits.values()), None) if len(self.portfolios) == 1 else None

    def load(self, day: Counts) -> Load | None:
        """Return what the day takes of the limit that it takes most of; None where none is known.

        What has been sent is known for the organization alone: it counts where all of it was one portfolio's.
        """
        used = dict.fromkeys(self.portfolios, day.sent if len(self.portfolios) == 1 else 0)
        for channel, count in day.due.items():
            if channel in self.channels:
                used[self.channels[channel].portfolio] += count
        loads = [
            Load(used[portfolio], limit.people)
            for portfolio, limit in self.limits.items()
            if limit.people and portfolio in used
        ]
        return max(loads, key=lambda load: load.used / load.limit, default=None)

    def seconds(self, hour: Counts) -> int:
        """Return how long the hour's due ones take; the numbers send at the same time."""
        lasts = [
            -(-count // self.channels[channel].messages_per_second)
            for channel, count in hour.due.items()
            if channel in self.channels
        ]
        return max(lasts, default=0)
