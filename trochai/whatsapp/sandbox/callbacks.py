"""Webhook bodies as Meta posts them, and their signature (pure). Source: "Webhooks", "messages"."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.numbers import MESSAGES


def status(
    *, message_id: str, name: str, recipient: str, reference: str, at: float, failure: int = 0
) -> dict[str, Any]:
    """Return the value of one change that says what became of a message; ``at`` is unix time."""
    update: dict[str, Any] = {"id": message_id, "status": name, "timestamp": str(int(at))}
    key = "recipient_user_id" if "." in recipient else "recipient_id"
    update[key] = recipient.removeprefix("+")
    if reference:
        update["biz_opaque_callback_data"] = reference
    if name == "sent":
        update["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular"}
    if failure:
        text = MESSAGES.get(failure, "Message failed")
        update["errors"] = [
            {"code": failure, "title": text, "message": text, "error_data": {"details": text}}
        ]
    return {"statuses": [update]}


def inbound(*, message_id: str, sender: str, name: str, text: str, at: float) -> dict[str, Any]:
    """Return the value of one change in which a customer writes a text."""
    return written(
        message_id=message_id, sender=sender, name=name, kind="text", content={"body": text}, at=at
    )


def written(
    *, message_id: str, sender: str, name: str, kind: str, content: object, at: float, context: object = None
) -> dict[str, Any]:
    """Return the value of one change in which a customer sends ``content``, the node of its ``kind``.

    ``context`` names the message that it answers.
    """
    wa_id = sender.removeprefix("+")
    return {
        "contacts": [{"profile": {"name": name}, "wa_id": wa_id, "user_id": f"CR.{wa_id}"}],
        "messages": [
            {
                "from": wa_id,
                "from_user_id": f"CR.{wa_id}",
                "id": message_id,
                "timestamp": str(int(at)),
                "type": kind,
                kind: content,
                **({"context": context} if context else {}),
            }
        ],
    }


def envelope(account: Account, values: Sequence[dict[str, Any]]) -> bytes:
    """Return the bytes of one POST that holds these changes of the ``messages`` field."""
    metadata = {
        "display_phone_number": "".join(c for c in account.display_phone_number if c.isdigit()),
        "phone_number_id": account.phone_number_id,
    }
    changes = [
        {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        for value in values
    ]
    body = {"object": "whatsapp_business_account", "entry": [{"id": account.waba_id, "changes": changes}]}
    return json.dumps(body).encode()


def signature(app_secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
