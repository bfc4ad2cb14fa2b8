"""The sheet beside a conversation: who the contact is, what the team keeps on them, what may be changed."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from conversations.models import Attachment, Contact, Conversation, Message
from followups.models import FollowUp
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import User

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


def sheet(member, conversation, side="contact"):
    html = html_of(signed_in(member).get(f"/inbox/{conversation.pk}/?sheet={side}"))
    return html.partition('class="contact-sheet"')[2].partition("</aside>")[0]


def post(member, conversation, action, **data):
    return signed_in(member).post(f"/inbox/{conversation.pk}/{action}/", data)


def with_file(conversation, kind, *, name="", minutes=0):
    message = factories.MessageFactory(
        conversation=conversation,
        direction="in",
        kind=kind,
        content={kind: {"id": "1", "filename": name}},
        at=NOW - dt.timedelta(minutes=minutes),
    )
    file = Attachment(message=message, media_id="1", state="ready", mime_type="image/jpeg", size=2048)
    file.file.save("", ContentFile(b"x"), save=False)
    if kind != "document":
        file.thumbnail.save("", ContentFile(b"x"), save=False)
        file.width = file.height = 120
    file.save()
    return file


# What it shows ----------------------------------------------------------------------------------------


def test_it_is_closed_until_somebody_opens_it(team):
    html = html_of(signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/"))
    assert "contact-sheet" not in html
    assert f'href="/inbox/{team.conversation.pk}/?sheet=contact"' in html


def test_it_says_who_it_is_and_where(team):
    contact = team.conversation.contact
    contact.profile_name, contact.phone = "Mari J. 🌿", "+34612345678"
    contact.first_seen_at = dt.datetime(2026, 9, 2, 18, 0, tzinfo=dt.UTC)
    contact.save()
    shown = sheet(team.agent, team.conversation)
    for words in ("+34 612 34 56 78", "Mari J. 🌿", "4:00 PM", "Wed 2 Sep", "Customer since September"):
        assert words in shown


def test_the_same_hour_as_here_is_said_to_be_the_same(team):
    Contact.objects.update(phone="+50688881234")
    assert "9:00 AM, same as yours" in sheet(team.agent, team.conversation)


def test_without_a_number_it_says_so_and_how_to_ask_for_it(team):
    person = factories.ContactFactory(
        organization=team.organization, name="Nahuel", phone="", user_ids="AR.8841"
    )
    factories.IdentityFactory(contact=person, channel=team.channel, user_id="AR.8841", username="nahuel.prop")
    talk = factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=person)
    shown = sheet(team.agent, talk)
    assert "Not shared" in shown
    assert "AR.8841" in shown
    assert "@nahuel.prop" in shown
    assert "Ask for it" not in shown
    asking = factories.TemplateFactory(
        channel=team.channel,
        name="share_number",
        components=[
            {"type": "BODY", "text": "¿Nos comparte su número?"},
            {"type": "BUTTONS", "buttons": [{"type": "REQUEST_CONTACT_INFO", "text": "Compartir"}]},
        ],
    )
    shown = sheet(team.agent, talk)
    assert "Ask for it" in shown
    assert f"/inbox/{talk.pk}/template/?template={asking.pk}" in shown


def test_it_lists_what_waits_first_and_then_what_has_become_of_others(team):
    def follow_up(status, days, **columns):
        return factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            status=status,
            scheduled_for=NOW + dt.timedelta(days=days),
            **columns,
        )

    rows = [follow_up("sent", -9), follow_up("failed", -2), follow_up("pending", 7)]
    deleted = follow_up("canceled", -1, deleted_at=NOW)
    shown = sheet(team.agent, team.conversation)
    places = [shown.index(f'href="/followups/{each.pk}/"') for each in (rows[2], rows[1], rows[0])]
    assert places == sorted(places)
    assert f"/followups/{deleted.pk}/" not in shown
    assert "by you" in shown
    assert "by you" not in sheet(team.other_agent, team.conversation)


def test_it_lists_the_teams_notes_newest_first(team):
    for number, text in enumerate(["Busca 3 dormitorios", "Avisar un día antes"]):
        factories.MessageFactory(
            conversation=team.conversation,
            direction="log",
            kind="internal",
            delivery="",
            text=text,
            sent_by=team.agent.user,
            at=NOW - dt.timedelta(days=2 - number),
        )
    shown = sheet(team.viewer, team.conversation)
    assert shown.index("Avisar un día antes") < shown.index("Busca 3 dormitorios")
    assert team.agent.user.name in shown


def test_a_note_can_be_added_there(team):
    post(team.agent, team.conversation, "note", text="Tienen un perro", uuid=str(uuid.uuid4()))
    assert "Tienen un perro" in sheet(team.agent, team.conversation)


def test_it_shows_the_newest_files_and_all_of_them_on_demand(team, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    files = [with_file(team.conversation, "image", minutes=number) for number in range(5)]
    paper = with_file(team.conversation, "document", name="Plano.pdf", minutes=9)
    factories.MessageFactory(
        conversation=team.conversation, direction="in", kind="audio", content={"audio": {}}
    )
    few = sheet(team.agent, team.conversation)
    assert f"/inbox/files/{files[0].pk}/thumbnail/" in few
    assert f"/inbox/files/{files[4].pk}/thumbnail/" not in few
    assert "All 6" in few
    everything = sheet(team.agent, team.conversation, "files")
    for file in files:
        assert f"/inbox/files/{file.pk}/thumbnail/" in everything
    assert "Plano.pdf" in everything
    assert f"/inbox/files/{paper.pk}/" in everything


def test_it_stays_open_from_one_conversation_to_the_next(team):
    other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    html = html_of(signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/?sheet=contact"))
    assert f'href="/inbox/{other.pk}/?sheet=contact"' in html


def test_another_organizations_contact_has_none(team, stranger):
    page = signed_in(stranger.admin).get(f"/inbox/{team.conversation.pk}/?sheet=contact")
    assert page.status_code == 404


@pytest.mark.parametrize(("side", "queries"), [("contact", 22), ("files", 16)])
def test_its_number_of_queries_is_fixed(team, side, queries, django_assert_num_queries, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client, address = signed_in(team.agent), f"/inbox/{team.conversation.pk}/?sheet={side}"
    for _round in range(2):
        for _number in range(3):
            with_file(team.conversation, "image")
            post(team.agent, team.conversation, "note", text="Nota", uuid=str(uuid.uuid4()))
            factories.FollowUpFactory(
                organization=team.organization,
                conversation=team.conversation,
                template=team.template,
                created_by=team.agent.user,
                status="canceled",
            )
        with django_assert_num_queries(queries):
            client.get(address)


# What may be changed ----------------------------------------------------------------------------------


def test_a_name_can_be_given_and_is_found(team):
    assert post(team.agent, team.conversation, "contact", name="  Doña  María ").status_code == 302
    assert Contact.objects.get(pk=team.conversation.contact_id).name == "Doña María"
    assert "Doña María" in html_of(signed_in(team.agent).get("/inbox/?q=dona maria"))


def test_a_name_that_is_too_long_is_refused_in_words(team):
    before = team.conversation.contact.name
    answer = signed_in(team.agent).post(
        f"/inbox/{team.conversation.pk}/contact/", {"name": "x" * 201}, follow=True
    )
    assert "Not changed" in html_of(answer)
    assert Contact.objects.get(pk=team.conversation.contact_id).name == before


def test_without_a_script_one_comes_back_to_the_sheet(team):
    answer = signed_in(team.agent).post(
        f"/inbox/{team.conversation.pk}/contact/?sheet=contact", {"name": "M"}
    )
    assert answer["Location"] == f"/inbox/{team.conversation.pk}/?sheet=contact"


def test_a_member_notes_that_no_more_messages_are_wanted(team):
    waiting = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
    )
    post(team.agent, team.conversation, "wants", messages="no")
    assert FollowUp.objects.get(pk=waiting.pk).status == "canceled"
    shown = sheet(team.viewer, team.conversation)
    assert f"Noted by {team.agent.user.name}, Fri 20 Nov" in shown
    assert "doesn’t want follow-ups" in shown
    thread = html_of(signed_in(team.viewer).get(f"/inbox/{team.conversation.pk}/"))
    assert f"{team.agent.user.name} noted that no more messages are wanted" in thread


def test_undoing_says_what_it_means_and_who_did_it(team):
    Contact.objects.update(opted_out_at=NOW - dt.timedelta(days=3), opt_out_source="whatsapp")
    shown = sheet(team.agent, team.conversation)
    assert "Switched off in WhatsApp, Tue 17 Nov" in shown
    assert "canceled follow-ups stay canceled" in " ".join(shown.split())
    assert 'name="messages" value="yes"' in shown
    post(team.agent, team.conversation, "wants", messages="yes")
    assert not Contact.objects.get(pk=team.conversation.contact_id).is_opted_out
    thread = html_of(signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/?sheet=contact"))
    assert "doesn’t want follow-ups" not in thread
    assert f"{team.agent.user.name} noted that messages are wanted again" in thread


def test_what_is_noted_twice_is_said_once(team):
    for _time in range(2):
        post(team.agent, team.conversation, "wants", messages="no")
    assert Message.objects.filter(kind="opted_out").count() == 1


def test_an_account_that_goes_leaves_the_opt_out(team):
    post(team.agent, team.conversation, "wants", messages="no")
    Message.objects.filter(kind="opted_out").delete()
    User.objects.filter(pk=team.agent.user_id).delete()
    assert "Since Fri 20 Nov" in sheet(team.viewer, team.conversation)


@pytest.mark.parametrize(
    ("action", "data"),
    [("contact", {}), ("wants", {}), ("wants", {"messages": "maybe"}), ("wants", {"messages": ""})],
)
def test_a_form_that_says_nothing_changes_nothing(team, action, data):
    before = Contact.objects.values().get(pk=team.conversation.contact_id)
    assert post(team.agent, team.conversation, action, **data).status_code == 302
    assert Contact.objects.values().get(pk=team.conversation.contact_id) == before


@pytest.mark.parametrize(("action", "data"), [("contact", {"name": "X"}), ("wants", {"messages": "no"})])
def test_viewers_change_nothing(team, stranger, action, data):
    before = Contact.objects.values().get(pk=team.conversation.contact_id)
    assert post(team.viewer, team.conversation, action, **data).status_code == 403
    assert post(stranger.admin, team.conversation, action, **data).status_code == 404
    assert Contact.objects.values().get(pk=team.conversation.contact_id) == before
    shown = sheet(team.viewer, team.conversation)
    assert "contact-name" not in shown
    assert "More about this contact" not in shown


def test_a_poll_brings_what_has_changed_in_it(team):
    client = signed_in(team.agent)
    Conversation.objects.update(last_inbound_at=timezone.now())
    Contact.objects.update(profile_name="Mari")
    answer = client.get(
        f"/inbox/poll/?open={team.conversation.pk}&sheet=contact", headers={"HX-Request": "true"}
    )
    assert "Mari" in html_of(answer)


@pytest.mark.parametrize(
    ("typed", "noted"),
    [
        ("Europe/Madrid", "Europe/Madrid"),
        (" new york ", "America/New_York"),
        ("bogotá", "America/Bogota"),
        ("", ""),
    ],
)
def test_members_note_where_a_contact_is(team, typed, noted):
    contact = team.conversation.contact
    Contact.objects.update(timezone="Asia/Tokyo")
    assert post(team.agent, team.conversation, "contact", timezone=typed).status_code == 302
    contact.refresh_from_db()
    assert (contact.timezone, contact.name) == (noted, "María Jiménez")


@pytest.mark.parametrize("typed", ["Atlantis", "Europe", "../../etc/passwd", "x" * 65, "Europe/Madrid\0"])
def test_a_time_zone_that_there_is_not_is_refused_in_words(team, typed):
    response = signed_in(team.agent).post(
        f"/inbox/{team.conversation.pk}/contact/", {"timezone": typed}, headers={"HX-Request": "true"}
    )
    assert "Not changed" in response["HX-Trigger"]
    assert Contact.objects.get(pk=team.conversation.contact_id).timezone == ""


def test_the_local_time_is_the_one_of_the_zone_that_is_noted(team):
    assert 'placeholder="America/Costa_Rica"' in sheet(team.agent, team.conversation)
    Contact.objects.update(timezone="Europe/Madrid")
    html = sheet(team.agent, team.conversation)
    assert "4:00 PM" in html
    assert 'value="Europe/Madrid"' in html
    assert "Europe/Madrid" not in sheet(team.viewer, team.conversation)


def test_who_may_not_write_notes_no_time_zone(team, stranger):
    assert post(team.viewer, team.conversation, "contact", timezone="Asia/Tokyo").status_code == 403
    assert post(stranger.admin, team.conversation, "contact", timezone="Asia/Tokyo").status_code == 404
