"""Words for what notifications store: each app registers them for its own kinds of news.

A row keeps a kind, and values that JSON can hold: names as text, moments as UTC in ISO format. Title and
text are made when somebody reads them, in that person's language and time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _


class Words(NamedTuple):
    title: str
    text: str = ""


class Mark(NamedTuple):
    """An icon, and its CSS: "bad" where something needs a person, "mute" where nothing does."""

    icon: str
    tone: str = ""


Wording = Callable[[Mapping[str, Any]], Words]

UNKNOWN_KIND = Mark("bell", "mute")
_wordings: dict[str, Wording] = {}
_marks: dict[str, Mark] = {}


def words_for(kind: str, *, icon: str, tone: str = "") -> Callable[[Wording], Wording]:
    """Register the decorated function as the one that words this kind; done when its app is ready."""

    def register(wording: Wording) -> Wording:
        _wordings[kind] = wording
        _marks[kind] = Mark(icon, tone)
        return wording

    return register


def mark_of(kind: str) -> Mark:
    """Return what marks this kind of news in a list."""
    return _marks.get(kind, UNKNOWN_KIND)


def in_words(kind: str, values: Mapping[str, Any]) -> Words:
    """Return title and text; a general line for a kind that no app knows any more."""
    if "told" in values:  # from before words were made when they are read
        return Words(**values["told"])
    wording = _wordings.get(kind)
    return wording(values) if wording else Words(_("Something has happened"), _("Open it to see more."))
