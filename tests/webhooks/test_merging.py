"""Two contacts that turn out to be one person."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations import consent, merging, recording
from conversations.models import Contact, Conversation, Message
from followups import lifecycle
from followups.models import FollowUp, Status
from followups.sending.work import dispatcher
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.webhooks.test_identity import talk_with, waiting_for, write
from trochai.whatsapp.sending.dispatch import stopping

PHONE, USER_ID = "50688112233", "CR.7000000000000002"


def both_names(team):
    """Somebody writes, and Meta tells number and user id together."""
    write(team, PHONE, from_user_id=USER_ID, contacts=[{"wa_id": PHONE, "user_id": USER_ID}])


@pytest.fixture
def known(team) -> Conversation:
    return talk_with(team, f"+{PHONE}", name="Olga")


@pytest.fixture
def hidden(team) -> Conversation:
    """The same person, met when Meta hid the number."""
    return talk_with(team, phone="", user_id=USER_ID, name="olga_u")


def test_who_was_known_by_id_alone_becomes_part_of_who_has_the_number(team, known, hidden):
    factories.MessageFactory(conversation=hidden, direction="in", text="Primero", whatsapp_id="wamid.H")
    waiting = waiting_for(team, hidden, cancel_on_reply=False)
    both_names(team)
    kept = Contact.objects.get(pk=known.contact_id)
    assert (kept.phone, kept.user_ids, kept.name) == (f"+{PHONE}", USER_ID, "Olga")
    waiting.refresh_from_db()
    assert waiting.conversation == known
    assert sorted(known.messages.values_list("text", flat=True)) == ["Primero", "hola"]
    client = signed_in(team.agent)
    inbox = html_of(client.get("/inbox/"))
    assert f'id="item-{known.pk}"' in inbox
    assert f'id="item-{hidden.pk}"' not in inbox
    # Links of before lead there.
    assert client.get(f"/inbox/{hidden.pk}/").url == f"/inbox/{known.pk}/"
    assert client.get(f"/followups/schedule/{hidden.pk}/").status_code == 200
    client.post(f"/inbox/{hidden.pk}/update/", {"status": "closed"})
    known.refresh_from_db()
    assert known.status == "closed"


def test_an_opt_out_of_either_wins_and_cancels_what_waits_for_the_other(team, known, hidden):
    at = timezone.now() - dt.timedelta(days=3)
    Contact.objects.filter(pk=hidden.contact_id).update(opted_out_at=at, consent_at=at)
    waiting = waiting_for(team, known, cancel_on_reply=False)
    both_names(team)
    waiting.refresh_from_db()
    assert Contact.objects.get(pk=known.contact_id).is_opted_out
    assert (waiting.status, waiting.cancel_cause) == (Status.CANCELED, "opt_out")


def test_the_first_word_that_they_agreed_to_messages_stays(team, known, hidden):
    first = timezone.now() - dt.timedelta(days=9)
    consent.agree(hidden.contact, with_member=team.other_agent.user, at=first)
    consent.agree(known.contact, with_member=team.agent.user, at=timezone.now())
    both_names(team)
    kept = Contact.objects.get(pk=known.contact_id)
    assert (kept.agreed_at, kept.agreed_with) == (first, team.other_agent.user)


def test_two_with_numbers_are_left_to_a_person_who_is_told_once(team, known):
    other = talk_with(team, "+50670001122", user_id=USER_ID, name="Otra")
    both_names(team)
    both_names(team)
    assert Contact.objects.get(pk=other.contact_id).merged_into is None
    told = Notification.objects.filter(kind="contacts_alike")
    assert list(told.values_list("recipient", flat=True)) == [team.admin.user.pk]
    html = html_of(signed_in(team.admin).get("/notifications/"))
    assert "Olga (+506 8811 2233) and Otra (+506 7000 1122) for one person" in html


def test_a_conversation_that_only_the_one_has_changes_hands(team, known, hidden):
    second = factories.ChannelFactory(organization=team.organization)
    elsewhere = factories.ConversationFactory(
        organization=team.organization, channel=second, contact=hidden.contact
    )
    both_names(team)
    elsewhere.refresh_from_db()
    assert (elsewhere.contact_id, elsewhere.merged_into) == (known.contact_id, None)


@pytest.mark.parametrize("many", [False, True])
def test_what_a_worker_has_in_its_hands_is_recorded_where_the_person_is_now(team, meta, known, hidden, many):
    """Claimed for the one, whom Meta calls by id; merged before the answer is written down."""
    row = waiting_for(team, hidden, scheduled_for=timezone.now() - dt.timedelta(minutes=1))

    def merge(_more):
        merging.merge(known.contact, hidden.contact, now=timezone.now())
        if not many:
            stopping.set()

    try:
        dispatcher.send_in_this_process(claimed=merge)
    finally:
        stopping.clear()
    if not many:
        lifecycle.tidy_up(now=timezone.now() + lifecycle.LEASE)
        dispatcher.send_in_this_process()
    message = FollowUp.objects.get(pk=row.pk).message
    assert message.conversation == known
    known.refresh_from_db()
    assert known.preview_kind == "template"


def test_one_message_finds_its_new_place_as_well(team, known, hidden):
    merging.merge(known.contact, hidden.contact, now=timezone.now())
    row = waiting_for(team, known)
    rendered = row.template.render(row.parameters)
    record = recording.TemplateRecord(
        conversation=hidden,
        content=rendered.as_dict(),
        template_name="t",
        language="es",
        whatsapp_id="wamid.1",
        sent_by_id=None,
    )
    assert recording.record_template(record, at=timezone.now()).conversation_id == known.pk


def test_merging_twice_or_in_a_circle_changes_nothing(team, known, hidden):
    now = timezone.now()
    assert merging.merge(known.contact, hidden.contact, now=now)
    assert not merging.merge(known.contact, hidden.contact, now=now)
    assert not merging.merge(hidden.contact, known.contact, now=now)
    assert not merging.merge(known.contact, known.contact, now=now)


# The command --------------------------------------------------------------------------------------------


def merge_contacts(*arguments) -> str:
    out = StringIO()
    call_command("merge_contacts", *arguments, stdout=out)
    return out.getvalue()


def test_doubles_are_previewed_and_merged_and_landlines_left_alone(team, stranger):
    first, double = talk_with(team, "+5511987654321"), talk_with(team, "+551187654321")
    for phone in ("+551133334444", "+5511933334444", "+525512345678", "+50688887777"):
        talk_with(team, phone)
    talk_with(stranger, "+5511987654321")
    factories.MessageFactory(conversation=double, direction="in", text="Del doble")
    before = Contact.objects.count()
    told = merge_contacts("--dry-run")
    assert f"{double.contact_id} " in told
    assert "1 would be merged." in told
    assert not Contact.objects.filter(merged_into__isnull=False).exists()
    assert "1 were merged." in merge_contacts()
    assert "0 were merged." in merge_contacts()
    assert Contact.objects.count() == before
    assert Message.objects.get(text="Del doble").conversation == first


def test_two_contacts_can_be_named(team, stranger, known):
    other = talk_with(team, "+50670001122")
    assert "1 were merged." in merge_contacts(str(known.contact_id), str(other.contact_id))
    for ids in (
        (known.contact_id,),
        (known.contact_id, 999_999),
        (known.contact_id, stranger.conversation.contact_id),
    ):
        with pytest.raises(CommandError):
            merge_contacts(*map(str, ids))
