"""An inbound message as one text, whatever its kind (pure)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

# Where a kind carries words, best first.
WORDS = {
    "text": ("body",),
    "button": ("text", "payload"),
    "image": ("caption",),
    "video": ("caption",),
    "document": ("caption", "filename"),
    "location": ("name", "address"),
    "system": ("body",),
}


def text_of(kind: str, node: object) -> str:
    """Return what the customer wrote or chose, or a short label; ``node`` is named after the kind."""
    node = node if isinstance(node, dict) else {}
    if kind == "interactive":
        return _interactive(node) or _label(kind)
    if kind == "reaction":
        emoji = _string(node, "emoji")
        return _("Reacted with %(emoji)s") % {"emoji": emoji} if emoji else _("Removed a reaction")
    if kind == "audio" and node.get("voice") is True:
        return _("Voice message")
    words = (_string(node, key) for key in WORDS.get(kind, ()))
    return next((text for text in words if text.strip()), "") or _label(kind)


def _interactive(node: dict[str, Any]) -> str:
    for kind, key in (("button_reply", "title"), ("list_reply", "title"), ("nfm_reply", "body")):
        reply = node.get(kind)
        if isinstance(reply, dict):
            return _string(reply, key)
    return ""


def _label(kind: str) -> str:
    labels = {
        "text": "",
        "button": _("Button"),
        "interactive": _("Reply"),
        "image": _("Photo"),
        "video": _("Video"),
        "audio": _("Audio"),
        "document": _("Document"),
        "sticker": _("Sticker"),
        "location": _("Location"),
        "system": _("Notice from WhatsApp"),
        "contacts": _("Contact card"),
        "order": _("Order"),
    }
    return labels.get(kind, _("A message that can only be read in WhatsApp"))


def _string(node: dict[str, Any], key: str) -> str:
    value = node.get(key)
    return value if isinstance(value, str) else ""
