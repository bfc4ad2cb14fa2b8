from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups.scheduling import (
    OutsideWindow,
    SchedulingError,
    SkippedTime,
    check_window,
    custom,
    earliest,
    latest,
    quick_options,
)
from trochai.accounts.models import Organization

pytestmark = pytest.mark.pure

COSTA_RICA = ZoneInfo("America/Costa_Rica")
NEW_YORK = ZoneInfo("America/New_York")
MADRID = ZoneInfo("Europe/Madrid")
MINUTE = dt.timedelta(minutes=1)

# Friday 20 November, 2:31 PM in Costa Rica
NOW = dt.datetime(2026, 11, 20, 20, 31, tzinfo=dt.UTC)


# Any second from 2020 to 2036
moments = st.integers(0, 16 * 365 * 24 * 3600).map(
    lambda seconds: dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
)


def organization(zone: str = "America/Costa_Rica", **window: int) -> Organization:
    return Organization(timezone=zone, **window)


def local(*parts: int, zone: ZoneInfo = COSTA_RICA, fold: int = 0) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=zone, fold=fold)


# Quick options


def shown(now: dt.datetime, zone: ZoneInfo) -> list[str]:
    return [f"{option.at.astimezone(zone):%Y-%m-%d %H:%M}" for option in quick_options(now, zone)]


def test_quick_options_are_tomorrow_in_two_days_and_in_a_week() -> None:
    """Help page: "Tomorrow 9:00 AM: Schedules the send for tomorrow morning", "In 2 days 10:00 AM: Schedules
    for the day after tomorrow mid-morning", "In 1 week 9:00 AM: Schedules for 7 days from now".
    """
    options = quick_options(NOW, COSTA_RICA)
    assert [(option.key, option.label, option.days, option.time) for option in options] == [
        ("tomorrow_9", "Tomorrow 9:00 AM", 1, dt.time(9)),
        ("in_2_days_10", "In 2 days 10:00 AM", 2, dt.time(10)),
        ("in_1_week_9", "In 1 week 9:00 AM", 7, dt.time(9)),
    ]
    assert shown(NOW, COSTA_RICA) == ["2026-11-21 09:00", "2026-11-22 10:00", "2026-11-27 09:00"]


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (0, 30), (8, 59), (23, 30), (23, 59)])
def test_quick_options_count_from_the_local_date_at_any_hour(hour: int, minute: int) -> None:
    now = local(2026, 11, 20, hour, minute)
    assert shown(now, COSTA_RICA) == ["2026-11-21 09:00", "2026-11-22 10:00", "2026-11-27 09:00"]


def test_quick_options_count_from_the_organizations_date_not_from_utcs() -> None:
    """At 23:30 in Costa Rica it is already the next day in UTC; at 00:30 in Madrid still the one before."""
    assert shown(dt.datetime(2026, 11, 21, 5, 30, tzinfo=dt.UTC), COSTA_RICA)[0] == "2026-11-21 09:00"
    assert shown(dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC), MADRID)[0] == "2026-11-22 09:00"


@pytest.mark.parametrize(
    ("zone", "now", "utc_hours"),
    [
        # The night before the change, so that each option lies after it.
        pytest.param(NEW_YORK, local(2026, 3, 7, 23, 30, zone=NEW_YORK), [13, 14, 13], id="NY spring"),
        pytest.param(NEW_YORK, local(2026, 10, 31, 0, 30, zone=NEW_YORK), [14, 15, 14], id="NY autumn"),
        pytest.param(MADRID, local(2026, 3, 28, 23, 30, zone=MADRID), [7, 8, 7], id="Madrid spring"),
        pytest.param(MADRID, local(2026, 10, 24, 0, 30, zone=MADRID), [8, 9, 8], id="Madrid autumn"),
    ],
)
def test_quick_options_keep_their_local_hour_over_a_dst_change(
    zone: ZoneInfo, now: dt.datetime, utc_hours: list[int]
) -> None:
    assert [option.at.hour for option in quick_options(now, zone)] == utc_hours
    assert [option.at.astimezone(zone).hour for option in quick_options(now, zone)] == [9, 10, 9]


def test_a_quick_option_in_a_skipped_hour_moves_forward_by_itself() -> None:
    """Samoa left out the whole of 30 December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    now = local(2011, 12, 29, 12, 0, zone=apia)
    assert shown(now, apia)[:2] == ["2011-12-31 09:00", "2011-12-31 10:00"]


@given(now=moments, zone=st.timezones())
def test_every_quick_option_is_on_its_day_in_every_zone_and_later_than_now(
    now: dt.datetime, zone: ZoneInfo
) -> None:
    today = now.astimezone(zone).date()
    for option in quick_options(now, zone):
        assert option.at.utcoffset() == dt.timedelta()
        assert option.at > now
        there = option.at.astimezone(zone)
        assert (there.date() - today).days == option.days
        assert there.time() == option.time


# Custom dates


@pytest.mark.parametrize(
    ("zone", "date", "skipped", "following"),
    [
        (NEW_YORK, dt.date(2026, 3, 8), dt.time(2, 30), "Sun 8 Mar, 3:30 AM"),
        (MADRID, dt.date(2026, 3, 29), dt.time(2, 0), "Sun 29 Mar, 3:00 AM"),
    ],
)
def test_a_custom_time_that_dst_skips_is_refused_with_the_next_one(
    zone: ZoneInfo, date: dt.date, skipped: dt.time, following: str
) -> None:
    with pytest.raises(SkippedTime, match=f"doesn’t exist. Choose {following} instead") as refused:
        custom(date, skipped, zone)
    there = refused.value.next.astimezone(zone)
    assert custom(there.date(), there.time(), zone) == refused.value.next


@pytest.mark.parametrize(
    ("zone", "date", "twice", "utc"),
    [
        (NEW_YORK, dt.date(2026, 11, 1), dt.time(1, 30), dt.datetime(2026, 11, 1, 5, 30, tzinfo=dt.UTC)),
        (MADRID, dt.date(2026, 10, 25), dt.time(2, 30), dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)),
    ],
)
@pytest.mark.parametrize("fold", [0, 1])
def test_a_custom_time_that_happens_twice_means_the_first(
    zone: ZoneInfo, date: dt.date, twice: dt.time, utc: dt.datetime, fold: int
) -> None:
    assert custom(date, twice.replace(fold=fold), zone) == utc


@pytest.mark.parametrize("date", [dt.date.min, dt.date.max])
@pytest.mark.parametrize("zone", [COSTA_RICA, MADRID, ZoneInfo("Pacific/Apia")])
def test_the_ends_of_the_calendar_are_no_stack_trace(date: dt.date, zone: ZoneInfo) -> None:
    for time in (dt.time.min, dt.time.max):
        try:
            at = custom(date, time, zone)
        except SchedulingError:
            continue
        with pytest.raises(OutsideWindow):
            check_window(at, NOW, organization(zone.key))


@given(
    date=st.dates(dt.date(2020, 1, 1), dt.date(2036, 12, 31)),
    time=st.times(),
    zone=st.timezones(),
)
def test_a_custom_time_is_what_the_clock_there_shows_or_is_refused(
    date: dt.date, time: dt.time, zone: ZoneInfo
) -> None:
    try:
        at = custom(date, time, zone)
    except SkippedTime as refused:
        there = refused.next.astimezone(zone)
        at = custom(there.date(), there.time(), zone)
        date, time = there.date(), there.time()
    there = at.astimezone(zone)
    assert (there.date(), there.hour, there.minute) == (date, time.hour, time.minute)
    assert there.fold == 0
    assert (at.second, at.microsecond) == (0, 0)


# The window


@pytest.mark.parametrize(
    ("ahead", "accepted"),
    [
        (dt.timedelta(hours=3), False),
        (dt.timedelta(days=5) - MINUTE, False),
        (dt.timedelta(days=5), True),
        (dt.timedelta(days=5) + MINUTE, True),
        (dt.timedelta(days=90) - MINUTE, True),
        (dt.timedelta(days=90), True),
        (dt.timedelta(days=90) + MINUTE, False),
        (-MINUTE, False),
    ],
)
def test_the_scheduled_date_must_be_between_5_and_90_days_in_the_future(
    ahead: dt.timedelta, accepted: bool
) -> None:
    """Help page: "The scheduled date must be between 5 and 90 days in the future. You cannot schedule
    follow-ups for the next few hours."
    """
    if accepted:
        check_window(NOW + ahead, NOW, organization())
    else:
        with pytest.raises(OutsideWindow):
            check_window(NOW + ahead, NOW, organization())


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        (local(2026, 11, 20, 9, 0), "That’s in the past."),
        (local(2026, 11, 20, 17, 0), "That’s today."),
        (local(2026, 11, 21, 9, 0), "That’s tomorrow."),
        (local(2026, 11, 23, 9, 0), "That’s 3 days from now."),
        (local(2026, 11, 25, 14, 30), "That’s less than 5 days from now."),
        (local(2027, 2, 18, 14, 32), "That’s more than 90 days from now."),
        (local(2027, 2, 19, 9, 0), "That’s 91 days from now."),
    ],
)
def test_the_message_says_what_is_wrong_and_names_both_ends(at: dt.datetime, problem: str) -> None:
    with pytest.raises(OutsideWindow) as refused:
        check_window(at, NOW, organization())
    ends = "Choose a time from Wed 25 Nov, 2:31 PM to Thu 18 Feb 2027, 2:31 PM."
    assert str(refused.value) == f"{problem} {ends}"


def test_the_ends_it_names_are_accepted_in_the_middle_of_a_minute_too() -> None:
    now = NOW + dt.timedelta(seconds=20, microseconds=1)
    assert earliest(now, organization()) == local(2026, 11, 25, 14, 32)
    assert latest(now, organization()) == local(2027, 2, 18, 14, 31)
    for at in (earliest(now, organization()), latest(now, organization())):
        check_window(at, now, organization())


def test_the_window_is_the_organizations_own() -> None:
    narrow = organization(min_days=1, max_days=2)
    check_window(NOW + dt.timedelta(days=1), NOW, narrow)
    with pytest.raises(OutsideWindow, match="That’s less than 1 day from now"):
        check_window(NOW + dt.timedelta(days=1) - MINUTE, NOW, narrow)
    with pytest.raises(OutsideWindow, match="That’s more than 2 days from now"):
        check_window(NOW + dt.timedelta(days=2) + MINUTE, NOW, narrow)


@pytest.mark.parametrize(
    ("zone", "now", "first"),
    [
        (NEW_YORK, local(2026, 3, 5, 9, 0, zone=NEW_YORK), local(2026, 3, 10, 10, 0, zone=NEW_YORK)),
        (NEW_YORK, local(2026, 10, 29, 9, 0, zone=NEW_YORK), local(2026, 11, 3, 8, 0, zone=NEW_YORK)),
        (MADRID, local(2026, 3, 26, 23, 30, zone=MADRID), local(2026, 4, 1, 0, 30, zone=MADRID)),
        (MADRID, local(2026, 10, 22, 0, 30, zone=MADRID), local(2026, 10, 26, 23, 30, zone=MADRID)),
    ],
)
def test_days_are_24_hours_over_a_dst_change(zone: ZoneInfo, now: dt.datetime, first: dt.datetime) -> None:
    owner = organization(zone.key)
    assert earliest(now, owner) == first
    check_window(first, now, owner)
    with pytest.raises(OutsideWindow, match="That’s"):
        check_window(first.astimezone(dt.UTC) - MINUTE, now, owner)


@given(
    now=moments,
    minutes=st.integers(-(100 * 1440), 400 * 1440),
    min_days=st.integers(1, 30),
    span=st.integers(0, 335),
    zone=st.timezones(),
)
def test_exactly_what_lies_in_the_window_is_accepted(
    now: dt.datetime, minutes: int, min_days: int, span: int, zone: ZoneInfo
) -> None:
    owner = organization(zone.key, min_days=min_days, max_days=min_days + span)
    at = now.replace(second=0, microsecond=0) + dt.timedelta(minutes=minutes)
    days = dt.timedelta(days=1)
    inside = now + min_days * days <= at <= now + (min_days + span) * days
    if inside:
        check_window(at, now, owner)
    else:
        with pytest.raises(OutsideWindow):
            check_window(at, now, owner)
