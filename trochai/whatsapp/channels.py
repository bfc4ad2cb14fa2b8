"""Stopping a channel that cannot send, and starting it again."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from trochai import changes
from trochai.changes import Kind
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import channel_stopped

# How long after a stop, and after each probe, to find out whether the channel works again.
PROBE_EVERY = dt.timedelta(minutes=5)


def stop(channel_id: int, *, failure: Failure, now: dt.datetime, token: str | None = None) -> bool:
    """Stop a channel; return True only for the one call that stopped it.

    That call sends ``channel_stopped``, in the same transaction. ``token`` is the access token that met
    the error: if it has been replaced since, the error says nothing about the new one, and nothing is
    stopped.
    """
    with transaction.atomic():
        working = Channel.objects.filter(pk=channel_id, stopped_at__isnull=True)
        channel = working.select_for_update(no_key=True).first()
        if channel is None or (token is not None and token != channel.access_token):
            return False
        stop = {"stopped_at": now, "next_probe_at": now + PROBE_EVERY, **failure.columns("stop")}
        for name, value in stop.items():
            setattr(channel, name, value)
        channel.save(update_fields=stop.keys())
        channel_stopped.send(sender=Channel, channel=channel)
        changes.changed([channel.organization_id], [Kind.CHANNELS])
    return True


def resume(channel_id: int, *, stopped_at: dt.datetime | None = None) -> bool:
    """Let a stopped channel send again; return whether it was stopped.

    With ``stopped_at``, only if that stop is still in force: what was learned about one stop says nothing
    about the next.
    """
    stopped = Channel.objects.filter(pk=channel_id, stopped_at__isnull=False)
    if stopped_at is not None:
        stopped = stopped.filter(stopped_at=stopped_at)
    whose = list(stopped.values_list("organization_id", flat=True))
    resumed = stopped.update(stopped_at=None, next_probe_at=None, **Failure().columns("stop"))
    changes.changed(whose, [Kind.CHANNELS])
    return bool(resumed)
