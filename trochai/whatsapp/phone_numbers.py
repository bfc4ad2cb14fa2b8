"""Phone numbers: how they are kept, and in which other ways WhatsApp spells the same mobile (pure).

Meta's webhooks may name a mobile otherwise than people and its own API do: Brazil with or without the ninth
digit, Mexico with a 1 after the country code, Argentina with a 9. Landlines have one spelling.
"""

from __future__ import annotations

import contextlib
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import timezone as number_zones
from phonenumbers.phonemetadata import PhoneMetadata

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


class Kind(StrEnum):
    MOBILE = "mobile"
    LANDLINE = "landline"
    OTHER = "other"


@dataclass(frozen=True)
class Number:
    """A number that somebody typed. ``is_known``: whether its country has given out numbers like it."""

    phone: str  # E.164
    country: str  # ISO 3166-1, empty for one of no country
    kind: Kind
    is_known: bool


class WrongLength(ValueError):
    """No number of ``country`` has so many ``digits``; ``lengths`` are those that mobiles there have."""

    def __init__(self, country: str, digits: int, lengths: Sequence[int]) -> None:
        super().__init__(f"{digits} digits")
        self.country, self.digits, self.lengths = country, digits, lengths


def read(typed: str, country: str) -> Number:
    """Return a number that was typed with its country code, or else as it is dialed within ``country``.

    Raises ``WrongLength``, and ``ValueError`` for what is no number at all.
    """
    try:
        number = phonenumbers.parse(re.sub(r"^00", "+", typed.strip()), country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("no phone number") from error
    region = phonenumbers.region_code_for_number(number)
    if not phonenumbers.is_possible_number(number):
        regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        place = country if country in regions else next(iter(regions), "")
        metadata = PhoneMetadata.metadata_for_region(place)
        mobile = metadata.mobile if metadata is not None else None
        lengths = mobile.possible_length if mobile is not None else ()
        raise WrongLength(place, len(phonenumbers.national_significant_number(number)), lengths)
    kinds = {
        phonenumbers.PhoneNumberType.MOBILE: Kind.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE: Kind.LANDLINE,
    }
    return Number(
        phone=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        country=region if region and region.isalpha() else "",
        kind=kinds.get(phonenumbers.number_type(number), Kind.OTHER),
        is_known=phonenumbers.is_valid_number(number),
    )


@lru_cache(maxsize=20_000)
def international(phone: str) -> str:
    """+50688881234 → +506 8888 1234; what is no number stays as it is."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=20_000)
def zones(phone: str) -> tuple[zoneinfo.ZoneInfo, ...]:
    """Return the time zones in which the number may be; none for a number of which nobody knows."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ()
    found = []
    for name in number_zones.time_zones_for_number(number):
        # Among the names is one for an unknown zone.
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
            found.append(zoneinfo.ZoneInfo(name))
    return tuple(found)


def digits(phone: str) -> str:
    """Return the digits of a number as somebody wrote it."""
    return re.sub(r"[^0-9]", "", phone)


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
