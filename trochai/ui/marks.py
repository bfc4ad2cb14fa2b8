"""WhatsApp's formatting of a text: ``*bold*``, ``_italic_``, ``~struck~`` and three back quotes (pure).

Source: WhatsApp Help Center, "How to format your messages". A mark counts only where WhatsApp takes it for
one: it stands at the border of a word, has no space inside, and is closed on the same line.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

MARKS = "*_~"
MONOSPACE = "```"


@dataclass(frozen=True)
class Marked:
    """A part of a text between two marks, which are not part of it."""

    mark: str
    parts: tuple[str | Marked, ...]


def parse(text: str) -> tuple[str | Marked, ...]:
    """Return the text in its parts. Takes time in proportion to its length."""
    parts: list[str | Marked] = []
    pieces = text.split(MONOSPACE)
    for number, piece in enumerate(pieces):
        is_closed = number + 1 < len(pieces)
        if number % 2 and is_closed and piece.strip():
            parts.append(Marked(MONOSPACE, (piece,)))
        elif number % 2:
            parts += _parsed(MONOSPACE + piece + (MONOSPACE if is_closed else ""), MARKS)
        else:
            parts += _parsed(piece, MARKS)
    return tuple(parts)


def plain(text: str) -> str:
    """Return the text without the marks, for where nothing can be bold."""
    return "".join(part if isinstance(part, str) else _inside(part) for part in parse(text))


def _inside(part: Marked) -> str:
    return "".join(each if isinstance(each, str) else _inside(each) for each in part.parts)


def _parsed(text: str, marks: str) -> list[str | Marked]:
    marks = "".join(mark for mark in marks if mark in text)
    if not marks:
        return [text] if text else []
    ends = {mark: _ends(text, mark) for mark in marks}
    breaks = [place for place, character in enumerate(text) if character == "\n"]
    parts: list[str | Marked] = []
    begin = place = 0
    while place < len(text):
        mark = text[place]
        end = _end(text, place, ends[mark], breaks) if mark in marks else None
        if end is None:
            place += 1
            continue
        parts.append(text[begin:place])
        parts.append(Marked(mark, tuple(_parsed(text[place + 1 : end], marks.replace(mark, "")))))
        begin = place = end + 1
    parts.append(text[begin:])
    return [part for part in parts if part]


def _ends(text: str, mark: str) -> list[int]:
    """Return the places at which something that began with ``mark`` may end."""
    return [
        place
        for place, character in enumerate(text)
        if character == mark
        and place > 0
        and not text[place - 1].isspace()
        and not text[place + 1 : place + 2].isalnum()
    ]


def _end(text: str, place: int, ends: list[int], breaks: list[int]) -> int | None:
    """Return where the mark at ``place`` ends; None if it begins nothing."""
    following = text[place + 1 : place + 2]
    if text[max(0, place - 1) : place].isalnum() or not following.strip() or following == text[place]:
        return None
    found = bisect_right(ends, place + 1)
    line = bisect_left(breaks, place)
    line_end = breaks[line] if line < len(breaks) else len(text)
    return ends[found] if found < len(ends) and ends[found] < line_end else None


TAGS: Mapping[str, str] = {"*": "b", "_": "i", "~": "s", MONOSPACE: "code"}
