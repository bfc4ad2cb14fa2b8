"""What people send and do, posted as Meta posts it: what is an answer, and what shows in the thread."""

from __future__ import annotations

import datetime as dt
import json
import re
from html import unescape

import pytest
from django.utils import timezone

from conversations import kinds, recording
from conversations.models import Conversation, ConversationStatus, Message
from followups.models import FollowUp, Status
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.webhooks.meta import PERSON, post, say

ORIGINAL = "wamid.ORIGINAL"


@pytest.fixture
def talk(team) -> Conversation:
    """The person has written, two days ago; it was read and the conversation closed."""
    at = timezone.now() - dt.timedelta(days=2)
    contact = factories.ContactFactory(organization=team.organization, phone=f"+{PERSON}")
    conversation = factories.ConversationFactory(
        organization=team.organization,
        channel=team.channel,
        contact=contact,
        status=ConversationStatus.CLOSED,
        last_inbound_at=at,
        last_message_at=at,
        preview="puedo ir el día 12",
    )
    factories.MessageFactory(
        conversation=conversation, direction="in", text="puedo ir el día 12", whatsapp_id=ORIGINAL, at=at
    )
    return conversation


@pytest.fixture
def waiting(team, talk) -> FollowUp:
    """A follow-up that is canceled by an answer."""
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=talk,
        template=team.template,
        created_by=team.agent.user,
        cancel_on_reply=True,
        created_at=timezone.now() - dt.timedelta(days=1),
    )


def thread(team, talk, *, member=None) -> str:
    return html_of(signed_in(member or team.agent).get(f"/inbox/{talk.pk}/"))


def texts(talk) -> list[str]:
    return list(talk.messages.order_by("pk").values_list("text", flat=True))


# One row for each kind: what arrives, and what it is taken for ------------------------------------------

ANSWERS = {
    "text": {"body": "Ya no hace falta"},
    "image": {"id": "1"},
    "video": {"id": "1"},
    "audio": {"id": "1", "voice": True},
    "document": {"id": "1", "filename": "a.pdf"},
    "sticker": {"id": "1"},
    "location": {"latitude": 9.93, "longitude": -84.08},
    "contacts": [{"name": {"formatted_name": "Notario Inventado"}}],
    "order": {"product_items": [{"product_retailer_id": "A1", "quantity": 2}]},
    "button": {"text": "Sí"},
    "interactive": {"type": "list_reply", "list_reply": {"title": "Sábado"}},
    "unsupported": None,
    "hologram": {"x": 1},
}
NO_ANSWERS = {
    "reaction": {"message_id": ORIGINAL, "emoji": "👍"},
    "edit": {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": "el 21"}}},
    "revoke": {"original_message_id": ORIGINAL},
    "request_welcome": None,
    "system": {"body": "They changed their number", "type": "customer_changed_number"},
}


def test_every_kind_in_the_table_is_tried_here():
    assert set(kinds.KINDS) == set(NO_ANSWERS) | {"call"}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_cancels_reopens_raises_unread_and_opens_the_window(team, talk, waiting, kind):
    say(team.channel, kind, ANSWERS[kind])
    waiting.refresh_from_db()
    talk.refresh_from_db()
    assert (waiting.status, talk.status, talk.unread_count) == (Status.CANCELED, "open", 1)
    assert talk.last_inbound_at > timezone.now() - dt.timedelta(minutes=5)


@pytest.mark.parametrize("kind", NO_ANSWERS)
def test_what_is_no_answer_changes_none_of_this(team, talk, waiting, kind):
    before = talk.last_inbound_at
    say(team.channel, kind, NO_ANSWERS[kind])
    waiting.refresh_from_db()
    talk.refresh_from_db()
    assert (waiting.status, talk.status, talk.unread_count) == (Status.PENDING, "closed", 0)
    assert talk.last_inbound_at == before


@pytest.mark.parametrize("kind", ["text", "image", "hologram"])
def test_a_message_to_a_group_is_no_private_one(team, talk, waiting, kind):
    say(team.channel, kind, ANSWERS[kind], group_id="Y2FwaV9ncm91cDox")
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING
    assert texts(talk) == ["puedo ir el día 12"]


def test_admins_see_how_many_there_were(team, talk, admin_client):
    for _number in range(3):
        say(team.channel, "text", ANSWERS["text"], group_id="Y2FwaV9ncm91cDox")
    page = html_of(admin_client.get(f"/admin/whatsapp/channel/{team.channel.pk}/change/"))
    assert "3, the last on" in page


def call(**more):
    at = str(int(timezone.now().timestamp()))
    return {"id": "wacid.1", "from": PERSON, "event": "connect", "timestamp": at, **more}


def test_a_call_is_an_answer(team, talk, waiting):
    for event in ("connect", "terminate", "connect"):  # the last one is a repetition
        post(team.channel, "calls", calls=[call(event=event, direction="USER_INITIATED")])
    waiting.refresh_from_db()
    talk.refresh_from_db()
    assert waiting.status == Status.CANCELED
    assert talk.last_inbound_at > timezone.now() - dt.timedelta(minutes=5)
    assert thread(team, talk).count("Called this number") == 2  # in the list and in the thread


def test_our_own_call_is_none(team, talk, waiting):
    post(team.channel, "calls", calls=[call(direction="BUSINESS_INITIATED")])
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING
    assert talk.messages.count() == 1


# What changes a message --------------------------------------------------------------------------------


def edit(channel, body, seconds=0, **more):
    node = {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": body}}}
    at = int(timezone.now().timestamp()) + seconds
    say(channel, "edit", {**node, **more}, timestamp=str(at))


def test_an_edit_changes_the_bubble_and_the_list_and_says_so(team, talk):
    edit(team.channel, "puedo ir el día 21")
    html = thread(team, talk)
    assert "puedo ir el día 12" not in html
    assert html.count("puedo ir el día 21") == 2
    assert "Edited" in html
    talk.refresh_from_db()
    assert Conversation.objects.search("día 21").get() == talk


def test_the_last_edit_counts_in_whatever_order_they_arrive(team, talk):
    edit(team.channel, "second", seconds=20)
    edit(team.channel, "first", seconds=10)
    assert texts(talk) == ["second"]


def test_a_revoked_message_says_so_and_is_forgotten(team, talk):
    say(team.channel, "revoke", {"original_message_id": ORIGINAL})
    edit(team.channel, "too late")
    html = thread(team, talk)
    assert html.count("Deleted by the contact") == 2
    assert "puedo ir" not in html
    assert "too late" not in html
    assert texts(talk) == [""]


def test_a_reaction_stands_at_its_message_and_can_be_taken_back(team, talk):
    say(team.channel, "reaction", {"message_id": ORIGINAL, "emoji": "👍"})
    assert "👍" in thread(team, talk)
    assert talk.messages.count() == 1
    at = str(int(timezone.now().timestamp()) + 5)
    say(team.channel, "reaction", {"message_id": ORIGINAL}, timestamp=at)
    assert "👍" not in thread(team, talk)


def test_a_reaction_to_what_we_have_sent_stands_there(team, talk):
    factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT")
    say(team.channel, "reaction", {"message_id": "wamid.OUT", "emoji": "❤️"})
    assert "❤️" in thread(team, talk)


@pytest.mark.parametrize("kind", ["edit", "revoke"])
def test_nobody_changes_what_we_have_sent_or_what_another_number_has(team, stranger, talk, kind):
    ours = factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", text="Ours")
    theirs = factories.MessageFactory(
        conversation=stranger.conversation, direction="in", whatsapp_id="wamid.THEIRS", text="Theirs"
    )
    for whatsapp_id in ("wamid.OUT", "wamid.THEIRS", "", "wamid.NEVER"):
        say(team.channel, kind, {**NO_ANSWERS[kind], "original_message_id": whatsapp_id})
    assert [Message.objects.get(pk=each.pk).text for each in (ours, theirs)] == ["Ours", "Theirs"]


# In words ----------------------------------------------------------------------------------------------


def reply(**answer):
    kind = next(iter(answer))
    return {"type": kind, **answer}


@pytest.mark.parametrize(
    ("kind", "node", "words"),
    [
        (
            "interactive",
            reply(
                nfm_reply={
                    "response_json": json.dumps(
                        {
                            "screen_0_Rating_0": "Excelente",
                            "screen_0_Tell_us_1": ["a", "b"],
                            "flow_token": "x",
                        }
                    ),
                    "body": "Sent",
                }
            ),
            ["Rating", "Excelente", "Tell us", "a, b"],
        ),
        ("interactive", reply(nfm_reply={"response_json": "no JSON", "body": "Sent"}), ["Sent"]),
        ("interactive", reply(list_reply={"title": "Sábado", "description": "10:00"}), ["Sábado", "10:00"]),
        ("interactive", reply(call_permission_reply={"response": "accept"}), ["Allows calls"]),
        (
            "contacts",
            [{"name": {"formatted_name": "Notario Inventado"}, "phones": [{"phone": "+506 8711 2233"}]}],
            ["Notario Inventado", "+506 8711 2233"],
        ),
        (
            "order",
            {
                "text": "Para mañana",
                "product_items": [
                    {"product_retailer_id": "SKU-1", "quantity": 2, "item_price": 10.5, "currency": "USD"}
                ],
            },
            ["Para mañana", "2×", "SKU-1", "10.5 USD"],
        ),
        (
            "location",
            {"name": "Parque", "latitude": 9.93, "longitude": -84.08},
            ["Parque", "9.93, -84.08"],
        ),
    ],
)
def test_what_is_stored_can_be_read(team, talk, kind, node, words):
    say(team.channel, kind, node)
    html = thread(team, talk)
    for line in words:
        assert line in html
    assert "Open WhatsApp" not in html


def test_a_place_opens_in_a_map_of_the_readers(team, talk):
    say(team.channel, "location", {"name": "Parque", "latitude": 9.93, "longitude": -84.08})
    html = thread(team, talk)
    assert 'href="geo:9.93,-84.08"' in html
    assert 'data-copy="Parque 9.93, -84.08"' in html


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("1?q=x", "2"), ('9"onclick="x', "2"), (91, 2), (1, 181), ("NaN", "1"), ("1", "Infinity"), (None, 1)],
)
def test_what_is_no_place_on_earth_opens_no_map(team, talk, latitude, longitude):
    say(team.channel, "location", {"name": "Parque", "latitude": latitude, "longitude": longitude})
    html = thread(team, talk)
    assert "geo:" not in html
    assert "Parque" in html


def test_somebody_on_a_contact_card_can_be_written_to(team, talk):
    card = {"name": {"formatted_name": "Notario & Cía"}, "phones": [{"phone": "+506 8711-2233"}]}
    say(team.channel, "contacts", [card, {"name": {"formatted_name": "Sin número"}}])
    html = thread(team, talk)
    [address] = re.findall(r'href="(/inbox/start/[^"]+)"', html)
    assert address == "/inbox/start/?phone=%2B50687112233&amp;name=Notario+%26+C%C3%ADa"
    assert "Sin número" in html
    dialog = signed_in(team.agent).get(unescape(address), headers={"HX-Request": "true"}).content.decode()
    assert 'value="+50687112233"' in dialog
    assert 'value="Notario &amp; Cía"' in dialog
    assert "/inbox/start/?phone" not in thread(team, talk, member=team.viewer)


def test_an_order_and_a_forms_answers_are_lists(team, talk):
    article = {"product_retailer_id": "SKU-1", "quantity": 2, "item_price": 10.5, "currency": "USD"}
    say(team.channel, "order", {"text": "Para mañana", "product_items": [article]})
    answers = json.dumps({"screen_0_Rating_0": "Excelente"})
    say(team.channel, "interactive", reply(nfm_reply={"response_json": answers, "body": "Sent"}))
    html = " ".join(re.sub(r"<[^>]+>", " ", thread(team, talk)).split())
    assert "Order from your catalog 2× SKU-1 10.5 USD Para mañana" in html
    assert "Form answered Rating Excelente" in html


def test_nothing_points_to_a_phone_where_the_number_is_not(team, talk):
    for kind in ("image", "video", "audio", "document", "sticker", "hologram"):
        say(team.channel, kind, {"id": "1"})
    html = thread(team, talk)
    assert "Open WhatsApp" not in html
    assert "Photo is being fetched" in html
    assert "A message that can’t be shown here" in html


def test_what_a_message_answers_stands_above_it_and_leads_there(team, talk):
    ours = factories.MessageFactory(
        conversation=talk,
        direction="out",
        whatsapp_id="wamid.OURS",
        text="¿El *sábado*?",
        sent_by=team.agent.user,
    )
    say(team.channel, "text", {"body": "Sí, ese día"}, context={"from": "50622014455", "id": "wamid.OURS"})
    html = thread(team, talk)
    quoted = html.partition('<a class="quoted"')[2].partition("</a>")[0]
    assert f'href="#message-{ours.pk}"' in quoted
    assert team.agent.user.first_name in quoted
    assert "¿El sábado?" in quoted


def test_a_quotation_from_long_ago_leads_to_a_page_that_ends_with_it(team, talk):
    say(team.channel, "text", {"body": "Sobre eso"}, context={"from": PERSON, "id": ORIGINAL})
    answer = talk.messages.latest("pk")
    for _number in range(60):
        factories.MessageFactory(conversation=talk, direction="in", at=answer.at - dt.timedelta(minutes=5))
    quoted = thread(team, talk).partition('<a class="quoted"')[2]
    [address, anchor] = re.findall(r'href="([^"#]+)(#[^"]+)"', quoted)[0]
    html = html_of(signed_in(team.agent).get(unescape(address)))
    messages = re.findall(r'id="(message-\d+)"', html)
    assert f"#{messages[-1]}" == anchor
    assert "puedo ir el día 12" in html


def test_what_was_said_in_another_conversation_is_not_quoted(team, stranger, talk):
    for conversation in (team.conversation, stranger.conversation):
        factories.MessageFactory(
            conversation=conversation,
            channel=conversation.channel,
            whatsapp_id=f"wamid.{conversation.pk}",
            text="Secret",
        )
        said_in = {"from": PERSON, "id": f"wamid.{conversation.pk}"}
        say(team.channel, "text", {"body": "¿Y esto?"}, context=said_in)
    html = thread(team, talk)
    assert "¿Y esto?" in html
    assert 'class="quoted"' not in html.partition('id="messages"')[2]


def test_which_ad_somebody_came_from_can_be_read(team, talk):
    ad = {"source_type": "ad", "headline": "Casa en Escazú", "source_url": "https://fb.me/abc"}
    say(team.channel, "text", {"body": "Quiero más información"}, referral=ad)
    assert_it_is_from(thread(team, talk), ad)
    written = talk.messages.latest("pk").whatsapp_id
    node = {"original_message_id": written, "message": {"type": "text", "text": {"body": "Otra cosa"}}}
    say(team.channel, "edit", node)
    assert_it_is_from(thread(team, talk), ad)


def assert_it_is_from(html, ad):
    card = html.partition('class="item item--ad"')[2].partition("</a>")[0]
    assert "Wrote from an ad" in card
    assert ad["headline"] in card
    assert f'href="{ad["source_url"]}"' in card
    assert 'rel="noopener noreferrer"' in card


@pytest.mark.parametrize(
    ("ad", "words"),
    [
        ({"source_type": "post", "body": "Nuevas casas"}, "Wrote from a post"),
        (
            {"source_type": "ad", "headline": "<b>x</b>", "source_url": "javascript:alert(1)"},
            "Wrote from an ad",
        ),
        ({"source_url": "http://[::1"}, "http://[::1"),
    ],
)
def test_an_ad_without_an_address_that_can_be_opened_is_no_link(team, talk, ad, words):
    say(team.channel, "text", {"body": "Quiero más información"}, referral=ad)
    html = thread(team, talk)
    card = html.partition('class="item item--ad"')[2].partition("</div>")[0]
    assert words in card
    assert "href" not in card
    assert "javascript:" not in html
    assert "<b>x</b>" not in card


@pytest.mark.parametrize("ad", [{}, {"headline": ""}, "x", None, {"headline": {"a": 1}}])
def test_a_referral_that_says_nothing_is_left_out(team, talk, ad):
    say(team.channel, "text", {"body": "Quiero más información"}, referral=ad)
    html = thread(team, talk)
    assert "Quiero más información" in html
    assert "item--ad" not in html


# While Meta's Business Agent answers -------------------------------------------------------------------


def standby(channel, words="¿Sigue disponible?", *, answer="Sí, claro."):
    now = int(timezone.now().timestamp())
    said = {
        "id": f"wamid.{words}",
        "from": PERSON,
        "timestamp": str(now),
        "type": "text",
        "text": {"body": words},
    }
    answered = {"id": f"wamid.{answer}", "from": "50622014455", "to": PERSON, "timestamp": str(now + 1)}
    echoes = [{**answered, "type": "text", "text": {"body": answer}}] if answer else []
    post(channel, "standby", messages=[said], message_echoes=echoes)


def test_what_is_said_to_the_agent_is_an_answer_all_the_same(team, talk, waiting):
    standby(team.channel)
    waiting.refresh_from_db()
    talk.refresh_from_db()
    assert waiting.status == Status.CANCELED
    assert (talk.status, talk.unread_count) == (ConversationStatus.OPEN, 1)
    html = thread(team, talk)
    assert "¿Sigue disponible?" in html
    assert "From Meta’s Business Agent" in html.partition("Sí, claro.")[2]


def test_whoever_looks_is_told_that_the_agent_answers_until_somebody_here_writes(team, talk):
    banner = "Meta’s Business Agent answers here."
    assert banner not in thread(team, talk)
    standby(team.channel)
    assert banner in thread(team, talk)
    factories.MessageFactory(
        conversation=talk, direction="out", at=timezone.now() + dt.timedelta(seconds=5), text="Le atiendo yo"
    )
    assert banner not in thread(team, talk)


def test_an_edit_leaves_it_known_that_the_agent_answered(team, talk):
    standby(team.channel, answer="")
    node = {
        "original_message_id": "wamid.¿Sigue disponible?",
        "message": {"type": "text", "text": {"body": "Otra"}},
    }
    say(team.channel, "edit", node)
    html = thread(team, talk)
    assert "Otra" in html
    assert "Meta’s Business Agent answers here." in html


# From the Business app ---------------------------------------------------------------------------------


def echo(channel, **more):
    at = str(int(timezone.now().timestamp()))
    written = {"id": "wamid.ECHO", "to": PERSON, "type": "text", "text": {"body": "Desde el celular"}}
    post(channel, "smb_message_echoes", message_echoes=[{**written, "timestamp": at, **more}])


def test_what_a_colleague_sent_from_the_app_is_seen(team, talk, waiting):
    for _turn in range(2):
        echo(team.channel)
    html = thread(team, talk)
    assert html.count("Desde el celular") == 2
    assert "From the WhatsApp app" in html
    talk.refresh_from_db()
    waiting.refresh_from_db()
    assert (talk.unread_count, waiting.status) == (0, Status.PENDING)
    assert talk.last_inbound_at < timezone.now() - dt.timedelta(days=1)


def test_an_echo_to_somebody_new_makes_the_conversation(team):
    echo(team.channel, to="50670000001")
    message = Message.objects.get(whatsapp_id="wamid.ECHO")
    assert (message.direction, message.conversation.contact.phone) == ("out", "+50670000001")


# What it costs -----------------------------------------------------------------------------------------


def test_what_meta_bills_is_kept_whether_the_message_is_recorded_yet_or_not(team, talk):
    sent = factories.MessageFactory(conversation=talk, whatsapp_id="wamid.OUT", delivery="accepted")
    pricing = {"billable": True, "type": "regular", "category": "utility", "pricing_model": "PMP", "x": 1}
    at = str(int(timezone.now().timestamp()))
    post(
        team.channel,
        statuses=[{"id": "wamid.OUT", "status": "delivered", "timestamp": at, "pricing": pricing}],
    )
    sent.refresh_from_db()
    assert sent.pricing == {key: pricing[key] for key in ("billable", "type", "category", "pricing_model")}
    early = {"id": "wamid.EARLY", "status": "sent", "timestamp": at, "pricing": pricing}
    post(team.channel, statuses=[early])
    late = factories.MessageFactory(conversation=talk, whatsapp_id="wamid.EARLY", delivery="accepted")
    recording.apply_early_statuses(late)
    late.refresh_from_db()
    assert late.pricing["category"] == "utility"
