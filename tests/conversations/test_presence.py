"""Who is writing in a conversation, as colleagues who have it open see it."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import pytest
from django.utils import timezone

from conversations import presence
from conversations.models import Conversation
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai import changes

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


def write(member, conversation):
    return signed_in(member).post(f"/inbox/{conversation.pk}/writing/")


def seen_by(member, conversation):
    html = html_of(signed_in(member).get(f"/inbox/{conversation.pk}/"))
    said = re.search(r'<p class="writing"[^>]*>(.*?)</p>', html, re.DOTALL)
    return re.sub(r"<[^>]*>", "", said[1]).strip()


def named(member, name):
    member.user.name = name
    member.user.save()
    return member


def test_a_colleague_sees_it_and_who_writes_does_not(team):
    named(team.agent, "Andrés Solano")
    assert write(team.agent, team.conversation).status_code == 204
    assert seen_by(team.other_agent, team.conversation) == "Andrés is writing…"
    assert seen_by(team.viewer, team.conversation) == "Andrés is writing…"
    assert seen_by(team.agent, team.conversation) == ""


def test_two_who_write_are_both_named(team):
    for member, name in ((team.agent, "Andrés Solano"), (team.other_agent, "Valeria Castro")):
        write(named(member, name), team.conversation)
    assert seen_by(team.admin, team.conversation) == "Andrés and Valeria are writing…"


def test_it_is_said_of_that_conversation_alone(team):
    other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    write(team.agent, team.conversation)
    assert seen_by(team.other_agent, other) == ""


def test_it_is_over_after_a_while_and_at_once_with_what_was_sent(team, clock):
    Conversation.objects.update(last_inbound_at=timezone.now())
    write(team.agent, team.conversation)
    clock.move_to(NOW + presence.LASTS)
    assert seen_by(team.other_agent, team.conversation) == ""
    write(team.agent, team.conversation)
    data = {"text": "Buenos días", "uuid": str(uuid.uuid4())}
    signed_in(team.agent).post(f"/inbox/{team.conversation.pk}/reply/", data)
    assert seen_by(team.other_agent, team.conversation) == ""


def test_an_open_page_hears_of_it_and_of_its_end(team, clock):
    client = signed_in(team.other_agent)

    def poll():
        address = f"/inbox/poll/?open={team.conversation.pk}&v={version}"
        return client.get(address, headers=HTMX)

    changes.changed([team.organization.pk])
    page = html_of(client.get(f"/inbox/{team.conversation.pk}/"))
    version = re.search(r'name="v" value="([^"]*)"', page)[1]
    assert poll().status_code == 204
    write(team.agent, team.conversation)
    told = poll()
    assert "is writing…" in html_of(told)
    version = re.search(r'name="v" value="([^"]*)"', html_of(told))[1]
    assert poll().status_code == 204
    clock.move_to(NOW + presence.LASTS)
    assert "is writing…" not in html_of(poll())


def test_nothing_else_is_looked_at_again_because_of_it(team):
    before = changes.version(team.agent, changes.INBOX, now=NOW)
    write(team.agent, team.conversation)
    assert changes.version(team.agent, changes.INBOX, now=NOW) == before


def test_viewers_and_strangers_do_not_write(team, stranger):
    assert write(team.viewer, team.conversation).status_code == 403
    assert write(stranger.agent, team.conversation).status_code == 404
    assert seen_by(team.agent, team.conversation) == ""
