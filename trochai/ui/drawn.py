"""Parts of pages that are drawn once, and again only when something that they show is another.

Of a list that has changed, one row has: the others come out the same, letter by letter.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language


class Drawn:
    """A template of ``templates/jinja2`` that shows nothing but ``shown``; of each kept in this process.

    Besides it, what is drawn may depend on the language, the time zone and the day there, and on nothing
    else: neither on the hour nor on who looks. ``most``: how many are kept.
    """

    def __init__(self, template: str, *, most: int) -> None:
        self._template = template
        self._kept = lru_cache(maxsize=most)(self._draw)

    def html(self, shown: Hashable) -> SafeString:
        """Return the part. What is equal to ``shown`` must look the same, as plain texts and numbers do."""
        zone = timezone.get_current_timezone()
        return self._kept(shown, get_language(), str(zone), str(timezone.localdate(timezone=zone)))

    def _draw(self, shown: Hashable, *_around: str | None) -> SafeString:
        return SafeString(get_template(self._template, using="jinja2").render({"shown": shown}))
