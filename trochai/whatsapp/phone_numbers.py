"""Phone numbers: how they are kept, and in which other ways WhatsApp spells the same mobile (pure).

Meta's webhooks may name a mobile otherwise than people and its own API do: Brazil with or without the ninth
digit, Mexico with a 1 after the country code, Argentina with a 9. Landlines have one spelling.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

# The eight digits of an old mobile begin with 6 to 9; those of a landline with 2 to 5.
_BRAZIL = re.compile(r"\+55([1-9][1-9])9?([6-9]\d{7})", re.ASCII)
_MEXICO = re.compile(r"\+521?(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"\+549(\d{10})", re.ASCII)


def normalized(typed: str) -> str:
    """Return a number as it is kept: E.164 with its plus sign.

    Raises ``ValueError`` for what is no number, or has no country code.
    """
    digits = re.sub(r"^00", "+", typed.strip())
    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException as error:
        raise ValueError("no phone number with a country code") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("too short or too long")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=20_000)
def international(phone: str) -> str:
    """+50688881234 → +506 8888 1234; what is no number stays as it is."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def canonical(phone: str) -> str:
    """Return one spelling for all of a number, so that doubles can be found."""
    if match := _BRAZIL.fullmatch(phone):
        return f"+55{match[1]}9{match[2]}"
    if match := _MEXICO.fullmatch(phone):
        return f"+52{match[1]}"
    if match := _ARGENTINA.fullmatch(phone):
        return f"+54{match[1]}"
    return phone


def spellings(phone: str) -> tuple[str, ...]:
    """Return every way in which WhatsApp may spell this number, itself first."""
    others: tuple[str, ...] = ()
    if match := _BRAZIL.fullmatch(phone):
        others = (f"+55{match[1]}9{match[2]}", f"+55{match[1]}{match[2]}")
    elif match := _MEXICO.fullmatch(phone):
        others = (f"+52{match[1]}", f"+521{match[1]}")
    elif match := _ARGENTINA.fullmatch(phone):
        # Without the 9 it could be a landline: whoever writes from one is not taken for a mobile.
        others = (f"+54{match[1]}",)
    return (phone, *(other for other in others if other != phone))
