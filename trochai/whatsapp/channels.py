"""Stopping a channel that cannot send, and starting it again."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from trochai.whatsapp.errors import REASON_LENGTH
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_stopped


def stop(channel_id: int, *, code: int | None, reason: str, now: dt.datetime) -> bool:
    """Stop a channel; return True only for the one call that stopped it.

    That call sends ``channel_stopped``, in the same transaction.
    """
    reason = reason[:REASON_LENGTH] or _("WhatsApp refuses to send from this number.")
    with transaction.atomic():
        working = Channel.objects.filter(pk=channel_id, stopped_at__isnull=True)
        if not working.update(stopped_at=now, stop_code=code, stop_reason=reason):
            return False
        channel = Channel.objects.get(pk=channel_id)
        channel_stopped.send(sender=Channel, channel=channel, reason=reason)
    return True


def resume(channel_id: int) -> bool:
    """Let a stopped channel send again; return whether it was stopped."""
    stopped = Channel.objects.filter(pk=channel_id, stopped_at__isnull=False)
    return bool(stopped.update(stopped_at=None, stop_code=None, stop_reason=""))
