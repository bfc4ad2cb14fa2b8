"""A date as people type it, in English or Spanish: "fri 10am", "el martes a las 9" (pure; ``now`` is given).

The hour is read here and the day by dateparser, which misreads many hours in Spanish and takes those that
are not said for the present one.
"""

from __future__ import annotations

import datetime as dt
import re

from dateutil.rrule import MONTHLY, rrule

from followups.scheduling import custom
from trochai.search import fold

MOST_TYPED = 60
DEFAULT_TIME = dt.time(9)

# An hour needs something that tells it from a day: "at", minutes, "am", "h".
_HOUR = re.compile(
    r"(?P<at>\b(?:at|a las?) |@ ?)?"
    r"(?<![\d:./+-])\b(?P<hour>\d{1,2})(?:(?P<between>[:.h])(?P<minute>\d\d))?"
    r"(?: ?(?P<half>[ap])\.? ?m\b\.?"
    r"| (?:de|por) la (?P<part>manana|madrugada|tarde|noche)\b"
    r"| in the (?P<when>morning|afternoon|evening)\b"
    r"|(?P<clock> ?(?:h|hs|hrs|horas)\b\.?| o'clock\b))?"
    r"(?![\d:/-]|\.\d)",
    re.ASCII,
)
_NAMED_HOUR = re.compile(r"\b(?:at |al? )?(?:(noon|midday|mediodia)|midnight|medianoche)\b")
_MORNING = {"a", "manana", "madrugada", "morning"}

_DAY_OF_MONTH = re.compile(r"(?:(?:on )?the |el (?:dia )?)(\d{1,2})(?:st|nd|rd|th)?|(\d{1,2})(?:st|nd|rd|th)")
_WEEKDAYS = [
    re.compile(rf"\b(?:{words})\b")
    for words in (
        "mon(?:day)?|lun(?:es)?",
        "tue(?:s|sday)?|martes",
        "wed(?:s|nesday)?|mie(?:rcoles)?",
        "thu(?:r|rs|rsday)?|jue(?:ves)?",
        "fri(?:day)?|vie(?:rnes)?",
        "sat(?:urday)?|sab(?:ado)?",
        "sun(?:day)?|dom(?:ingo)?",
    )
]
_NUMBERS = ["dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"]
# What dateparser does not know, in words that it does.
_SAID_OTHERWISE = [
    (re.compile(r"\bpasado manana\b"), "in 2 days"),
    (re.compile(r"\b(?:la )?(?:proxima semana|semana que viene)\b"), "in 1 week"),
    (re.compile(r"\b(?:el )?(?:proximo mes|mes que viene)\b"), "in 1 month"),
    (re.compile(r"\b(?:el|este|on|proximo|que viene)\b"), ""),
    # Alone it is no date as March is: "mar 9am".
    (re.compile(r"^mar$"), "martes"),
    (re.compile(r"^(\d{1,2})\.(\d{1,2})\.?$"), r"\1/\2"),
    *((re.compile(rf"\b{word}\b"), str(number)) for number, word in enumerate(_NUMBERS, start=2)),
]

# What the library calls it when a day has to be guessed, or an hour that is not meant as one.
_VAGUE = {"year", "month", "time"}


def understand(text: str, *, now: dt.datetime, zone: dt.tzinfo) -> dt.datetime | None:
    """Return the moment that is meant, in UTC, or None for what is no date.

    Counted from ``now`` as clocks in ``zone`` show it; of several days the next, of no hour ``DEFAULT_TIME``.
    Days come before months in numbers. Raises ``SchedulingError`` for a local time that does not exist.
    """
    if len(text) > MOST_TYPED:
        return None
    said = fold(text.replace(",", " "))
    try:
        rest, time = _split(said)
    except ValueError:
        return None
    today = now.astimezone(zone).date()
    day = _day_of_month(rest, today) or _day(rest, today)
    if day is None or any(word.search(rest) and day.weekday() != at for at, word in enumerate(_WEEKDAYS)):
        return None
    return custom(day.date(), time or day.time(), zone)


def _split(said: str) -> tuple[str, dt.time | None]:
    """Return what is left without the hour, and the hour.

    Raises ``ValueError`` for two of them, or for one that there is not.
    """
    found: list[tuple[re.Match[str], dt.time]] = [
        (match, dt.time(12 if match[1] else 0)) for match in _NAMED_HOUR.finditer(said)
    ]
    for match in _HOUR.finditer(said):
        half = match["half"] or match["part"] or match["when"]
        if match["at"] or half or match["clock"] or (match["between"] or ".") != ".":
            found.append((match, _time(int(match["hour"]), int(match["minute"] or 0), half)))
    if len(found) > 1:
        raise ValueError("two hours")
    for match, time in found:
        rest = f"{said[: match.start()]} {said[match.end() :]}"
        return " ".join(rest.split()), time
    return said, None


def _time(hour: int, minute: int, half: str | None) -> dt.time:
    if half is None:
        return dt.time(hour, minute)
    if not 1 <= hour <= 12:
        raise ValueError("not an hour of a half day")
    return dt.time(hour % 12 + (0 if half in _MORNING else 12), minute)


def _day_of_month(rest: str, today: dt.date) -> dt.datetime | None:
    """The 15th, el 15: the next one, in a month that has it."""
    match = _DAY_OF_MONTH.fullmatch(rest)
    number = int(match[1] or match[2]) if match else 0
    if not 1 <= number <= 31:
        return None
    tomorrow = dt.datetime.combine(today, DEFAULT_TIME) + dt.timedelta(days=1)
    return next(iter(rrule(MONTHLY, dtstart=tomorrow, bymonthday=number, count=1)))


def _day(rest: str, today: dt.date) -> dt.datetime | None:
    # Loaded by the first who types a date: 20 MB and a tenth of a second that no worker needs.
    from dateparser.date import DateDataParser

    for pattern, otherwise in _SAID_OTHERWISE:
        rest = " ".join(pattern.sub(otherwise, rest).split())
    if rest.isdigit():
        return None
    noon = dt.datetime.combine(today, dt.time(12))
    for way, vague in (("relative-time", _VAGUE - {"month"}), ("absolute-time", _VAGUE)):
        parser = DateDataParser(
            languages=["en", "es"],
            use_given_order=True,
            try_previous_locales=False,
            settings={
                "PARSERS": [way],
                "RELATIVE_BASE": noon,
                "PREFER_DATES_FROM": "future",
                "DATE_ORDER": "DMY",
                "PREFER_LOCALE_DATE_ORDER": False,
                "RETURN_TIME_AS_PERIOD": True,
            },
        )
        found = parser.get_date_data(rest)
        if found.date_obj and found.period not in vague and found.date_obj.tzinfo is None:
            time = found.date_obj.time() if found.period == "part_of_day" else DEFAULT_TIME
            return dt.datetime.combine(found.date_obj, time)
    return None
