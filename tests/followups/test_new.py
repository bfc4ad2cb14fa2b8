"""A new follow-up from the Follow-ups page: whom it is for, then the same dialog as in a conversation."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from conversations.models import Contact, Conversation
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
PEOPLE = {**HTMX, "HX-Target": "people"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def someone(team: Team, name: str, **fields: Any) -> Conversation:
    contact = factories.ContactFactory(organization=team.organization, name=name, **fields)
    return factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )


def page(member: Any, path: str = "/followups/new/", headers: dict[str, str] | None = None) -> str:
    return html_of(signed_in(member).get(path, headers=headers or {}))


def post(member: Any, phone: str, *, htmx: bool = True, **data: Any) -> Any:
    data = {"phone": phone, "country": "CR", "agreed": "on", **data}
    return signed_in(member).post("/followups/new/", data, headers=HTMX if htmx else {})


def test_the_page_of_follow_ups_leads_there_whoever_may_schedule(team):
    for member in (team.agent, team.admin):
        assert 'href="/followups/new/"' in page(member, "/followups/")
    assert "/followups/new/" not in page(team.viewer, "/followups/")
    assert signed_in(team.viewer).get("/followups/new/").status_code == 403
    assert post(team.viewer, "8712 4490").status_code == 403


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_the_last_contacts_are_there_before_anything_is_typed(team, stranger, headers):
    html = page(team.agent, headers=headers)
    assert "María Jiménez" in html
    assert f'href="/followups/schedule/{team.conversation.pk}/"' in html
    assert f"/followups/schedule/{stranger.conversation.pk}/" not in html


@pytest.mark.parametrize("typed", ["jose pablo", "8712", "+506 8712 4490", "Vargas"])
def test_a_contact_is_found_by_name_or_number(team, typed):
    found = someone(team, "José Pablo Vargas", phone="+50687124490")
    someone(team, "Paula Esquivel", phone="+50660000000")
    html = page(team.agent, f"/followups/new/?q={typed.replace('+', '%2B')}", PEOPLE)
    assert f"/followups/schedule/{found.pk}/" in html
    assert "Paula" not in html
    assert "<dialog" not in html


def test_who_wants_no_messages_is_shown_and_cannot_be_chosen(team):
    silent = someone(team, "Silvia Arguedas", opted_out_at=NOW - dt.timedelta(days=2))
    html = page(team.agent, "/followups/new/?q=silvia", PEOPLE)
    assert "Silvia Arguedas" in html
    assert "Opted out on" in html
    assert f"/followups/schedule/{silent.pk}/" not in html


def test_what_waits_already_is_said_beside_the_contact(team):
    factories.FollowUpFactory(
        organization=team.organization, conversation=team.conversation, template=team.template
    )
    assert "1 pending" in page(team.agent)


def test_nobody_found_is_said_and_a_number_can_be_typed(team):
    html = page(team.agent, "/followups/new/?q=nobody", PEOPLE)
    assert "Nobody is found by “nobody”" in html


def test_a_new_number_leads_to_the_dialog_with_its_contact(team):
    answer = post(team.agent, "8712 4490", name="Esteban Quirós")
    contact = Contact.objects.get(phone="+50687124490")
    html = html_of(answer)
    assert answer.status_code == 200
    assert "Schedule a follow-up" in html
    assert f'action="/followups/schedule/{contact.conversations.get().pk}/"' in html
    assert "Esteban Quirós" in html


@pytest.mark.parametrize("htmx", [True, False])
def test_nobody_is_written_to_first_who_is_not_said_to_have_agreed(team, htmx):
    answer = post(team.agent, "8712 4490", htmx=htmx, agreed="")
    assert answer.status_code == 422
    assert "write only to who has agreed" in html_of(answer)
    assert 'value="8712 4490"' in html_of(answer)
    assert not Contact.objects.filter(phone="+50687124490").exists()


def test_who_said_that_they_agreed_and_when_is_kept_beside_the_contact(team):
    post(team.agent, "8712 4490")
    contact = Contact.objects.get(phone="+50687124490")
    assert (contact.agreed_with, contact.agreed_at) == (team.agent.user, NOW)
    sheet = page(team.viewer, f"/inbox/{contact.conversations.get().pk}/?sheet=contact")
    assert f"Says {team.agent.user}, Fri 20 Nov" in sheet.replace("\u2068", "").replace("\u2069", "")


def test_who_has_a_conversation_already_is_not_asked_for_again(team):
    known = someone(team, "José Pablo Vargas", phone="+50687124490")
    assert f'action="/followups/schedule/{known.pk}/"' in html_of(post(team.agent, "87124490", agreed=""))


def test_without_scripts_it_leads_to_the_page_that_schedules(team):
    answer = post(team.agent, "8712 4490", htmx=False)
    conversation = Contact.objects.get(phone="+50687124490").conversations.get()
    assert answer["Location"] == f"/followups/schedule/{conversation.pk}/"


def test_a_number_that_is_known_leads_to_its_own_conversation(team):
    known = someone(team, "José Pablo Vargas", phone="+50687124490")
    assert f'action="/followups/schedule/{known.pk}/"' in html_of(post(team.agent, "87124490"))
    assert Contact.objects.filter(phone="+50687124490").count() == 1


@pytest.mark.parametrize("htmx", [True, False])
def test_what_is_no_number_is_refused_beside_it(team, htmx):
    answer = post(team.agent, "8712 449", htmx=htmx)
    assert answer.status_code == 422
    assert "A number in Costa Rica has 8 digits; this has 7." in html_of(answer)
    assert Conversation.objects.count() == 1


def test_the_number_is_said_in_words_while_it_is_typed(team):
    data = {"phone": "8712 4490", "country": "CR"}
    answer = signed_in(team.agent).post("/followups/new/check/", data, headers=HTMX)
    assert "+506 8712 4490, a mobile number in Costa Rica" in html_of(answer)


def test_it_costs_the_same_few_queries_however_many_are_found(team, django_assert_max_num_queries):
    client = signed_in(team.agent)
    for number in range(12):
        someone(team, f"Vargas {number}")
    with django_assert_max_num_queries(8):
        client.get("/followups/new/?q=vargas", headers=PEOPLE)
