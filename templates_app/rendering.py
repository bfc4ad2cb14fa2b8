"""A template with its values filled in: what the contact will see (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from templates_app import components as parts
from templates_app.components import PLACEHOLDER
from templates_app.parameters import fill, key_of


@dataclass(frozen=True)
class Piece:
    """A stretch of text. One that holds a value has its parameter's key and its placeholder."""

    text: str
    key: str | None = None
    filled: bool = False
    placeholder: str = ""


@dataclass(frozen=True)
class RenderedMedia:
    """``kind`` is image, video or document; ``link`` is empty while nobody has given one."""

    kind: str
    link: str


@dataclass(frozen=True)
class RenderedButton:
    """``kind`` is Meta's type in lower case. ``url`` is a link's whole address, ``code`` a coupon's."""

    kind: str
    text: str
    url: str = ""
    code: str = ""


@dataclass(frozen=True)
class RenderedTemplate:
    """The message's parts. Header and body are kept in pieces, so that a page can mark the values."""

    header_pieces: tuple[Piece, ...]
    header_media: RenderedMedia | None
    body_pieces: tuple[Piece, ...]
    footer: str
    buttons: tuple[RenderedButton, ...]

    @property
    def header(self) -> str:
        return "".join(piece.text for piece in self.header_pieces)

    @property
    def body(self) -> str:
        return "".join(piece.text for piece in self.body_pieces)

    @property
    def text(self) -> str:
        return text_of({"header": self.header, "body": self.body, "footer": self.footer})

    def as_dict(self) -> dict[str, Any]:
        """Return the finished message as JSON, without marking where its values are."""
        return {
            "header": self.header,
            "header_media": dict(vars(self.header_media)) if self.header_media else None,
            "body": self.body,
            "footer": self.footer,
            # dataclasses.asdict copies each text of a burst's messages as well.
            "buttons": [dict(vars(button)) for button in self.buttons],
        }


def text_of(message: Mapping[str, Any]) -> str:
    """Return header, body and footer of ``as_dict``, one below the other: for previews and search."""
    return "\n".join(filter(None, (message["header"], message["body"], message["footer"])))


def render(components: object, parameter_format: str, values: Mapping[str, Any]) -> RenderedTemplate:
    """Fill ``values`` (by parameter key) in; placeholders without a value stay visible as ``{{1}}``."""
    template = parts.read(components, parameter_format)
    media = None
    if template.header_format in parts.MEDIA_FORMATS:
        media = RenderedMedia(kind=template.header_format, link=_given(values, "header_media"))
    return RenderedTemplate(
        header_pieces=_pieces(template.header, "header", values),
        header_media=media,
        body_pieces=_pieces(template.body, "body", values),
        footer=template.footer,
        buttons=tuple(_button(button, values) for button in template.buttons),
    )


def _pieces(text: str, prefix: str, values: Mapping[str, Any]) -> tuple[Piece, ...]:
    pieces, end = [], 0
    for match in PLACEHOLDER.finditer(text):
        pieces.append(Piece(text[end : match.start()]))
        key = key_of(prefix, match[1])
        given = _given(values, key)
        pieces.append(Piece(given or match[0], key, filled=bool(given), placeholder=match[0]))
        end = match.end()
    pieces.append(Piece(text[end:]))
    return tuple(piece for piece in pieces if piece.text)


def _button(button: parts.Button, values: Mapping[str, Any]) -> RenderedButton:
    key = f"button.{button.index}"
    match button.kind:
        case "url":
            return RenderedButton(button.kind, button.text, url=fill(button.url, key, values))
        case "phone_number":
            return RenderedButton(button.kind, button.text, url=f"tel:{button.phone}")
        case "copy_code":
            # WhatsApp writes this on the button itself.
            text = button.text or _("Copy offer code")
            return RenderedButton(button.kind, text, code=_given(values, key))
    return RenderedButton(button.kind, button.text)


def _given(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
