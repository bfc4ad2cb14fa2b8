"""The words in an inbound message, whatever its kind (pure)."""

from __future__ import annotations

from typing import Any

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
    "reaction": ("emoji",),
}


def text_of(kind: str, node: object) -> str:
    """Return what the customer wrote or chose, or nothing; ``node`` is named after the kind."""
    node = mapping(node)
    if kind == "interactive":
        return _interactive(node)
    words = (text(node.get(key)) for key in WORDS.get(kind, ()))
    return next((word for word in words if word.strip()), "")


def _interactive(node: dict[str, Any]) -> str:
    for kind, key in (("button_reply", "title"), ("list_reply", "title"), ("nfm_reply", "body")):
        reply = node.get(kind)
        if isinstance(reply, dict):
            return text(reply.get(key))
    return ""
