"""My day above the list of conversations: what of mine goes out today, and who has answered."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.models import Conversation
from followups.pages import my_day
from tests import factories
from tests.conftest import make_team, signed_in
from tests.html import html_of
from trochai import changes

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
HOUR = dt.timedelta(hours=1)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _friday(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team, at, **given):
    given = {"conversation": team.conversation, "template": team.template, **given}
    given = {"created_by": team.agent.user, "organization": team.organization, **given}
    return factories.FollowUpFactory(scheduled_for=at, **given)


def talk(team, name="Ana", wrote_at=None):
    contact = factories.ContactFactory(organization=team.organization, name=name)
    return factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact, last_inbound_at=wrote_at
    )


def sent(team, ago, wrote=None, **given):
    """Make one that was sent so long ago; ``wrote``: how long ago its contact wrote last."""
    at = NOW - ago
    conversation = given.pop("conversation", None) or talk(team, wrote_at=wrote and NOW - wrote)
    return make(team, at, status="sent", sent_at=at, conversation=conversation, **given)


def inbox(member, path="/inbox/") -> str:
    return html_of(signed_in(member).get(path))


def said(html: str) -> str | None:
    found = re.search(r'id="my-day-line".*?<span class="truncate">([^<]*)</span>', html, re.DOTALL)
    return found and found[1]


def listed(html: str) -> list[str]:
    part = re.search(r'<details class="my-day".*?</details>', html, re.DOTALL)
    return re.findall(r'href="(/inbox/\d+/[^"]*)"', part[0]) if part else []


def test_it_says_what_goes_out_today_and_who_answered_and_leads_there(team):
    first, second = make(team, NOW + HOUR, conversation=talk(team)), make(team, NOW + 3 * HOUR)
    answered = sent(team, ago=2 * HOUR, wrote=HOUR)
    html = inbox(team.agent)
    assert said(html) == "Today: 2 of your follow-ups go out · 1 answered"
    assert listed(html) == [f"/inbox/{each.conversation_id}/" for each in (first, second, answered)]
    assert listed(inbox(team.agent, "/inbox/?f=mine"))[0].endswith("/?f=mine")


def test_it_is_not_there_where_there_is_nothing(team):
    make(team, NOW + 24 * HOUR)
    make(team, NOW + HOUR, status="canceled")
    make(team, NOW + HOUR, held_reason="contact")
    sent(team, ago=2 * HOUR)
    sent(team, ago=2 * HOUR, wrote=3 * HOUR)
    sent(team, ago=8 * 24 * HOUR, wrote=HOUR)
    assert "my-day" not in inbox(team.agent)


def test_it_is_about_ones_own_by_owner_or_else_by_creator(team):
    make(team, NOW + HOUR)
    make(team, NOW + HOUR, owner=team.other_agent.user)
    sent(team, ago=2 * HOUR, wrote=HOUR, owner=team.other_agent.user)
    assert said(inbox(team.agent)) == "Today: 1 of your follow-ups goes out"
    assert said(inbox(team.other_agent)) == "Today: 1 of your follow-ups goes out · 1 answered"
    assert said(inbox(team.admin)) is None


def test_nothing_of_another_organization_is_in_it(team, stranger):
    make(stranger, NOW + HOUR, created_by=team.agent.user)
    sent(stranger, ago=2 * HOUR, wrote=HOUR, owner=team.agent.user)
    assert said(inbox(team.agent)) is None


def test_today_ends_at_midnight_of_the_organizations_clock(time_machine):
    team = make_team(timezone="Asia/Tokyo")  # it is 0:15 AM there
    make(team, dt.datetime(2026, 11, 21, 14, 59, tzinfo=dt.UTC))
    make(team, dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC))
    assert said(inbox(team.agent)) == "Today: 1 of your follow-ups goes out"


def test_what_is_retried_or_waits_for_the_morning_goes_out_today_and_what_waits_longer_does_not(team):
    make(team, NOW - 11 * HOUR, next_attempt_at=NOW + HOUR)
    make(team, NOW + HOUR, next_attempt_at=NOW + 23 * HOUR)
    assert said(inbox(team.agent)) == "Today: 1 of your follow-ups goes out"


def test_somebody_who_answered_two_is_counted_once(team):
    conversation = talk(team, wrote_at=NOW - HOUR)
    for hours in (2, 3):
        sent(team, ago=hours * HOUR, conversation=conversation)
    html = inbox(team.agent)
    assert said(html) == "1 contact answered your follow-up"
    assert len(listed(html)) == 1


def test_an_erased_contact_is_not_in_it(team):
    sent(team, ago=2 * HOUR, wrote=HOUR)
    Conversation.objects.update(erased_at=NOW)
    assert said(inbox(team.agent)) is None


def test_names_are_escaped(team):
    make(team, NOW + HOUR, conversation=talk(team, name="<b>Ana</b>"))
    html = inbox(team.agent)
    assert "&lt;b&gt;Ana&lt;/b&gt;" in html
    assert "<b>Ana" not in html


def test_ten_of_each_are_listed_and_the_count_stops(team, monkeypatch):
    monkeypatch.setattr(my_day, "BADGE_CAP", 12)
    for minutes in range(14):
        make(team, NOW + HOUR + minutes * dt.timedelta(minutes=1))
    html = inbox(team.agent)
    assert said(html) == "Today: 12+ of your follow-ups go out"
    assert len(listed(html)) == 10
    assert "and 2+ more" in html


def test_viewers_have_none(team):
    make(team, NOW + HOUR, owner=team.viewer.user)
    assert said(inbox(team.viewer)) is None


def test_it_costs_one_query_and_another_one_where_there_is_something(team, django_assert_num_queries):
    client = signed_in(team.agent)
    client.get("/inbox/")
    with CaptureQueriesContext(connection) as without:
        client.get("/inbox/")
    for hours in range(1, 5):
        make(team, NOW + hours * HOUR, conversation=talk(team, wrote_at=NOW))
        sent(team, ago=hours * HOUR, wrote=hours * HOUR / 2)
    # The list has rows now, whose tags are asked for where there are any.
    with django_assert_num_queries(len(without) + 1):
        client.get("/inbox/")


def test_an_open_page_hears_of_it_and_nothing_while_nothing_changes(
    team, django_capture_on_commit_callbacks, django_assert_num_queries
):
    state = dict(re.findall(r'name="(v)" value="([^"]*)"', inbox(team.agent)))
    client = signed_in(team.agent)
    with django_assert_num_queries(3):
        assert client.get("/inbox/poll/", state, headers=HTMX).status_code == 204
    make(team, NOW + HOUR)
    with django_capture_on_commit_callbacks(execute=True):
        changes.changed([team.organization.pk])
    answer = html_of(client.get("/inbox/poll/", state, headers=HTMX))
    assert said(answer) == "Today: 1 of your follow-ups goes out"
