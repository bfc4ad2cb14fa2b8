"""Dates as people type them, in English and Spanish, read in the organization's zone."""

from __future__ import annotations

import contextlib
import datetime as dt
import subprocess
import sys
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from followups.scheduling import SchedulingError, SkippedTime
from followups.typed_dates import MOST_TYPED, understand

pytestmark = pytest.mark.pure

COSTA_RICA = ZoneInfo("America/Costa_Rica")
MADRID = ZoneInfo("Europe/Madrid")
NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica


def read(text: str, now: dt.datetime = NOW, zone: ZoneInfo = COSTA_RICA) -> str:
    at = understand(text, now=now, zone=zone)
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}" if at else ""


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("fri 10am", "Fri 2026-11-27 10:00"),
        ("Friday at 10", "Fri 2026-11-27 10:00"),
        ("10am on friday", "Fri 2026-11-27 10:00"),
        ("next friday, 10:30", "Fri 2026-11-27 10:30"),
        ("friday noon", "Fri 2026-11-27 12:00"),
        ("friday 12am", "Fri 2026-11-27 00:00"),
        ("friday morning", "Fri 2026-11-27 09:00"),
        ("sat 3 in the afternoon", "Sat 2026-11-21 15:00"),
        ("in 3 weeks", "Fri 2026-12-11 09:00"),
        ("in 3 weeks at 10", "Fri 2026-12-11 10:00"),
        ("in two weeks", "Fri 2026-12-04 09:00"),
        ("in 2 months", "Wed 2027-01-20 09:00"),
        ("next month", "Sun 2026-12-20 09:00"),
        ("4 dec 14:00", "Fri 2026-12-04 14:00"),
        ("thu 3 dec 8pm", "Thu 2026-12-03 20:00"),
        ("Thursday 3 December at 8:00 PM", "Thu 2026-12-03 20:00"),
        ("december 4th, 2 p.m.", "Fri 2026-12-04 14:00"),
        ("the 15th", "Tue 2026-12-15 09:00"),
        ("el martes a las 9", "Tue 2026-11-24 09:00"),
        ("MARTES A LAS 9:30", "Tue 2026-11-24 09:30"),
        ("mar 9am", "Tue 2026-11-24 09:00"),
        ("el próximo lunes a las 8:30", "Mon 2026-11-23 08:30"),
        ("el viernes que viene 10am", "Fri 2026-11-27 10:00"),
        ("mié 10am", "Wed 2026-11-25 10:00"),
        ("15 dic 2pm", "Tue 2026-12-15 14:00"),
        ("15 dic 14h30", "Tue 2026-12-15 14:30"),
        ("15 de diciembre a las 2 de la tarde", "Tue 2026-12-15 14:00"),
        ("el 15 a la 1 de la tarde", "Tue 2026-12-15 13:00"),
        ("viernes a mediodía", "Fri 2026-11-27 12:00"),
        ("mañana a las 9", "Sat 2026-11-21 09:00"),
        ("pasado mañana", "Sun 2026-11-22 09:00"),
        ("dentro de dos semanas a las 10", "Fri 2026-12-04 10:00"),
        ("en 3 semanas", "Fri 2026-12-11 09:00"),
        ("la próxima semana", "Fri 2026-11-27 09:00"),
        ("2026-12-04 14:00", "Fri 2026-12-04 14:00"),
        ("4.12.2026 14:00", "Fri 2026-12-04 14:00"),
        ("\uff11\uff15 dic", "Tue 2026-12-15 09:00"),
    ],
)
def test_what_people_say(text: str, meaning: str) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        # Days come before months, as everywhere in the product, unless that cannot be.
        ("3/12", "Thu 2026-12-03 09:00"),
        ("12/13/2026", "Sun 2026-12-13 09:00"),
        # The next one: today is a Friday, and the 20th.
        ("friday", "Fri 2026-11-27 09:00"),
        ("el 20", "Sun 2026-12-20 09:00"),
        ("3/1", "Sun 2027-01-03 09:00"),
        ("1 de enero", "Fri 2027-01-01 09:00"),
        # A month that has it.
        ("el 31", "Thu 2026-12-31 09:00"),
        ("29 feb", "Tue 2028-02-29 09:00"),
        # What is over is what was said: the window refuses it, in words.
        ("yesterday", "Thu 2026-11-19 09:00"),
        ("15 december 2025", "Mon 2025-12-15 09:00"),
    ],
)
def test_what_could_mean_several_days_means_one(text: str, meaning: str) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "hola", "asap", "now", "9", "20", "2027", "december", "10am", "at 9", "1700000000"),
        # Friday or the 3rd, Tuesday the 9th or at nine: neither is guessed.
        *("fri 3 dec", "martes 9", "monday tuesday", "15 dic 16 dic", "tomorrow or friday"),
        *("31 feb", "25:00", "fri 25:00", "fri 13pm", "fri 0am", "fri 10am 11am", "the 32nd", "15 dic 9:75"),
        # Another zone than the organization's would be lost without a word.
        *("fri 10am UTC", "fri 10am EST", "fri 10am +05:00"),
        *("in 5 hours", "en 3 horas", "in 999999999 days", "in 99999 years", "0000-00-00"),
        *("пятница 10", "金曜日 10時", "جمعة", "∞", "\0", "\ud800"),
        "fri 10am" + " " * MOST_TYPED,
    ],
)
def test_what_is_no_date_is_not_guessed(text: str) -> None:
    assert not read(text)


def test_days_are_counted_in_the_organizations_zone() -> None:
    """At 23:30 on Friday in Costa Rica it is Saturday in Madrid."""
    now = dt.datetime(2026, 11, 21, 5, 30, tzinfo=dt.UTC)
    assert read("tomorrow 9am", now) == "Sat 2026-11-21 09:00"
    assert read("tomorrow 9am", now, MADRID) == "Sun 2026-11-22 09:00"


def test_a_time_that_the_clocks_skip_is_refused_with_the_next_one() -> None:
    now = dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)
    with pytest.raises(SkippedTime) as refused:
        understand("28 mar 2:30", now=now, zone=MADRID)
    assert refused.value.next == dt.datetime(2027, 3, 28, 1, 30, tzinfo=dt.UTC)


def test_a_time_that_happens_twice_means_the_first() -> None:
    now = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
    at = understand("25 oct 2:30", now=now, zone=MADRID)
    assert at == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)


PIECES = (
    "1 2 9 10 31 2026 12: 99 / . - : , + @ am pm h at in el la las de fri mar martes dic mañana tarde week"
    " january semanas months años next próximo ago utc noon \u0660 ² ß"
)
words = st.sampled_from(PIECES.split())


@example("1 " * 30)
@example("1:" * 30)
@example("/" * MOST_TYPED)
@example("monday january " * 4)
@given(st.one_of(st.text(max_size=80), st.lists(words, max_size=20).map(" ".join)))
def test_nonsense_is_read_within_a_moment_and_never_raises(text: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(SchedulingError):
        at = understand(text, now=NOW, zone=COSTA_RICA)
        assert at is None or at.tzinfo is dt.UTC
    assert time.process_time() - begun < 2


def test_nothing_of_it_is_loaded_before_somebody_types() -> None:
    """Workers and idle web processes stay as small and start as fast as they were."""
    code = (
        "import sys, django; django.setup(); import trochai.urls;"
        "sys.exit('dateparser' in sys.modules or 'regex' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
