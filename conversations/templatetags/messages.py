"""How a message looks: the icon of its delivery, and what it holds besides words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from conversations.internal_notes import MENTIONS
from conversations.models import Delivery, Message
from trochai.ui import marks
from trochai.ui.links import linked
from trochai.ui.template_tags import icon

register = template.Library()

# The icon of each delivery, and its CSS.
TICKS: Mapping[str, tuple[str, str]] = {
    Delivery.SENDING: ("clock", "tick"),
    Delivery.UNKNOWN: ("circle-question-mark", "tick tick--unknown"),
    Delivery.ACCEPTED: ("check", "tick"),
    Delivery.SENT: ("check", "tick"),
    Delivery.DELIVERED: ("check-check", "tick"),
    Delivery.READ: ("check-check", "tick tick--read"),
    Delivery.PLAYED: ("check-check", "tick tick--read"),
    Delivery.FAILED: ("circle-alert", "tick tick--failed"),
}


@register.simple_tag
def tick(delivery: str) -> SafeString | str:
    """``{% tick message.delivery %}``: the icon that says how far a message has got."""
    if delivery not in TICKS:
        return ""
    name, css = TICKS[delivery]
    return icon(name, "sm", css, Delivery(delivery).label)


@register.simple_tag
def whatsapp_text(text: str) -> SafeString:
    """``{% whatsapp_text bubble.text %}``: with WhatsApp's formatting and links; CSS breaks the lines."""
    return format_html_join("", "{}", ((_html(part),) for part in marks.parse(text)))


def _html(part: str | marks.Marked) -> SafeString:
    if isinstance(part, str):
        return linked(part)
    inside = format_html_join("", "{}", ((_html(each),) for each in part.parts))
    return format_html("<{0}>{1}</{0}>", marks.TAGS[part.mark], inside)


def note_text(message: Message) -> SafeString:
    """Return a note's words with the names of colleagues marked."""
    names = [re.escape(name) for name in message.content.get(MENTIONS, [])]
    if not names:
        return linked(message.text)
    # Every second part is a name.
    parts = re.split(f"({'|'.join(names)})", message.text)
    marked = (
        format_html('<b class="mention">{}</b>', each) if n % 2 else linked(each)
        for n, each in enumerate(parts)
    )
    return format_html_join("", "{}", ((each,) for each in marked))
