"""Template tags that every page has: icons and moments (a built-in library, see settings)."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template.loader import get_template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from trochai.static_files import BUNDLES
from trochai.ui import formatting, toasts

register = template.Library()

TINTS = 6
MODULE = '<script type="module" src="{}"></script>'
SHEET = '<link rel="stylesheet" href="{}">'


@lru_cache(maxsize=256)
def _render_icon(name: str, size: str, css: str, label: str) -> SafeString:
    classes = " ".join(filter(None, ["icon", size and f"icon--{size}", css]))
    attributes = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    svg = lucide(name, size=16, **{"class": classes, **attributes})
    return mark_safe(re.sub(r"\n\s*", "", svg))  # noqa: S308  (the package's own SVG, attributes escaped)


@register.simple_tag
def icon(name: str, size: str = "", css: str = "", label: str | Promise = "") -> SafeString:
    """``{% icon "bell" %}``, ``{% icon "check" "sm" "tick" "Sent" %}``: decorative unless it has a label."""
    return _render_icon(name, size, css, str(label))


FORMATS = {
    "day": formatting.day,
    "day_time": formatting.day_time,
    "long": formatting.long_day_time,
    "age": formatting.short_age,
    "separator": formatting.day_separator,
    "relative": formatting.relative,
}


@register.simple_tag
def moment(value: dt.datetime | None, style: str = "day_time", css: str = "") -> SafeString | str:
    """``{% moment message.at "time" %}``: a ``<time>`` element in the organization's time zone.

    Styles: day, time, day_time, long; age, separator and relative change with the present moment.
    """
    if value is None:
        return ""
    words = formatting.clock_time(value) if style == "time" else FORMATS[style](value, timezone.now())
    local = timezone.localtime(value).isoformat(timespec="minutes")
    return _time_element(local, words, css)


@lru_cache(maxsize=20_000)
def _time_element(local: str, words: str, css: str) -> SafeString:
    if css:
        return format_html('<time class="{}" datetime="{}">{}</time>', css, local, words)
    return format_html('<time datetime="{}">{}</time>', local, words)


@register.simple_tag
def bundle(name: str) -> SafeString:
    """``{% bundle "css/frame.css" %}``: the bundle, or where nothing is joined each sheet or module of it."""
    names = [name] if getattr(staticfiles_storage, "joins", False) else BUNDLES[name]
    element = MODULE if name.endswith(".js") else SHEET
    return format_html_join("\n", element, ((static(each),) for each in names))


@register.filter
def initials(name: str) -> str:
    """María Jiménez → MJ; Tom & Erika Becker → TB; a bare number → its last two digits."""
    name = formatting.plain(name)
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return name.strip("+ ")[-2:]
    if words[0].isdigit():
        return words[-1][-2:]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@register.simple_tag
def avatar(name: str, pk: int | None, size: str = "") -> SafeString:
    """``{% avatar user.name user.pk "md" %}``: somebody's initials, in one of six tints."""
    css = f"avatar avatar--{tint(pk)}" + (f" avatar--{size}" if size else "")
    return _avatar_element(css, initials(name))


@lru_cache(maxsize=5_000)
def _avatar_element(css: str, letters: str) -> SafeString:
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, letters)


@register.simple_tag(takes_context=True)
def fragment(context: template.Context, name: str, **values: Any) -> SafeString:
    """``{% fragment "followups/_row.html" row=row %}``: of ``templates/jinja2``, with these values alone."""
    return SafeString(get_template(name, using="jinja2").render(values, context.get("request")))


@register.filter
def tint(pk: int | None) -> int:
    """Return which of the six avatar tints belongs to this id."""
    return (pk or 0) % TINTS + 1


@register.filter
def toast_parts(message: object) -> toasts.Toast:
    """Return the toast in one of Django's messages."""
    return toasts.read(str(message))
