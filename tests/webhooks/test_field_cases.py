"""What the field has met, body for body: posted, read by a worker, and what waits then falls due."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from conversations.models import Contact, Conversation, ConversationStatus, Message
from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from notifications.models import Notification
from templates_app.models import Template
from templates_app.tasks import sync_templates
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.templates_app.conftest import meta_lists
from tests.webhooks.meta import PERSON, post
from tests.webhooks.test_identity import talk_with, waiting_for
from trochai.clock import database_now

__all__ = ["meta_lists"]

ORIGINAL, CASE = "wamid.ORIGINAL", "wamid.CASE.1"
SHOWN = "50622014455"  # our own number, as people see it


def now() -> str:
    return str(int(timezone.now().timestamp()))


def message(kind="text", *, sender=PERSON, **fields):
    """The ``value`` of a message of the person's, with whom it is from."""
    written = {"id": CASE, "timestamp": now(), "type": kind, **fields}
    if sender:
        written["from"] = sender
    return {
        "contacts": [{"profile": {"name": "Cliente Inventado"}, "wa_id": sender}],
        "messages": [written],
    }


def text(body, **fields):
    return message(text={"body": body}, **fields)


def system(**about):
    return message("system", system={**about, "type": "user_changed_number"}, sender="50688770011")


def opt_out(wa_id):
    asked = {
        "wa_id": wa_id,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": 1795000000,
    }
    contact = {"profile": {"name": "Cliente Inventado"}, "wa_id": wa_id}
    return {"contacts": [contact], "user_preferences": [asked]}


def fall_due(waiting: FollowUp) -> str:
    """Let the follow-up fall due and a worker send it; return what became of it."""
    FollowUp.objects.filter(pk=waiting.pk, status=Status.PENDING).update(
        next_attempt_at=database_now() - dt.timedelta(seconds=1)
    )
    send_due_follow_ups(wake_others=False)
    waiting.refresh_from_db()
    return waiting.status


def thread(team, talk) -> str:
    return html_of(signed_in(team.agent).get(f"/inbox/{talk.pk}/"))


@pytest.fixture
def talk(team) -> Conversation:
    """The person's conversation: closed and read, with a message of two days ago."""
    talk = talk_with(team, f"+{PERSON}")
    at = timezone.now() - dt.timedelta(days=2)
    factories.MessageFactory(
        conversation=talk, direction="in", text="puedo ir el día 12", whatsapp_id=ORIGINAL, at=at
    )
    Conversation.objects.update(status=ConversationStatus.CLOSED, last_inbound_at=at, last_message_at=at)
    talk.refresh_from_db()
    return talk


# Who is who ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "field", "value"),
    [
        ("+5511987654321", "messages", text("Ya no hace falta, gracias", sender="551187654321")),
        ("+5511987654321", "user_preferences", opt_out("551187654321")),
        ("+525512345678", "messages", text("Ya no hace falta", sender="5215512345678")),
        ("+525512345678", "user_preferences", opt_out("5215512345678")),
    ],
    ids=["C01", "C02", "C03", "C03 opt-out"],
)
def test_another_spelling_of_the_number_is_the_same_person(team, meta, kept, field, value):
    talk = talk_with(team, kept)
    waiting = waiting_for(team, talk)
    post(team.channel, field, **value)
    assert fall_due(waiting) == Status.CANCELED
    assert meta.requests == []
    assert set(Contact.objects.filter(phone__startswith="+5")) == {team.conversation.contact, talk.contact}
    assert Contact.objects.filter(opted_out_at__isnull=False).exists() == (field == "user_preferences")


def test_c01_a_landline_is_not_another_spelling(team, meta):
    waiting = waiting_for(team, talk_with(team, "+551132654321"))
    post(team.channel, **text("Ya no hace falta, gracias", sender="5511932654321"))
    assert fall_due(waiting) == Status.SENT


def test_c05_whatsapps_own_spelling_is_learned_from_the_answer_to_a_send(team, meta):
    talk = talk_with(team, "+5521998761234")
    answered = {"input": "+5521998761234", "wa_id": "552198761234"}
    meta.answer((200, {"contacts": [answered], "messages": [{"id": "wamid.OUT.5"}]}))
    assert fall_due(waiting_for(team, talk)) == Status.SENT
    quoted = {"from": SHOWN, "id": "wamid.OUT.5"}
    post(team.channel, **text("Obrigado!", sender="552198761234", context=quoted))
    assert Message.objects.get(whatsapp_id=CASE).conversation == talk


def test_c07_an_id_that_a_status_tells_is_learned(team, meta):
    talk = talk_with(team, "+50688112233")
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT.1", delivery="accepted")
    waiting = waiting_for(team, talk)
    who = {"user_id": "CR.7000000000000002"}
    status = {
        "id": "wamid.OUT.1",
        "status": "delivered",
        "timestamp": now(),
        "recipient_id": "50688112233",
        "recipient_user_id": who["user_id"],
        "pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"},
    }
    profile = {"name": "Olga Inventada", "username": "@olga"}
    post(team.channel, contacts=[{"profile": profile, "wa_id": "50688112233", **who}], statuses=[status])
    reply = text("¿A qué hora era?", sender="", from_user_id=who["user_id"])
    reply["messages"][0]["context"] = {"from": SHOWN, "id": "wamid.OUT.1"}
    post(team.channel, **{**reply, "contacts": [{"profile": {"name": "Olga Inventada"}, **who}]})
    assert fall_due(waiting) == Status.CANCELED
    assert Message.objects.get(whatsapp_id=CASE).conversation == talk
    assert Contact.objects.exclude(pk=team.conversation.contact_id).get() == talk.contact


@pytest.mark.parametrize(
    "value",
    [
        {
            "messages": system(
                body="User Quique Inventado changed from \u200e50688770011 to 50688770022\u200e",
                wa_id="50688770022",
            )["messages"]
        },
        system(body="NAME changed from 50688770011 to 50688770022", new_wa_id="50688770022"),
    ],
    ids=["wa_id", "new_wa_id"],
)
def test_c09_what_waits_goes_to_the_new_number(team, meta, value):
    talk = talk_with(team, "+50688770011")
    waiting = waiting_for(team, talk)
    post(team.channel, **value)
    assert fall_due(waiting) == Status.SENT
    assert [body["to"] for body in meta.requests] == ["+50688770022"]
    later = text("hola", sender="50688770022")
    later["messages"][0]["id"] = "wamid.LATER"
    post(team.channel, **later)
    assert Message.objects.get(whatsapp_id="wamid.LATER").conversation == talk


def test_c12_the_second_numbers_reply_comes_to_the_first_ones_address(team, meta):
    second = factories.ChannelFactory(organization=team.organization, waba_id=team.channel.waba_id)
    contact = factories.ContactFactory(organization=team.organization, phone="+50687770001")
    talk = factories.ConversationFactory(organization=team.organization, channel=second, contact=contact)
    waiting = waiting_for(team, talk, template=factories.TemplateFactory(channel=second))
    post(second, to=team.channel, **text("Mejor cancelemos", sender="50687770001"))
    assert Message.objects.get(whatsapp_id=CASE).channel == second
    assert fall_due(waiting) == Status.CANCELED


def test_c24_a_number_that_was_asked_for_is_the_persons(team):
    talk = talk_with(team, user_id="CR.5000")
    card = "BEGIN:VCARD\nVERSION:3.0\nFN:Nora\nTEL;TYPE=CELL:50688442211\nEND:VCARD"
    value = message(
        "contacts",
        sender="",
        origin="contact_request/other",
        from_user_id="CR.5000",
        contacts=[{"vcard": card, "phones": [{"phone": "50688442211"}]}],
    )
    value["contacts"] = [{"profile": {"name": "Cliente Inventado"}, "user_id": "CR.5000"}]
    post(team.channel, **value)
    talk.contact.refresh_from_db()
    assert talk.contact.phone == "+50688442211"


def test_c27_the_one_name_is_the_senders(team):
    value = text("Oi", sender="551187651111")
    value["contacts"] = [{"profile": {"name": "Ugo Inventado"}, "wa_id": "5511987651111"}]
    post(team.channel, **value)
    assert Message.objects.get(whatsapp_id=CASE).conversation.contact.name == "Ugo Inventado"


def test_c72_a_number_with_spaces_is_one_number(team, admin_client):
    data = {"organization": team.organization.pk, "name": "Ana", "phone": "+506 8888 7777"}
    admin_client.post("/admin/conversations/contact/add/", data)
    post(team.channel, **text("hola", sender="50688887777"))
    assert Message.objects.get(whatsapp_id=CASE).conversation.contact == Contact.objects.get(name="Ana")


def test_c76_where_a_number_should_stand_there_is_an_id(team):
    user_id = "CR.7000000000055999"
    value = text("hola", sender=user_id)
    value["contacts"] = [{"profile": {"name": "Uma Inventada"}, "user_id": user_id}]
    post(team.channel, **value)
    contact = Message.objects.get(whatsapp_id=CASE).conversation.contact
    assert (contact.name, contact.user_ids) == ("Uma Inventada", user_id)


# What is no reply ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            message(
                "edit",
                edit={
                    "original_message_id": ORIGINAL,
                    "message": {"type": "text", "text": {"body": "puedo ir el día 21"}},
                },
            ),
            ["puedo ir el día 21", "Edited"],
        ),
        (message("revoke", revoke={"original_message_id": ORIGINAL}), ["Deleted by the contact"]),
        (message("reaction", reaction={"message_id": ORIGINAL, "emoji": "👍"}), ["👍", "puedo ir el día 12"]),
        (text("Hola a todos en el grupo", group_id="Y2FwaV9ncm91cDox"), ["puedo ir el día 12"]),
    ],
    ids=["C14", "C15", "C16", "C22"],
)
def test_what_is_no_reply_cancels_reopens_and_counts_nothing(team, talk, meta, value, shown):
    waiting = waiting_for(team, talk)
    post(team.channel, **value)
    html = thread(team, talk)
    assert all(words in html for words in shown)
    assert "Hola a todos" not in html
    assert talk.messages.count() == 1
    talk.refresh_from_db()
    assert (talk.status, talk.unread_count) == (ConversationStatus.CLOSED, 0)
    assert talk.last_inbound_at < timezone.now() - dt.timedelta(days=1)
    assert fall_due(waiting) == Status.SENT


def test_c13_what_a_colleague_sent_from_the_phone_is_seen(team, talk):
    user_id = "CR.7000000000000001"
    echo = {
        "id": "wamid.ECHO.1",
        "from": SHOWN,
        "to": PERSON,
        "type": "text",
        "text": {"body": "Le escribí desde el celular: su cita queda confirmada"},
        "timestamp": now(),
        "to_user_id": user_id,
    }
    contacts = [{"wa_id": PERSON, "user_id": user_id}]
    post(team.channel, "smb_message_echoes", contacts=contacts, message_echoes=[echo])
    html = thread(team, talk)
    assert "Le escribí desde el celular: su cita queda confirmada" in html
    assert "From the WhatsApp app" in html
    talk.refresh_from_db()
    assert talk.unread_count == 0
    assert talk.last_inbound_at < timezone.now() - dt.timedelta(days=1)


def test_c19_a_call_opens_the_window(team, talk):
    call = {
        "id": "wacid.CASE",
        "from": PERSON,
        "to": SHOWN,
        "event": "connect",
        "timestamp": now(),
        "direction": "USER_INITIATED",
        "session": {"sdp_type": "offer", "sdp": "v=0\r\n"},
    }
    contacts = [{"profile": {"name": "Tita Inventada"}, "wa_id": PERSON}]
    post(team.channel, "calls", contacts=contacts, calls=[call])
    talk.refresh_from_db()
    assert talk.last_inbound_at > timezone.now() - dt.timedelta(minutes=1)


AD = {
    "source_url": "https://fb.me/abc",
    "source_id": "120200000000001",
    "source_type": "ad",
    "headline": "Casa en Escazú",
    "body": "3 habitaciones",
    "media_type": "image",
    "ctwa_clid": "ARAkLkA8",
}
ANSWERS = {
    "response_json": '{"screen_0_Rating_0":"Excelente","screen_0_Comments_1":"Muy buen trato"}',
    "body": "Sent",
    "name": "flow",
}
NOTARY = {
    "name": {"formatted_name": "Notario Inventado"},
    "phones": [{"phone": "+506 8711 2233", "wa_id": "50687112233", "type": "CELL"}],
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            message("interactive", interactive={"type": "nfm_reply", "nfm_reply": ANSWERS}),
            ["Excelente", "Muy buen trato"],
        ),
        (text("Quiero más información", referral=AD), ["Quiero más información", "Casa en Escazú"]),
        (message("contacts", contacts=[NOTARY]), ["Notario Inventado", "+506 8711 2233"]),
    ],
    ids=["C18", "C23", "C24b"],
)
def test_what_is_sent_can_be_read(team, talk, value, shown):
    post(team.channel, **value)
    html = thread(team, talk)
    assert all(words in html for words in shown)


def test_c51_admins_are_told_what_happens_to_the_account(team):
    restriction = {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1795086400}
    ban = {"waba_ban_state": "SCHEDULE_FOR_DISABLE", "waba_ban_date": "2026-11-30"}
    of_account = {"field": "account_update", "metadata": None}
    post(team.channel, **of_account, phone_number=SHOWN, event="DISABLED_UPDATE", ban_info=ban)
    post(team.channel, **of_account, event="ACCOUNT_RESTRICTION", restriction_info=[restriction])
    assert Notification.objects.filter(kind="account_event", recipient=team.admin.user).count() == 2
    html = html_of(signed_in(team.admin).get("/notifications/"))
    assert "2026-11-30" in html
    assert "restricted what the account may send" in html


def test_admins_are_told_of_quality_and_limits_and_the_number_keeps_them(team):
    other = factories.ChannelFactory(
        organization=team.organization,
        name="Ventas",
        waba_id=team.channel.waba_id,
        display_phone_number="+506 2201-9999",
    )
    limit = {"max_daily_conversations_per_business": "TIER_2K"}
    flagged = {"event": "FLAGGED", "display_phone_number": "50622019999", **limit}
    post(team.channel, "phone_number_quality_update", metadata=None, **flagged)
    post(team.channel, "business_capability_update", metadata=None, max_daily_conversations_per_business=2000)
    html = html_of(signed_in(team.admin).get("/notifications/"))
    assert "Ventas: Many people block or report the number." in html
    assert "max daily conversations per business: TIER_2K." in html
    assert "What the business may send has changed. max daily conversations per business: 2000." in html
    for channel in (team.channel, other):
        channel.refresh_from_db()
    assert other.account_news["FLAGGED"]["limits"] == limit
    assert set(team.channel.account_news) == {"BUSINESS_CAPABILITY_UPDATE"}


# Templates ----------------------------------------------------------------------------------------------


def of_template(template: Template, kind: str, *, at: int | None = None, **value):
    about = {
        "message_template_id": int(value.pop("meta_id", template.meta_id)),
        "message_template_name": template.name,
        "message_template_language": template.language,
    }
    post(template.channel, f"message_template_{kind}_update", metadata=None, time=at, **about, **value)


@pytest.fixture
def visita(team) -> Template:
    body = {"type": "BODY", "text": "Hola {{1}}, su visita es el {{2}}. Gracias."}
    return factories.TemplateFactory(
        channel=team.channel, name="visita", language="es", meta_id="7000000000000004", components=[body]
    )


def listed(**fields):
    return {"language": "es", "status": "APPROVED", "category": "UTILITY", **fields}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["components", "status"])
def test_c34_the_edited_text_is_what_the_history_shows(team, visita, meta, meta_lists, kind):
    edited = "Hola {{1}}: recordamos su cita del {{2}}. Si no puede, avise. ¡Gracias!"
    body = {"type": "BODY", "text": edited}
    meta_lists(team.channel, [listed(id=visita.meta_id, name="visita", components=[body])])
    talk = talk_with(team, f"+{PERSON}")
    values = {"body.1": "Ana", "body.2": "lunes"}
    waiting = waiting_for(team, talk, template=visita, parameters=values, shape=list(values))
    if kind == "components":
        of_template(visita, "components", message_template_element=edited)
    else:
        of_template(visita, "status", at=1795000000, event="APPROVED", reason="NONE")
    sync_templates(team.channel.pk)
    assert fall_due(waiting) == Status.SENT
    assert "Hola Ana: recordamos su cita del lunes. Si no puede, avise." in thread(team, talk)


def test_c70_an_older_event_that_comes_later_changes_nothing(team, visita, meta):
    values = {"body.1": "Ana", "body.2": "lunes"}
    talk = talk_with(team, f"+{PERSON}")
    waiting = waiting_for(team, talk, template=visita, parameters=values, shape=list(values))
    for at, event, title in [(1795010000, "APPROVED", "UNPAUSE"), (1795000000, "PAUSED", "FIRST_PAUSE")]:
        why = {"reason": "NONE", "other_info": {"title": title, "description": "x"}}
        of_template(visita, "status", at=at, event=event, **why)
    visita.refresh_from_db()
    assert visita.status == "APPROVED"
    assert fall_due(waiting) == Status.SENT


def test_c70b_another_template_of_that_name_is_another_one(team):
    kept = factories.TemplateFactory(channel=team.channel, name="recreada", language="es", meta_id="222")
    of_template(kept, "status", at=1795000000, event="DELETED", meta_id=111, reason="NONE")
    kept.refresh_from_db()
    assert kept.status == "APPROVED"


def dialog(team) -> str:
    return html_of(signed_in(team.agent).get(f"/followups/schedule/{team.conversation.pk}/"))


@pytest.fixture
def offered(team, meta_lists):
    """``offered(template)``: sync this one template of Meta's; return our row."""

    def sync(template) -> Template:
        meta_lists(team.channel, [template])
        sync_templates(team.channel.pk)
        return Template.objects.get(name=template["name"])

    return sync


def test_c35_a_code_of_ten_minutes_is_not_offered_for_another_day(team, offered):
    advice = "Por tu seguridad, no lo compartas."
    link = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp"
    button = {
        "type": "URL",
        "text": "Copiar código",
        "url": f"{link}{{{{1}}}}",
        "example": [f"{link}123456"],
    }
    body = {
        "type": "BODY",
        "text": f"*{{{{1}}}}* es tu código de verificación. {advice}",
        "add_security_recommendation": True,
        "example": {"body_text": [["123456"]]},
    }
    expiry = {"type": "FOOTER", "text": "Este código caduca en 10 minutos.", "code_expiration_minutes": 10}
    offered(
        listed(
            id="7000000000000003",
            name="otp",
            category="AUTHENTICATION",
            parameter_format="POSITIONAL",
            components=[body, expiry, {"type": "BUTTONS", "buttons": [button]}],
        )
    )
    assert '<span class="name">otp<' not in dialog(team)


def components_sent(team, meta, template, values):
    """Send a follow-up with this template; return the components that Meta was given."""
    waiting = waiting_for(team, team.conversation, template=template, parameters=values, shape=template.shape)
    assert fall_due(waiting) == Status.SENT
    return meta.requests[0]["template"]["components"]


def test_c37b_names_are_names_without_a_format(team, offered, meta):
    body = {"type": "BODY", "text": "Hola {{customer_name}}, llega el {{day}} sin falta."}
    template = offered(listed(id="7", name="con_nombres", components=[body]))
    values = {"body.customer_name": "Ana", "body.day": "lunes"}
    (sent,) = components_sent(team, meta, template, values)
    assert [value["parameter_name"] for value in sent["parameters"]] == ["customer_name", "day"]


def test_c39_a_document_has_its_name(team, offered, meta):
    sample = "https://scontent.whatsapp.net/v/t61/4205_n.pdf?oe=68CFBC8A"
    template = offered(
        listed(
            id="7001",
            name="envio_documentos",
            parameter_format="POSITIONAL",
            components=[
                {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": [sample]}},
                {"type": "BODY", "text": "Estimado cliente, recibe el documento solicitado."},
            ],
        )
    )
    link = "https://files.example/contratos/Contrato%20Casa%20204.pdf"
    (header,) = components_sent(team, meta, template, {"header_media": link})
    named = {"link": link, "filename": "Contrato Casa 204.pdf"}
    assert header["parameters"] == [{"type": "document", "document": named}]
