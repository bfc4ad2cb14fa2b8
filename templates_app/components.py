"""Meta's JSON of a template, read once and made safe to work with (pure).

The rest of the app never touches the JSON: what is missing or malformed becomes an empty string, and
``Components.is_supported`` says whether Trochai can fill every part.
Source: WhatsApp Business Platform, "Template components".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trochai.whatsapp.json_reading import mapping, mappings, text

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}", re.ASCII)
MEDIA_FORMATS = frozenset({"image", "video", "document"})
# Buttons that need nothing from the sender. A flow, a catalog or a one-time password needs more than a
# text, and so may anything that Meta invents.
ASKS_NUMBER = "request_contact_info"
PLAIN_BUTTONS = frozenset({"quick_reply", "phone_number", "voice_call", ASKS_NUMBER})
KNOWN_BUTTONS = PLAIN_BUTTONS | {"url", "copy_code"}


@dataclass(frozen=True)
class Button:
    """``index`` is its place among all buttons, as Meta counts them."""

    index: int
    kind: str
    text: str
    url: str
    phone: str
    example: str


@dataclass(frozen=True)
class Components:
    """The parts of a template. ``header_format`` is text, image, video, document, or "" for none.

    Examples are Meta's, by placeholder name.
    """

    header_format: str
    header: str
    header_examples: Mapping[str, str]
    body: str
    body_examples: Mapping[str, str]
    footer: str
    buttons: tuple[Button, ...]
    is_named: bool
    is_supported: bool


def read(components: object, parameter_format: str) -> Components:
    """Return the parts of Meta's list of components; never raises, whatever the JSON holds.

    Parts that have been read before are returned as they are.
    """
    if isinstance(components, Components):
        return components
    # Of several components of one kind, the first counts.
    found = dict(reversed(list(_parts(components))))
    header, body = found.get("header", {}), found.get("body", {})
    header_format = text(header.get("format")).lower() or ("text" if "header" in found else "")
    is_named = str(parameter_format).upper() == "NAMED"
    parts = Components(
        header_format=header_format,
        header=text(header.get("text")) if header_format == "text" else "",
        header_examples=_examples(header, "header_text", placeholders(text(header.get("text")))),
        body=text(body.get("text")),
        body_examples=_examples(body, "body_text", placeholders(text(body.get("text")))),
        footer=text(found.get("footer", {}).get("text")),
        buttons=tuple(_buttons(found.get("buttons", {}).get("buttons"))),
        is_named=is_named,
        is_supported=True,
    )
    known = all(kind in {"header", "body", "footer", "buttons"} for kind in found)
    return _with_support(parts, known=known)


def format_of(components: object) -> str:
    """Return the kind of placeholders where Meta does not name it: names are no numbers."""
    found = read(components, "NAMED")
    texts = (found.header, found.body, *(button.url for button in found.buttons))
    names = [name for text in texts for name in placeholders(text)]
    return "NAMED" if names and not any(name.isdigit() for name in names) else "POSITIONAL"


def placeholders(text: str) -> list[str]:
    """Return the names in ``{{…}}``, each once, in order of appearance."""
    return list(dict.fromkeys(PLACEHOLDER.findall(text)))


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _with_support(parts: Components, *, known: bool) -> Components:
    supported = (
        known
        and bool(parts.body.strip())
        and parts.header_format in {"", "text", *MEDIA_FORMATS}
        and len(placeholders(parts.header)) <= 1
        and _fits_format(parts.header, is_named=parts.is_named)
        and _fits_format(parts.body, is_named=parts.is_named)
        and all(_can_press(button) for button in parts.buttons)
    )
    return parts if supported else replace(parts, is_supported=False)


def _fits_format(text: str, *, is_named: bool) -> bool:
    """Positional placeholders are 1…n without a gap: Meta takes their values as a bare list."""
    if "{{" in PLACEHOLDER.sub("", text):
        return False
    names = placeholders(text)
    if is_named:
        return not any(name.isdigit() for name in names)
    return sorted(names) == sorted(numbers(len(names)))


def _can_press(button: Button) -> bool:
    """Return whether Trochai can fill this button. A URL may have one variable, at its end."""
    if button.kind != "url":
        return button.kind in KNOWN_BUTTONS
    found = list(PLACEHOLDER.finditer(button.url))
    ends_with_it = len(found) == 1 and found[0].end() == len(button.url)
    return ends_with_it or "{{" not in button.url


def _parts(components: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each component with its type; anything else is yielded as "malformed"."""
    if not isinstance(components, Sequence) or isinstance(components, str):
        yield "malformed", {}
        return
    for component in components:
        if isinstance(component, dict):
            yield text(component.get("type")).lower(), component
        else:
            yield "malformed", {}


def _buttons(buttons: object) -> Iterator[Button]:
    if not isinstance(buttons, list):
        return
    for index, button in enumerate(buttons):
        fields = mapping(button)
        example = fields.get("example")
        yield Button(
            index=index,
            kind=text(fields.get("type")).lower(),
            text=text(fields.get("text")),
            url=text(fields.get("url")),
            phone=text(fields.get("phone_number")),
            example=text(example[0] if isinstance(example, list) and example else example),
        )


def _examples(component: dict[str, Any], key: str, names: list[str]) -> dict[str, str]:
    """Return Meta's example for each placeholder: a list in order, or a list of named ones."""
    example = mapping(component, "example")
    named = example.get(f"{key}_named_params")
    if isinstance(named, list):
        return {text(entry.get("param_name")): text(entry.get("example")) for entry in mappings(named)}
    values = example.get(key)
    # body_text is a list of lists, header_text a plain one.
    if isinstance(values, list) and values and isinstance(values[0], list):
        values = values[0]
    if not isinstance(values, list):
        return {}
    in_order = numbers(len(names)) if all(name.isdigit() for name in names) else names
    return {name: text(value) for name, value in zip(in_order, values, strict=False)}
