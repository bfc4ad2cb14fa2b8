"""The bodies of Meta's messages endpoint, from plain data (pure).

Source: WhatsApp Cloud API, "Message API", "Text messages", "Business-scoped user IDs".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from trochai.whatsapp.cloud_api.failures import Cause

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_REFERENCE = 512

# With its plus sign: without it Meta takes the number as local to the business's country.
_PHONE = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)


class Unsendable(ValueError):
    """Meta would surely refuse it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


def message(*, recipient: Mapping[str, str], content: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return the body that sends ``content`` (from ``template`` or ``text``).

    ``reference`` comes back in every status webhook. Raises ``Unsendable``.
    """
    _CHECKS[content["type"]](content)
    if len(reference) > MAX_REFERENCE:
        raise Unsendable(Cause.REFERENCE_TOO_LONG)
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_address(recipient),
        "biz_opaque_callback_data": reference,
        **content,
    }


def template(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a template message; ``template`` is the object of that name in Meta's body."""
    return {"type": "template", "template": dict(template)}


def text(body: str) -> dict[str, Any]:
    """Return the content of a free text, which may be sent inside the 24-hour window."""
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def media(kind: str, media_id: str, *, caption: str = "", filename: str = "") -> dict[str, Any]:
    """Return the content of a file that was uploaded: image, video, audio or document.

    Source: "Image messages", "Document messages" and their like. An audio has no caption.
    """
    named = {"caption": caption, "filename": filename if kind == "document" else ""}
    return {"type": kind, kind: {"id": media_id, **{key: said for key, said in named.items() if said}}}


def _check_template(content: Mapping[str, Any]) -> None:
    named = content["template"]
    if not named.get("name") or not (named.get("language") or {}).get("code"):
        raise Unsendable(Cause.NO_TEMPLATE)


def _check_text(content: Mapping[str, Any]) -> None:
    body = content["text"]["body"]
    if not body.strip():
        raise Unsendable(Cause.EMPTY)
    if len(body) > MAX_TEXT:
        raise Unsendable(Cause.TOO_LONG)


def _check_media(content: Mapping[str, Any]) -> None:
    node = content[content["type"]]
    if not node.get("id"):
        raise Unsendable(Cause.EMPTY)
    if len(node.get("caption", "")) > MAX_CAPTION:
        raise Unsendable(Cause.TOO_LONG)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "template": _check_template,
    "text": _check_text,
    **dict.fromkeys(("image", "video", "audio", "document"), _check_media),
}


def is_address(recipient: Mapping[str, str]) -> bool:
    """Whether a message can be addressed to ``recipient``: ``to`` (E.164) or ``recipient`` (BSUID)."""
    try:
        _address(recipient)
    except Unsendable:
        return False
    return True


def _address(recipient: Mapping[str, str]) -> dict[str, str]:
    phone, user_id = recipient.get("to", ""), recipient.get("recipient", "")
    if phone and _PHONE.fullmatch(phone):
        return {"to": phone}
    if not phone and _USER_ID.fullmatch(user_id):
        return {"recipient": user_id}
    raise Unsendable(Cause.NO_NUMBER)
