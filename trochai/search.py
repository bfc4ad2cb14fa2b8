"""Text as it is searched in: without case, accents and needless spaces (pure)."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Return ``text`` folded; what is stored and what is searched for both go through it."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    # Taking the accents off can leave a letter that folds further.
    return " ".join(plain.casefold().split())
