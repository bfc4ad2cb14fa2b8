"""The only writer of a follow-up's status.

Every change is one conditional UPDATE on the status it leaves (and, for workers, on the claim they
hold); when no row matched, somebody else was faster and ``TransitionRefused`` says so in plain words.
The table of changes is ``followups.models.TRANSITIONS``; the diagram is in docs/architecture.md.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from conversations import bulk_recording, recording
from conversations.models import Conversation, Delivery, Message
from followups import announcements, retries
from followups.models import CancelCause, FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from followups.search import search_text
from trochai.whatsapp import rate
from trochai.whatsapp.errors import manual_retry_delay
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from templates_app.models import Template
    from trochai.accounts.models import Membership

logger = structlog.get_logger(__name__)

# Longer than the whole deadline of a call, so that no lease runs out while its call is being prepared.
LEASE = dt.timedelta(minutes=2)
# How long a webhook may take to tell how a call ended that nobody saw the end of.
RECONCILIATION = dt.timedelta(minutes=10)
MANUAL_RETRY_DELAY = dt.timedelta(minutes=5)
KEEP_DELETED = dt.timedelta(days=30)
PURGE_CHUNK = 500

_RELEASED: dict[str, Any] = {
    "claim_token": None,
    "lease_expires_at": None,
    "requested_at": None,
    "reconcile_until": None,
}
_NO_FAILURE: dict[str, Any] = {
    "failed_at": None,
    "failure_kind": "",
    "failure_code": None,
    "failure_reason": "",
    "retry_allowed_at": None,
}


class TransitionRefused(Exception):
    """The follow-up is no longer in the state that this change leaves. ``str()`` is for people."""


# What people do ------------------------------------------------------------------------------------


def schedule(
    *,
    conversation: Conversation,
    template: Template,
    parameters: Mapping[str, str],
    scheduled_for: dt.datetime,
    note: str,
    cancel_on_reply: bool,
    submission: uuid.UUID,
    by: Membership,
    now: dt.datetime,
) -> FollowUp:
    """Create a pending follow-up; the same submission again returns the one it made before.

    The values are frozen together with the template's shape: if the template changes so that they no
    longer fit, the re-check at send time says so.
    """
    follow_up, _created = FollowUp.objects.get_or_create(
        organization=by.organization,
        submission=submission,
        defaults={
            "channel_id": conversation.channel_id,
            "conversation": conversation,
            "template": template,
            "parameters": dict(parameters),
            "shape": template.shape,
            "scheduled_for": scheduled_for,
            "next_attempt_at": scheduled_for,
            "note": note,
            "cancel_on_reply": cancel_on_reply,
            "created_by": by.user,
            "created_at": now,
            "search_text": search_text(conversation.contact, note),
        },
    )
    return follow_up


def cancel(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """pending → canceled, by a member."""
    return _change(
        follow_up,
        Q(status=Status.PENDING),
        status=Status.CANCELED,
        next_attempt_at=None,
        canceled_at=now,
        canceled_by=by.user,
        cancel_cause=CancelCause.MEMBER,
    )


def retry(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """failed → pending, due in 5 minutes, with a fresh set of three automatic retries."""
    due_at = now + MANUAL_RETRY_DELAY
    if FollowUp.objects.filter(pk=follow_up.pk, status=Status.FAILED, retry_allowed_at__gt=now).exists():
        raise TransitionRefused(_("WhatsApp allows another try only 24 hours after it refused this one."))
    return _change(
        follow_up,
        Q(status=Status.FAILED) & (Q(retry_allowed_at__isnull=True) | Q(retry_allowed_at__lte=now)),
        status=Status.PENDING,
        scheduled_for=due_at,
        next_attempt_at=due_at,
        failures=0,
        message=None,
        sent_at=None,
        **_NO_FAILURE,
    )


def restore(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """canceled → pending: undo the system's cancel-on-reply, while the date is still ahead."""
    return _change(
        follow_up,
        Q(status=Status.CANCELED, cancel_cause=CancelCause.REPLY, scheduled_for__gt=now),
        status=Status.PENDING,
        next_attempt_at=F("scheduled_for"),
        # The reply that canceled it is answered by the person who restores it.
        cancel_on_reply=False,
        canceled_at=None,
        canceled_by=None,
        cancel_cause="",
    )


def delete(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """Hide a failed or canceled row at once; ``purge_deleted`` removes it 30 days later."""
    final = Q(status__in=[Status.FAILED, Status.CANCELED])
    return _change(follow_up, final, deleted_at=now)


# What the system does ------------------------------------------------------------------------------


def cancel_by_system(follow_ups: QuerySet[FollowUp], *, cause: CancelCause, now: dt.datetime) -> int:
    """pending → canceled for all of ``follow_ups`` that still wait; their creators are told why."""
    with transaction.atomic():
        pending = follow_ups.filter(status=Status.PENDING).select_for_update(of=("self",))
        ids = list(pending.values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(
            status=Status.CANCELED, next_attempt_at=None, canceled_at=now, cancel_cause=cause
        )
        for follow_up in _loaded().filter(pk__in=ids):
            announcements.announce_canceled(follow_up, now=now)
    return len(ids)


def purge_deleted(*, now: dt.datetime) -> int:
    """Remove rows that were deleted 30 days ago; return how many."""
    deleted = FollowUp.objects.filter(deleted_at__lte=now - KEEP_DELETED)
    purged = 0
    while ids := list(deleted.values_list("pk", flat=True)[:PURGE_CHUNK]):
        FollowUp.objects.filter(pk__in=ids).delete()
        purged += len(ids)
    return purged


# What workers do -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """Rows that this worker now holds, in the order in which they may leave, each with its moment.

    The moments are of this process's monotonic clock. ``more``: others are due that it did not get.
    ``free_in`` says, where it got none because their lines are taken, in how many seconds the first is free.
    """

    token: uuid.UUID
    follow_ups: list[FollowUp]
    times: list[float]
    more: bool
    free_in: float | None


def claim(*, limit: int, now: dt.datetime) -> Claim:
    """pending → processing for up to ``limit`` due rows, fair between channels.

    Each channel gets an equal share, no more than its line takes in the next moment; where there are
    more channels than ``limit``, chance decides. From a stopped channel come only rows that met the stop
    themselves: their retries after 5, 15 and 60 minutes find out whether it works again.
    """
    token = uuid.uuid4()
    lines = [_Line(channel, now=now, token=token) for channel in _channels_with_due(now, limit)]
    left, hungry = limit, lines
    while left and hungry:
        share = max(1, left // len(hungry))
        for line in hungry[:left]:
            left -= line.take(share)
        hungry = [line for line in hungry if line.may_have_more and line.free_in is None]
    times = {pk: moment for line in lines for pk, moment in line.times.items()}
    claimed = _claimed().filter(status=Status.PROCESSING, claim_token=token) if times else ()
    follow_ups = sorted(claimed, key=lambda follow_up: (times[follow_up.pk], follow_up.pk))
    free_in = [line.free_in for line in lines if line.free_in is not None]
    return Claim(
        token,
        follow_ups,
        [times[follow_up.pk] for follow_up in follow_ups],
        more=any(line.may_have_more for line in lines),
        free_in=min(free_in, default=None) if not times else None,
    )


class _Line:
    """A channel that has something due, and what a claim got from it."""

    def __init__(self, channel: Channel, *, now: dt.datetime, token: uuid.UUID) -> None:
        self.times: dict[int, float] = {}
        self.may_have_more = True
        # Seconds until it grants something again, where it has granted less than was wanted.
        self.free_in: float | None = None
        self._channel = channel
        self._now = now
        self._token = token

    def take(self, wanted: int) -> int:
        """Claim up to ``wanted`` rows, as far as the line takes them in the next moment."""
        channel = self._channel
        slots = rate.reserve(channel, wanted)
        ids = self._claim(slots.count) if slots.count else []
        rate.give_back(channel, slots, slots.count - len(ids))
        self.times.update(zip(ids, slots.times(), strict=False))
        if slots.count < wanted:
            self.free_in = 0.0 if slots.count else slots.delay
        self.may_have_more = len(ids) == slots.count
        return len(ids)

    def _claim(self, count: int) -> list[int]:
        """Claim the ``count`` oldest of the channel's due rows; return their ids in that order.

        A contact to whom a message is on its way, or left a moment ago, waits: also for another worker's.
        """
        rows = FollowUp.objects.due(self._now).filter(channel=self._channel)
        if self._channel.is_stopped:
            rows = rows.filter(failure_kind=FailureKind.CHANNEL)
        on_its_way = FollowUp.objects.filter(
            Q(requested_at__isnull=True) | Q(requested_at__gt=self._now - rate.PAIR_INTERVAL),
            conversation=OuterRef("conversation"),
            status=Status.PROCESSING,
        )
        with transaction.atomic():
            # One worker after the other, or two would not see each other's rows for the same contact.
            Channel.objects.select_for_update(no_key=True).only("pk").get(pk=self._channel.pk)
            waiting = rows.exclude(Exists(on_its_way)).order_by("next_attempt_at", "pk")
            oldest = waiting.select_for_update(skip_locked=True)
            ids = list(oldest.values_list("pk", flat=True)[:count])
            FollowUp.objects.filter(pk__in=ids, status=Status.PENDING).update(
                status=Status.PROCESSING, claim_token=self._token, lease_expires_at=self._now + LEASE
            )
        return ids


def _channels_with_due(now: dt.datetime, limit: int) -> list[Channel]:
    """Return channels that have something to send: all, or ``limit`` of them by chance.

    By a look into the index for each: PostgreSQL makes an EXISTS a join, and reads the whole table.
    """
    due = FollowUp.objects.due(now)
    first = due.filter(channel=OuterRef("pk")).order_by("next_attempt_at", "pk").values("pk")
    working = Channel.objects.filter(stopped_at__isnull=True).alias(first=Subquery(first[:1]))
    met_a_stop = due.filter(failure_kind=FailureKind.CHANNEL)
    found = [
        *working.filter(first__isnull=False).order_by(),
        *(
            channel
            for channel in Channel.objects.filter(stopped_at__isnull=False).order_by()
            if met_a_stop.filter(channel=channel).exists()
        ),
    ]
    return random.sample(found, k=min(limit, len(found)))


def hand_back(follow_ups: Iterable[FollowUp], *, token: uuid.UUID, due_at: dt.datetime | None = None) -> None:
    """processing → pending before any call was made: no failure is counted."""
    later = {} if due_at is None else {"next_attempt_at": due_at}
    FollowUp.objects.filter(
        pk__in=[follow_up.pk for follow_up in follow_ups],
        status=Status.PROCESSING,
        claim_token=token,
        requested_at__isnull=True,
    ).update(status=Status.PENDING, **later, **_RELEASED)


def release_expired(*, now: dt.datetime) -> int:
    """processing → pending for rows whose worker vanished before it began the call."""
    return FollowUp.objects.lease_expired(now).update(status=Status.PENDING, **_RELEASED)


def request(
    follow_ups: Sequence[FollowUp], *, token: uuid.UUID, now: dt.datetime
) -> dict[int, FollowUpAttempt]:
    """Record durably that the calls are about to be made; return the attempts by follow-up id.

    Rows that this worker no longer holds, or whose lease has run out, are left out: they must not be
    called. A requested row is never claimed again, so this must be committed before the call.
    """
    with transaction.atomic():
        held = FollowUp.objects.filter(
            pk__in=[follow_up.pk for follow_up in follow_ups],
            status=Status.PROCESSING,
            claim_token=token,
            requested_at__isnull=True,
            lease_expires_at__gt=now,
        ).select_for_update()
        ids = list(held.values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(requested_at=now, reconcile_until=now + RECONCILIATION)
        attempts = FollowUpAttempt.objects.bulk_create(
            FollowUpAttempt(follow_up_id=pk, claim_token=token, requested_at=now) for pk in ids
        )
    return {attempt.follow_up_id: attempt for attempt in attempts}


def settle_sent(attempt: FollowUpAttempt, *, whatsapp_id: str, at: dt.datetime, now: dt.datetime) -> Message:
    """Meta accepted this attempt: record the message and, unless it was canceled, mark the row sent.

    Both the worker (HTTP 200) and the webhook (a status that carries the attempt's id) come here, in
    either order: ``Message.attempt`` is unique, so the second finds what the first has written. A row
    that failed as unknown, or waits for another try, becomes sent as well; that try is withdrawn.
    """
    with transaction.atomic():
        follow_up = _locked(attempt.follow_up_id)
        recorded = Message.objects.filter(attempt=attempt.pk).first()
        if recorded is not None:
            return recorded
        message = _record(follow_up, attempt, whatsapp_id=whatsapp_id, at=at)
        _finish(attempt, Outcome.ACCEPTED, now=now)
        provable = Q(status__in=[Status.PROCESSING, Status.FAILED, Status.PENDING])
        changed = FollowUp.objects.filter(provable, pk=follow_up.pk).update(
            status=Status.SENT,
            sent_at=at,
            message=message,
            next_attempt_at=None,
            **_RELEASED,
            **_NO_FAILURE,
        )
        if changed:
            announcements.announce_sent([follow_up], now=now)
        if message.delivery == Delivery.FAILED:  # a webhook that came first had said so
            fail_undelivered(message, attempt, now=now)
    return message


@dataclass(frozen=True)
class Acceptance:
    """An attempt that Meta accepted, and its follow-up as it was claimed, with all that is recorded."""

    follow_up: FollowUp
    attempt: FollowUpAttempt
    whatsapp_id: str


def settle_all_sent(acceptances: Sequence[Acceptance], *, now: dt.datetime) -> None:
    """processing → sent for a group: what ``settle_sent`` does for one, in a handful of statements.

    Rows that a webhook has settled meanwhile, or that are no longer held, go the long way one by one.
    """
    with transaction.atomic():
        held = _lock_held([acceptance.attempt for acceptance in acceptances])
        group = [acceptance for acceptance in acceptances if acceptance.attempt.pk in held]
        records = [_record_of(acceptance) for acceptance in group]
        messages = bulk_recording.record_templates(records, at=now) if records else []
        _mark_sent([acceptance.attempt for acceptance in group], now=now)
        announcements.announce_sent([acceptance.follow_up for acceptance in group], now=now)
        for acceptance, message in zip(group, messages, strict=True):
            if message.delivery == Delivery.FAILED:  # a webhook that came first had said so
                fail_undelivered(message, acceptance.attempt, now=now)
        for acceptance in acceptances:
            if acceptance.attempt.pk not in held:
                settle_sent(acceptance.attempt, whatsapp_id=acceptance.whatsapp_id, at=now, now=now)


def _lock_held(attempts: Sequence[FollowUpAttempt]) -> set[uuid.UUID]:
    """Lock the attempts' rows, in one order everywhere; return the attempts that nobody has settled."""
    by_row = {attempt.follow_up_id: attempt for attempt in attempts}
    rows = FollowUp.objects.filter(pk__in=by_row, status=Status.PROCESSING).order_by("pk")
    tokens = dict(rows.select_for_update().values_list("pk", "claim_token"))
    recorded = Message.objects.filter(attempt__in=[attempt.pk for attempt in attempts])
    return {attempt.pk for pk, attempt in by_row.items() if tokens.get(pk) == attempt.claim_token} - set(
        recorded.values_list("attempt", flat=True)
    )


def _mark_sent(attempts: Sequence[FollowUpAttempt], *, now: dt.datetime) -> None:
    """Mark the locked rows sent, each with the message that carries its attempt's id."""
    ids = [attempt.pk for attempt in attempts]
    FollowUpAttempt.objects.filter(pk__in=ids).update(outcome=Outcome.ACCEPTED, finished_at=now)
    calls = FollowUpAttempt.objects.filter(pk__in=ids, follow_up=OuterRef(OuterRef("pk")))
    message = Message.objects.filter(attempt__in=calls.values("pk")).values("pk")
    FollowUp.objects.filter(pk__in=[attempt.follow_up_id for attempt in attempts]).update(
        status=Status.SENT,
        sent_at=now,
        message=Subquery(message),
        next_attempt_at=None,
        **_RELEASED,
        **_NO_FAILURE,
    )


def _record_of(acceptance: Acceptance) -> bulk_recording.TemplateRecord:
    follow_up = acceptance.follow_up
    return bulk_recording.TemplateRecord(
        conversation=follow_up.conversation,
        rendered=follow_up.template.render(follow_up.parameters),
        template_name=follow_up.template.name,
        language=follow_up.template.language,
        whatsapp_id=acceptance.whatsapp_id,
        sent_by_id=follow_up.created_by_id,
        attempt=acceptance.attempt.pk,
    )


def settle_retry(
    attempt: FollowUpAttempt,
    *,
    kind: FailureKind,
    code: int | None,
    reason: str,
    details: str,
    now: dt.datetime,
) -> None:
    """processing → pending after a temporary error, or → failed after the fourth.

    Raises ``TransitionRefused`` when the row has moved on (a webhook has settled it).
    """
    with transaction.atomic():
        follow_up = _locked(attempt.follow_up_id)
        failures = follow_up.failures + 1
        due_at = retries.next_attempt_at(failures, now)
        outcome = Outcome.CHANNEL if kind == FailureKind.CHANNEL else Outcome.TEMPORARY
        _finish(attempt, outcome, now=now, code=code, reason=reason, details=details)
        if due_at is None:
            _fail(follow_up, _held(attempt), kind=kind, code=code, reason=reason, now=now, failures=failures)
            return
        changed = _held(attempt).update(
            status=Status.PENDING,
            next_attempt_at=due_at,
            failures=failures,
            failure_kind=kind,
            failure_code=code,
            failure_reason=reason,
            **_RELEASED,
        )
        if not changed:
            raise TransitionRefused(_refusal(follow_up))


def settle_failed(
    attempt: FollowUpAttempt,
    *,
    code: int | None,
    reason: str,
    details: str,
    retry_allowed_at: dt.datetime | None,
    now: dt.datetime,
) -> None:
    """processing → failed after a permanent error. Raises ``TransitionRefused`` as above."""
    with transaction.atomic():
        follow_up = _locked(attempt.follow_up_id)
        _finish(attempt, Outcome.PERMANENT, now=now, code=code, reason=reason, details=details)
        _fail(
            follow_up,
            _held(attempt),
            kind=FailureKind.PERMANENT,
            code=code,
            reason=reason,
            now=now,
            retry_allowed_at=retry_allowed_at,
        )


def settle_unknown(attempt: FollowUpAttempt, *, reason: str, details: str, now: dt.datetime) -> None:
    """Nobody knows how the call ended: the row stays processing until a webhook or the time decides.

    What a webhook has said about the attempt meanwhile is left alone.
    """
    if not Message.objects.filter(attempt=attempt.pk).exists():
        _finish(attempt, Outcome.UNKNOWN, now=now, reason=reason, details=details)


def fail_unsent(
    follow_up: FollowUp, *, token: uuid.UUID, kind: FailureKind, reason: str, now: dt.datetime
) -> None:
    """processing → failed without a call: missed, or no longer sendable."""
    with transaction.atomic():
        held = FollowUp.objects.filter(
            pk=follow_up.pk, status=Status.PROCESSING, claim_token=token, requested_at__isnull=True
        )
        _fail(follow_up, held, kind=kind, code=None, reason=reason, now=now)


def give_up_on_unknown(*, now: dt.datetime) -> int:
    """processing → failed for rows whose outcome stayed unknown past the reconciliation time."""
    given_up = 0
    for pk in FollowUp.objects.unknown_past(now).values_list("pk", flat=True):
        try:
            with transaction.atomic():
                still_unknown = FollowUp.objects.unknown_past(now).filter(pk=pk)
                reason = _("Delivery unknown: it may have reached the contact.")
                _fail(_locked(pk), still_unknown, kind=FailureKind.UNKNOWN, code=None, reason=reason, now=now)
        except TransitionRefused:
            continue  # a webhook was faster
        except Exception:
            # One row must not keep the others, and what is due now, from being looked after.
            logger.exception("follow_up_not_given_up", follow_up=pk)
        else:
            given_up += 1
    return given_up


def fail_undelivered(message: Message, attempt: FollowUpAttempt, *, now: dt.datetime) -> bool:
    """sent or processing → failed: Meta had accepted the message and now says that it failed.

    A row that stood as "delivery unknown" learns the true reason. Returns whether the row changed;
    it does not when another attempt has taken its place since.
    """
    with transaction.atomic():
        follow_up = _locked(attempt.follow_up_id)
        newest = follow_up.attempts.order_by("-requested_at", "-pk").first()
        if newest is None or newest.pk != attempt.pk:
            return False
        delay = manual_retry_delay(message.error_code)
        concerned = FollowUp.objects.filter(
            Q(status=Status.SENT, message=message)
            | Q(status=Status.PROCESSING, claim_token=attempt.claim_token)
            | Q(status=Status.FAILED, failure_kind=FailureKind.UNKNOWN),
            pk=follow_up.pk,
        )
        try:
            _fail(
                follow_up,
                concerned,
                kind=FailureKind.UNDELIVERED,
                code=message.error_code,
                reason=message.error_reason or _("WhatsApp could not deliver it."),
                now=now,
                retry_allowed_at=now + delay if delay else None,
                message=message,
            )
        except TransitionRefused:
            return False
    return True


def record_undelivered(
    attempt: FollowUpAttempt, *, whatsapp_id: str, at: dt.datetime, now: dt.datetime
) -> Message:
    """Record the message of an attempt whose first news is that it failed; its row is settled next."""
    with transaction.atomic():
        follow_up = _locked(attempt.follow_up_id)
        recorded = Message.objects.filter(attempt=attempt.pk).first()
        if recorded is not None:
            return recorded
        _finish(attempt, Outcome.ACCEPTED, now=now)
        return _record(follow_up, attempt, whatsapp_id=whatsapp_id, at=at)


# Parts ---------------------------------------------------------------------------------------------


def _change(follow_up: FollowUp, leaving: Q, **columns: Any) -> FollowUp:
    visible = FollowUp.objects.visible().filter(pk=follow_up.pk)
    if not visible.filter(leaving).update(**columns):
        raise TransitionRefused(_refusal(follow_up))
    return _loaded().get(pk=follow_up.pk)


def _fail(
    follow_up: FollowUp,
    rows: QuerySet[FollowUp],
    *,
    kind: FailureKind,
    code: int | None,
    reason: str,
    now: dt.datetime,
    **columns: Any,
) -> None:
    failure = {"failed_at": now, "failure_kind": kind, "failure_code": code, "failure_reason": reason[:300]}
    changed = rows.update(
        **{"status": Status.FAILED, "next_attempt_at": None, **_RELEASED, **failure, **columns}
    )
    if not changed:
        raise TransitionRefused(_refusal(follow_up))
    for name, value in failure.items():
        setattr(follow_up, name, value)
    announcements.announce_failed(follow_up, now=now)


def _refusal(follow_up: FollowUp) -> str:
    """Return in plain words why a change is refused: what the row is by now."""
    current = FollowUp.objects.visible().filter(pk=follow_up.pk).first()
    if current is None:
        return _("This follow-up no longer exists.")
    return {
        Status.PENDING: _("It is waiting to be sent."),
        Status.PROCESSING: _("It is already being sent."),
        Status.SENT: _("It has already been sent."),
        Status.FAILED: _("It has failed in the meantime."),
        Status.CANCELED: _("It is already canceled."),
    }[Status(current.status)]


def _loaded() -> QuerySet[FollowUp]:
    return FollowUp.objects.select_related(
        "organization", "channel", "conversation__contact", "template__channel", "created_by"
    )


def _claimed() -> QuerySet[FollowUp]:
    """Like ``_loaded``, for many: what rows have in common (a channel's tokens!) is read once."""
    return FollowUp.objects.select_related("conversation__contact").prefetch_related(
        "organization", "channel", "template"
    )


def _locked(pk: int) -> FollowUp:
    """Return the row, locked until the transaction ends: webhook and worker settle one after the other."""
    return _loaded().select_for_update(of=("self",)).get(pk=pk)


def _held(attempt: FollowUpAttempt) -> QuerySet[FollowUp]:
    return FollowUp.objects.filter(
        pk=attempt.follow_up_id, status=Status.PROCESSING, claim_token=attempt.claim_token
    )


def _finish(attempt: FollowUpAttempt, outcome: Outcome, *, now: dt.datetime, **columns: Any) -> None:
    columns["reason"] = columns.get("reason", "")[:300]
    columns["details"] = columns.get("details", "")[:1000]
    FollowUpAttempt.objects.filter(pk=attempt.pk).update(outcome=outcome, finished_at=now, **columns)


def _record(follow_up: FollowUp, attempt: FollowUpAttempt, *, whatsapp_id: str, at: dt.datetime) -> Message:
    """Write the message into the conversation's history, as the contact sees it."""
    return recording.record_template(
        conversation=follow_up.conversation,
        rendered=follow_up.template.render(follow_up.parameters),
        template_name=follow_up.template.name,
        language=follow_up.template.language,
        whatsapp_id=whatsapp_id,
        at=at,
        sent_by=follow_up.created_by,
        attempt=attempt.pk,
    )
