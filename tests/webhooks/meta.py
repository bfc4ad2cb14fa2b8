"""Posts what Meta posts, over HTTP and signed, and has a worker read it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from django.test import Client
from django.utils import timezone

from tests.whatsapp.conftest import signed
from trochai.clock import database_now
from trochai.whatsapp.models import Channel, WebhookDelivery
from trochai.whatsapp.webhooks import deliveries

PERSON = "50688990011"
_numbers = itertools.count()


def post(
    channel: Channel,
    field: str = "messages",
    *,
    to: Channel | None = None,
    time: int | None = None,
    **value: Any,
) -> None:
    """Post one change of ``field`` about ``channel`` to its own address, or to that of ``to``.

    ``time`` is the moment of the whole entry, in unix seconds; ``metadata=None`` leaves it out.
    """
    value.setdefault("metadata", {"phone_number_id": channel.phone_number_id})
    told = {key: part for key, part in value.items() if part is not None}
    change = {"field": field, "value": {"messaging_product": "whatsapp", **told}}
    addressee = to or channel
    entry = {"id": channel.waba_id, "changes": [change]} | ({} if time is None else {"time": time})
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    answer = Client().post(
        f"/webhooks/whatsapp/{addressee.uuid}/",
        body,
        content_type="application/json",
        headers={"X-Hub-Signature-256": signed(body, addressee.app_secret)},
    )
    assert answer.status_code == 200
    for pk in list(_waiting()):
        deliveries.process(pk, now=database_now())
    assert not list(_waiting())


def _waiting() -> Iterator[int]:
    return WebhookDelivery.objects.filter(processed_at=None).values_list("pk", flat=True).iterator()


def message(kind: str = "text", node: Any = None, **more: Any) -> dict[str, Any]:
    """Return one of the person's messages as Meta writes it; ``node`` stands under the kind's name."""
    return {
        "id": more.pop("id", f"wamid.{next(_numbers)}"),
        "from": PERSON,
        "timestamp": str(int(timezone.now().timestamp())),
        "type": kind,
        **({kind: node} if node is not None else {}),
        **more,
    }


def say(channel: Channel, kind: str = "text", node: Any = None, **more: Any) -> None:
    """Post one message of the person's."""
    contacts = more.pop("contacts", [{"profile": {"name": "Cliente Inventado"}, "wa_id": PERSON}])
    post(channel, contacts=contacts, messages=[message(kind, node, **more)])
