"""How many follow-ups each hour has: one grouped query, from indexes that are there for other queries.

States come from the indexes of the list's tabs, what is due from the one that claims read: none of the rows
themselves is read. An hour is one of the organization's clock. On a day on which it goes back, the hour that
happens twice has both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import CharField, Count, F, IntegerField, QuerySet, Value
from django.db.models.functions import TruncHour

from followups.models import FollowUp, FollowUpQuerySet, Status
from trochai.accounts.models import Organization
from trochai.paging import counted_to
from trochai.whatsapp.models import Channel

# As many are counted whenever somebody looks: that takes a few milliseconds.
FEW = 2_000

_DAY = dt.timedelta(days=1)
_HOUR = "%Y-%m-%dT%H"
# Beside the states of a follow-up: what a channel has to send.
DUE = "due"


@dataclass(frozen=True)
class Span:
    """Whole days, both included, of the clock in ``zone``."""

    first: dt.date
    last: dt.date
    zone: dt.tzinfo

    def __str__(self) -> str:
        return f"{self.first}/{self.last}/{self.zone}"

    def __contains__(self, day: dt.date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[dt.date]:
        return (self.first + n * _DAY for n in range((self.last - self.first).days + 1))

    @property
    def begins(self) -> dt.datetime:
        return dt.datetime.combine(self.first, dt.time.min, tzinfo=self.zone)

    @property
    def ends(self) -> dt.datetime:
        """The end of the last day, which is no part of it."""
        return dt.datetime.combine(self.last + _DAY, dt.time.min, tzinfo=self.zone)


def sheet(organization: Organization, now: dt.datetime) -> Span:
    """Return the weeks from this one's Monday until the last day that can be scheduled for."""
    today = now.astimezone(organization.zone).date()
    first = today - dt.timedelta(days=today.weekday())
    last = today + dt.timedelta(days=organization.max_days)
    return Span(first, last + dt.timedelta(days=6 - last.weekday()), organization.zone)


class Tally(NamedTuple):
    """``number`` follow-ups at ``hour`` (2026-12-01T09): of a state, or of what a channel has due."""

    hour: str
    state: str
    channel: int
    number: int


@dataclass
class Counts:
    """How many there are in each state, processing ones as pending, and how many each channel has to send."""

    pending: int = 0
    sent: int = 0
    failed: int = 0
    canceled: int = 0
    due: dict[int, int] = field(default_factory=dict)

    def add(self, state: str, channel: int, count: int) -> None:
        if state == DUE:
            self.due[channel] = self.due.get(channel, 0) + count
        else:
            setattr(self, state, getattr(self, state) + count)

    def merge(self, other: Counts) -> None:
        for state in (Status.PENDING, Status.SENT, Status.FAILED, Status.CANCELED):
            self.add(state, 0, getattr(other, state))
        for channel, count in other.due.items():
            self.add(DUE, channel, count)

    def dump(self) -> list[Any]:
        """Return it as JSON takes it."""
        return [self.pending, self.sent, self.failed, self.canceled, self.due]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> Counts:
        """Return what was dumped; keys of JSON are texts."""
        pending, sent, failed, canceled, due = dumped
        return cls(pending, sent, failed, canceled, {int(channel): count for channel, count in due.items()})

    @property
    def total(self) -> int:
        return self.pending + self.sent + self.failed + self.canceled


def waiting_within(span: Span, channels: Iterable[Channel | int]) -> FollowUpQuerySet:
    """Return what these channels have to send on the days of ``span``."""
    return _within(FollowUp.objects.waiting().filter(channel__in=channels), span, "next_attempt_at")


def are_few(organization: Organization, span: Span) -> bool:
    """Whether there are at most ``FEW`` in these days; reads no more than that of each state."""
    counted = [counted_to(_within(rows, span), FEW) for rows in _by_state(organization).values()]
    numbers: tuple[int, ...] = Organization.objects.filter(pk=organization.pk).values_list(*counted).get()
    return sum(numbers) <= FEW


def tally(organization: Organization, channels: Iterable[Channel], span: Span) -> list[Tally]:
    """Count all that is in these days, however many; ``channels`` are the organization's."""
    state, *others = [
        _grouped(_within(rows, span), "scheduled_for", span, state=state, channel=Value(0))
        for state, rows in _by_state(organization).items()
    ]
    due = _grouped(
        waiting_within(span, [channel.pk for channel in channels]),
        "next_attempt_at",
        span,
        state=DUE,
        channel=F("channel_id"),
    )
    return [
        Tally(hour.strftime(_HOUR), state, channel, count)
        for hour, state, channel, count in state.union(*others, due, all=True)
    ]


def by_hour(tallies: Iterable[Sequence[Any]]) -> dict[dt.datetime, Counts]:
    """Return the counts of each hour that has any, by its beginning (local, naive)."""
    hours: dict[dt.datetime, Counts] = {}
    for hour, state, channel, count in tallies:
        hours.setdefault(dt.datetime.fromisoformat(f"{hour}:00"), Counts()).add(state, channel, count)
    return hours


def by_day(hours: Mapping[dt.datetime, Counts]) -> dict[dt.date, Counts]:
    days: dict[dt.date, Counts] = {}
    for hour, counts in hours.items():
        days.setdefault(hour.date(), Counts()).merge(counts)
    return days


def _by_state(organization: Organization) -> dict[str, FollowUpQuerySet]:
    rows = FollowUp.objects.for_organization(organization)
    settled = (Status.SENT, Status.FAILED, Status.CANCELED)
    return {Status.PENDING: rows.unsettled(), **{state: rows.filter(status=state) for state in settled}}


def _within(rows: FollowUpQuerySet, span: Span, moment: str = "scheduled_for") -> FollowUpQuerySet:
    return rows.filter(**{f"{moment}__gte": span.begins, f"{moment}__lt": span.ends})


def _grouped(
    rows: FollowUpQuerySet, moment: str, span: Span, *, state: str, channel: Value | F
) -> QuerySet[Any, tuple[dt.datetime, str, int, int]]:
    hours = rows.order_by().annotate(
        hour=TruncHour(moment, tzinfo=span.zone),
        state=Value(str(state), CharField()),
        of_channel=channel,
    )
    return hours.values_list("hour", "state", "of_channel").annotate(
        count=Count("pk", output_field=IntegerField())
    )
