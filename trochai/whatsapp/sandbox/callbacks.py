"""Webhook bodies as Meta posts them, and their signature (pure). Source: "Webhooks", "messages"."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from trochai.whatsapp.phone_numbers import digits
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
    *,
    message_id: str,
    sender: str,
    name: str,
    kind: str,
    content: object,
    at: float,
    context: object = None,
    user_id: str = "",
    origin: str = "",
) -> dict[str, Any]:
    """Return the value of one change in which a customer sends ``content``, the node of its ``kind``.

    ``context`` names the message that it answers. Without a ``sender``, the number, only the user id is told.
    ``origin`` is what Meta calls that which a card was sent for.
    """
    wa_id = sender.removeprefix("+")
    user_id = user_id or user_id_of(wa_id)
    return {
        "contacts": [{"profile": {"name": name}, **({"wa_id": wa_id} if wa_id else {}), "user_id": user_id}],
        "messages": [
            {
                **({"from": wa_id} if wa_id else {}),
                "from_user_id": user_id,
                "id": message_id,
                "timestamp": str(int(at)),
                "type": kind,
                kind: content,
                **({"context": context} if context else {}),
                **({"origin": origin} if origin else {}),
            }
        ],
    }


def user_id_of(wa_id: str) -> str:
    """Return the business-scoped user id that the sandbox's person with this number has."""
    return f"CR.{wa_id}"


def moved(
    *, message_id: str, old: str, new: str, user_id: str, new_user_id: str, at: float
) -> dict[str, Any]:
    """Return the value in which a person changes number. Without numbers only the user ids are told."""
    system: dict[str, Any] = {"user_id": new_user_id, "previous_user_id": user_id}
    if new:
        words = f"User changed from {old} to {new}"
        system |= {"body": words, "wa_id": new, "type": "user_changed_number"}
    else:
        system |= {"body": "User changed user id", "type": "user_changed_user_id"}
    message = {"id": message_id, "timestamp": str(int(at)), "type": "system", "system": system}
    return {"messages": [message | ({"from": old} if new else {})]}


def preference(*, wa_id: str, user_id: str, choice: str, at: float) -> dict[str, Any]:
    """Return the value in which a person stops marketing messages, or resumes them."""
    preference = {
        "user_id": user_id,
        "detail": f"User requested to {choice} marketing messages",
        "category": "marketing_messages",
        "value": choice,
        "timestamp": int(at),
        **({"wa_id": wa_id} if wa_id else {}),
    }
    return {"user_preferences": [preference]}


def echo(*, message_id: str, sender: str, wa_id: str, user_id: str, text: str, at: float) -> dict[str, Any]:
    """Return the value in which the business answers from its app. Source: "smb_message_echoes"."""
    message = {
        "id": message_id,
        "from": digits(sender),
        "to_user_id": user_id,
        "timestamp": str(int(at)),
        "type": "text",
        "text": {"body": text},
        **({"to": wa_id} if wa_id else {}),
    }
    return {
        "contacts": [{"user_id": user_id, **({"wa_id": wa_id} if wa_id else {})}],
        "message_echoes": [message],
    }


def envelope(account: Account, values: Sequence[dict[str, Any]], field: str = "messages") -> bytes:
    """Return the bytes of one POST that holds these changes of a field."""
    metadata = {
        "display_phone_number": digits(account.display_phone_number),
        "phone_number_id": account.phone_number_id,
    }
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        for value in values
    ]
    body = {"object": "whatsapp_business_account", "entry": [{"id": account.waba_id, "changes": changes}]}
    return json.dumps(body).encode()


def signature(app_secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
