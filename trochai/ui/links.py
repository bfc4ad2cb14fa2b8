"""Links in what people write."""

from __future__ import annotations

import re

from django.utils.html import Urlizer, escape
from django.utils.safestring import SafeString


class _Links(Urlizer):
    """Only what is written out as http(s) is a link; it opens elsewhere and does not tell where from."""

    simple_url_2_re = re.compile(r"(?!)")
    url_template = '<a href="{href}" target="_blank" rel="noopener noreferrer"{attrs}>{url}</a>'

    @staticmethod
    def is_email_simple(value: str) -> bool:
        return False


_links = _Links()


def linked(text: str) -> SafeString:
    """Return ``text`` escaped, with its addresses as links."""
    if "://" not in text:
        return escape(text)
    return SafeString(_links(text, autoescape=True))
