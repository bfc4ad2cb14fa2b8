"""What the engine that sends needs to know of an app's rows; each app that sends implements ``Work``.

The engine reserves a place in the channel's line, marks the row durably, calls Meta and settles what came
of it. Before the mark a row comes back by its lease; after it the row is never called again, but waits for
the webhook or for a person.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from trochai.whatsapp import rate
    from trochai.whatsapp.cloud_api.client import Accepted, WhatsAppClient
    from trochai.whatsapp.cloud_api.errors import WhatsAppError


class Row(Protocol):
    """What is sent: a follow-up, a person's message."""

    pk: Any
    channel: Any
    channel_id: Any
    conversation_id: Any


RowT = TypeVar("RowT", bound=Row)
# What an app keeps of one call: told apart by its reference.
AttemptT = TypeVar("AttemptT")


class MovedOn(Exception):
    """The row is no longer in the state that this change leaves."""


@dataclass(frozen=True)
class Claim(Generic[RowT]):
    """Rows that this worker now holds, oldest first, with one slot of their channels' lines for each.

    ``more``: other rows are due; ``full``: they were left because the claim had reached its limit, not
    because of their lines. ``free_in``: if nothing was claimed because the lines are taken, in how many
    seconds the first of them is free.
    """

    token: uuid.UUID
    rows: list[RowT]
    slots: dict[int, list[rate.Slots]]
    more: bool
    full: bool
    free_in: float | None


@dataclass(frozen=True)
class Job(Generic[RowT]):
    """A row that may be sent: what goes to Meta, from which number, and under which claim.

    ``content`` is the part of Meta's body that says what is sent (``payloads``); ``kept`` is what the app
    writes down of it with the mark. ``at`` is when its line lets it go, by this process's monotonic clock.
    """

    row: RowT
    token: uuid.UUID
    client: WhatsAppClient
    recipient: Mapping[str, str]
    content: Mapping[str, Any]
    kept: Any = None
    at: float = math.inf


@dataclass(frozen=True)
class Marked(Generic[RowT, AttemptT]):
    """A job whose call is about to be made; ``reference`` is on disk and comes back in Meta's webhooks."""

    job: Job[RowT]
    attempt: AttemptT
    reference: str

    def ended(self, result: Accepted | WhatsAppError) -> Call[RowT, AttemptT]:
        return Call(self.job.row, self.attempt, result)


@dataclass(frozen=True)
class Call(Generic[RowT, AttemptT]):
    """How the call of an attempt ended, for its row as it was claimed."""

    row: RowT
    attempt: AttemptT
    result: Accepted | WhatsAppError


class Work(Protocol[RowT, AttemptT]):
    """An app's rows as the engine sends them. No method calls Meta; each is a transaction of its own.

    ``batch`` is how many rows are claimed at a time, ``at_once`` how many calls one worker makes at once.
    ``name`` stands in metrics.
    """

    name: str

    @property
    def batch(self) -> int: ...
    @property
    def at_once(self) -> int: ...

    def claim(self, *, now: dt.datetime) -> Claim[RowT]:
        """Take up to ``batch`` rows that may be sent now."""

    def job_for(
        self, row: RowT, *, token: uuid.UUID, busy: Collection[int], now: dt.datetime
    ) -> Job[RowT] | None:
        """Check the row once more; None if it must not be sent now and was settled or handed back.

        ``busy`` holds the conversations to which this worker has a message on its way. Raises ``MovedOn``.
        """

    def fail_broken(self, row: RowT, *, token: uuid.UUID, now: dt.datetime) -> None:
        """``job_for`` broke, and would break each time. Raises ``MovedOn``."""

    def mark(self, jobs: Sequence[Job[RowT]], *, now: dt.datetime) -> list[Marked[RowT, AttemptT]]:
        """Record durably that the calls are about to be made; leave out what this worker no longer holds.

        All jobs are of one claim.
        """

    def mark_again(
        self, marked: Sequence[Marked[RowT, AttemptT]], *, now: dt.datetime
    ) -> list[Marked[RowT, AttemptT]]:
        """Renew the marks of calls that this worker knows it has not made; return those still held."""

    def withdraw(self, marked: Sequence[Marked[RowT, AttemptT]]) -> None:
        """Let marked rows wait again: this worker knows that it made no call."""

    def hand_back(self, rows: Sequence[RowT], *, token: uuid.UUID) -> None:
        """Let claimed rows wait again."""

    def settle_together(self, calls: Sequence[Call[RowT, AttemptT]], *, now: dt.datetime) -> None:
        """Write down how all of the calls ended, or none of them. Raises ``MovedOn``."""

    def settle(self, call: Call[RowT, AttemptT], *, now: dt.datetime) -> None:
        """Write down how one call ended. Raises ``MovedOn``."""

    def note(self, call: Call[RowT, AttemptT], *, now: dt.datetime, moved_on: bool = False) -> None:
        """Count and log how a call ended; ``moved_on``: somebody had settled its row before."""

    def ids(self, row: RowT, attempt: AttemptT | None = None) -> dict[str, object]:
        """Return how a log line names the row."""
