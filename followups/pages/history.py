"""What has happened to one follow-up, for its drawer (pure): newest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.models import (
    CancelCause,
    ChangeKind,
    FailureKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    Outcome,
    Status,
)
from followups.retries import DELAYS
from followups.wording.differences import Line, lines
from followups.wording.failures import attempt_failure, with_code

if TYPE_CHECKING:
    from templates_app.models import Template
    from trochai.accounts.models import User

# What people do with it besides scheduling and canceling, which the row itself tells.
CHANGES: dict[str, tuple[Promise, Promise, str]] = {
    ChangeKind.RETRIED: (gettext_lazy("Retried"), gettext_lazy("Retried by %(person)s"), "rotate-cw"),
    ChangeKind.HELD: (gettext_lazy("Put on hold"), gettext_lazy("Put on hold by %(person)s"), "circle-pause"),
    ChangeKind.KEPT: (gettext_lazy("Kept"), gettext_lazy("Kept by %(person)s"), "calendar-check"),
    ChangeKind.MOVED: (gettext_lazy("Moved"), gettext_lazy("Moved by %(person)s"), "calendar-clock"),
    ChangeKind.EDITED: (gettext_lazy("Changed"), gettext_lazy("Changed by %(person)s"), "pencil"),
    ChangeKind.SENT_NOW: (
        gettext_lazy("Sent now"),
        gettext_lazy("Sent now by %(person)s"),
        "send-horizontal",
    ),
    ChangeKind.HANDED_OVER: (
        gettext_lazy("Handed over"),
        gettext_lazy("Handed over by %(person)s"),
        "user-round-check",
    ),
    ChangeKind.RELEASED: (gettext_lazy("Released"), gettext_lazy("Released by %(person)s"), "play"),
    ChangeKind.RESTORED: (gettext_lazy("Restored"), gettext_lazy("Restored by %(person)s"), "undo-2"),
}
RETRIED_BY_ITSELF = frozenset({Outcome.TEMPORARY, Outcome.CHANNEL})


@dataclass(frozen=True)
class Event:
    at: dt.datetime
    title: str
    text: str = ""
    tone: str = ""
    icon: str = "calendar-clock"
    lines: Sequence[Line] = ()


def history_of(
    follow_up: FollowUp,
    attempts: Sequence[FollowUpAttempt],
    changes: Iterable[FollowUpChange],
    templates: Mapping[int, Template],
) -> list[Event]:
    """Return the events, newest first; ``attempts`` oldest first, ``templates`` by id all that it has had."""
    events = [
        _scheduled(follow_up),
        *_tries(attempts),
        *_changes(follow_up, changes, templates),
        *_ending(follow_up, attempts),
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)


def _scheduled(follow_up: FollowUp) -> Event:
    if follow_up.occurrence is not None and follow_up.occurrence > 1:
        return Event(follow_up.created_at, _("Scheduled after the one before"), icon="repeat")
    if follow_up.created_by is None:
        return Event(follow_up.created_at, _("Scheduled"))
    return Event(follow_up.created_at, _("Scheduled by %(person)s") % {"person": follow_up.created_by})


def _changes(
    follow_up: FollowUp, changes: Iterable[FollowUpChange], templates: Mapping[int, Template]
) -> Iterator[Event]:
    for change in changes:
        if change.kind in CHANGES:
            plain, by_person, icon = CHANGES[change.kind]
            title = str(plain) if change.by is None else by_person % {"person": change.by}
            told = lines(change.values, templates, own=follow_up.template_id, now=change.at)
            yield Event(change.at, title, icon=icon, lines=told)
        elif change.kind == ChangeKind.CANCELED and change.at != follow_up.canceled_at:
            # One that was undone; the one that stands is told by the row.
            cause = change.values.get("cause", CancelCause.MEMBER)
            yield Event(change.at, _canceled(follow_up, cause, change.by), icon="ban")


def _tries(attempts: Sequence[FollowUpAttempt]) -> Iterator[Event]:
    """Yield one event per attempt; one that follows no automatic retry was asked for by a person."""
    failures = 0
    for position, attempt in enumerate(attempts):
        if position == 0:
            name = _("First attempt")
        elif failures == 0:
            name = _("Manual retry")
        else:
            name = _("Retry %(number)d") % {"number": failures}
        goes_on = attempt.outcome in RETRIED_BY_ITSELF and failures < len(DELAYS)
        failures = failures + 1 if goes_on else 0
        yield _try(attempt, name, DELAYS[failures - 1] if goes_on else None)


def _try(attempt: FollowUpAttempt, name: str, next_in: dt.timedelta | None) -> Event:
    at = attempt.finished_at or attempt.requested_at
    match attempt.outcome:
        case "":
            return Event(at, _("%(attempt)s under way") % {"attempt": name}, icon="loader-circle")
        case Outcome.ACCEPTED:
            return Event(
                at, _("Sent"), _("%(attempt)s: WhatsApp accepted it.") % {"attempt": name}, "ok", "check"
            )
        case Outcome.UNKNOWN:
            title = _("%(attempt)s without an answer") % {"attempt": name}
            return Event(at, title, with_code(attempt_failure(attempt)), "bad", "circle-alert")
    text = with_code(attempt_failure(attempt))
    if next_in is not None:
        minutes = int(next_in.total_seconds()) // 60
        later = ngettext("Next try %(n)d minute later.", "Next try %(n)d minutes later.", minutes) % {
            "n": minutes
        }
        text = f"{text} {later}"
    elif attempt.outcome in RETRIED_BY_ITSELF:
        text = f"{text} {_('No retries left.')}"
    return Event(at, _("%(attempt)s failed") % {"attempt": name}, text, "bad", "x")


def _ending(follow_up: FollowUp, attempts: Sequence[FollowUpAttempt]) -> Iterator[Event]:
    """Yield what no attempt says: a cancellation, or a failure outside of a call."""
    if follow_up.status == Status.CANCELED and follow_up.canceled_at:
        yield Event(
            follow_up.canceled_at,
            _canceled(follow_up, follow_up.cancel_cause, follow_up.canceled_by),
            icon="ban",
        )
    if follow_up.status != Status.FAILED or follow_up.failed_at is None:
        return
    said_by_attempt = {FailureKind.TEMPORARY, FailureKind.CHANNEL, FailureKind.PERMANENT}
    if follow_up.failure_kind in said_by_attempt and attempts:
        return
    reason = with_code(follow_up.failure)
    yield Event(follow_up.failed_at, _("Marked as failed"), reason, "bad", "x")


def _canceled(follow_up: FollowUp, cause: str, by: User | None) -> str:
    contact = follow_up.conversation.contact.display_name
    match cause:
        case CancelCause.REPLY:
            return _("Canceled: %(contact)s replied") % {"contact": contact}
        case CancelCause.OPT_OUT:
            return _("Canceled: %(contact)s opted out") % {"contact": contact}
    return _("Canceled") if by is None else _("Canceled by %(person)s") % {"person": by}
