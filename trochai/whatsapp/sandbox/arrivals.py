"""What a message request puts on the phone of whom it is for (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trochai.whatsapp.json_reading import mapping, mappings, text
from trochai.whatsapp.sandbox.phones import MAX_NAME, Button, Message, Template
from trochai.whatsapp.sandbox.validation import PLACEHOLDER


def arrival(
    body: Mapping[str, Any], templates: Iterable[dict[str, Any]], *, message_id: str, at: float
) -> Message:
    """Return the message of a request that was accepted."""
    kind = text(body.get("type")) or "text"
    node = mapping(body, kind)
    template = _filled_in(node, templates) if kind == "template" else None
    return Message(
        id=message_id,
        kind=kind,
        at=at,
        is_mine=False,
        text=text(node.get("body")) or text(node.get("caption")),
        template=template,
        media_id=text(node.get("id")),
        name=text(node.get("filename"))[:MAX_NAME],
        quoted=text(mapping(body, "context").get("message_id")),
        reference=text(body.get("biz_opaque_callback_data")),
    )


def is_marketing(body: Mapping[str, Any], templates: Iterable[dict[str, Any]]) -> bool:
    """Return whether a template for marketing is to be sent."""
    known = _known(mapping(body, "template"), templates)
    return text(body.get("type")) == "template" and known.get("category") == "MARKETING"


def _known(node: Mapping[str, Any], templates: Iterable[dict[str, Any]]) -> dict[str, Any]:
    wanted = (node.get("name"), mapping(node, "language").get("code"))
    return next((each for each in templates if (each["name"], each["language"]) == wanted), {})


def _filled_in(node: Mapping[str, Any], templates: Iterable[dict[str, Any]]) -> Template:
    parts = {part["type"].upper(): part for part in _known(node, templates).get("components", [])}
    given = mappings(node.get("components"))
    header = parts.get("HEADER", {})
    header_kind = header.get("format", "TEXT").lower()
    return Template(
        language=text(mapping(node, "language").get("code")),
        header=_filled(header.get("text", ""), _parameters(given, "header")),
        header_kind="" if header_kind == "text" else header_kind,
        body=_filled(parts.get("BODY", {}).get("text", ""), _parameters(given, "body")),
        footer=parts.get("FOOTER", {}).get("text", ""),
        buttons=tuple(
            _button(button, _parameters(given, "button", str(index)))
            for index, button in enumerate(parts.get("BUTTONS", {}).get("buttons", []))
        ),
    )


def _button(button: Mapping[str, Any], values: Sequence[Mapping[str, Any]]) -> Button:
    value = values[0] if values else {}
    words = text(button.get("text"))
    return Button(
        kind=text(button.get("type")).lower(),
        text=words,
        # Without one of its own it answers with its words.
        payload=text(value.get("payload")) or words,
        address=_filled(text(button.get("url")), values),
    )


def _parameters(given: Iterable[Mapping[str, Any]], kind: str, index: str = "") -> list[dict[str, Any]]:
    return [
        value
        for part in given
        if text(part.get("type")).lower() == kind and (not index or str(part.get("index")) == index)
        for value in mappings(part.get("parameters"))
    ]


def _filled(words: str, values: Sequence[Mapping[str, Any]]) -> str:
    """Return the text with its values, which stand in its placeholders' order or have their names."""
    keys = dict.fromkeys(PLACEHOLDER.findall(words))
    said = {
        text(value.get("parameter_name")) or key: text(value.get("text"))
        for key, value in zip(keys, values, strict=False)
    }
    return PLACEHOLDER.sub(lambda match: said.get(match[1]) or match[0], words)
