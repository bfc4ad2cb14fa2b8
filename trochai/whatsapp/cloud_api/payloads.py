"""The bodies of Meta's messages endpoint, from plain data (pure).

Source: WhatsApp Cloud API, "Message API", "Text messages", "Business-scoped user IDs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trochai.whatsapp.cloud_api.failures import Cause

MAX_TEXT = 4096
MAX_REFERENCE = 512

# With its plus sign: without it Meta takes the number as local to the business's country.
_PHONE = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)


class Unsendable(ValueError):
    """Meta would surely refuse it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


def template_message(
    *, recipient: Mapping[str, str], template: Mapping[str, Any], reference: str
) -> dict[str, Any]:
    """Return the body that sends a template; ``template`` is the object of that name in Meta's body.

    ``reference`` comes back in every status webhook. Raises ``Unsendable``.
    """
    if not template.get("name") or not (template.get("language") or {}).get("code"):
        raise Unsendable(Cause.NO_TEMPLATE)
    return {**_envelope(recipient, reference), "type": "template", "template": dict(template)}


def text_message(*, recipient: Mapping[str, str], text: str, reference: str) -> dict[str, Any]:
    """Return the body that sends free text inside the 24-hour window. Raises ``Unsendable``."""
    if not text.strip():
        raise Unsendable(Cause.EMPTY)
    if len(text) > MAX_TEXT:
        raise Unsendable(Cause.TOO_LONG)
    body = {"body": text, "preview_url": False}
    return {**_envelope(recipient, reference), "type": "text", "text": body}


def _envelope(recipient: Mapping[str, str], reference: str) -> dict[str, Any]:
    if len(reference) > MAX_REFERENCE:
        raise Unsendable(Cause.REFERENCE_TOO_LONG)
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_address(recipient),
        "biz_opaque_callback_data": reference,
    }


def _address(recipient: Mapping[str, str]) -> dict[str, str]:
    phone, user_id = recipient.get("to", ""), recipient.get("recipient", "")
    if phone and _PHONE.fullmatch(phone):
        return {"to": phone}
    if not phone and _USER_ID.fullmatch(user_id):
        return {"recipient": user_id}
    raise Unsendable(Cause.NO_NUMBER)
