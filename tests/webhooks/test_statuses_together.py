"""Statuses that are followed together lead to what each would have led to by itself."""

from __future__ import annotations

import datetime as dt
import random
import uuid

import pytest
from django.utils import timezone

from conversations import bulk_statuses
from conversations.models import Alias, EarlyStatus, Identity, Message
from followups.models import FollowUp
from tests import factories
from tests.conftest import make_team
from tests.webhooks import together
from tests.webhooks.meta import post
from trochai.clock import database_now
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries
from trochai.whatsapp.webhooks.parsing import MessageStatus

STATUSES = ("sent", "delivered", "read", "played", "failed", "nonsense")


def world(seed: int, now: dt.datetime):
    """Return a team with messages in every state, and statuses about them as Meta writes them."""
    made = random.Random(seed)
    team = make_team()
    told = []
    for number in range(8):
        message, attempt = sent_message(team, made, number, now)
        told += [status_of(message, attempt, made, number, now) for _each in range(made.randint(0, 5))]
    made.shuffle(told)
    return team, told


def sent_message(team, made: random.Random, number: int, now: dt.datetime):
    """Return a message to somebody of whom more or less is known, and the attempt that sent it, if any."""
    phone = f"+506888812{number:02}"
    contact = factories.ContactFactory(organization=team.organization, phone=phone)
    conversation = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )
    message = factories.MessageFactory(
        conversation=conversation,
        direction="out",
        delivery=made.choice(["accepted", "accepted", "sent", "delivered", "read", "failed", "unknown"]),
        whatsapp_id=f"wamid.{number}",
        at=now - dt.timedelta(minutes=5),
    )
    if made.random() < 0.6:
        factories.IdentityFactory(contact=contact, user_id=f"CR.{number}", known_at=now)
    if made.random() < 0.15:
        Alias.objects.create(organization=team.organization, name=phone, stands_for=f"{phone[:-1]}9")
    if made.random() < 0.5:
        return message, None
    follow_up = factories.FollowUpFactory(
        organization=team.organization,
        conversation=conversation,
        template=team.template,
        created_by=team.agent.user,
        status="sent",
        message=message,
    )
    attempt = factories.AttemptFactory(follow_up=follow_up, requested_at=message.at)
    Message.objects.filter(pk=message.pk).update(attempt=attempt.pk)
    return message, attempt


def status_of(message, attempt, made: random.Random, number: int, now: dt.datetime) -> dict:
    phone = message.conversation.contact.phone
    node = {
        "id": message.whatsapp_id if made.random() < 0.9 else f"wamid.other.{number}",
        "status": made.choice(STATUSES),
        "timestamp": str(int(now.timestamp()) - made.randint(0, 200)),
        "recipient_id": phone[1:] if made.random() < 0.8 else f"5067777{number:04}",
    }
    if made.random() < 0.4:
        node["recipient_user_id"] = made.choice([f"CR.{number}", f"CR.9{number}"])
    if made.random() < 0.3:
        node["pricing"] = {"billable": made.random() < 0.5, "category": "utility"}
    if node["status"] == "failed":
        node["errors"] = [{"code": made.choice([131026, 131050, 131049]), "title": "Not sent"}]
    if attempt is not None and made.random() < 0.8:
        node["biz_opaque_callback_data"] = f"attempt:{attempt.pk}"
    elif made.random() < 0.1:
        node["biz_opaque_callback_data"] = f"attempt:{uuid.UUID(int=made.getrandbits(128))}"
    return node


def store(channel, nodes: list[dict]) -> WebhookDelivery:
    return together.store(channel, [{"statuses": nodes}])


def left_behind(team) -> dict[str, list]:
    """Return what the database holds of the team, without ids."""
    organization = team.organization
    messages = Message.objects.filter(conversation__organization=organization)
    rows = {
        "messages": messages.values_list(
            "whatsapp_id", "delivery", "error_code", "pricing", "direction", "kind"
        ),
        "early": EarlyStatus.objects.filter(channel=team.channel).values_list(
            "whatsapp_id", "status", "pricing"
        ),
        "follow-ups": FollowUp.objects.filter(organization=organization).values_list(
            "message__whatsapp_id", "status", "failure_kind", "failure_code"
        ),
        "identities": Identity.objects.filter(organization=organization).values_list(
            "contact__phone", "user_id", "retired_at"
        ),
        "aliases": Alias.objects.filter(organization=organization).values_list("name", "stands_for"),
        "contacts": organization.contacts.exclude(pk=team.conversation.contact_id).values_list(
            "phone", "opted_out_at", "in_doubt_since", "merged_into"
        ),
    }
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


@pytest.mark.parametrize("seed", range(24))
def test_it_is_all_the_same_whether_together_or_one_by_one(db, monkeypatch, seed):
    now = timezone.now()
    results = together.left_each_way(
        monkeypatch, world=lambda: world(seed, now), store=store, left_behind=left_behind
    )
    assert results[0] == results[1] == results[2]


@pytest.fixture
def plain(team):
    """Statuses of sixty messages, each sent, delivered and read, that say nothing else."""
    nodes = []
    for number in range(60):
        conversation = factories.ConversationFactory(organization=team.organization, channel=team.channel)
        factories.MessageFactory(
            conversation=conversation, direction="out", delivery="accepted", whatsapp_id=f"wamid.{number}"
        )
        told = {
            "id": f"wamid.{number}",
            "timestamp": str(int(timezone.now().timestamp())),
            "recipient_id": conversation.contact.phone[1:],
        }
        nodes += [{**told, "status": step} for step in ("sent", "delivered", "read")]
    return nodes


def test_many_plain_ones_take_few_statements(team, plain, django_assert_max_num_queries):
    # Stored and read in two pieces: 180 statuses one by one would take more than a thousand.
    with django_assert_max_num_queries(40):
        post(team.channel, statuses=plain)
    assert set(Message.objects.values_list("delivery", flat=True)) == {"read"}


def test_so_do_many_bodies_of_one_each(team, plain, django_assert_max_num_queries):
    for node in plain[: deliveries.SHARE - 2]:
        store(team.channel, [node])
    with django_assert_max_num_queries(18):
        process_waiting_webhooks()
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert set(WebhookDelivery.objects.values_list("claims", "error", "next_attempt_at")) == {(1, "", None)}
    assert Message.objects.filter(delivery="read").count() == 16
    # A worker that is woken once more has nothing left to do.
    with django_assert_max_num_queries(4):
        process_waiting_webhooks()


def test_a_body_that_says_more_is_left_to_its_own_task(team, plain):
    failed = {**plain[2], "status": "failed", "errors": [{"code": 131026, "title": "Undeliverable"}]}
    rows = [store(team.channel, nodes) for nodes in ([plain[0]], [failed], [plain[3], {"id": 5}], [plain[6]])]
    done = deliveries.process_together([row.pk for row in rows], now=database_now())
    assert done == {rows[2].pk, rows[3].pk}
    process_waiting_webhooks()
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert Message.objects.get(whatsapp_id="wamid.0").delivery == "failed"


def test_a_large_body_is_read_alone(team, plain):
    """What is taken together is in memory at once."""
    small, large = (
        store(team.channel, [plain[0]]),
        store(team.channel, [plain[3] | {"x": "x" * deliveries.SMALL}]),
    )
    assert deliveries.process_together([small.pk, large.pk], now=database_now()) == {small.pk}
    process_waiting_webhooks()
    assert Message.objects.filter(delivery="sent").count() == 2


def test_bodies_that_cannot_be_taken_together_are_read_one_by_one(team, plain, monkeypatch):
    def fail(channel, events: list[MessageStatus]):
        raise RuntimeError

    monkeypatch.setitem(deliveries.taken_together, MessageStatus, fail)
    for node in plain[:6]:
        store(team.channel, [node])
    process_waiting_webhooks()
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert Message.objects.filter(delivery="read").count() == 2


def test_what_ends_the_worker_is_read_alone_the_next_time(team, plain, monkeypatch):
    def die(channel, events: list[MessageStatus]):
        raise SystemExit

    row = store(team.channel, [plain[0]])
    with monkeypatch.context() as patched:
        patched.setitem(deliveries.taken_together, MessageStatus, die)
        with pytest.raises(SystemExit):
            process_waiting_webhooks()
    assert deliveries.next_batch(database_now()) == []
    assert deliveries.next_batch(database_now() + dt.timedelta(minutes=1)) == [row.pk]
    WebhookDelivery.objects.update(next_attempt_at=database_now())
    other = store(team.channel, [plain[3]])
    assert deliveries.process_together([row.pk, other.pk], now=database_now()) == {other.pk}
    process_waiting_webhooks()
    assert Message.objects.filter(delivery="sent").count() == 2


def test_one_that_breaks_the_others_leaves_them_to_themselves(team, plain, monkeypatch):
    real = bulk_statuses.follow_plain

    def follow(channel, events: list[MessageStatus]):
        real(channel, events)
        raise RuntimeError

    monkeypatch.setitem(deliveries.taken_together, MessageStatus, follow)
    post(team.channel, statuses=plain[:30])
    assert Message.objects.filter(delivery="read").count() == 10


def test_a_status_of_another_organizations_message_moves_nothing(team, stranger):
    theirs = factories.MessageFactory(
        conversation=stranger.conversation, direction="out", delivery="accepted", whatsapp_id="wamid.T"
    )
    node = {"id": "wamid.T", "status": "read", "timestamp": str(int(timezone.now().timestamp()))}
    post(team.channel, statuses=[{**node, "recipient_id": theirs.conversation.contact.phone[1:]}])
    theirs.refresh_from_db()
    assert theirs.delivery == "accepted"
