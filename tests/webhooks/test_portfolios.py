"""Meta's user ids: one a business portfolio, learned wherever they are told, followed when they change."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.utils import timezone

from conversations.models import Contact, Identity, Message
from followups.models import Status
from followups.tasks import send_due_follow_ups
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.webhooks.meta import post
from tests.webhooks.test_identity import changed_number, seconds_ago, talk_with, waiting_for, write
from trochai.whatsapp import portfolios
from trochai.whatsapp.models import Channel

PHONE, ID = "50688112233", "CR.7000000000000002"
OLD, NEW = "50688770011", "50688770022"


def due(team, talk, **fields):
    return waiting_for(team, talk, scheduled_for=timezone.now() - dt.timedelta(minutes=1), **fields)


def pair(team, phone=PHONE, user_id=ID, *, at="", number=0, **contact):
    """Somebody writes, and Meta tells number and user id together."""
    who = {"wa_id": phone, "user_id": user_id, **contact}
    message = {
        "id": f"wamid.P{number}",
        "from": phone,
        "from_user_id": user_id,
        "timestamp": at or seconds_ago(0),
        "type": "text",
        "text": {"body": "hola"},
    }
    post(team.channel, contacts=[who], messages=[message])


def changed_id(team, old, new, at=""):
    node = {"type": "user_changed_user_id", "previous_user_id": old, "user_id": new, "body": "x"}
    write(team, kind="system", node=node, contacts=[], timestamp=at or seconds_ago(0))


def of_another_account(team, **fields) -> Channel:
    return factories.ChannelFactory(organization=team.organization, app_secret="s", **fields)


# At which portfolio ------------------------------------------------------------------------------------


def test_a_person_has_another_id_at_each_portfolio_and_is_written_to_by_the_one_of_the_channel(team, meta):
    other = of_another_account(team)
    talk = talk_with(team, user_id="CR.1")
    factories.IdentityFactory(contact=talk.contact, channel=other, user_id="CR.2")
    elsewhere = factories.ConversationFactory(
        organization=team.organization, channel=other, contact=talk.contact
    )
    template = factories.TemplateFactory(channel=other)
    due(team, talk, cancel_on_reply=False)
    due(team, elsewhere, channel=other, template=template, cancel_on_reply=False)
    send_due_follow_ups(wake_others=False)
    assert sorted(body["recipient"] for body in meta.requests) == ["CR.1", "CR.2"]


def test_the_same_id_at_two_portfolios_is_two_people(team):
    other = of_another_account(team)
    write(team, from_user_id="CR.1", contacts=[{"user_id": "CR.1"}])
    post(
        other,
        contacts=[{"user_id": "CR.1"}],
        messages=[{"id": "wamid.O", "from_user_id": "CR.1", "type": "text", "text": {"body": "hi"}}],
    )
    assert Contact.objects.filter(identities__user_id="CR.1").count() == 2


def test_two_numbers_of_one_portfolio_meet_one_person(team):
    """As soon as Meta has told that both accounts belong to it."""
    other = of_another_account(team)
    Channel.objects.filter(pk__in=[team.channel.pk, other.pk]).update(portfolio_id="880")
    write(team, from_user_id="CR.1", contacts=[{"user_id": "CR.1"}])
    post(
        other,
        contacts=[{"user_id": "CR.1"}],
        messages=[{"id": "wamid.O", "from_user_id": "CR.1", "type": "text", "text": {"body": "hi"}}],
    )
    assert Contact.objects.get(identities__user_id="CR.1").conversations.count() == 2


def test_the_parent_id_tells_a_person_of_a_linked_portfolio(team):
    other = of_another_account(team)
    pair(team, parent_user_id="CR.ENT.9")
    post(
        other,
        contacts=[{"user_id": "CR.2", "parent_user_id": "CR.ENT.9"}],
        messages=[{"id": "wamid.O", "from_user_id": "CR.2", "type": "text", "text": {"body": "hi"}}],
    )
    contact = Contact.objects.get(phone=f"+{PHONE}")
    assert sorted(contact.identities.values_list("user_id", flat=True)) == ["CR.2", ID]


def test_the_portfolio_is_asked_for_and_what_was_known_at_the_account_holds_for_all_of_it(team, meta):
    first = talk_with(team, user_id="CR.1", name="Olga")
    other = of_another_account(team, waba_id="77")
    Channel.objects.filter(pk=other.pk).update(portfolio_id="880")
    second = talk_with(team, "+50688112233", user_id="CR.1", channel=Channel.objects.get(pk=other.pk))
    meta.portfolios[team.channel.waba_id] = "880"
    assert portfolios.learn_unknown() == 1
    assert portfolios.learn_unknown() == 0
    assert Channel.objects.get(pk=team.channel.pk).portfolio == "880"
    # Known there by the same id, and with a number: one person.
    assert Contact.objects.get(pk=first.contact_id).merged_into_id == second.contact_id
    assert Identity.objects.get(user_id="CR.1").portfolio == "880"


def test_without_a_permission_to_read_it_the_id_holds_for_the_account(team, meta):
    assert portfolios.learn_unknown() == 0
    assert team.channel.portfolio == f"waba:{team.channel.waba_id}"


# What is told ------------------------------------------------------------------------------------------


def test_a_username_is_kept_and_found(team):
    pair(team, profile={"name": "Olga", "username": "@olga_m"})
    html = html_of(signed_in(team.agent).get("/inbox/?q=olga_m"))
    assert "Olga" in html


def test_a_status_completes_whom_it_names_by_the_number_alone(team):
    talk = talk_with(team, f"+{PHONE}")
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", delivery="accepted")
    status = {"id": "wamid.OUT", "status": "delivered", "recipient_id": PHONE}
    contacts = [{"wa_id": PHONE, "user_id": ID, "profile": {"username": "@olga"}}]
    post(team.channel, statuses=[status], contacts=contacts)
    assert Contact.objects.get(pk=talk.contact_id).user_ids == f"{ID} @olga"


def test_whatsapps_own_name_for_a_number_is_learned_from_the_answer_to_a_send(team, meta):
    talk = talk_with(team, "+2290197000001")
    due(team, talk, cancel_on_reply=False)
    meta.wa_ids["+2290197000001"] = "22997000001"
    send_due_follow_ups(wake_others=False)
    write(team, "22997000001", "Gracias")
    assert Message.objects.get(direction="in").conversation == talk


def test_and_from_a_status(team):
    talk = talk_with(team, "+2290197000001")
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", delivery="accepted")
    status = {"id": "wamid.OUT", "status": "delivered", "recipient_id": "22997000001"}
    post(team.channel, statuses=[status])
    write(team, "22997000001", "Gracias")
    assert Message.objects.get(direction="in").conversation == talk


def test_a_name_that_another_contact_has_is_told_and_not_taken(team, meta):
    talk, other = talk_with(team, "+2290197000001", name="Ana"), talk_with(team, "+22997000001", name="Eva")
    due(team, talk, cancel_on_reply=False)
    meta.wa_ids["+2290197000001"] = "22997000001"
    send_due_follow_ups(wake_others=False)
    write(team, "22997000001", "Hola")
    assert Message.objects.get(direction="in").conversation == other
    assert Notification.objects.filter(kind="contacts_alike").exists()


# Changes -----------------------------------------------------------------------------------------------


def test_with_another_id_the_number_is_no_longer_the_persons(team, meta):
    """Meta gives another id with another number, and need not tell that."""
    talk = talk_with(team, f"+{OLD}", user_id="CR.1")
    due(team, talk, cancel_on_reply=False)
    changed_id(team, "CR.1", "CR.2")
    send_due_follow_ups(wake_others=False)
    assert [(body.get("to"), body.get("recipient")) for body in meta.requests] == [(None, "CR.2")]
    told = html_of(signed_in(team.agent).get("/notifications/"))
    assert "another number, which WhatsApp doesn’t tell" in told


def test_an_id_of_before_finds_its_contact_and_is_not_written_to(team, meta):
    talk = talk_with(team, user_id="CR.1")
    changed_id(team, "CR.1", "CR.2")
    write(team, from_user_id="CR.1", contacts=[{"user_id": "CR.1"}])
    assert Message.objects.get(kind="text").conversation == talk
    due(team, talk, cancel_on_reply=False)
    send_due_follow_ups(wake_others=False)
    assert [body["recipient"] for body in meta.requests] == ["CR.2"]


def test_another_id_with_the_same_number_holds_what_waits(team, meta):
    """Somebody else may have the number by now."""
    talk = talk_with(team, f"+{PHONE}", user_id="CR.1")
    waiting = due(team, talk, cancel_on_reply=False)
    pair(team)
    send_due_follow_ups(wake_others=False)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.held_reason, meta.requests) == (Status.PENDING, "contact", [])
    page = html_of(signed_in(team.agent).post(f"/followups/schedule/{talk.pk}/", {}))
    assert "may have another number now" in page
    assert signed_in(team.agent).post(f"/followups/{waiting.pk}/release/").status_code == 302
    send_due_follow_ups(wake_others=False)
    assert [body["to"] for body in meta.requests] == [f"+{PHONE}"]


def test_what_did_not_wait_when_the_doubt_came_is_held_before_its_call(team, meta):
    talk = talk_with(team, f"+{PHONE}")
    row = due(team, talk, cancel_on_reply=False)
    Contact.objects.filter(pk=talk.contact_id).update(in_doubt_since=timezone.now())
    send_due_follow_ups(wake_others=False)
    row.refresh_from_db()
    assert (row.status, row.held_reason, meta.requests) == (Status.PENDING, "contact", [])


def test_a_number_that_an_admin_corrects_is_in_doubt_no_longer(team, admin_client):
    talk = talk_with(team, f"+{PHONE}")
    Contact.objects.filter(pk=talk.contact_id).update(in_doubt_since=timezone.now())
    data = {"organization": team.organization.pk, "name": "Ana", "phone": "+506 8811 2299"}
    admin_client.post(f"/admin/conversations/contact/{talk.contact_id}/change/", data)
    contact = Contact.objects.get(pk=talk.contact_id)
    assert (contact.phone, contact.is_in_doubt) == ("+50688112299", False)


def test_the_new_number_may_write_before_whatsapp_says_whose_it_is(team, meta):
    """Whoever is known of the time after the move alone, is the one who moved."""
    talk = talk_with(team, f"+{OLD}")
    due(team, talk, cancel_on_reply=False)
    write(team, NEW, "Nuevo número")
    second = Message.objects.get().conversation
    assert second != talk
    changed_number(team, timestamp=seconds_ago(60))
    second.refresh_from_db()
    assert second.merged_into == talk
    assert Contact.objects.get(pk=talk.contact_id).phone == f"+{NEW}"
    send_due_follow_ups(wake_others=False)
    assert [body["to"] for body in meta.requests] == [f"+{NEW}"]


def test_a_stranger_who_has_the_old_number_since_is_not_moved(team):
    write(team, OLD, "Soy otra persona")
    stranger = Message.objects.get().conversation.contact
    changed_number(team, timestamp=seconds_ago(60))
    stranger.refresh_from_db()
    assert stranger.phone == f"+{OLD}"


def test_a_move_of_somebody_unknown_is_remembered(team):
    changed_number(team, timestamp=seconds_ago(60))
    write(team, OLD, "de antes", timestamp=seconds_ago(120))
    assert Message.objects.get().conversation.contact.phone == f"+{NEW}"


# In any order ------------------------------------------------------------------------------------------


def story(team):
    """A person's life as Meta tells it, each piece with the moment at which it happened."""
    return [
        lambda: pair(team, OLD, "CR.1", at=seconds_ago(600), number=0),
        lambda: changed_number(team, timestamp=seconds_ago(500), from_user_id="CR.1"),
        lambda: pair(team, NEW, "CR.2", at=seconds_ago(400), number=1),
        lambda: changed_id(team, "CR.2", "CR.3", at=seconds_ago(300)),
        lambda: write(team, from_user_id="CR.3", contacts=[{"user_id": "CR.3"}], timestamp=seconds_ago(200)),
    ]


def ends_as(team) -> set[tuple[str, frozenset[str]]]:
    contacts = team.organization.contacts.filter(merged_into=None).exclude(phone="+50600000000")
    return {
        (
            contact.phone,
            frozenset(contact.identities.filter(retired_at=None).values_list("user_id", flat=True)),
        )
        for contact in contacts
    }


ORDERS = list(itertools.permutations(range(5)))


@pytest.mark.parametrize(
    ("order", "is_known"),
    [*((order, True) for order in ORDERS), *((order, False) for order in ORDERS[::5])],
)
def test_any_order_and_repetition_ends_in_the_same_contacts(team, meta, order, is_known):
    Contact.objects.filter(pk=team.conversation.contact_id).update(phone="+50600000000")
    if is_known:
        due(team, talk_with(team, f"+{OLD}"), cancel_on_reply=False)
    pieces = story(team)
    for number in (*order, *order[::-1]):
        pieces[number]()
    assert ends_as(team) == {("", frozenset({"CR.3"}))}
    send_due_follow_ups(wake_others=False)
    assert [body.get("recipient") for body in meta.requests] == ["CR.3"] * is_known
