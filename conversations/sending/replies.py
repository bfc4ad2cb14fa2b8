"""What people send by hand, as the engine sends it: the last check, and what the calls lead to."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import Any

import structlog
from django.db import transaction

from conversations import consent, identity, recording, window
from conversations.frozen import Frozen
from conversations.media import naming
from conversations.models import Delivery, Message, MessageKind, OptOutSource, QueuedMessage
from conversations.sending import queue
from conversations.wording import FILES, Cause
from templates_app.payload import template_payload
from templates_app.tasks import sync_soon
from trochai import metrics
from trochai.whatsapp import references
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.client import Accepted, client_for
from trochai.whatsapp.cloud_api.errors import OutcomeUnknown, PermanentError, WhatsAppError
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.sending import work
from trochai.whatsapp.sending.dispatch import Dispatcher

logger = structlog.get_logger(__name__)

Job = work.Job[QueuedMessage]
# A call is told apart by the claim under which it was made.
Marked = work.Marked[QueuedMessage, uuid.UUID]
Call = work.Call[QueuedMessage, uuid.UUID]


class Replies:
    """Implements ``trochai.whatsapp.sending.work.Work``."""

    name = "replies"
    batch = 50
    at_once = 256

    # Before the call ------------------------------------------------------------------------------

    def claim(self, *, now: dt.datetime) -> work.Claim[QueuedMessage]:
        return queue.claim(limit=self.batch, now=now)

    def job_for(
        self,
        row: QueuedMessage,
        *,
        token: uuid.UUID,
        busy: Collection[int],
        now: dt.datetime,
    ) -> Job | None:
        content = problem_with(row, now) or _content_of(row.message)
        if isinstance(content, Failure):
            queue.fail(row, content)
            logger.info("reply_not_sent", **self.ids(row), code=content.code, cause=content.cause)
            return None
        recipient = row.conversation.contact.recipient_on(row.channel)
        return work.Job(row, token, client_for(row.channel), recipient, content)

    def fail_broken(self, row: QueuedMessage, *, token: uuid.UUID, now: dt.datetime) -> None:
        queue.fail(row, Failure(cause=Cause.BROKEN))

    def mark(self, jobs: Sequence[Job], *, now: dt.datetime) -> list[Marked]:
        held = queue.mark([job.row for job in jobs], token=jobs[0].token, now=now)
        return [_marked(job) for job in jobs if job.row.pk in held]

    def mark_again(self, marked: Sequence[Marked], *, now: dt.datetime) -> list[Marked]:
        return [each for each in marked if queue.mark_again(each.job.row, token=each.attempt, now=now)]

    def withdraw(self, marked: Sequence[Marked]) -> None:
        for each in marked:
            queue.withdraw(each.job.row, token=each.attempt)

    def hand_back(self, rows: Sequence[QueuedMessage], *, token: uuid.UUID) -> None:
        queue.hand_back(rows, token=token)

    # After it -------------------------------------------------------------------------------------

    def settle_together(self, calls: Sequence[Call], *, now: dt.datetime) -> None:
        with transaction.atomic():
            for call in calls:
                self.settle(call, now=now)

    def settle(self, call: Call, *, now: dt.datetime) -> None:
        message, result = call.row.message, call.result
        with transaction.atomic():
            match result:
                case Accepted():
                    sent_to = call.row.conversation.contact.phone
                    identity.learn_wa_id(call.row.channel, sent_to=sent_to, wa_id=result.wa_id)
                    recording.accept(message, whatsapp_id=result.message_id)
                    message.refresh_from_db()
                    recording.apply_early_statuses(message)
                case OutcomeUnknown():
                    unproved = Message.objects.filter(pk=message.pk, delivery=Delivery.SENDING)
                    unproved.update(delivery=Delivery.UNKNOWN)
                case _:
                    queue.fail(call.row, result.failure)
                    _learn_from(result, call.row, now)
            QueuedMessage.objects.filter(pk=call.row.pk).delete()

    def note(self, call: Call, *, now: dt.datetime, moved_on: bool = False) -> None:
        ids, result = self.ids(call.row), call.result
        if isinstance(result, Accepted):
            metrics.REPLIES.labels("accepted").inc()
            metrics.REPLY_SECONDS.observe((now - call.row.written_at).total_seconds())
            logger.info("reply_sent", **ids)
            return
        outcome = "unknown" if isinstance(result, OutcomeUnknown) else "failed"
        metrics.REPLIES.labels(outcome).inc()
        logger.warning("reply_not_accepted", **ids, outcome=outcome, code=result.code, cause=result.cause)

    def ids(self, row: QueuedMessage, attempt: uuid.UUID | None = None) -> dict[str, object]:
        return {"message": str(row.message.uuid)}


def problem_with(row: QueuedMessage, now: dt.datetime) -> Failure | None:
    """Return why the message must not be sent any more, or None."""
    contact = row.conversation.contact
    if now - row.written_at > queue.BEGIN_WITHIN:
        return Failure(cause=Cause.NOT_BEGUN)
    if row.channel.is_stopped:
        return row.channel.stop
    if row.message.kind == MessageKind.TEMPLATE:
        return Failure(cause=Cause.OPTED_OUT) if contact.is_opted_out else None
    if not window.is_open(row.conversation, now):
        return Failure(cause=Cause.WINDOW_CLOSED)
    # Whoever wrote after it knew it, and may write by hand (docs/decisions/0001).
    if contact.opted_out_at is not None and contact.opted_out_at >= row.written_at:
        return Failure(cause=Cause.OPTED_OUT)
    return None


def _content_of(message: Message) -> dict[str, Any] | Failure:
    """Return the content as Meta takes it, or why the template cannot be sent as it is now."""
    if message.kind in FILES:
        name = naming.given_name(message)
        return payloads.media(message.kind, message.attachment.media_id, caption=message.text, filename=name)
    frozen = Frozen.of(message)
    if frozen is None:
        return payloads.text(message.text)
    template = frozen.template()
    if not template.is_approved:
        return Failure(cause=Cause.NOT_APPROVED)
    if not template.fits(frozen.shape):
        return Failure(cause=Cause.CHANGED)
    return payloads.template(template_payload(template, frozen.values))


def _learn_from(refusal: WhatsAppError, row: QueuedMessage, now: dt.datetime) -> None:
    if not isinstance(refusal, PermanentError):
        return
    if refusal.opted_out:
        consent.opt_out(row.conversation.contact, at=now, source=OptOutSource.REFUSAL, now=now)
    if refusal.template_unusable:
        sync_soon(row.channel_id)


def _marked(job: Job) -> Marked:
    return work.Marked(job, job.token, references.build(references.Kind.MESSAGE, job.row.message.uuid))


dispatcher = Dispatcher(Replies())
