"""The names of countries that have phone numbers (pure). Source: Unicode CLDR, through Babel."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from babel import Locale


@lru_cache(maxsize=8)
def names(language: str) -> dict[str, str]:
    """Return the countries' names by code (ISO 3166-1), in the order of the names; ``language`` as en-us."""
    territories = Locale.parse(language, sep="-").territories
    found = {code: str(territories.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS}
    return dict(sorted(found.items(), key=lambda each: each[1].casefold()))


def calling_code(country: str) -> str:
    """+506"""
    return f"+{phonenumbers.country_code_for_region(country)}"
