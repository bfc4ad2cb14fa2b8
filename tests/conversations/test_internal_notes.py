"""Notes that members write for each other: seen by the team, never sent, and told to whom they name."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message, QueuedMessage
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import Role


def note(member, conversation, text, *, token=None):
    form = {"text": text, "uuid": str(token or uuid.uuid4())}
    return signed_in(member).post(f"/inbox/{conversation.pk}/note/", form)


def page(member, conversation):
    return html_of(signed_in(member).get(f"/inbox/{conversation.pk}/"))


def member_called(team, name, role=Role.AGENT):
    return factories.MembershipFactory(
        organization=team.organization, role=role, user=factories.UserFactory(name=name)
    )


def told():
    return {each.recipient.name for each in Notification.objects.filter(kind="mentioned")}


def test_a_note_shows_to_the_team_with_its_writer_and_is_sent_to_nobody(team):
    before = Conversation.objects.values().get(pk=team.conversation.pk)
    text = "El dueño baja a 240.000\nhttps://example.com/x"
    assert note(team.agent, team.conversation, text).status_code == 302
    html = page(team.viewer, team.conversation)
    shown = html.partition("bubble--note")[2].partition("</time>")[0]
    assert "only your team sees it" in shown
    assert "El dueño baja a 240.000" in shown
    assert 'href="https://example.com/x"' in shown
    assert team.agent.user.first_name in shown
    assert not QueuedMessage.objects.exists()
    # It is no message: nothing moves in the list.
    assert Conversation.objects.values().get(pk=team.conversation.pk) == before


def test_a_note_can_be_written_where_nothing_can_be_sent(team):
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(days=3))
    html = page(team.agent, team.conversation)
    assert "The 24-hour window is closed" in html
    assert f'action="/inbox/{team.conversation.pk}/note/"' in html
    assert note(team.agent, team.conversation, "Llamar mañana").status_code == 302


def test_the_same_note_sent_twice_is_one(team):
    token = uuid.uuid4()
    for _time in range(2):
        note(team.agent, team.conversation, f"@{team.admin.user.name} mire", token=token)
    assert Message.objects.filter(kind="internal").count() == 1
    assert Notification.objects.count() == 1


def test_viewers_write_none_and_an_empty_one_is_refused_in_words(team):
    assert note(team.viewer, team.conversation, "Hola").status_code == 403
    assert "/note/" not in page(team.viewer, team.conversation)
    answer = note(team.agent, team.conversation, "  ")
    assert answer.status_code == 422
    assert "Write a note first." in html_of(answer)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Andrés Solano ¿puede?", {"Andrés Solano"}),
        ("@andres: ¿puede?", {"Andrés Solano"}),
        ("(@ANDRÉS) y @Ana María Mora", {"Andrés Solano", "Ana María Mora"}),
        ("@Ana María Mora", {"Ana María Mora"}),
        # Two are called Ana: nobody knows which.
        ("@Ana", set()),
        ("@Andresito", set()),
        ("andres@solano.com", set()),
        ("Andrés Solano", set()),
        ("@ Andrés", set()),
        ("@Viviana Vista, mire", {"Viviana Vista"}),
        ("@Otro Lugar", set()),
        ("@Yo Mismo", set()),
    ],
)
def test_who_is_named_is_told_once(team, stranger, text, named):
    for name in ("Andrés Solano", "Ana María Mora", "Ana Rojas"):
        member_called(team, name)
    member_called(team, "Viviana Vista", Role.VIEWER)
    member_called(stranger, "Otro Lugar")
    myself = member_called(team, "Yo Mismo")
    note(myself, team.conversation, f"{text} {text}")
    assert told() == named
    assert Notification.objects.count() == len(named)


def test_the_bell_says_who_named_one_and_where(team):
    note(team.agent, team.conversation, f"@{team.admin.user.name} ¿confirma?")
    html = html_of(signed_in(team.admin).get("/notifications/"))
    assert "You were mentioned" in html
    assert f"{team.agent.user} named you in a note on the conversation with María Jiménez" in html
    shown = page(team.admin, team.conversation).partition("bubble--note")[2]
    assert f'<b class="mention">@{team.admin.user.name}</b> ¿confirma?' in shown


def test_what_a_note_says_is_text(team):
    member_called(team, "<b>Eva</b>")
    note(team.agent, team.conversation, "@<b>Eva</b> <script>alert(1)</script>")
    html = page(team.agent, team.conversation)
    assert "<script>alert(1)" not in html
    assert '<b class="mention">@&lt;b&gt;Eva&lt;/b&gt;</b>' in html
