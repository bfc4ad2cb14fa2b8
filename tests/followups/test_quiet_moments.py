"""What people hear when a follow-up would go out at night, or on a day off, where the contact is."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest

from conversations.models import Contact
from followups.models import FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from trochai.accounts.models import DayOff, SendingHours

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica, 4:00 PM in Madrid
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
NIGHT = {"when": "custom", "date": "2026-12-03", "time": "20:00"}  # 3:00 AM in Madrid
OFFER = "2026-12-04T01:00:00-06:00"  # 8:00 AM there


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture(autouse=True)
def quiet(team: Team) -> None:
    """The contact lives in Madrid; the team sends from Monday to Friday, 8 to 8."""
    Contact.objects.update(timezone="Europe/Madrid")
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
        for day in range(1, 6)
    )


def check(team: Team, target: str = "", **data: str) -> str:
    headers = {**HTMX, "HX-Target": target}
    path = f"/followups/schedule/{team.conversation.pk}/check/"
    return html_of(signed_in(team.agent).post(path, data, headers=headers))


def follow_up(team: Team, **fields: Any) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        template=team.template,
        created_by=team.agent.user,
        **{"conversation": team.conversation, "scheduled_for": NOW + dt.timedelta(days=7), **fields},
    )


def to_schedule(team: Team) -> dict[str, Any]:
    values = {f"p-body-{number}": f"value {number}" for number in (1, 2, 3)}
    return {"template": team.template.pk, **values, "submission": str(uuid.uuid4()), **NIGHT}


@pytest.mark.parametrize("target", ["", "schedule-date"])
def test_the_dialog_says_how_late_it_is_there_and_offers_the_next_good_moment(team, target):
    html = check(team, target, **NIGHT)
    assert "<b>3:00 AM in Madrid</b>, outside 8:00 AM to 8:00 PM there." in html
    assert "Move to 8:00 AM there" in html
    assert f'value="{OFFER}" data-date="2026-12-04" data-time="01:00"' in html


def test_what_is_typed_is_looked_at_as_well(team):
    assert "3:00 AM in Madrid" in check(team, when="custom", typed="thu 3 dec 8pm")


def test_a_day_without_hours_and_a_day_off_say_so(team):
    html = check(team, when="custom", date="2026-12-05", time="07:00")
    assert "<b>2:00 PM in Madrid</b>, on Saturday 5 December, when nothing goes out." in html
    assert "Move to Mon 7 Dec, 8:00 AM there" in html
    DayOff.objects.create(organization=team.organization, date="2026-12-07", name="Moving day")
    html = check(team, when="custom", date="2026-12-07", time="07:00")
    assert "<b>2:00 PM in Madrid</b>, on Moving day." in html


def test_a_public_holiday_is_called_by_its_name(team):
    team.organization.keeps_holidays = True
    team.organization.save()
    assert "on Christmas Day" in check(team, when="custom", date="2026-12-25", time="07:00")


def test_a_holiday_on_which_people_work_is_named_and_nothing_else_is_offered(team):
    team.organization.keeps_holidays = True
    team.organization.save()
    DayOff.objects.create(organization=team.organization, date="2026-12-25", is_quiet=False)
    html = check(team, when="custom", date="2026-12-25", time="07:00")
    assert "Christmas Day, a working day here" in html
    assert 'name="choose"' not in html


def test_nothing_is_said_of_a_good_moment_nor_without_rules(team):
    assert "Madrid" not in check(team, when="custom", date="2026-12-04", time="07:00")
    SendingHours.objects.all().delete()
    assert "Madrid" not in check(team, **NIGHT)


def test_what_is_offered_instead_of_a_quick_option_lies_in_the_window(team, clock):
    clock.move_to(NOW + dt.timedelta(hours=14))  # 11 PM
    shown = {"shown_tomorrow_9": "2026-11-21T15:00:00+00:00"}
    html = check(team, when="tomorrow_9", **shown)
    assert "<b>4:00 PM in Madrid</b>, on Saturday 21 November" in html
    # Five days from now it is Thursday 6 AM there.
    assert "Move to Thu 26 Nov, 8:00 AM there" in html


def test_nothing_beyond_the_window_is_offered(team):
    SendingHours.objects.exclude(weekday=1).delete()
    # 18 February, a Thursday, is the last day.
    html = check(team, when="custom", date="2027-02-17", time="07:00")
    assert "when nothing goes out" in html
    assert "Move to" not in html


def test_a_person_decides(team):
    path = f"/followups/schedule/{team.conversation.pk}/"
    assert signed_in(team.agent).post(path, to_schedule(team), headers=HTMX).status_code == 204
    assert FollowUp.objects.get().scheduled_for == dt.datetime(2026, 12, 4, 2, tzinfo=dt.UTC)


def test_the_offer_is_taken_without_javascript_and_nothing_typed_is_lost(team):
    path = f"/followups/schedule/{team.conversation.pk}/"
    html = html_of(signed_in(team.agent).post(path, {**to_schedule(team), "choose": OFFER}))
    assert 'name="date" value="2026-12-04"' in html
    assert 'name="time" value="01:00"' in html
    assert 'value="value 2"' in html
    assert 'class="error"' not in html
    assert not FollowUp.objects.exists()


@pytest.mark.parametrize(
    "choose", ["", "1", "2026-13-45", "2026-12-04T01:00:00", "0001-01-01T00:00:00+14:00", "x" * 500]
)
def test_an_offer_that_was_none_changes_nothing(team, choose):
    path = f"/followups/schedule/{team.conversation.pk}/"
    response = signed_in(team.agent).post(path, {**to_schedule(team), "choose": choose})
    assert response.status_code == 200
    assert 'value="2026-12-03"' in html_of(response)


def test_rescheduling_offers_it_too(team):
    row, client = follow_up(team), signed_in(team.agent)
    path = f"/followups/{row.pk}/move/"
    html = html_of(client.post(path, {**NIGHT, "version": 0, "choose": OFFER}))
    assert 'name="date" value="2026-12-04"' in html
    response = client.post(path, {**NIGHT, "version": 0}, headers=HTMX)
    assert "3:00 AM in Madrid, outside 8:00 AM to 8:00 PM there." in response["HX-Trigger"]
    row.refresh_from_db()
    assert row.scheduled_for == dt.datetime(2026, 12, 4, 2, tzinfo=dt.UTC)


def test_send_now_and_retry_only_warn(team, clock):
    clock.move_to(NOW + dt.timedelta(hours=11))
    waiting, failed = follow_up(team), follow_up(team, status="failed")
    client = signed_in(team.agent)
    html = html_of(client.get(f"/followups/{waiting.pk}/send-now/", headers=HTMX))
    assert "<b>3:00 AM in Madrid</b>, on Saturday 21 November, when nothing goes out." in html
    response = client.post(f"/followups/{failed.pk}/retry/", headers=HTMX)
    assert "3:05 AM in Madrid" in response["HX-Trigger"]
    failed.refresh_from_db()
    assert failed.status == "pending"


def test_without_a_known_zone_the_organizations_counts(team):
    Contact.objects.update(timezone="", phone="", user_ids="CR.1")
    assert "8:30 PM in Costa Rica" in check(team, when="custom", date="2026-12-03", time="20:30")


def test_the_check_costs_the_same_few_queries(team, django_assert_max_num_queries):
    client, path = signed_in(team.agent), f"/followups/schedule/{team.conversation.pk}/check/"
    # session, user, membership, conversation, hours, days off, the number's limit
    with django_assert_max_num_queries(7):
        client.post(path, NIGHT, headers=HTMX)


def next_date_notes(team: Team, **data: str) -> list[str]:
    html = check(team, when="custom", date="2026-12-03", time="09:00", repeat="on", **data)
    return [
        " ".join(re.sub("<[^>]+>", " ", said).split())
        for said in re.findall(r'<p class="quiet">(.*?)</p>', html, re.S)
    ]


def test_the_next_dates_of_what_is_repeated_say_which_of_them_are_quiet(team):
    assert next_date_notes(team, repeat_kind="weekly") == []
    DayOff.objects.create(organization=team.organization, date="2026-12-10", name="Moving day")
    assert next_date_notes(team, repeat_kind="weekly") == ["Thu 10 Dec : 4:00 PM in Madrid, on Moving day."]


def to_move(team: Team, rows: list[FollowUp], date: str) -> str:
    FollowUp.objects.update(created_at=NOW - dt.timedelta(days=2))
    data = {"next": "/followups/", "pick": [row.pk for row in rows], "step": "1", "how": "to", "date": date}
    return html_of(signed_in(team.agent).post("/followups/bulk/move/", data, headers=HTMX))


def test_moving_many_says_how_many_would_be_quiet_where_they_are(team):
    elsewhere = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    Contact.objects.filter(pk=elsewhere.contact_id).update(timezone="America/Costa_Rica")
    rows = [follow_up(team), follow_up(team, scheduled_for=NOW + dt.timedelta(days=7, hours=5))]
    rows += [follow_up(team, conversation=elsewhere, scheduled_for=NOW + dt.timedelta(days=7, hours=5))]
    html = to_move(team, rows, "2026-12-02")
    assert "1 in quiet hours" in html
    assert "they are moved all the same" in html
    assert "3 in quiet hours" in to_move(team, rows, "2026-12-05")
    team.organization.quiet_hours_are_a_rule = True
    team.organization.save()
    assert "they wait until those end" in to_move(team, rows, "2026-12-02")
    assert "in quiet hours" not in to_move(team, rows[:1], "2026-12-02")


def test_what_is_begun_for_somebody_new_asks_the_clock_where_they_are(team):
    number = {"phone": "+34 600 55 01 34", "country": "CR", "agreed": "on"}
    answer = signed_in(team.agent).post("/followups/new/", number)
    path = f"{answer['Location']}check/"
    html = html_of(signed_in(team.agent).post(path, NIGHT, headers=HTMX))
    # A number of Spain is of several zones.
    assert re.search(r"<b>[23]:00 AM in \w+</b>, outside 8:00 AM to 8:00 PM there.", html)


# Moved out of it by one click ---------------------------------------------------------------------------


AT_NIGHT = dt.datetime(2026, 12, 4, 2, tzinfo=dt.UTC)  # 3:00 AM in Madrid
OUT_OF_IT = re.compile(
    r'value="preset-good">\s*<span dir="auto">([^<]+)</span>\s*<small><time [^>]*>([^<]+)<'
)
SHOWN = re.compile(r'name="shown_preset-good" value="([^"]+)"')


def test_what_is_due_at_night_is_moved_to_the_next_good_moment_by_one_click(team):
    row, client = follow_up(team, scheduled_for=AT_NIGHT), signed_in(team.agent)
    html = html_of(client.get(f"/followups/{row.pk}/move/", headers=HTMX))
    assert OUT_OF_IT.findall(html) == [("Move to 8:00 AM there", "Fri 4 Dec")]
    data = {"when": "preset-good", "shown_preset-good": SHOWN.search(html)[1], "version": 0}
    assert client.post(f"/followups/{row.pk}/move/", data, headers=HTMX).status_code == 200
    row.refresh_from_db()
    assert row.scheduled_for == dt.datetime(2026, 12, 4, 7, tzinfo=dt.UTC)


def test_what_is_due_in_a_good_hour_has_no_such_offer(team):
    row = follow_up(team, scheduled_for=AT_NIGHT + dt.timedelta(hours=7))
    html = html_of(signed_in(team.agent).get(f"/followups/{row.pk}/move/", headers=HTMX))
    assert not OUT_OF_IT.search(html)
    data = {"when": "preset-good", "shown_preset-good": row.scheduled_for.isoformat(), "version": 0}
    answer = signed_in(team.agent).post(f"/followups/{row.pk}/move/", data, headers=HTMX)
    assert answer.status_code == 422


def test_a_retry_at_night_is_one_although_its_date_is_not(team):
    row = follow_up(team, scheduled_for=AT_NIGHT - dt.timedelta(hours=8), next_attempt_at=AT_NIGHT)
    html = html_of(signed_in(team.agent).get(f"/followups/{row.pk}/move/", headers=HTMX))
    assert OUT_OF_IT.findall(html) == [("Move to 8:00 AM there", "Fri 4 Dec")]


def test_what_is_due_sooner_than_may_be_chosen_is_offered_the_first_good_day_that_may(team, clock):
    row = follow_up(team, scheduled_for=NOW + dt.timedelta(hours=11))  # Saturday, 3:00 AM in Madrid
    path = f"/followups/{row.pk}/move/"
    html = html_of(signed_in(team.agent).get(path, headers=HTMX))
    # The first day is Wednesday the 25th from 4 PM on, and the first such night the one after it.
    assert OUT_OF_IT.findall(html) == [("Move to Thu 26 Nov, 8:00 AM there", "Thu 26 Nov")]
    # It is the same however late it is answered.
    clock.move_to(NOW + dt.timedelta(minutes=7))
    data = {"when": "preset-good", "shown_preset-good": SHOWN.search(html)[1], "version": 0}
    assert signed_in(team.agent).post(path, data, headers=HTMX).status_code == 200


def test_where_it_is_never_good_within_the_window_nothing_is_offered(team):
    SendingHours.objects.exclude(weekday=1).delete()
    row = follow_up(team, scheduled_for=dt.datetime(2027, 2, 17, 13, tzinfo=dt.UTC))
    html = html_of(signed_in(team.agent).get(f"/followups/{row.pk}/move/", headers=HTMX))
    assert not OUT_OF_IT.search(html)
