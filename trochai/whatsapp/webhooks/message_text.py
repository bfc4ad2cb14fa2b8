"""What a message says, whatever its kind: its parts, and all of it in words (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

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


class Place(NamedTuple):
    """Where somebody is: degrees as they were told, each empty if they were not."""

    name: str
    address: str
    latitude: str
    longitude: str


class Person(NamedTuple):
    name: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]


class Article(NamedTuple):
    """``price`` is of one, with its currency."""

    quantity: str
    name: str
    price: str


def text_of(kind: str, node: object) -> str:
    """Return what the customer wrote or chose, or nothing; ``node`` is named after the kind."""
    if kind in STRUCTURED:
        lines = (line.strip()[:LONGEST_LINE] for line in STRUCTURED[kind](node))
        return "\n".join([line for line in lines if line][:MOST_LINES])
    words = (text(mapping(node).get(key)) for key in WORDS.get(kind, ()))
    return next((word for word in words if word.strip()), "")


def answers_of(node: object) -> list[tuple[str, str]]:
    """Return what was filled into a form (an ``interactive`` node): Rating, Excelente."""
    reply = mapping(node, "nfm_reply")
    try:
        answers = mapping(json.loads(text(reply.get("response_json")) or "{}"))
    except (ValueError, RecursionError):
        return []
    filled = ((_label(name), _said(value)) for name, value in answers.items() if name != "flow_token")
    return [(label, said) for label, said in filled if said]


def people_of(node: object) -> Iterator[Person]:
    """Yield each person of a card with their numbers and addresses."""
    for card in mappings(node):
        name = mapping(card, "name")
        phones = (
            text_or_number(each.get("phone")) or text_or_number(each.get("wa_id"))
            for each in mappings(card.get("phones"))
        )
        emails = (text(each.get("email")) for each in mappings(card.get("emails")))
        called = text(name.get("formatted_name")) or text(name.get("first_name"))
        yield Person(called, tuple(filter(None, phones)), tuple(filter(None, emails)))


def place_of(node: object) -> Place:
    place = mapping(node)
    latitude, longitude = (_figure(place.get(key)) for key in ("latitude", "longitude"))
    return Place(text(place.get("name")), text(place.get("address")), latitude, longitude)


def articles_of(node: object) -> Iterator[Article]:
    for item in mappings(mapping(node).get("product_items")):
        price = " ".join(filter(None, (_figure(item.get("item_price")), text(item.get("currency")))))
        name = text_or_number(item.get("product_retailer_id"))
        yield Article(_figure(item.get("quantity")) or "1", name, price)


def _interactive(node: object) -> Iterator[str]:
    for kind, key in (("button_reply", "title"), ("list_reply", "title"), ("nfm_reply", "body")):
        reply = mapping(node).get(kind)
        if isinstance(reply, dict):
            answers = [f"{label}: {said}" for label, said in answers_of(node)]
            yield from answers or [text(reply.get(key)), text(reply.get("description"))]
            return


def _contacts(node: object) -> Iterator[str]:
    for person in people_of(node):
        yield from (person.name, *person.phones, *person.emails)


def _location(node: object) -> Iterator[str]:
    place = place_of(node)
    yield from (place.name, place.address)
    if place.latitude and place.longitude:
        yield f"{place.latitude}, {place.longitude}"


def _order(node: object) -> Iterator[str]:
    """Yield the articles: "2 × SKU-1 · 10.5 USD"."""
    yield text(mapping(node).get("text"))
    for article in articles_of(node):
        yield " · ".join(filter(None, (f"{article.quantity} × {article.name}", article.price)))


def _label(name: str) -> str:
    match = _FIELD.match(name)
    return (match[1] if match else name).replace("_", " ").strip()


def _said(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(filter(None, map(_figure, values)))


def _figure(value: object) -> str:
    return str(value) if isinstance(value, float) else text_or_number(value)


STRUCTURED: Mapping[str, Callable[[object], Iterator[str]]] = {
    "interactive": _interactive,
    "contacts": _contacts,
    "location": _location,
    "order": _order,
}
