"""JSON of which nothing is taken for granted: what is missing or of another type reads as empty (pure)."""

from __future__ import annotations

import json
from typing import Any


def decode(body: bytes | str) -> Any:
    """Return what the text holds, or None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def mapping(value: object, *keys: str) -> dict[str, Any]:
    """Return the object that is reached by the keys, one within the other."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list, and leave out what else is there."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def first(value: object) -> dict[str, Any]:
    """Return the first object in a list."""
    return next(iter(mappings(value)), {})


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def text_or_number(value: object) -> str:
    """Ids and moments come as strings or as numbers, depending on Meta's page."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    return text(value)
