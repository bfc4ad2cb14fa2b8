"""The parts of a template message that a bubble draws: media, text with its values, buttons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.template.defaultfilters import linebreaksbr
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from templates_app.rendering import Piece

register = template.Library()

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
}


@register.inclusion_tag("parts/_template_media.html", takes_context=True)
def header_media(context: template.Context, kind: str) -> dict[str, Any]:
    """``{% header_media rendered.header_media.kind %}``: what stands for a picture, video or document."""
    name, label = MEDIA[kind]
    return {"icon_name": name, "label": label, "interface_language": context["interface_language"]}


@register.filter
def button_icon(kind: str) -> str:
    """Return the icon of a button of this kind; a quick reply's for any other."""
    return BUTTON_ICONS.get(kind, "reply")


@register.simple_tag
def message_text(pieces: Iterable[Piece], text: str) -> SafeString:
    """``{% message_text rendered.body_pieces rendered.body %}``: with the values marked, if it has pieces.

    The schedule dialog's live preview writes into the marked places (js/schedule.js).
    """
    if not pieces:
        return linebreaksbr(text)
    return format_html_join("", "{}", ((_marked(piece),) for piece in pieces))


def _marked(piece: Piece) -> SafeString:
    if piece.key is None:
        return linebreaksbr(piece.text)
    css = "var" if piece.filled else "var var--empty"
    slot = '<span class="{}" data-slot="{}" data-empty="{}">{}</span>'
    return format_html(slot, css, piece.key, piece.placeholder, piece.text)
