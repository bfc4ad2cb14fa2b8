"""Bodies that wait for a worker, and whether reading them together leads to what each leads to by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from trochai.clock import database_now
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries


def store(channel, values: list[dict]) -> WebhookDelivery:
    """Store a body with a change for each value, as the webhook does, for a worker to find."""
    metadata = {"metadata": {"phone_number_id": channel.phone_number_id}}
    changes = [{"field": "messages", "value": metadata | value} for value in values]
    entry = {"id": channel.waba_id, "changes": changes}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return deliveries.store(channel, body, now=database_now())


def text(conversation, number: int, **more) -> dict:
    """Return what the contact of ``conversation`` writes, as Meta tells it."""
    phone = conversation.contact.phone[1:]
    node = {"id": f"wamid.{number}", "from": phone, "timestamp": str(int(timezone.now().timestamp()))}
    node |= {"type": "text", "text": {"body": f"Mensaje {number}"}, **more}
    return {"messages": [node], "contacts": [{"wa_id": phone, "profile": {"name": "Inés"}}]}


def left_each_way(
    monkeypatch, *, world: Callable[[], tuple], store: Callable, left_behind: Callable[..., Any]
) -> list[Any]:
    """Make the world anew and read what it is told: in long bodies, in bodies of one, and one by one.

    Return what each way leaves behind.
    """
    results = []
    for size, together in ((7, True), (1, True), (1, False)):
        if not together:
            monkeypatch.setattr(deliveries, "taken_together", {})
        team, told = world()
        for at in range(0, len(told), size):
            store(team.channel, told[at : at + size])
        process_waiting_webhooks()
        assert not WebhookDelivery.objects.filter(processed_at=None).exists()
        results.append(left_behind(team))
    return results
