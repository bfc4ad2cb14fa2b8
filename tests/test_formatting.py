from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from django.utils import timezone, translation

from trochai.ui import formatting

ZONE = zoneinfo.ZoneInfo("America/Costa_Rica")
NOW = dt.datetime(2026, 11, 20, 9, 15, tzinfo=ZONE)


@pytest.fixture(autouse=True)
def costa_rica():
    with timezone.override(ZONE):
        yield


def at(*parts):
    return dt.datetime(*parts, tzinfo=ZONE)


def test_moments_are_in_the_organizations_time_zone():
    late = dt.datetime(2026, 11, 28, 4, 30, tzinfo=dt.UTC)
    assert formatting.day(late, NOW) == "Fri 27 Nov"
    assert formatting.clock_time(late) == "10:30 PM"
    assert formatting.day_time(late, NOW) == "Fri 27 Nov, 10:30 PM"
    assert formatting.long_day_time(late, NOW) == "Friday 27 November at 10:30 PM"


def test_another_year_is_named():
    for year in (2025, 2027):
        january = at(year, 1, 6, 9, 0)
        name = f"{january:%a}"
        assert formatting.day(january, NOW) == f"{name} 6 Jan {year}"
        assert formatting.day_time(january, NOW) == f"{name} 6 Jan {year}, 9:00 AM"
        assert formatting.long_day_time(january, NOW) == f"{january:%A} 6 January {year} at 9:00 AM"
    # It is still the old year where the organization is.
    last_evening = dt.datetime(2027, 1, 1, 4, 0, tzinfo=dt.UTC)
    assert formatting.day(last_evening, NOW) == "Thu 31 Dec"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (at(2026, 11, 20, 0, 0), "12:00 AM"),
        (at(2026, 11, 19, 23, 59), "Yesterday"),
        (at(2026, 11, 18, 9, 0), "Wed"),
        (at(2026, 11, 14, 9, 0), "Sat"),
        (at(2026, 11, 13, 9, 0), "13 Nov"),
        (at(2025, 11, 13, 9, 0), "13 Nov 2025"),
        (at(2026, 11, 20, 9, 20), "9:20 AM"),  # a clock that is ahead of ours
    ],
)
def test_ages_get_coarser(moment, words):
    assert formatting.short_age(moment, NOW) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (at(2026, 11, 20, 0, 0), "Today"),
        (at(2026, 11, 19, 23, 59), "Yesterday"),
        (at(2026, 11, 18, 9, 0), "Wed 18 Nov"),
        (at(2025, 11, 18, 9, 0), "Tue 18 Nov 2025"),
    ],
)
def test_separators_name_the_day(moment, words):
    assert formatting.day_separator(moment, NOW) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW, "now"),
        (NOW + dt.timedelta(minutes=5), "in 5 minutes"),
        (NOW - dt.timedelta(minutes=1), "1 minute ago"),
        (NOW + dt.timedelta(hours=3), "in 3 hours"),
        (at(2026, 11, 21, 23, 0), "tomorrow"),
        (at(2026, 11, 19, 9, 0), "yesterday"),
        (at(2026, 11, 27, 9, 0), "in 7 days"),
        (at(2026, 11, 18, 9, 0), "2 days ago"),
    ],
)
def test_relative_time_is_in_words(moment, words):
    assert formatting.relative(moment, NOW) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (dt.timedelta(hours=23, minutes=59), "23 h"),
        (dt.timedelta(hours=1), "1 h"),
        (dt.timedelta(minutes=59, seconds=59), "59 min"),
        (dt.timedelta(seconds=30), "0 min"),
        (dt.timedelta(seconds=-5), "0 min"),
    ],
)
def test_what_is_left_is_rounded_down(length, words):
    assert formatting.short_duration(length) == words


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("María Jiménez", "María Jiménez"),
        ("+506 7777 0003", "+506 7777 0003"),
        ("", ""),
        ("محمد", "\u2068محمد\u2069"),
        ("Ana שלום", "\u2068Ana שלום\u2069"),
        # What would turn around all that follows is not part of a name.
        ("Ana \u202egnp.exe", "Ana gnp.exe"),
        ("\u2067Ana", "Ana"),
        ("محمد\u2069\u202e", "\u2068محمد\u2069"),
    ],
)
def test_a_name_changes_no_order_around_it(name, shown):
    assert formatting.isolated(name) == shown


def test_one_moment_reads_in_each_zone_and_language_as_it_is_there():
    moment = dt.datetime(2026, 11, 28, 4, 30, tzinfo=dt.UTC)
    seen = []
    for zone, language in (("America/Costa_Rica", "en"), ("Europe/Berlin", "en"), ("Europe/Berlin", "de")):
        with timezone.override(zone), translation.override(language):
            seen.append(formatting.day_time(moment, moment))
    assert seen == ["Fri 27 Nov, 10:30 PM", "Sat 28 Nov, 5:30 AM", "Sa 28 Nov, 5:30 vorm."]
