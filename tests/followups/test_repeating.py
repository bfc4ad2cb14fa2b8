"""On which days a follow-up is repeated: none is lost, doubled, or at an hour that nobody chose."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from itertools import islice, pairwise

import pytest
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from followups.repeating import SHORTEST_STEPS, Repeat, RepeatKind, Rule, Underway, fitting_kind, kinds_for

pytestmark = pytest.mark.pure

COSTA_RICA = zoneinfo.ZoneInfo("America/Costa_Rica")
# Both hemispheres, half hours, a change at midnight, a zone that skipped a day, and some without changes.
ZONES = (
    "America/Costa_Rica",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Asuncion",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/Madrid",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)
YEARS = 10
THURSDAY = dt.date(2026, 12, 3)
NINE = dt.time(9)
UTC = zoneinfo.ZoneInfo("UTC")


def days(kind: RepeatKind, first_on: dt.date, most: int = 4, **ends) -> list[str]:
    found = Rule(kind, first_on, NINE, **ends).occurrences(COSTA_RICA)
    return [f"{each.at.astimezone(COSTA_RICA):%a %Y-%m-%d}" for each in islice(found, most)]


@pytest.mark.parametrize(
    ("kind", "first_on", "expected"),
    [
        ("weekly", THURSDAY, ["Thu 2026-12-03", "Thu 2026-12-10", "Thu 2026-12-17"]),
        ("monthly", THURSDAY, ["Thu 2026-12-03", "Sun 2027-01-03", "Wed 2027-02-03"]),
        ("monthly_weekday", THURSDAY, ["Thu 2026-12-03", "Thu 2027-01-07", "Thu 2027-02-04"]),
        ("quarterly", THURSDAY, ["Thu 2026-12-03", "Wed 2027-03-03", "Thu 2027-06-03"]),
        ("yearly", THURSDAY, ["Thu 2026-12-03", "Fri 2027-12-03", "Sun 2028-12-03"]),
        ("monthly_last", dt.date(2026, 12, 31), ["Thu 2026-12-31", "Thu 2027-01-28", "Thu 2027-02-25"]),
        # The fifth Thursday is the last one, also where it is called by its number.
        ("monthly_weekday", dt.date(2026, 12, 31), ["Thu 2026-12-31", "Thu 2027-01-28", "Thu 2027-02-25"]),
        # A month without that day: its last one; the next has it again.
        (
            "monthly",
            dt.date(2026, 12, 31),
            ["Thu 2026-12-31", "Sun 2027-01-31", "Sun 2027-02-28", "Wed 2027-03-31"],
        ),
        ("quarterly", dt.date(2026, 11, 30), ["Mon 2026-11-30", "Sun 2027-02-28", "Sun 2027-05-30"]),
        ("yearly", dt.date(2028, 2, 29), ["Tue 2028-02-29", "Wed 2029-02-28", "Thu 2030-02-28"]),
    ],
)
def test_on_which_days(kind: RepeatKind, first_on: dt.date, expected: list[str]) -> None:
    assert days(kind, first_on, len(expected)) == expected


def test_it_ends_after_so_many_times_or_after_a_day() -> None:
    assert days(RepeatKind.WEEKLY, THURSDAY, 9, count=2) == ["Thu 2026-12-03", "Thu 2026-12-10"]
    until = dt.date(2026, 12, 17)
    assert days(RepeatKind.WEEKLY, THURSDAY, 9, until=until)[-1] == "Thu 2026-12-17"


def test_what_was_moved_from_the_third_on_goes_on_from_there() -> None:
    rule = Rule(RepeatKind.WEEKLY, THURSDAY, NINE, count=4, first_number=3)
    assert [each.number for each in rule.occurrences(COSTA_RICA)] == [3, 4]
    now = dt.datetime(2026, 12, 3, 15, tzinfo=dt.UTC)  # 9:00 to the second: no longer ahead
    assert [each.number for each in rule.coming(COSTA_RICA, after=2, now=now, most=3)] == [4]


def test_the_hour_stays_when_the_clocks_change_and_only_a_skipped_one_moves() -> None:
    madrid = zoneinfo.ZoneInfo("Europe/Madrid")
    rule = Rule(RepeatKind.WEEKLY, dt.date(2027, 3, 21), dt.time(2, 30))
    local = [each.at.astimezone(madrid) for each in islice(rule.occurrences(madrid), 3)]
    assert [f"{each:%d %H:%M}" for each in local] == ["21 02:30", "28 03:30", "04 02:30"]
    rule = Rule(RepeatKind.WEEKLY, dt.date(2027, 10, 24), dt.time(2, 30))
    twice = list(islice(rule.occurrences(madrid), 2))[1].at
    assert twice == dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC)  # the first of the two


def test_what_is_offered_fits_the_first_date_and_the_window() -> None:
    assert RepeatKind.MONTHLY_LAST not in kinds_for(THURSDAY, min_days=5)
    assert RepeatKind.MONTHLY_WEEKDAY not in kinds_for(dt.date(2026, 12, 31), min_days=5)
    assert kinds_for(THURSDAY, min_days=8)[0] == RepeatKind.MONTHLY
    assert kinds_for(THURSDAY, min_days=30) == [RepeatKind.QUARTERLY, RepeatKind.YEARLY]


def test_the_last_friday_may_become_the_second_tuesday() -> None:
    tuesday = dt.date(2026, 12, 8)
    assert fitting_kind(RepeatKind.MONTHLY_LAST, tuesday) == RepeatKind.MONTHLY_WEEKDAY
    assert fitting_kind(RepeatKind.MONTHLY_WEEKDAY, dt.date(2026, 12, 29)) == RepeatKind.MONTHLY_LAST
    assert fitting_kind(RepeatKind.WEEKLY, tuesday) == RepeatKind.WEEKLY


def assert_ten_years_are_right(kind: RepeatKind, first_on: dt.date, time: dt.time, name: str) -> None:
    zone = zoneinfo.ZoneInfo(name)
    end = first_on.replace(year=first_on.year + YEARS, day=min(first_on.day, 28))
    found = list(Rule(kind, first_on, time, until=end).occurrences(zone))
    local = [each.at.astimezone(zone) for each in found]
    for moment in local:
        wanted = dt.datetime.combine(moment.date(), time, tzinfo=zone)
        if tz.datetime_exists(wanted):
            assert moment.replace(tzinfo=None) == wanted.replace(tzinfo=None)
            assert moment.fold == 0
    assert [each.number for each in found] == [*range(1, len(found) + 1)]
    assert local[0].date() == first_on
    steps = [(later.date() - sooner.date()).days for sooner, later in pairwise(local)]
    assert min(steps) >= SHORTEST_STEPS[kind]
    assert max(steps) <= {"weekly": 7, "quarterly": 92, "yearly": 366}.get(kind, 35)
    assert len(found) - 1 in {
        "weekly": range(520, 524),
        "quarterly": range(39, 41),
        "yearly": range(9, 11),
    }.get(kind, range(119, 121))


def times() -> st.SearchStrategy[dt.time]:
    return st.times().map(lambda time: time.replace(second=0, microsecond=0))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(RepeatKind),
    st.dates(dt.date(2026, 1, 1), dt.date(2031, 12, 31)),
    times(),
    st.sampled_from(ZONES),
)
def test_no_date_is_lost_or_doubled_or_at_an_hour_that_nobody_chose(
    kind: RepeatKind, first_on: dt.date, time: dt.time, name: str
) -> None:
    if kind not in kinds_for(first_on, min_days=1):
        kind = fitting_kind(kind, first_on)
    assert_ten_years_are_right(kind, first_on, time, name)


@pytest.mark.parametrize("name", ZONES)
def test_the_same_of_every_hour_of_a_day_and_every_kind_with_long(name: str, pytestconfig) -> None:
    hours, days_ahead = (1, 3) if pytestconfig.getoption("long", default=False) else (12, 12)
    for hour in range(0, 24, hours):
        for ahead in range(0, 31, days_ahead):
            day = dt.date(2026, 1, 29) + dt.timedelta(days=ahead)
            for kind in kinds_for(day, min_days=1):
                assert_ten_years_are_right(kind, day, dt.time(hour, 30), name)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.sampled_from(RepeatKind), st.sampled_from(RepeatKind)),
    st.dates(dt.date(2026, 1, 1), dt.date(2029, 12, 31)),
    times(),
    st.integers(1, 30),
    st.none() | st.tuples(st.integers(-20, 60), times()),
    st.sampled_from(ZONES),
)
def test_another_rule_from_one_on_loses_and_doubles_none_and_keeps_the_hour_that_was_chosen(
    kinds: tuple[RepeatKind, RepeatKind],
    first_on: dt.date,
    time: dt.time,
    number: int,
    move: tuple[int, dt.time] | None,
    name: str,
) -> None:
    zone = zoneinfo.ZoneInfo(name)
    before = Rule(fitting_kind(kinds[0], first_on), first_on, time)
    day = list(islice(before.occurrences(UTC), number))[-1].at.date()
    to = None
    if move is not None:
        day, time = day + dt.timedelta(days=move[0]), move[1]
        to = dt.datetime.combine(day, time, tzinfo=zone)
        if not tz.datetime_exists(to):  # nobody can choose it
            return
    repeat = Repeat(kinds[1], count=number + 12)
    after = repeat.rule_after(Underway(before, number), zone, to=to)
    found = list(after.occurrences(zone, after=number - 1))
    assert [each.number for each in found] == [*range(number, number + 13)]
    local = [each.at.astimezone(zone) for each in found]
    wanted = [dt.datetime.combine(each.date(), time, tzinfo=zone) for each in local]
    there = [pair for pair in zip(local, wanted, strict=True) if tz.datetime_exists(pair[1])]
    assert all(each.replace(tzinfo=None) == chosen.replace(tzinfo=None) for each, chosen in there)
    if there and there[0][0] is local[0]:
        assert local[0].date() == day
    # It goes on in its own steps, also where the days of the rule before were kept.
    fresh = Rule(after.kind, after.first_on, time)
    days = {each.at.date() for each in islice(fresh.occurrences(UTC), 2 * number + 60)}
    assert {each.date() for each, _wanted in there} <= days
    steps = [(later.date() - sooner.date()).days for sooner, later in pairwise(local)]
    assert min(steps) >= SHORTEST_STEPS[after.kind]
