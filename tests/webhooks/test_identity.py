"""Who is who: the same person, spelled, learned and moved in whichever way Meta tells it."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.utils import timezone

from conversations.models import Contact, Conversation, Message
from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.webhooks.meta import post
from trochai.whatsapp import phone_numbers


def talk_with(team, phone="", *, user_id="", channel=None, **contact) -> Conversation:
    person = factories.ContactFactory(
        organization=team.organization, phone=phone, user_ids=user_id, **contact
    )
    if user_id:
        factories.IdentityFactory(contact=person, channel=channel or team.channel, user_id=user_id)
    return factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=person)


def waiting_for(team, talk, **fields) -> FollowUp:
    return factories.FollowUpFactory(
        **{
            "organization": team.organization,
            "conversation": talk,
            "template": team.template,
            "created_by": team.agent.user,
            "cancel_on_reply": True,
            "created_at": timezone.now() - dt.timedelta(days=1),
            **fields,
        }
    )


_ids = itertools.count()


def write(team, sender="", body="hola", kind="text", **more):
    node = more.pop("node", {"body": body})
    message = {
        "id": f"wamid.{next(_ids)}",
        "timestamp": str(int(timezone.now().timestamp())),
        "type": kind,
        kind: node,
        **({"from": sender} if sender else {}),
    }
    contacts = more.pop("contacts", [{"profile": {"name": "Cliente Inventado"}, "wa_id": sender}])
    post(team.channel, contacts=contacts, messages=[{**message, **more}])


def people(team) -> list[str]:
    return list(team.organization.contacts.order_by("pk").values_list("phone", flat=True))


# Spellings ---------------------------------------------------------------------------------------------

SAME = [
    ("+5511987654321", "551187654321"),  # Brazil, with and without the ninth digit
    ("+551187654321", "5511987654321"),
    ("+525512345678", "5215512345678"),  # Mexico
    ("+5215512345678", "525512345678"),
    ("+541123456789", "5491123456789"),  # Argentina
]


@pytest.mark.parametrize(("kept", "written"), SAME)
def test_the_same_mobile_in_another_spelling_is_the_same_person(team, kept, written):
    talk = talk_with(team, kept)
    waiting = waiting_for(team, talk)
    before = people(team)
    write(team, written, "Ya no hace falta")
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELED
    assert Message.objects.get(direction="in").conversation == talk
    assert people(team) == before
    stop = {"wa_id": written, "category": "marketing_messages", "value": "stop", "timestamp": 1795000000}
    post(team.channel, "user_preferences", user_preferences=[stop])
    assert Contact.objects.get(pk=talk.contact_id).is_opted_out


@pytest.mark.parametrize(
    ("kept", "written"),
    [
        ("+5511933334444", "551133334444"),  # a landline of São Paulo, which begins with 2 to 5
        ("+551133334444", "5511933334444"),
        ("+5491123456789", "541123456789"),  # from a landline of Buenos Aires
        ("+50688887777", "50688887778"),
        ("+5511987654321", "5521987654321"),
    ],
)
def test_landlines_and_other_numbers_are_other_people(team, kept, written):
    talk_with(team, kept)
    write(team, written)
    assert people(team)[-2:] == [kept, f"+{written}"]


@pytest.mark.parametrize("phone", [phone for pair in SAME for phone in (pair[0], f"+{pair[1]}")])
def test_every_spelling_of_a_spelling_is_a_spelling_of_the_number(phone):
    """But for Argentina's, where a number without its 9 may be a landline."""
    spellings = phone_numbers.spellings(phone)
    assert spellings[0] == phone
    assert len(set(spellings)) == len(spellings) <= 3
    if not phone.startswith("+54"):
        for other in spellings:
            assert set(phone_numbers.spellings(other)) == set(spellings)


def test_of_two_contacts_the_one_with_the_number_as_given_has_written(team):
    talk_with(team, "+5511987654321")
    exact = talk_with(team, "+551187654321")
    write(team, "551187654321")
    assert Message.objects.get().conversation == exact


# In the admin and in the dialog ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+506 8888 7777", "+50688887777"),
        ("+506 (8888) 77-77", "+50688887777"),
        ("0050688887777", "+50688887777"),
    ],
)
def test_a_number_that_is_typed_is_kept_as_it_is_sent(team, admin_client, typed, kept):
    data = {"organization": team.organization.pk, "name": "Ana", "phone": typed}
    assert admin_client.post("/admin/conversations/contact/add/", data).status_code == 302
    write(team, kept.removeprefix("+"))
    assert people(team).count(kept) == 1


@pytest.mark.parametrize("typed", ["88887777", "+506", "mañana", "+50688887777777777"])
def test_what_is_no_number_is_refused_when_it_is_saved(team, admin_client, typed):
    data = {"organization": team.organization.pk, "name": "Ana", "phone": typed}
    page = admin_client.post("/admin/conversations/contact/add/", data)
    assert "Enter the number with its country code" in html_of(page)


def test_another_contacts_number_is_refused_in_any_spelling(team, admin_client):
    talk_with(team, "+5511987654321")
    data = {
        "organization": team.organization.pk,
        "name": "Ana",
        "phone": "+55 11 8765 4321",
    }
    page = admin_client.post("/admin/conversations/contact/add/", data)
    assert "Another contact has this number." in html_of(page)


def test_who_cannot_be_written_to_is_refused_in_the_dialog(team):
    talk = talk_with(team, "+50688881111")
    Contact.objects.filter(pk=talk.contact_id).update(phone="506 8888 1111")
    page = signed_in(team.agent).get(f"/followups/schedule/{talk.pk}/")
    posted = signed_in(team.agent).post(f"/followups/schedule/{talk.pk}/", {})
    assert page.status_code == 200
    assert "has no number that WhatsApp can write to" in html_of(posted)


# Learned -----------------------------------------------------------------------------------------------


def test_a_user_id_that_a_status_tells_with_the_number_is_learned(team):
    talk = talk_with(team, "+50688112233")
    waiting = waiting_for(team, talk)
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", delivery="accepted")
    status = {
        "id": "wamid.OUT",
        "status": "delivered",
        "timestamp": str(int(timezone.now().timestamp())),
        "recipient_id": "50688112233",
        "recipient_user_id": "CR.7000000000000002",
    }
    post(team.channel, statuses=[status])
    write(
        team,
        from_user_id="CR.7000000000000002",
        contacts=[{"profile": {"name": "Olga"}, "user_id": "CR.7000000000000002"}],
    )
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELED
    assert Message.objects.get(direction="in").conversation == talk


def test_somebody_unknown_who_quotes_what_was_sent_to_a_contact_is_that_contact(team):
    talk = talk_with(team, "+50688112233")
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT")
    write(team, "50670001122", context={"from": "1", "id": "wamid.OUT"})
    assert Message.objects.get(direction="in").conversation == talk


def test_a_quote_alone_joins_no_two_contacts(team):
    talk, other = talk_with(team, "+50688112233"), talk_with(team, "+50670001122")
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT")
    write(team, "50670001122", context={"from": "1", "id": "wamid.OUT"})
    assert Message.objects.get(direction="in").conversation == other


@pytest.mark.parametrize("held_by_another", [False, True])
def test_a_number_that_was_asked_for_is_learned_unless_another_contact_has_it(team, held_by_another):
    talk = talk_with(team, user_id="CR.5000")
    if held_by_another:
        talk_with(team, "+50688442211")
    write(
        team,
        kind="contacts",
        node=[{"phones": [{"phone": "50688442211"}]}],
        from_user_id="CR.5000",
        origin="contact_request/other",
        contacts=[{"user_id": "CR.5000"}],
    )
    assert Message.objects.get().conversation == talk
    assert Contact.objects.get(pk=talk.contact_id).phone == ("" if held_by_another else "+50688442211")


def test_where_the_number_should_stand_there_may_be_a_user_id(team):
    user_id = "CR.7000000000055999"
    write(team, user_id, contacts=[{"profile": {"name": "Uma"}, "user_id": user_id}])
    contact = Message.objects.get().conversation.contact
    assert (contact.phone, contact.user_ids, contact.name) == ("", user_id, "Uma")


def test_a_name_that_comes_with_another_spelling_of_the_number_is_the_senders(team):
    write(team, "551187651111", contacts=[{"profile": {"name": "Ugo"}, "wa_id": "5511987651111"}])
    assert Message.objects.get().conversation.contact.name == "Ugo"


# Moved -------------------------------------------------------------------------------------------------

OLD, NEW = "50688770011", "50688770022"


def changed_number(team, old=OLD, new=NEW, key="wa_id", **more):
    node = {"body": f"User Quique changed from {old} to {new}", key: new, "type": "user_changed_number"}
    write(team, old, kind="system", node=node, contacts=[], **more)


def seconds_ago(seconds: int) -> str:
    return str(int(timezone.now().timestamp()) - seconds)


@pytest.mark.parametrize("key", ["wa_id", "new_wa_id"])
def test_what_waits_goes_to_the_new_number(team, meta, key):
    talk = talk_with(team, f"+{OLD}")
    waiting = waiting_for(team, talk, scheduled_for=timezone.now() - dt.timedelta(minutes=1))
    changed_number(team, key=key)
    send_due_follow_ups(wake_others=False)
    assert [body["to"] for body in meta.requests] == [f"+{NEW}"]
    waiting.refresh_from_db()
    assert waiting.status == Status.SENT
    write(team, NEW)
    assert Message.objects.filter(direction="in", kind="text").get().conversation == talk
    html = html_of(signed_in(team.agent).get(f"/inbox/{talk.pk}/"))
    assert f"changed from {OLD} to {NEW}" in html
    told = Notification.objects.get(kind="contact_moved")
    assert told.recipient == team.agent.user


def test_the_old_number_in_a_strangers_hands_is_somebody_else(team):
    talk = talk_with(team, f"+{OLD}", user_id="CR.1")
    changed_number(team)
    write(team, OLD, contacts=[{"wa_id": OLD, "user_id": "CR.2"}])
    message = Message.objects.get(kind="text")
    assert message.conversation != talk
    assert message.conversation.contact.phone == f"+{OLD}"


def test_a_user_id_that_changes_is_followed(team):
    talk = talk_with(team, user_id="CR.111")
    node = {"type": "user_changed_user_id", "previous_user_id": "CR.111", "user_id": "CR.222", "body": "x"}
    write(team, kind="system", node=node, contacts=[])
    write(team, from_user_id="CR.222", contacts=[{"user_id": "CR.222"}])
    assert Message.objects.get(kind="text").conversation == talk


def test_a_number_that_another_contact_has_holds_what_waits_until_somebody_decides(team, meta):
    talk = talk_with(team, f"+{OLD}")
    waiting = waiting_for(team, talk, scheduled_for=timezone.now() - dt.timedelta(hours=9))
    talk_with(team, f"+{NEW}")
    changed_number(team)
    send_due_follow_ups(wake_others=False)
    waiting.refresh_from_db()
    # Neither sent nor missed.
    assert (waiting.status, waiting.held_reason) == (Status.PENDING, "contact")
    assert meta.requests == []
    client = signed_in(team.agent)
    assert "On hold" in html_of(client.get("/followups/"))
    assert Notification.objects.get(kind="follow_up_held").recipient == team.agent.user
    assert "may no longer have the number" in html_of(client.get(f"/followups/{waiting.pk}/release/"))
    assert signed_in(team.other_agent).post(f"/followups/{waiting.pk}/release/").status_code == 403
    assert client.post(f"/followups/{waiting.pk}/release/").status_code == 302
    assert client.post(f"/followups/{waiting.pk}/release/").status_code == 409
    send_due_follow_ups(wake_others=False)
    waiting.refresh_from_db()
    assert waiting.status == Status.SENT
    assert "Released by" in html_of(client.get(f"/followups/{waiting.pk}/"))


def test_what_is_held_can_be_canceled(team):
    talk = talk_with(team, f"+{OLD}")
    waiting = waiting_for(team, talk)
    talk_with(team, f"+{NEW}")
    changed_number(team)
    assert signed_in(team.agent).post(f"/followups/{waiting.pk}/cancel/").status_code == 302
    waiting.refresh_from_db()
    assert (waiting.status, waiting.held_reason) == (Status.CANCELED, "")


def test_news_of_somebody_unknown_makes_nobody(team):
    before = people(team)
    changed_number(team)
    assert people(team) == before
    assert not Message.objects.exists()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_whatever_order_and_however_often_it_is_told_nothing_goes_to_the_old_number(team, meta, order):
    talk = talk_with(team, f"+{OLD}")
    waiting_for(team, talk, scheduled_for=timezone.now() - dt.timedelta(minutes=1), cancel_on_reply=False)
    events = [
        lambda: changed_number(team),
        lambda: changed_number(team, key="new_wa_id"),
        lambda: write(team, NEW),
    ]
    for number in (*order, *order):
        events[number]()
    send_due_follow_ups(wake_others=False)
    assert f"+{OLD}" not in [body["to"] for body in meta.requests]
