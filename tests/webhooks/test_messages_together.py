"""Messages that are written together lead to what each would have led to by itself."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from django.utils import timezone

from conversations.models import Alias, Conversation, ConversationStatus, Identity, Message
from conversations.signals import messages_received
from followups.models import FollowUp, FollowUpChange
from notifications.models import Notification
from tests import factories
from tests.conftest import make_team
from tests.webhooks.test_identity import waiting_for
from tests.webhooks.together import left_each_way, store, text
from trochai.clock import database_now
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries
from trochai.whatsapp.webhooks.parsing import InboundMessage

KINDS = ("text", "text", "text", "image", "edit", "revoke", "reaction", "system", "request_welcome")


def world(seed: int, now: dt.datetime):
    """Return a team that knows more or less of some people, and what these do, as Meta writes it."""
    made = random.Random(seed)
    team = make_team()
    told = []
    for number in range(8):
        person = somebody(team, made, number, now)
        told += [event_of(person, made, number, now) for _each in range(made.randint(0, 5))]
    made.shuffle(told)
    return team, told


def somebody(team, made: random.Random, number: int, now: dt.datetime) -> dict:
    """Return how Meta names a person, who may be known here, and whom a follow-up may wait for."""
    phone = made.choice([f"+506888812{number:02}", f"+52551234560{number}"])
    person = {"phone": phone, "user_id": f"CR.{number}", "wa_id": phone[1:]}
    if made.random() < 0.15:
        person["wa_id"] = phone[1:].replace("52", "521", 1)
    if made.random() < 0.15:
        return person
    is_known_by_id = made.random() < 0.2
    contact = factories.ContactFactory(
        organization=team.organization,
        phone="" if is_known_by_id else phone,
        user_ids=person["user_id"] if is_known_by_id else "",
        name=made.choice(["", "Inés Invento", "Inés Invento"]),
        first_seen_at=made.choice([None, None, now - dt.timedelta(seconds=100)]),
    )
    if is_known_by_id or made.random() < 0.5:
        factories.IdentityFactory(
            contact=contact, channel=team.channel, user_id=person["user_id"], known_at=now
        )
    if made.random() < 0.1:
        Alias.objects.create(organization=team.organization, name=phone, stands_for=f"{phone[:-1]}9")
    if made.random() < 0.85:
        talk_with(contact, team, made, now)
    return person


def talk_with(contact, team, made: random.Random, now: dt.datetime) -> None:
    moment = now - dt.timedelta(seconds=made.choice([50, 500]))
    conversation = factories.ConversationFactory(
        organization=team.organization,
        channel=team.channel,
        contact=contact,
        status=made.choice(ConversationStatus.values),
        unread_count=made.randint(0, 2),
        last_message_at=moment,
        last_inbound_at=made.choice([None, moment]),
        preview="Buenos días",
        preview_kind=made.choice(["", "text"]),
    )
    if made.random() < 0.6:
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=conversation,
            template=team.template,
            created_by=team.agent.user,
            cancel_on_reply=made.random() < 0.8,
            created_at=now - dt.timedelta(seconds=made.choice([100, 1000])),
        )


def event_of(person: dict, made: random.Random, number: int, now: dt.datetime) -> dict:
    """Return a message with the contact that Meta describes beside it."""
    kind = made.choice(KINDS)
    node = {
        "id": f"wamid.{number}.{made.randint(0, 9)}",
        "timestamp": str(int(now.timestamp()) - made.choice([0, 0, 30, 150])),
        "type": kind,
        kind: node_of(kind, made, number),
    }
    if made.random() < 0.85:
        node["from"] = person["wa_id"]
    if "from" not in node or made.random() < 0.3:
        node["from_user_id"] = made.choice([person["user_id"], person["user_id"], f"CR.9{number}"])
    if made.random() < 0.1:
        node["group_id"] = "group"
    contact = {"wa_id": person["wa_id"]}
    if made.random() < 0.5:
        contact["profile"] = {"name": "Perfil Inventado"} | ({"username": "ines"} if number % 4 == 0 else {})
    return {"messages": [node], "contacts": [contact]}


def node_of(kind: str, made: random.Random, number: int) -> dict:
    about = f"wamid.{number}.{made.randint(0, 9)}"
    match kind:
        case "edit":
            words = {"type": "text", "text": {"body": "Corregido"}}
            return {"original_message_id": about, "message": words}
        case "revoke":
            return {"original_message_id": about}
        case "reaction":
            return {"message_id": about, "emoji": "👍"}
        case "system":
            return {"type": "user_changed_number", "wa_id": f"5067777{number:04}", "body": "Otro número"}
        case "image":
            return {"caption": f"Foto {made.randint(0, 99)}", "id": "1"}
    return {"body": f"Mensaje {made.randint(0, 9999)}"}


def left_behind(team) -> dict[str, list]:
    """Return what the database holds of the team, without ids."""
    organization = team.organization
    contact = "conversation__contact__phone", "conversation__contact__user_ids"
    summary = (
        *("status", "unread_count", "last_message_at", "last_inbound_at"),
        *("preview", "preview_kind", "preview_is_outbound", "search_text"),
    )
    rows = {
        "conversations": Conversation.objects.filter(organization=organization)
        .exclude(pk=team.conversation.pk)
        .values_list("contact__phone", "contact__user_ids", "merged_into__contact__phone", *summary),
        "follow-ups": FollowUp.objects.filter(organization=organization).values_list(
            *contact, "status", "cancel_cause", "held_reason"
        ),
        "changes": FollowUpChange.objects.filter(follow_up__organization=organization).values_list(
            "follow_up__conversation__contact__phone", "kind", "values"
        ),
        "notifications": Notification.objects.filter(organization=organization).values_list("kind", "values"),
        "identities": Identity.objects.filter(organization=organization).values_list(
            "contact__phone", "user_id", "username", "parent_user_id", "known_at", "retired_at"
        ),
        "aliases": Alias.objects.filter(organization=organization).values_list("name", "stands_for"),
        "contacts": organization.contacts.exclude(pk=team.conversation.contact_id).values_list(
            *("name", "phone", "user_ids", "first_seen_at", "in_doubt_since", "search_text")
        ),
    }
    thread = Message.objects.filter(conversation__organization=organization).order_by("at", "pk")
    # What the follow-ups say there has the moment and links of the test itself; see changes.
    thread = thread.exclude(whatsapp_id="")
    by_person: dict[tuple, list] = {}
    for row in thread.values_list(*contact, "whatsapp_id", "direction", "kind", "text", "content", "at"):
        by_person.setdefault(row[:2], []).append(row[2:])
    return {name: sorted(map(repr, found)) for name, found in rows.items()} | {
        "threads": sorted(map(repr, by_person.items()))
    }


@pytest.mark.parametrize("seed", range(24))
def test_it_is_all_the_same_whether_together_or_one_by_one(db, monkeypatch, seed):
    now = timezone.now().replace(microsecond=0)
    results = left_each_way(monkeypatch, world=lambda: world(seed, now), store=store, left_behind=left_behind)
    assert results[0] == results[2]
    assert results[1] == results[2]


@pytest.fixture
def talks(team):
    """Thirty conversations; a follow-up of each third waits for silence."""
    made = [
        factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            last_message_at=timezone.now() - dt.timedelta(1),
        )
        for _each in range(30)
    ]
    for conversation in made[::3]:
        waiting_for(team, conversation)
    return made


def test_many_plain_ones_take_few_statements(team, talks, django_assert_max_num_queries):
    row = store(team.channel, [text(talk, number) for number, talk in enumerate(talks[1::3])])
    # Ten messages one by one would take more than a hundred.
    with django_assert_max_num_queries(23):
        deliveries.process(row.pk, now=database_now())
    written = Conversation.objects.filter(preview_kind="text", unread_count=1)
    assert written.count() == 10
    assert {each.preview for each in written} == {f"Mensaje {number}" for number in range(10)}


def test_so_do_those_that_come_late(team, talks, django_assert_max_num_queries):
    """Each conversation shows a later message already, and goes on to show it."""
    later = timezone.now() + dt.timedelta(hours=1)
    talked = Conversation.objects.filter(pk__in=[talk.pk for talk in talks[1::3]])
    talked.update(
        last_message_at=later,
        last_inbound_at=later,
        preview="Más tarde",
        preview_kind="text",
        status="closed",
    )
    row = store(team.channel, [text(talk, number) for number, talk in enumerate(talks[1::3])])
    with django_assert_max_num_queries(23):
        deliveries.process(row.pk, now=database_now())
    shown = talked.values_list("preview", "last_message_at", "last_inbound_at", "unread_count", "status")
    assert set(shown) == {("Más tarde", later, later, 1, "open")}
    assert Message.objects.filter(direction="in", conversation__in=talked).count() == 10


def test_so_do_many_bodies_of_one_each(team, talks, django_assert_max_num_queries):
    for number, talk in enumerate(talks[1::3]):
        store(team.channel, [text(talk, number)])
    with django_assert_max_num_queries(23):
        process_waiting_webhooks()
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert Message.objects.filter(direction="in").count() == 10


def test_each_answer_cancels_what_waited_for_silence(team, talks):
    store(team.channel, [text(talk, number) for number, talk in enumerate(talks)])
    process_waiting_webhooks()
    assert set(FollowUp.objects.values_list("status", "cancel_cause")) == {("canceled", "reply")}
    assert Notification.objects.filter(kind="follow_up_canceled").count() == 10


def test_an_answer_written_before_a_follow_up_was_scheduled_cancels_nothing(team, talks):
    earlier = str(int((timezone.now() - dt.timedelta(hours=1)).timestamp()))
    FollowUp.objects.update(created_at=timezone.now())
    store(team.channel, [text(talk, number, timestamp=earlier) for number, talk in enumerate(talks)])
    process_waiting_webhooks()
    assert Message.objects.filter(direction="in").count() == 30
    assert set(FollowUp.objects.values_list("status", flat=True)) == {"pending"}


def test_one_that_breaks_the_others_leaves_them_to_themselves(team, talks, monkeypatch):
    real = deliveries.taken_together[InboundMessage]

    def record(channel, events: list[InboundMessage]):
        real(channel, events)
        raise RuntimeError

    monkeypatch.setitem(deliveries.taken_together, InboundMessage, record)
    store(team.channel, [text(talk, number) for number, talk in enumerate(talks)])
    process_waiting_webhooks()
    assert Message.objects.filter(direction="in").count() == 30
    assert set(
        Conversation.objects.filter(pk__in=[talk.pk for talk in talks]).values_list("unread_count")
    ) == {(1,)}


def test_only_the_one_that_fails_is_tried_again(team, talks):
    def refuse(messages: list[Message], **_signal: object) -> None:
        if any(message.text == "Mensaje 5" for message in messages):
            raise RuntimeError

    rows = [store(team.channel, [text(talk, number)]) for number, talk in enumerate(talks[:10])]
    messages_received.connect(refuse)
    try:
        process_waiting_webhooks()
    finally:
        messages_received.disconnect(refuse)
    assert list(WebhookDelivery.objects.filter(processed_at=None)) == [rows[5]]
    assert Message.objects.filter(direction="in").count() == 9
    WebhookDelivery.objects.update(next_attempt_at=database_now())
    process_waiting_webhooks()
    assert Message.objects.filter(direction="in").count() == 10


def test_the_same_number_in_another_organization_hears_nothing(team, stranger):
    contact = factories.ContactFactory(
        organization=team.organization, phone=stranger.conversation.contact.phone
    )
    mine = factories.ConversationFactory(
        organization=team.organization,
        channel=team.channel,
        contact=contact,
        last_message_at=timezone.now() - dt.timedelta(days=1),
    )
    store(team.channel, [text(mine, 1)])
    store(team.channel, [text(mine, 2)])
    process_waiting_webhooks()
    assert list(mine.messages.values_list("text", flat=True)) == ["Mensaje 1", "Mensaje 2"]
    assert not stranger.conversation.messages.exists()
