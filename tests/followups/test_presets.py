"""The organization's own presets beside the quick options."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from followups.models import FollowUp, Preset, PresetKind
from followups.presets import preset_options
from followups.scheduling import earliest, latest
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from trochai.accounts.models import Organization

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
OWNER = Organization(timezone="America/Costa_Rica")


def preset(kind: str, number: int, time: dt.time = dt.time(9)) -> Preset:
    return Preset(pk=7, organization=OWNER, position=1, name="Ours", kind=kind, number=number, time=time)


def meaning(kind: str, number: int, owner: Organization = OWNER, now: dt.datetime = NOW, **time: Any) -> str:
    options = preset_options([preset(kind, number, **time)], now, owner)
    return f"{options[0].at.astimezone(owner.zone):%a %Y-%m-%d %H:%M}" if options else ""


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        ("days", 10, "Mon 2026-11-30 09:00"),
        ("weeks", 2, "Fri 2026-12-04 09:00"),
        # Not the next Monday: it is three days away.
        ("weekday", 1, "Mon 2026-11-30 09:00"),
        # 5 days from now to the minute, and the first minute after it.
        ("weekday", 3, "Wed 2026-11-25 09:00"),
        ("day", 15, "Tue 2026-12-15 09:00"),
        ("day", 22, "Tue 2026-12-22 09:00"),
        ("day", 31, "Thu 2026-12-31 09:00"),
        # Outside the window: not offered.
        ("days", 4, ""),
        ("days", 91, ""),
    ],
)
def test_what_a_preset_means_today(kind: str, number: int, expected: str) -> None:
    assert meaning(kind, number) == expected


def test_a_day_that_is_too_near_by_an_hour_is_the_next_one() -> None:
    assert meaning("weekday", 3, time=dt.time(8, 59)) == "Wed 2026-12-02 08:59"
    assert meaning("day", 25, time=dt.time(8, 59)) == "Fri 2026-12-25 08:59"


def test_days_are_counted_in_the_organizations_zone() -> None:
    late = dt.datetime(2026, 11, 21, 5, 30, tzinfo=dt.UTC)  # still Friday in Costa Rica
    assert meaning("weeks", 2, now=late) == "Fri 2026-12-04 09:00"


def test_a_time_that_the_clocks_skip_moves_forward_as_a_quick_options_does() -> None:
    madrid = Organization(timezone="Europe/Madrid")
    now = dt.datetime(2027, 3, 14, 9, tzinfo=dt.UTC)
    assert meaning("weeks", 2, madrid, now, time=dt.time(2, 30)) == "Sun 2027-03-28 03:30"


@given(
    now=st.integers(0, 4 * 10**8).map(lambda seconds: NOW + dt.timedelta(seconds=seconds)),
    kind=st.sampled_from(PresetKind.values),
    number=st.integers(1, 31),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["America/Costa_Rica", "Europe/Madrid", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_what_is_offered_lies_in_the_window(now, kind, number, hour, zone) -> None:
    owner = Organization(timezone=zone)
    if kind == PresetKind.WEEKDAY:
        number = min(number, 7)
    offered = preset_options([preset(kind, number, dt.time(hour))], now, owner)
    for option in offered:
        assert earliest(now, owner) <= option.at <= latest(now, owner)
        local = option.at.astimezone(owner.zone)
        if kind == PresetKind.WEEKDAY:
            assert local.isoweekday() == number
        if kind == PresetKind.DAY_OF_MONTH:
            assert local.day == number
    # 85 days have every weekday and every day of a month.
    assert offered or kind in {PresetKind.DAYS, PresetKind.WEEKS}


@pytest.mark.django_db
class TestInTheDialog:
    @pytest.fixture(autouse=True)
    def clock(self, time_machine):
        time_machine.move_to(NOW, tick=False)

    @pytest.fixture
    def monday(self, team: Team) -> Preset:
        return factories.PresetFactory(organization=team.organization)

    def post(self, team: Team, preset: Preset, shown: str = "2026-11-30T14:30:00+00:00") -> Any:
        data = {
            "template": team.template.pk,
            **{f"p-body-{number}": "x" for number in (1, 2, 3)},
            "submission": str(uuid.uuid4()),
            "when": f"preset-{preset.pk}",
            f"shown_preset-{preset.pk}": shown,
        }
        path = f"/followups/schedule/{team.conversation.pk}/"
        return signed_in(team.agent).post(path, data, headers=HTMX)

    def test_they_stand_below_the_quick_options_in_their_order(
        self, team: Team, stranger: Team, monday
    ) -> None:
        factories.PresetFactory(organization=team.organization, position=3, name="Third")
        factories.PresetFactory(organization=team.organization, position=2, name="Second")
        factories.PresetFactory(organization=stranger.organization, name="Not ours")
        path = f"/followups/schedule/{team.conversation.pk}/"
        html = html_of(signed_in(team.agent).get(path, headers=HTMX))
        places = [html.index(text) for text in ("In 1 week 9:00 AM", "Monday 8:30 AM", "Second", "Third")]
        assert places == sorted(places)
        assert "Mon 30 Nov" in html
        assert "Not ours" not in html

    def test_without_presets_the_dialog_is_as_it_was(self, team: Team) -> None:
        path = f"/followups/schedule/{team.conversation.pk}/"
        assert "presets" not in html_of(signed_in(team.agent).get(path, headers=HTMX))

    def test_one_click_chooses_what_it_showed(self, team: Team, monday) -> None:
        assert self.post(team, monday).status_code == 204
        assert FollowUp.objects.get().scheduled_for == dt.datetime(2026, 11, 30, 14, 30, tzinfo=dt.UTC)

    def test_what_it_means_by_now_is_shown_before_it_counts(self, team: Team, monday) -> None:
        response = self.post(team, monday, shown="2026-11-23T14:30:00+00:00")
        assert response.status_code == 422
        assert "“Monday 8:30 AM” now means Mon 30 Nov. Check the date, then schedule again." in html_of(
            response
        )
        assert not FollowUp.objects.exists()

    def test_one_that_is_gone_or_anothers_is_refused(self, team: Team, stranger: Team, monday) -> None:
        theirs = factories.PresetFactory(organization=stranger.organization)
        Preset.objects.filter(pk=monday.pk).delete()
        for one in (theirs, Preset(pk=monday.pk), Preset(pk=10**20)):
            response = self.post(team, one)
            assert response.status_code == 422
            assert "Choose one of the times below, or a custom date." in html_of(response)
        assert not FollowUp.objects.exists()

    def test_a_follow_up_is_moved_by_one(self, team: Team, monday) -> None:
        follow_up = factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            scheduled_for=NOW + dt.timedelta(days=7),
        )
        client, path = signed_in(team.agent), f"/followups/{follow_up.pk}/move/"
        assert f'value="preset-{monday.pk}"' in html_of(client.get(path, headers=HTMX))
        key = f"preset-{monday.pk}"
        data = {"when": key, f"shown_{key}": "2026-11-30T14:30:00+00:00", "version": 0}
        assert client.post(path, data, headers=HTMX).status_code == 200
        follow_up.refresh_from_db()
        assert follow_up.scheduled_for == dt.datetime(2026, 11, 30, 14, 30, tzinfo=dt.UTC)


@pytest.mark.django_db
class TestInTheAdmin:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"kind": "days", "number": 5}, "Custom dates are limited: choose from 6 to 89 days."),
            ({"kind": "weeks", "number": 13}, "Custom dates are limited: choose from 6 to 89 days."),
            ({"kind": "weekday", "number": 8}, "7 for a weekday"),
            ({"kind": "day", "number": 32}, "31 for a day of the month"),
            ({"position": 6}, "less than or equal to 5"),
            ({"number": None}, "cannot be null"),
            ({"organization": None}, "cannot be null"),
        ],
    )
    def test_what_could_never_be_offered_is_refused(self, team: Team, fields, words) -> None:
        with pytest.raises(ValidationError, match=words):
            factories.PresetFactory.build(**{"organization": team.organization, **fields}).full_clean()

    def test_there_are_five_at_most(self, team: Team) -> None:
        for position in range(1, 6):
            factories.PresetFactory(organization=team.organization, position=position)
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.PresetFactory(organization=team.organization, position=5)
