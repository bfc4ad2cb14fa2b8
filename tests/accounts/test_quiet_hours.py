"""When nothing should go out where a contact is."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import Team
from trochai.accounts.models import DayOff, Organization, SendingHours
from trochai.accounts.quiet_hours import HORIZON, Rules, next_good_moment, problem_at

COSTA_RICA, MADRID, CANARY = (
    ZoneInfo(name) for name in ("America/Costa_Rica", "Europe/Madrid", "Atlantic/Canary")
)
MINUTE = dt.timedelta(minutes=1)
DAYTIME = (dt.time(8), dt.time(20))
# Sundays are quiet, Saturdays from 1 PM on.
WEEK = {**dict.fromkeys(range(1, 6), DAYTIME), 6: (dt.time(8), dt.time(13))}
RULES = Rules(WEEK)


def madrid(*parts: int, fold: int = 0) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=MADRID, fold=fold)


def good_from(moment: dt.datetime, *zones: ZoneInfo, rules: Rules = RULES) -> dt.datetime | None:
    return next_good_moment(moment, zones or (MADRID,), rules)


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        (madrid(2026, 12, 4, 7, 59), True),
        (madrid(2026, 12, 4, 8, 0), False),
        # Until 8 PM, that minute included.
        (madrid(2026, 12, 4, 20, 0, 59), False),
        (madrid(2026, 12, 4, 20, 1), True),
        (madrid(2026, 12, 5, 13, 30), True),  # a Saturday
        (madrid(2026, 12, 6, 12, 0), True),  # a Sunday
    ],
)
def test_hours_are_those_of_the_weekday_where_the_contact_is(moment: dt.datetime, is_quiet: bool) -> None:
    assert (problem_at(moment.astimezone(COSTA_RICA), [MADRID], RULES) is not None) is is_quiet


def test_it_is_told_what_is_quiet_about_a_moment() -> None:
    night = problem_at(madrid(2026, 12, 4, 3), [MADRID], RULES)
    assert (night.zone, night.local.hour, night.hours, night.day_off) == (MADRID, 3, DAYTIME, None)
    assert problem_at(madrid(2026, 12, 6, 12), [MADRID], RULES).hours is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (madrid(2026, 12, 4, 3), madrid(2026, 12, 4, 8)),
        (madrid(2026, 12, 4, 12, 30), madrid(2026, 12, 4, 12, 30)),
        (madrid(2026, 12, 4, 21), madrid(2026, 12, 5, 8)),
        (madrid(2026, 12, 5, 14), madrid(2026, 12, 7, 8)),
    ],
)
def test_the_next_good_moment_is_the_next_morning_that_is_not_quiet(moment, expected) -> None:
    assert good_from(moment) == expected


def test_a_number_of_several_zones_is_quiet_while_it_is_quiet_in_any() -> None:
    """8 AM in Madrid is 7 AM in the Canaries; 8:30 PM there is 9:30 PM in Madrid."""
    assert problem_at(madrid(2026, 12, 4, 8), [CANARY, MADRID], RULES).zone is CANARY
    assert problem_at(madrid(2026, 12, 4, 20, 30), [CANARY, MADRID], RULES).zone is MADRID
    assert good_from(madrid(2026, 12, 4, 3), CANARY, MADRID) == madrid(2026, 12, 4, 9)


def test_zones_that_are_never_awake_together_have_no_good_moment() -> None:
    noon = Rules(dict.fromkeys(range(1, 8), (dt.time(12), dt.time(13))))
    assert good_from(madrid(2026, 12, 4, 3), COSTA_RICA, MADRID, rules=noon) is None
    assert good_from(madrid(2026, 12, 4, 3), rules=Rules({}, lambda _day: "Always")) is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (dt.time(7), dt.time(7, 59), True),
        (dt.time(7), dt.time(8), False),
        (dt.time(20), dt.time(20, 59), False),
        (dt.time(20, 1), dt.time(20, 59), True),
    ],
)
def test_minutes_are_quiet_if_none_of_them_is_good(first, last, expected) -> None:
    friday, sunday = dt.date(2026, 12, 4), dt.date(2026, 12, 6)
    at = [dt.datetime.combine(friday, time) for time in (first, last)]
    assert RULES.is_quiet(*at) is expected
    assert RULES.is_quiet(*(dt.datetime.combine(sunday, time) for time in (first, last)))


def test_without_rules_no_hour_is_quiet() -> None:
    assert problem_at(madrid(2026, 12, 6, 3), [MADRID], Rules()) is None
    assert good_from(madrid(2026, 12, 6, 3), rules=Rules()) == madrid(2026, 12, 6, 3)


def test_hours_that_begin_while_the_clocks_go_forward_begin_when_they_have() -> None:
    early = Rules(dict.fromkeys(range(1, 8), (dt.time(2, 30), dt.time(20))))
    assert good_from(madrid(2027, 3, 28, 0), rules=early) == madrid(2027, 3, 28, 3)


def test_an_hour_that_happens_twice_is_quiet_or_not_both_times() -> None:
    early = Rules(dict.fromkeys(range(1, 8), (dt.time(2, 30), dt.time(20))))
    assert good_from(madrid(2026, 10, 25, 0), rules=early) == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    # The clocks show 2:10 once more.
    again = good_from(madrid(2026, 10, 25, 2, 10, fold=1), rules=early)
    assert again == dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)


ZONES = [
    *("America/Costa_Rica", "America/New_York", "America/St_Johns", "America/Sao_Paulo"),
    *("America/Santiago", "America/Havana", "America/Mexico_City", "Europe/Madrid"),
    *("Atlantic/Canary", "Europe/London", "Europe/Moscow", "Africa/Casablanca"),
    *("Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Auckland", "Pacific/Kiritimati"),
]
zones = st.lists(st.sampled_from(ZONES).map(ZoneInfo), min_size=1, max_size=3)
# Any minute of ten years.
moments = st.integers(0, 10 * 365 * 24 * 60).map(
    lambda minutes: dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + minutes * MINUTE
)
hours = st.tuples(st.times(), st.times()).filter(lambda pair: pair[0] < pair[1])
weeks = st.dictionaries(
    st.integers(1, 7), hours.map(lambda pair: tuple(t.replace(second=0, microsecond=0) for t in pair))
)
days_off = st.frozensets(st.integers(1, 366))


@example(
    madrid(2026, 10, 25, 1).astimezone(dt.UTC), [MADRID], {7: (dt.time(2, 30), dt.time(2, 45))}, frozenset()
)
@given(moments, zones, weeks, days_off)
def test_the_next_good_moment_is_good_everywhere_and_none_before_it_is(moment, zones, week, off) -> None:
    rules = Rules(week, lambda day: "Off" if day.timetuple().tm_yday in off else None)
    good = next_good_moment(moment, zones, rules)
    if good is not None:
        assert moment <= good <= moment + HORIZON
        assert problem_at(good, zones, rules) is None
        assert next_good_moment(good, zones, rules) == good
    end = min(good or moment + HORIZON, moment + dt.timedelta(days=9))
    for step in range(0, int((end - moment) / MINUTE), 97):
        at = moment + step * MINUTE
        if at < end and not _clocks_change(at, zones):
            assert problem_at(at, zones, rules) is not None


def _clocks_change(at: dt.datetime, zones: list[ZoneInfo]) -> bool:
    """On such a day hours may be good again that were over, which nobody has to catch."""
    near = [at + hours * dt.timedelta(hours=1) for hours in (-26, 26)]
    return any(len({each.astimezone(zone).utcoffset() for each in near}) > 1 for zone in zones)


@pytest.mark.django_db
class TestOfAnOrganization:
    def quiet(self, owner: Organization, *date: int) -> bool:
        """Whether noon in Madrid is quiet for a fresh look at the organization."""
        rules = Organization.objects.get(pk=owner.pk).quiet_hours
        return problem_at(madrid(*date, 12), [MADRID], rules) is not None

    def test_nothing_is_quiet_at_first(self, team: Team) -> None:
        assert not self.quiet(team.organization, 2026, 12, 25)

    def test_a_weekday_without_hours_is_quiet_once_another_has_some(self, team: Team) -> None:
        SendingHours.objects.create(organization=team.organization, weekday=5, begin="08:00", end="20:00")
        assert not self.quiet(team.organization, 2026, 12, 4)
        assert self.quiet(team.organization, 2026, 12, 5)

    def test_public_holidays_of_its_country_are_quiet_but_for_those_that_it_does_not_keep(
        self, team: Team
    ) -> None:
        owner = team.organization
        owner.keeps_holidays = True
        owner.save()
        assert self.quiet(owner, 2026, 12, 25)
        assert not self.quiet(owner, 2026, 12, 24)
        DayOff.objects.create(organization=owner, date="2026-12-24", name="Closed")
        DayOff.objects.create(organization=owner, date="2026-12-25", is_quiet=False)
        assert self.quiet(owner, 2026, 12, 24)
        assert not self.quiet(owner, 2026, 12, 25)

    def test_a_country_without_known_holidays_has_none(self, team: Team) -> None:
        owner = team.organization
        owner.keeps_holidays, owner.country = True, "AC"
        owner.save()
        assert not self.quiet(owner, 2026, 12, 25)

    def test_of_another_organization_nothing_counts(self, team: Team, stranger: Team) -> None:
        SendingHours.objects.create(organization=stranger.organization, weekday=5, begin="08:00", end="09:00")
        DayOff.objects.create(organization=stranger.organization, date="2026-12-04")
        assert not self.quiet(team.organization, 2026, 12, 4)

    def test_hours_end_after_they_begin(self, team: Team) -> None:
        hours = SendingHours(organization=team.organization, weekday=5, begin=dt.time(20), end=dt.time(8))
        with pytest.raises(ValidationError, match="They end after they begin, on the same day"):
            hours.full_clean()


def test_no_calendar_is_loaded_before_an_organization_keeps_holidays() -> None:
    code = "import sys, django; django.setup(); import trochai.urls; sys.exit('holidays' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
