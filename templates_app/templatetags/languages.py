"""Meta's language codes, for people and for browsers."""

from __future__ import annotations

from django import template
from django.conf.locale import LANG_INFO
from django.utils.translation import gettext

register = template.Library()


@register.filter
def lang_tag(code: str) -> str:
    """es_MX → es-MX, as the ``lang`` attribute wants it."""
    return code.replace("_", "-")


@register.filter
def language_name(code: str) -> str:
    """es → Spanish, es_MX → Spanish (MX), in the reader's language; one unknown to Django stays a code."""
    base, _, region = code.replace("-", "_").partition("_")
    info = LANG_INFO.get(base.lower(), {})
    name = info.get("name") or LANG_INFO.get("-".join([base.lower(), region.lower()]), {}).get("name")
    if not name:
        return code
    # Django translates the names of languages.
    return f"{gettext(name)} ({region})" if region else gettext(name)
