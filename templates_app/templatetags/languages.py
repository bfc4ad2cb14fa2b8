"""Meta's language codes, for people and for browsers."""

from __future__ import annotations

from django import template
from django.conf.locale import LANG_INFO

register = template.Library()


@register.filter
def lang_tag(code: str) -> str:
    """es_MX → es-MX, as the ``lang`` attribute wants it."""
    return code.replace("_", "-")


@register.filter
def language_name(code: str) -> str:
    """es → Spanish, es_MX → Spanish (MX); a language that Django does not know stays a code."""
    base, _, region = code.replace("-", "_").partition("_")
    info = LANG_INFO.get(base.lower(), {})
    name = info.get("name") or LANG_INFO.get("-".join([base.lower(), region.lower()]), {}).get("name")
    if not name:
        return code
    return f"{name} ({region})" if region else str(name)
