"""Sends one follow-up the plain way, for comparison: a row, a call, a transaction.

What Trochai promises is kept where it costs nothing: the row is locked, and marked before the call. There
are no retries, no re-check, no rate and no unknown outcomes, so that the comparison flatters it.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import requests
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, Delivery, Direction, Message
from followups.models import FollowUp, Status
from followups.wording.notices import Kind
from notifications.models import Notification
from templates_app.payload import template_payload

_thread = threading.local()


def due_ids() -> list[int]:
    due = FollowUp.objects.filter(status=Status.PENDING, next_attempt_at__lte=timezone.now())
    return list(due.order_by("next_attempt_at", "pk").values_list("pk", flat=True))


def send(pk: int) -> None:
    """Send the follow-up if it is still pending, and record it."""
    with transaction.atomic():
        rows = FollowUp.objects.select_related("channel", "conversation__contact", "template")
        follow_up = rows.select_for_update(of=("self",)).get(pk=pk)
        if follow_up.status != Status.PENDING:
            return
        follow_up.status = Status.PROCESSING
        follow_up.claim_token = uuid.uuid4()
        follow_up.lease_expires_at = timezone.now() + dt.timedelta(minutes=2)
        follow_up.save(update_fields=["status", "claim_token", "lease_expires_at"])
    whatsapp_id = _call(follow_up)
    with transaction.atomic():
        _record(follow_up, whatsapp_id)


def _call(follow_up: FollowUp) -> str:
    if not hasattr(_thread, "session"):
        _thread.session = requests.Session()
    answer = _thread.session.post(
        f"{settings.WHATSAPP_API_URL}/{settings.WHATSAPP_API_VERSION}"
        f"/{follow_up.channel.phone_number_id}/messages",
        headers={"Authorization": f"Bearer {follow_up.channel.access_token}"},
        json={
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": follow_up.conversation.contact.phone,
            "biz_opaque_callback_data": f"follow_up:{follow_up.pk}",
            "type": "template",
            "template": template_payload(follow_up.template, follow_up.parameters),
        },
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["messages"][0]["id"])


def _record(follow_up: FollowUp, whatsapp_id: str) -> None:
    now = timezone.now()
    rendered = follow_up.template.render(follow_up.parameters)
    message = Message.objects.create(
        conversation=follow_up.conversation,
        channel=follow_up.channel,
        direction=Direction.OUTBOUND,
        kind="template",
        text=rendered.text,
        content=rendered.as_dict(),
        template_name=follow_up.template.name,
        language=follow_up.template.language,
        whatsapp_id=whatsapp_id,
        delivery=Delivery.ACCEPTED,
        sent_by_id=follow_up.created_by_id,
        at=now,
    )
    Conversation.objects.filter(pk=follow_up.conversation_id).update(
        last_message_at=now,
        last_outbound_at=now,
        preview=rendered.body[:200],
        preview_is_outbound=True,
        preview_kind="template",
    )
    FollowUp.objects.filter(pk=follow_up.pk).update(
        status=Status.SENT,
        sent_at=now,
        message=message,
        next_attempt_at=None,
        claim_token=None,
        lease_expires_at=None,
    )
    Notification.objects.create(
        organization_id=follow_up.organization_id,
        recipient_id=follow_up.created_by_id,
        kind=Kind.FOLLOW_UP_SENT,
        values={
            "contact": follow_up.conversation.contact.display_name,
            "template": follow_up.template.name,
        },
        url=f"/inbox/{follow_up.conversation_id}/",
        created_at=now,
    )
