"""An inbound message as one text, whatever its kind (pure)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from trochai.whatsapp.json_reading import mapping, text

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
    node = mapping(node)
    if kind == "interactive":
        return _interactive(node) or _label(kind)
    if kind == "reaction":
        emoji = text(node.get("emoji"))
        return _("Reacted with %(emoji)s") % {"emoji": emoji} if emoji else _("Removed a reaction")
    if kind == "audio" and node.get("voice") is True:
        return _("Voice message")
    words = (text(node.get(key)) for key in WORDS.get(kind, ()))
    return next((word for word in words if word.strip()), "") or _label(kind)


def _interactive(node: dict[str, Any]) -> str:
    for kind, key in (("button_reply", "title"), ("list_reply", "title"), ("nfm_reply", "body")):
        reply = node.get(kind)
        if isinstance(reply, dict):
            return text(reply.get(key))
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
