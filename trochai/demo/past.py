"""Follow-ups of the story, written as they were scheduled and as they ended in the past.

Not through ``lifecycle.schedule``: some fall due while somebody looks, sooner than people may ask for.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from conversations import recording
from conversations.models import Conversation, Delivery, Message
from followups import announcements, lifecycle
from followups.lifecycle import counts
from followups.lifecycle.changes import template_record
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from followups.wording.failures import Cause
from notifications.models import Notification
from trochai.demo.stage import Stage, wamid
from trochai.search import search_text
from trochai.whatsapp.cloud_api.errors import PermanentError, classify, manual_retry_delay
from trochai.whatsapp.cloud_api.failures import Cause as TheirCause
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.sandbox.numbers import MESSAGES

if TYPE_CHECKING:
    from trochai.demo import scenes

MINUTE = dt.timedelta(minutes=1)
# How long a call takes in the story.
CALL = dt.timedelta(milliseconds=420)


def replay(plan: scenes.FollowUp, conversation: Conversation, stage: Stage) -> None:
    note = stage.words(plan.note, "es")
    follow_up = FollowUp(
        organization=stage.organization,
        channel=stage.channel,
        conversation=conversation,
        template=stage.templates[plan.template],
        parameters=_values(plan, stage),
        shape=stage.templates[plan.template].shape,
        note=note,
        cancel_on_reply=plan.cancel_on_reply,
        created_by=stage.user(plan.by),
        created_at=stage.at(plan.made),
        search_text=search_text(*conversation.contact.known_as, note),
        scheduled_for=stage.at(plan.when),
        **_past(plan, stage),
    )
    attempts = [_attempt(follow_up, attempt, stage) for attempt in plan.tries]
    if plan.delivery is not None:
        accepted = _accepted(follow_up)
        # A "try" beside it is what Meta said later about this same call.
        attempts = [accepted]
        follow_up.message = _template_message(follow_up, accepted, plan.delivery)
    follow_up.save()
    if follow_up.next_attempt_at is not None:
        counts.add([conversation.pk], by=1)
    FollowUpAttempt.objects.bulk_create(attempts)
    _announce(plan, follow_up)


def _values(plan: scenes.FollowUp, stage: Stage) -> dict[str, str]:
    template = stage.templates[plan.template]
    words = [stage.words(value, template.language) for value in plan.values]
    return dict(zip((each.key for each in template.parameters), words, strict=True))


def _past(plan: scenes.FollowUp, stage: Stage) -> dict[str, Any]:
    """Return the columns that say what became of the follow-up."""
    last = plan.tries[-1] if plan.tries else None
    if plan.cause is not None and plan.canceled is not None:
        return {
            "status": Status.CANCELED,
            "canceled_at": stage.at(plan.canceled),
            "canceled_by": stage.user(plan.canceled_by),
            "cancel_cause": plan.cause,
        }
    if plan.failure is not None:
        return {"status": Status.FAILED, **_failure(plan, stage)}
    if plan.delivery is not None:
        return {"status": Status.SENT, "sent_at": stage.at(plan.when) + CALL}
    if last is not None and plan.in_doubt_until is not None:
        return {
            "status": Status.PROCESSING,
            "next_attempt_at": stage.at(plan.when),
            "claim_token": uuid.uuid4(),
            "requested_at": stage.at(last.when),
            "lease_expires_at": stage.at(last.when) + lifecycle.LEASE,
            "reconcile_until": stage.at(plan.in_doubt_until),
        }
    if last is None:
        return {"next_attempt_at": stage.at(plan.when)}
    if plan.next_try is None:
        raise ValueError(f"the story does not say what became of {plan}")
    return {
        "status": Status.PENDING,
        "next_attempt_at": stage.at(plan.next_try),
        "failures": len(plan.tries),
        "failure_kind": FailureKind.TEMPORARY,
        "failure_code": last.code,
    }


def _failure(plan: scenes.FollowUp, stage: Stage) -> dict[str, Any]:
    last = plan.tries[-1] if plan.tries else None
    code = last.code if last else None
    failed_at = stage.at(last.when) + CALL if last else stage.at(plan.when)
    failure = Failure(code)
    if plan.failure == FailureKind.UNKNOWN:
        failed_at += lifecycle.RECONCILIATION
        failure = Failure(cause=Cause.UNKNOWN)
    elif plan.failure == FailureKind.MISSED:
        failed_at += MINUTE * (stage.organization.missed_after_minutes + 1)
        failure = Failure(cause=Cause.MISSED, values={"hours": stage.organization.missed_after_minutes / 60})
    delay = manual_retry_delay(code)
    return {
        "failed_at": failed_at,
        "failure_kind": plan.failure,
        **failure.columns("failure"),
        "failures": len(plan.tries) if plan.failure == FailureKind.TEMPORARY else 0,
        "retry_allowed_at": failed_at + delay if delay else None,
    }


def _attempt(follow_up: FollowUp, attempt: scenes.Try, stage: Stage) -> FollowUpAttempt:
    at = stage.at(attempt.when)
    if attempt.code is None:
        outcome, cause, details = Outcome.UNKNOWN, TheirCause.NO_ANSWER.value, ""
    else:
        error = classify(400, {"error": {"code": attempt.code, "message": MESSAGES[attempt.code]}})
        outcome = Outcome.PERMANENT if isinstance(error, PermanentError) else Outcome.TEMPORARY
        cause, details = "", error.details
    return FollowUpAttempt(
        follow_up=follow_up,
        claim_token=follow_up.claim_token or uuid.uuid4(),
        requested_at=at,
        finished_at=at + CALL,
        outcome=outcome,
        code=attempt.code,
        cause=cause,
        details=details,
    )


def _accepted(follow_up: FollowUp) -> FollowUpAttempt:
    return FollowUpAttempt(
        follow_up=follow_up,
        claim_token=uuid.uuid4(),
        requested_at=follow_up.scheduled_for,
        finished_at=follow_up.scheduled_for + CALL,
        outcome=Outcome.ACCEPTED,
    )


def _template_message(follow_up: FollowUp, attempt: FollowUpAttempt, delivery: Delivery) -> Message:
    record = template_record(follow_up, attempt, whatsapp_id=wamid())
    message = recording.record_template(record, at=follow_up.scheduled_for, delivery=delivery)
    if delivery == Delivery.FAILED:
        Message.objects.filter(pk=message.pk).update(**follow_up.failure.columns("error"))
    return message


def _announce(plan: scenes.FollowUp, follow_up: FollowUp) -> None:
    """Write the notification of that time, already read unless the story says otherwise."""
    match follow_up.status:
        case Status.SENT:
            if follow_up.sent_at is not None:
                announcements.announce_sent([follow_up], now=follow_up.sent_at)
            return
        case Status.FAILED:
            told_at, announce = follow_up.failed_at, announcements.announce_failed
        case Status.CANCELED:
            told_at, announce = follow_up.canceled_at, announcements.announce_canceled
        case _:
            return
    if told_at is None:
        return
    announce(follow_up, now=told_at)
    if not plan.unread:
        unread = Notification.objects.for_organization(follow_up.organization).unread()
        unread.filter(created_at=told_at).update(read_at=told_at + 10 * MINUTE)
