"""The parts of a template message that a bubble draws: media, text with its values, buttons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.template.defaultfilters import linebreaksbr
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from templates_app.components import ASKS_NUMBER
from templates_app.rendering import Piece
from trochai.ui import marks
from trochai.ui.links import linked

MEDIA: Mapping[str, tuple[str, Promise]] = {
    "image": ("image", _("Image")),
    "video": ("video", _("Video")),
    "document": ("file-text", _("Document")),
}
BUTTON_ICONS: Mapping[str, str] = {
    "url": "external-link",
    "phone_number": "phone",
    "voice_call": "phone",
    "copy_code": "copy",
    ASKS_NUMBER: "contact",
}


# From the private use area: no text that people write has it.
SLOT = "\ue000"


def header_media(kind: str) -> tuple[str, Promise]:
    """Return what stands for a picture, video or document: an icon and its label."""
    return MEDIA[kind]


def button_icon(kind: str) -> str:
    """Return the icon of a button of this kind; a quick reply's for any other."""
    return BUTTON_ICONS.get(kind, "reply")


def message_text(pieces: Iterable[Piece], text: str) -> SafeString:
    """Return the text with the values marked, if it has pieces.

    Without them it is what was sent, and its addresses are links: a place may lie within one. The schedule
    dialog's live preview writes into the marked places (js/schedule.js).
    """
    slots = [piece for piece in pieces or () if piece.key is not None]
    if slots:
        # A value stands for one character, so that a mark may begin before it and end after it.
        text = "".join(piece.text.replace(SLOT, "") if piece.key is None else SLOT for piece in pieces)
    values = iter(slots)
    return format_html_join(
        "", "{}", ((_html(part, values, is_sent=not slots),) for part in marks.parse(text))
    )


def _html(part: str | marks.Marked, values: Iterator[Piece], *, is_sent: bool) -> SafeString:
    if isinstance(part, marks.Marked):
        inside = format_html_join("", "{}", ((_html(each, values, is_sent=is_sent),) for each in part.parts))
        return format_html("<{0}>{1}</{0}>", marks.TAGS[part.mark], inside)
    around = part.split(SLOT)
    html = [linebreaksbr(linked(around[0]) if is_sent else around[0])]
    for text in around[1:]:
        value = next(values, None)
        html += [_slot(value) if value else SafeString(""), linebreaksbr(text)]
    return format_html_join("", "{}", ((each,) for each in html))


def _slot(piece: Piece) -> SafeString:
    css = "var" if piece.filled else "var var--empty"
    slot = '<span class="{}" data-slot="{}" data-empty="{}">{}</span>'
    return format_html(slot, css, piece.key, piece.placeholder, piece.text)
