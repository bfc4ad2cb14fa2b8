"""Pages as tests read them."""

from __future__ import annotations

import re

from django.http import HttpResponse


def html_of(page: HttpResponse | str) -> str:
    """Return the page's HTML without the line breaks and indentation that its templates are written with."""
    html = page if isinstance(page, str) else page.content.decode()
    html = re.sub(r"(?<=[>])\s*\n\s*|\s*\n\s*(?=[<])", "", html)
    return re.sub(r"\s*\n\s*", " ", html)
