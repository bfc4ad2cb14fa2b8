"""Starting a conversation with somebody who has not written yet."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from conversations import internal_notes, outbox, starting, triage
from conversations.models import Contact, Conversation
from followups import lifecycle
from followups.wanted import CUSTOM, Wanted
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from tests.webhooks.meta import PERSON, say

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def post(team: Team, phone: str, *, by: str = "agent", htmx: bool = False, **data: Any) -> Any:
    data = {"phone": phone, "country": "CR", "then": "template", **data}
    return signed_in(team.member(by)).post("/inbox/start/", data, headers=HTMX if htmx else {})


def check(team: Team, phone: str, country: str = "CR") -> str:
    data = {"phone": phone, "country": country}
    return html_of(signed_in(team.agent).post("/inbox/start/check/", data, headers=HTMX))


@pytest.mark.parametrize("typed", ["8712 4490", "+506 8712-4490", "00506 87124490", " 8712.4490 "])
@pytest.mark.parametrize(
    ("then", "address"), [("template", "conversations:send_template"), ("follow-up", "followups:schedule")]
)
def test_a_new_number_leads_to_its_first_template_now_or_later(team, typed, then, address):
    response = post(team, typed, then=then, name="Lucía Fallas")
    contact = Contact.objects.get(phone="+50687124490")
    conversation = contact.conversations.get()
    assert response["Location"] == reverse(address, args=[conversation.pk])
    assert (contact.name, contact.organization) == ("Lucía Fallas", team.organization)
    assert (conversation.channel, conversation.last_inbound_at) == (team.channel, None)
    page = html_of(signed_in(team.agent).get(response["Location"]))
    assert "Lucía Fallas" in page


def test_a_dialog_leaves_for_the_page_of_the_template(team):
    response = post(team, "8712 4490", htmx=True)
    assert response["HX-Redirect"].endswith("/template/")


def test_a_number_that_has_a_conversation_says_so_and_leads_there(team):
    team.conversation.contact.phone = "+50687124490"
    team.conversation.contact.save()
    said = check(team, "87124490")
    assert "This number already has a conversation" in said
    assert "María Jiménez" in said
    assert "nobody has it" in said
    where = reverse("conversations:conversation", args=[team.conversation.pk])
    assert f'href="{where}"' in said
    assert post(team, "87124490", name="Another")["Location"] == where
    assert Contact.objects.get(phone="+50687124490").name == "María Jiménez"


def test_another_spelling_of_the_same_mobile_is_the_same_contact(team):
    contact = factories.ContactFactory(organization=team.organization, phone="+5215512345678", name="")
    factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=contact)
    assert "already has a conversation" in check(team, "+52 55 1234 5678", "MX")


def test_another_organizations_contact_is_nobody_here(team, stranger):
    stranger.conversation.contact.phone = "+50687124490"
    stranger.conversation.contact.save()
    assert "already has" not in check(team, "87124490")
    post(team, "87124490")
    assert Contact.objects.filter(phone="+50687124490").count() == 2


@pytest.mark.parametrize(
    ("typed", "country", "said"),
    [
        ("8712 4490", "CR", "+506 8712 4490, a mobile number in Costa Rica"),
        ("2222 3344", "CR", "a landline in Costa Rica"),
        ("+49 1512 3456789", "CR", "a mobile number in Germany"),
        ("+1 415 555 0134", "CR", "United States"),
        ("8712 449", "CR", "A number in Costa Rica has 8 digits; this has 7."),
        ("+506 8712 44901", "CR", "A number in Costa Rica has 8 digits; this has 9."),
        ("hello", "CR", "That’s no phone number."),
        ("+999 1234567", "CR", "That’s no phone number."),
        ("\x00", "CR", "Null characters are not allowed"),
        ("9" * 41, "CR", "at most 40 characters"),
        ("8712 4490", "XX", ""),
        ("", "CR", "Enter a number."),
    ],
)
def test_what_is_typed_is_said_in_words(team, typed, country, said):
    assert said in check(team, typed, country)
    assert Conversation.objects.count() == 1


def test_a_pasted_country_code_chooses_its_country(team):
    assert 'value="DE" selected' in " ".join(check(team, "+49 1512 3456789").split())


def test_the_country_is_the_organizations(team):
    team.organization.country = "MX"
    team.organization.save()
    page = " ".join(html_of(signed_in(team.agent).get("/inbox/start/")).split())
    assert 'value="MX" selected' in page
    assert "+52 Mexico" in page


def test_ones_own_number_is_nobody_to_write_to(team):
    response = post(team, team.channel.display_phone_number)
    assert response.status_code == 422
    assert "your own number" in html_of(response)


def test_with_several_numbers_one_is_chosen_and_each_has_its_own_conversation(team, stranger):
    second = factories.ChannelFactory(organization=team.organization, display_phone_number="+506 2201 9999")
    assert post(team, "8712 4490").status_code == 422
    assert post(team, "8712 4490", channel=stranger.channel.pk).status_code == 422
    for channel in (team.channel, second):
        assert post(team, "8712 4490", channel=channel.pk).status_code == 302
    assert Contact.objects.get(phone="+50687124490").conversations.count() == 2


def only_started(team: Team) -> Conversation:
    return starting.start(team.channel, f"+{PERSON}", name="Lucía Fallas", now=timezone.now())


def is_listed(team: Team, query: str = "") -> bool:
    return "Lucía Fallas" in html_of(signed_in(team.agent).get(f"/inbox/{query}"))


def test_where_nothing_was_done_it_is_in_no_list_and_only_the_search_finds_it(team):
    conversation = only_started(team)
    assert not is_listed(team)
    assert not is_listed(team, "?f=unassigned")
    unassigned = html_of(signed_in(team.agent).get("/inbox/"))
    assert re.search(r"Unassigned <span>(\d+)</span>", unassigned)[1] == "1", "the team's other conversation"
    assert is_listed(team, "?q=Lucia")
    assert signed_in(team.agent).get(f"/inbox/{conversation.pk}/").status_code == 200


def send_a_template(team: Team, conversation: Conversation) -> None:
    values = {"body.1": "Lucía", "body.2": "Casa EC-310", "body.3": "lunes 30"}
    said = {"template": team.template, "values": values, "uuid": uuid.uuid4(), "now": timezone.now()}
    outbox.send_template(conversation=conversation, by=team.agent.user, **said)


def schedule_a_follow_up(team: Team, conversation: Conversation) -> None:
    values = {"body.1": "Lucía", "body.2": "Casa EC-310", "body.3": "lunes 30"}
    now = timezone.now()
    wanted = Wanted(conversation, team.template, values, CUSTOM, now + dt.timedelta(days=7))
    follow_up = lifecycle.schedule(wanted, submission=uuid.uuid4(), by=team.agent, now=now)
    lifecycle.cancel(follow_up, by=team.agent, now=now)


def write_a_note(team: Team, conversation: Conversation) -> None:
    said = {"text": "Llamar el lunes", "uuid": uuid.uuid4(), "now": timezone.now()}
    internal_notes.add(conversation, by=team.agent.user, **said)


def give_it_to_somebody(team: Team, conversation: Conversation) -> None:
    triage.assign(conversation, to=team.admin.user, by=team.agent.user, now=timezone.now())


def put_a_tag_on_it(team: Team, conversation: Conversation) -> None:
    triage.tag(conversation, add=[factories.TagFactory(organization=team.organization)])


def be_written_to(team: Team, _conversation: Conversation) -> None:
    say(team.channel, "text", {"body": "Hola"}, contacts=[{"profile": {"name": "Lucía"}, "wa_id": PERSON}])


@pytest.mark.parametrize(
    "do",
    [
        send_a_template,
        schedule_a_follow_up,
        write_a_note,
        give_it_to_somebody,
        put_a_tag_on_it,
        be_written_to,
    ],
)
def test_it_comes_into_the_list_with_the_first_that_is_done_there(team, do):
    do(team, only_started(team))
    assert is_listed(team)


def test_viewers_do_not_begin_anything(team):
    assert post(team, "8712 4490", by="viewer").status_code == 403
    assert "Start a conversation" not in html_of(signed_in(team.viewer).get("/inbox/"))


def test_two_colleagues_at_once_start_one_conversation(team, in_threads):
    started = []

    def work(_number):
        started.append(starting.start(team.channel, "+50687124490", name="Lucía", now=timezone.now()).pk)

    in_threads(work, 4)
    assert len(started) == 4
    assert len(set(started)) == 1
