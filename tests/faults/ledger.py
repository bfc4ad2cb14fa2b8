"""Compares what the Cloud API was asked to do with what the tables say was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from django.urls import reverse

from conversations.models import Direction, Message
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from followups.wording.notices import Kind
from notifications.models import Notification
from tests.faults.cloud import Call

PREFIX = "attempt:"


def discrepancies(calls: list[Call]) -> list[str]:
    """Return what does not agree, in plain words; an empty list is what every scenario ends with."""
    rows = list(FollowUp.objects.select_related("message").order_by("pk"))
    attempts = {str(attempt.pk): attempt for attempt in FollowUpAttempt.objects.all()}
    calls_of: dict[int, list[Call]] = defaultdict(list)
    found = []
    for call in calls:
        attempt = attempts.get(call.reference.removeprefix(PREFIX))
        if attempt is None:
            found.append(f"call {call.reference} belongs to no attempt")
        else:
            calls_of[attempt.follow_up_id].append(call)
    history = Counter(Message.objects.values_list("conversation_id", "direction"))
    lines = Message.objects.filter(direction=Direction.NOTE, kind=Kind.FOLLOW_UP_FAILED)
    told = Counter(lines.values_list("conversation_id", flat=True))
    notices = Counter(Notification.objects.values_list("url", "kind"))
    attempts_of: dict[int, list[FollowUpAttempt]] = defaultdict(list)
    for attempt in attempts.values():
        attempts_of[attempt.follow_up_id].append(attempt)
    for row in rows:
        problems = [
            *_with_calls(row, calls_of[row.pk]),
            *_with_attempts(row, attempts_of[row.pk], calls_of[row.pk]),
            *_with_records(row, history, told, notices),
        ]
        found += [f"follow-up {row.pk} ({row.status} {row.failure_kind}): {problem}" for problem in problems]
    return found


def _with_calls(row: FollowUp, calls: list[Call]) -> Iterator[str]:
    accepted = [call for call in calls if call.answer.is_accepted]
    if len(accepted) > 1:
        yield f"accepted {len(accepted)} times"
    if len({call.reference for call in calls}) < len(calls):
        yield "one attempt was called twice"
    if any(not earlier.answer.is_refusal for earlier in calls[:-1]):
        yield "called again although the contact may have got it"
    match row.status:
        case Status.SENT if [(call.reference, call.message_id) for call in accepted] != [
            (f"{PREFIX}{row.message.attempt}", row.message.whatsapp_id)
        ]:
            yield "its message is not the one that was accepted"
        case Status.FAILED if row.failure_kind == FailureKind.UNKNOWN and not _is_in_doubt(row, calls):
            yield "delivery is called unknown, but it was surely refused"
        case Status.PENDING | Status.FAILED if accepted and row.failure_kind != FailureKind.UNKNOWN:
            yield "accepted, and nobody knows"
        case Status.PROCESSING:
            yield "still processing"


def _is_in_doubt(row: FollowUp, calls: list[Call]) -> bool:
    """Whether "unknown" may be said: the last call left a doubt, or a worker died or slept around it.

    One that slept past the call's deadline gets no answer to a call that never left it.
    """
    called = {call.reference for call in calls}
    lost = any(
        not attempt.outcome or (attempt.outcome == Outcome.UNKNOWN and f"{PREFIX}{attempt.pk}" not in called)
        for attempt in row.attempts.all()
    )
    return lost or any(not call.answer.is_refusal for call in calls[-1:])


def _with_attempts(row: FollowUp, attempts: list[FollowUpAttempt], calls: list[Call]) -> Iterator[str]:
    lost = [attempt for attempt in attempts if not attempt.outcome]
    if lost and not (row.status == Status.FAILED and row.failure_kind == FailureKind.UNKNOWN):
        yield "an attempt has no outcome"
    called = {call.reference for call in calls}
    for attempt in attempts:
        was_called = f"{PREFIX}{attempt.pk}" in called
        if not was_called and attempt.outcome not in {"", Outcome.TEMPORARY, Outcome.UNKNOWN}:
            yield f"an attempt is {attempt.outcome}, but no call arrived"
    accepted = [attempt.pk for attempt in attempts if attempt.outcome == Outcome.ACCEPTED]
    if row.status == Status.SENT and accepted != [row.message.attempt]:
        yield "its accepted attempt is not its message's"


def _with_records(row: FollowUp, history: Counter, told: Counter, notices: Counter) -> Iterator[str]:
    is_sent = row.status == Status.SENT
    messages = history[row.conversation_id, Direction.OUTBOUND]
    if messages != is_sent:
        yield f"{messages} messages in the history"
    url = reverse("conversations:conversation", args=[row.conversation_id])
    if notices[url, Kind.FOLLOW_UP_SENT] != is_sent:
        yield f"{notices[url, Kind.FOLLOW_UP_SENT]} notifications of success"
    if row.status == Status.FAILED and told[row.conversation_id] != 1:
        yield f"{told[row.conversation_id]} lines of failure in the thread"
    if row.status == Status.FAILED and notices[url, Kind.FOLLOW_UP_FAILED] != 1:
        yield f"{notices[url, Kind.FOLLOW_UP_FAILED]} notifications of failure"
