"""The building blocks of the demo's story: moments, messages, follow-ups, conversations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from conversations.models import Delivery
from followups.models import CancelCause, FailureKind


@dataclass(frozen=True)
class When:
    """A moment relative to loading: a number of days away at a local time, or simply an offset from now."""

    away: dt.timedelta
    clock: dt.time | None = None

    def at(self, now: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
        if self.clock is None:
            return now + self.away
        date = now.astimezone(zone).date() + self.away
        return dt.datetime.combine(date, self.clock, tzinfo=zone).astimezone(dt.UTC)


def ago(minutes: float) -> When:
    return When(dt.timedelta(minutes=-minutes))


def ahead(minutes: float) -> When:
    return When(dt.timedelta(minutes=minutes))


def soon(seconds: float) -> When:
    return When(dt.timedelta(seconds=seconds))


def day(days: int, clock: str) -> When:
    return When(dt.timedelta(days=days), dt.time.fromisoformat(clock.zfill(5)))


@dataclass(frozen=True)
class Said:
    """One message: from the contact, or from a colleague with what became of it.

    ``file`` names one of the sandbox's, sent with the text or without.
    """

    when: When
    text: str
    by: str | None = None
    delivery: Delivery = Delivery.READ
    error_code: int | None = None
    file: str = ""


@dataclass(frozen=True)
class Try:
    """A call to Meta that did not get through: its error code, or None if there was no answer."""

    when: When
    code: int | None


@dataclass(frozen=True)
class FollowUp:
    """A follow-up; which of ``delivery``, ``failure`` and ``canceled`` is set says how it ended."""

    template: str
    values: tuple[str, ...]
    when: When
    by: str
    made: When
    note: str = ""
    cancel_on_reply: bool = False
    tries: tuple[Try, ...] = ()
    next_try: When | None = None
    in_doubt_until: When | None = None
    delivery: Delivery | None = None
    failure: FailureKind | None = None
    canceled: When | None = None
    canceled_by: str | None = None
    cause: CancelCause | None = None
    # Its notification has not been read yet.
    unread: bool = False


@dataclass(frozen=True)
class Conversation:
    name: str
    phone: str
    lines: tuple[Said, ...]
    follow_ups: tuple[FollowUp, ...] = ()
    language: str = "es"
    unread: int = 0
    status: str = "open"
    assignee: str | None = None
    opted_out: When | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agency:
    name: str
    phone: str
    phone_number_id: str
    waba_id: str
    members: dict[str, str]
    conversations: tuple[Conversation, ...]
    # Their names with their colours, in the agency's order.
    tags: dict[str, str] = field(default_factory=dict)
    saved_replies: dict[str, str] = field(default_factory=dict)
    # Name, kind, number and time, in their order.
    presets: tuple[tuple[str, str, int, dt.time], ...] = ()
