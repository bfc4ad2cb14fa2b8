"""Text as it is searched in: one folded column of a row, found with one LIKE (pure).

What is stored and what is searched for go through the same function, so "jimenez" finds "Jiménez".
"""

from __future__ import annotations

import re
import unicodedata
from itertools import filterfalse

# What people write between and around the digits of a number: 8888 1234, 8888-1234, (506) 8888.1234
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s().\-]+(?=\d)|\((?=\d)")

SHORTEST = 3

# Keeps the end of one part of a search text from running into the beginning of the next.
BETWEEN_PARTS = "\n"


def typed(text: str, *, most: int) -> str:
    """Return what stands in a search field, up to ``most`` characters; PostgreSQL takes no NUL in a text."""
    return text.replace("\0", "").strip()[:most]


def fold(text: str) -> str:
    """Return ``text`` without case, accents and needless spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(filterfalse(unicodedata.combining, decomposed))
    # Taking the accents off can leave a letter that folds further.
    return " ".join(plain.casefold().split())


def fold_numbers(text: str) -> str:
    """Return ``text`` folded, and without what separates digits.

    "8888 1234", "88881234" and "+506 8888" all find +506 8888 1234.
    """
    return _BETWEEN_DIGITS.sub("", fold(text))


def lookup(folded: str) -> str:
    """Return how to compare a column of such texts with what is searched for.

    Indexes hold pieces of three letters: fewer find what begins with them, as a name that has only two does.
    """
    return "contains" if len(folded) >= SHORTEST else "startswith"


def is_short(text: str) -> bool:
    return lookup(fold_numbers(text)) == "startswith"


def search_text(*parts: str) -> str:
    """Return what to store for a row that is found by any of ``parts``, each through ``fold_numbers``."""
    return BETWEEN_PARTS.join(fold_numbers(part) for part in parts if part)
