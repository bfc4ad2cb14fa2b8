"""The words in a message, whatever its kind (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trochai.whatsapp.json_reading import mapping, mappings, text, text_or_number

# Where a kind carries words, best first.
WORDS = {
    "text": ("body",),
    "button": ("text", "payload"),
    "image": ("caption",),
    "video": ("caption",),
    "document": ("caption", "filename"),
    "system": ("body",),
    "reaction": ("emoji",),
}
# As many answers, articles or people as are shown of one message, and the longest line.
MOST_LINES = 30
LONGEST_LINE = 500

# Meta names a form's fields "screen_0_Rating_0".
_FIELD = re.compile(r"^screen_\d+_(.+?)(?:_\d+)?$", re.ASCII)


def text_of(kind: str, node: object) -> str:
    """Return what the customer wrote or chose, or nothing; ``node`` is named after the kind."""
    if kind in STRUCTURED:
        lines = (line.strip()[:LONGEST_LINE] for line in STRUCTURED[kind](node))
        return "\n".join([line for line in lines if line][:MOST_LINES])
    words = (text(mapping(node).get(key)) for key in WORDS.get(kind, ()))
    return next((word for word in words if word.strip()), "")


def _interactive(node: object) -> Iterator[str]:
    for kind, key in (("button_reply", "title"), ("list_reply", "title"), ("nfm_reply", "body")):
        reply = mapping(node).get(kind)
        if isinstance(reply, dict):
            answers = list(_answers(reply)) if kind == "nfm_reply" else []
            yield from answers or [text(reply.get(key)), text(reply.get("description"))]
            return


def _answers(reply: dict[str, Any]) -> Iterator[str]:
    """Yield what was filled into a form: "Rating: Excelente"."""
    try:
        answers = json.loads(text(reply.get("response_json")) or "{}")
    except (ValueError, RecursionError):
        return
    for name, value in mapping(answers).items():
        if name == "flow_token":
            continue
        match = _FIELD.match(name)
        label = (match[1] if match else name).replace("_", " ").strip()
        values = value if isinstance(value, list) else [value]
        said = ", ".join(filter(None, map(_figure, values)))
        if said:
            yield f"{label}: {said}"


def _contacts(node: object) -> Iterator[str]:
    """Yield each person of a card with their numbers and addresses."""
    for card in mappings(node):
        name = mapping(card, "name")
        yield text(name.get("formatted_name")) or text(name.get("first_name"))
        for phone in mappings(card.get("phones")):
            yield text_or_number(phone.get("phone")) or text_or_number(phone.get("wa_id"))
        for email in mappings(card.get("emails")):
            yield text(email.get("email"))


def _location(node: object) -> Iterator[str]:
    place = mapping(node)
    yield text(place.get("name"))
    yield text(place.get("address"))
    latitude, longitude = (_figure(place.get(key)) for key in ("latitude", "longitude"))
    if latitude and longitude:
        yield f"{latitude}, {longitude}"


def _order(node: object) -> Iterator[str]:
    """Yield the articles: "2 × SKU-1 · 10.5 USD"."""
    order = mapping(node)
    yield text(order.get("text"))
    for item in mappings(order.get("product_items")):
        article = f"{_figure(item.get('quantity')) or 1} × {text_or_number(item.get('product_retailer_id'))}"
        price = " ".join(filter(None, (_figure(item.get("item_price")), text(item.get("currency")))))
        yield " · ".join(filter(None, (article, price)))


def _figure(value: object) -> str:
    return str(value) if isinstance(value, float) else text_or_number(value)


STRUCTURED: Mapping[str, Callable[[object], Iterator[str]]] = {
    "interactive": _interactive,
    "contacts": _contacts,
    "location": _location,
    "order": _order,
}
