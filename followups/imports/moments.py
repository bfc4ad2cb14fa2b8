"""Dates and times as people write them in a table (pure): 1/12/2026, 1 dic, 2026-12-01, 9:00, 2:30 pm."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from enum import StrEnum

from trochai.search import fold

DAY_FIRST, MONTH_FIRST = "dmy", "mdy"

# The beginnings of the months' names, in English and Spanish.
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPANISH = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")
_MONTHS = {name: number for names in (_ENGLISH, _SPANISH) for number, name in enumerate(names, start=1)}
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,2})[-/. ](\d{1,2})(?:[-/. ](\d{4}|\d{2}))?", re.ASCII)
_DAY_MONTH = re.compile(
    r"(?:[a-z]+,? )?(\d{1,2})[ -]?(?:de )?([a-z]{3,10})\.?(?:,?[ -](?:de )?(\d{4}))?", re.ASCII
)
_MONTH_DAY = re.compile(r"(?:[a-z]+,? )?([a-z]{3,10})\.? (\d{1,2})(?:,? (\d{4}))?", re.ASCII)
_TIME = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::\d{2})?\s*h?(?:\s*([ap])\.?\s?m\.?)?", re.ASCII)
# A time behind a date in one cell.
_BEHIND = re.compile(r"(.+?)(?:,|t|\s)\s*(\d{1,2}[:.h]\d{2}\S*(?: ?[ap]\.? ?m\.?)?)", re.ASCII)


class Unclear(StrEnum):
    NOT_A_DATE = "not_a_date"
    NOT_A_TIME = "not_a_time"


class NotRead(ValueError):
    def __init__(self, unclear: Unclear) -> None:
        super().__init__(unclear)
        self.unclear = unclear


def exact(cell: str) -> dt.datetime | None:
    """Return the moment of a cell that says its offset, as the export writes it."""
    try:
        moment = dt.datetime.fromisoformat(cell)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def read(date: str, time: str, *, order: str, today: dt.date, default: dt.time) -> tuple[dt.date, dt.time]:
    """Return what two cells mean; a time behind the date counts where the other cell is empty.

    ``order`` is ``DAY_FIRST`` or ``MONTH_FIRST``; a date without a year is the next one from ``today`` on.
    Raises ``NotRead``.
    """
    text = fold(date)
    behind = _BEHIND.fullmatch(text)
    if behind and not time:
        text, time = behind[1].rstrip(","), behind[2]
    return _date(text, order, today), _time(fold(time)) if time else default


def orders(dates: Iterable[str]) -> set[str]:
    """Return in which orders all of these dates can be read; both where that decides nothing."""
    left = {DAY_FIRST, MONTH_FIRST}
    for date in dates:
        if found := _NUMBERS.match(fold(date)):
            if int(found[1]) > 12:
                left.discard(MONTH_FIRST)
            if int(found[2]) > 12:
                left.discard(DAY_FIRST)
    return left


def has_order(date: str) -> bool:
    """Whether the date is read otherwise with the month first."""
    text = fold(date)
    return _ISO.match(text) is None and _NUMBERS.match(text) is not None


def looks_like_date(cell: str) -> bool:
    try:
        read(cell, "", order=DAY_FIRST, today=dt.date(2000, 1, 1), default=dt.time())
    except NotRead:
        return exact(cell) is not None or orders([cell]) == {MONTH_FIRST}
    return True


def looks_like_time(cell: str) -> bool:
    return (
        re.fullmatch(r"\d{1,2}(:\d{2}){1,2}( ?[ap]\.? ?m\.?)?|\d{1,2} ?[ap]\.? ?m\.?", fold(cell)) is not None
    )


def _date(text: str, order: str, today: dt.date) -> dt.date:
    try:
        if found := _ISO.fullmatch(text):
            return dt.date(*map(int, found.groups()))
        if found := _NUMBERS.fullmatch(text):
            first, second = int(found[1]), int(found[2])
            day, month = (first, second) if order == DAY_FIRST else (second, first)
            return _dated(day, month, found[3], today)
        if found := _DAY_MONTH.fullmatch(text):
            return _dated(int(found[1]), _MONTHS[found[2][:3]], found[3], today)
        if found := _MONTH_DAY.fullmatch(text):
            return _dated(int(found[2]), _MONTHS[found[1][:3]], found[3], today)
    except (ValueError, KeyError):
        pass
    raise NotRead(Unclear.NOT_A_DATE)


def _dated(day: int, month: int, year: str | None, today: dt.date) -> dt.date:
    if year:
        return dt.date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    this_year = dt.date(today.year, month, day)
    return this_year if this_year >= today else dt.date(today.year + 1, month, day)


def _time(text: str) -> dt.time:
    found = _TIME.fullmatch(text)
    if found is None:
        raise NotRead(Unclear.NOT_A_TIME)
    hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if half:
        if not 1 <= hour <= 12:
            raise NotRead(Unclear.NOT_A_TIME)
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return dt.time(hour, minute)
    except ValueError:
        raise NotRead(Unclear.NOT_A_TIME) from None
