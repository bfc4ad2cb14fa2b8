"""What the processes that write tell the one that holds the streams of open pages, by Redis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self
from urllib.parse import urlsplit

# The numbers of an organization and of a person are all that is told: no name, no message.
_LISTS = {"organizations": int, "kinds": str, "people": int}
_FIELDS = {*_LISTS, "moment"}


@dataclass(frozen=True)
class News:
    """Kinds of change (``trochai.changes.Kind``) in organizations; or people whose access may have ended.

    ``moment`` is a name for when it was told, given anew each time.
    """

    organizations: Sequence[int] = ()
    kinds: Sequence[str] = ()
    people: Sequence[int] = ()
    moment: str = ""

    def dump(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str | bytes) -> Self:
        """Raise ``ValueError`` for anything that ``dump`` has not made."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.keys() != _FIELDS:
            raise ValueError("no news")
        for name, kind in _LISTS.items():
            if not isinstance(data[name], list) or not all(type(each) is kind for each in data[name]):
                raise ValueError(f"no news: {name}")
        if type(data["moment"]) is not str:
            raise ValueError("no news: moment")
        return cls(**data)


def channel(redis_url: str) -> str:
    """Return where it is told; the databases of a Redis share its channels, so each has one of its own."""
    return f"trochai-news-{urlsplit(redis_url).path.strip('/') or 0}"
