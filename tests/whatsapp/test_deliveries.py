from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError

from tests.factories import ChannelFactory
from tests.whatsapp.conftest import change
from trochai.whatsapp import signals
from trochai.whatsapp.models import Channel, WebhookDelivery
from trochai.whatsapp.webhooks import deliveries, parsing

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def only(monkeypatch):
    """Replace a signal's receivers by one of the test's own."""

    def listen(signal, receiver):
        monkeypatch.setattr(signal, "receivers", [])
        signal.sender_receivers_cache.clear()
        signal.connect(receiver, weak=False)

    yield listen
    for signal in deliveries.SIGNALS.values():
        signal.sender_receivers_cache.clear()


@pytest.fixture
def heard(only):
    """The ids of the inbound messages that were handed on."""
    ids = []
    only(signals.inbound_message, lambda event, **_: ids.append(event.id))
    return ids


def inbound(*ids):
    return [{"from": "50688881234", "id": name, "type": "text", "text": {"body": name}} for name in ids]


def stored(channel, payload, now=NOW):
    return deliveries.store(channel, json.dumps(payload).encode(), now=now)


def test_each_event_is_handed_on_once_with_its_channel(channel, only):
    seen = []
    only(
        signals.inbound_message, lambda sender, channel, event, **_: seen.append((sender, channel, event.id))
    )
    delivery = stored(channel, change(channel, messages=inbound("a", "b")))
    assert deliveries.process(delivery.pk, now=NOW)
    assert seen == [(Channel, channel, "a"), (Channel, channel, "b")]
    delivery.refresh_from_db()
    assert (delivery.processed_at, delivery.next_attempt_at, delivery.error) == (NOW, None, "")


def test_a_processed_delivery_is_not_processed_again(channel, heard):
    delivery = stored(channel, change(channel, messages=inbound("a")))
    assert [deliveries.process(delivery.pk, now=NOW) for _ in range(3)] == [True, False, False]
    assert heard == ["a"]


def test_a_task_for_a_delivery_that_is_gone_is_harmless(db):
    assert deliveries.process(999, now=NOW) is False


def test_while_one_worker_processes_another_leaves_it_alone(channel, only):
    delivery = stored(channel, change(channel, messages=inbound("a")))
    nested = []
    only(
        signals.inbound_message, lambda **_: nested.append(deliveries.process(delivery.pk, now=NOW + MINUTE))
    )
    deliveries.process(delivery.pk, now=NOW)
    assert nested == [False]


def test_what_a_dead_worker_held_is_taken_up_again(channel, heard):
    delivery = stored(channel, change(channel, messages=inbound("a")))
    WebhookDelivery.objects.update(next_attempt_at=NOW + deliveries.LEASE)
    assert not deliveries.process(delivery.pk, now=NOW + MINUTE)
    assert deliveries.process(delivery.pk, now=NOW + deliveries.LEASE)
    assert heard == ["a"]


def test_an_event_that_fails_is_undone_and_the_others_are_kept(channel, only):
    def receive(event, **_):
        ChannelFactory(name=event.id)
        if event.id == "bad":
            raise DatabaseError("no")

    only(signals.inbound_message, receive)
    delivery = stored(channel, change(channel, messages=inbound("good", "bad", "also good")))
    deliveries.process(delivery.pk, now=NOW)
    assert set(Channel.objects.values_list("name", flat=True)) == {channel.name, "good", "also good"}
    delivery.refresh_from_db()
    assert delivery.error == "InboundMessage: DatabaseError"
    assert (delivery.processed_at, delivery.failures) == (None, 1)
    assert delivery.next_attempt_at == NOW + MINUTE


def test_it_is_tried_again_later_and_later_and_then_given_up(channel, only, caplog):
    def receive(**_):
        raise RuntimeError("+506 8888 1234 wrote a secret")

    only(signals.inbound_message, receive)
    delivery = stored(channel, change(channel, messages=inbound("a")))
    now, waits = NOW, []
    for _ in range(20):
        if not deliveries.process(delivery.pk, now=now):
            break
        delivery.refresh_from_db()
        if delivery.next_attempt_at:
            waits.append((delivery.next_attempt_at - now) // MINUTE)
            now = delivery.next_attempt_at
    assert waits[:5] == [1, 5, 15, 60, 120]
    assert (delivery.failures, delivery.processed_at) == (12, now)
    assert delivery.error == "InboundMessage: RuntimeError"
    assert "webhook delivery given up" in caplog.text


def test_it_recovers_when_the_cause_is_gone(channel, only, heard):
    def fail(**_):
        raise RuntimeError

    delivery = stored(channel, change(channel, messages=inbound("a")))
    only(signals.inbound_message, fail)
    deliveries.process(delivery.pk, now=NOW)
    only(signals.inbound_message, lambda event, **_: heard.append(event.id))
    assert deliveries.process(delivery.pk, now=NOW + MINUTE)
    delivery.refresh_from_db()
    assert (heard, delivery.error, delivery.next_attempt_at) == (["a"], "", None)


def test_another_channels_events_are_not_handed_on(channel, heard):
    other = ChannelFactory()
    payload = change(channel, number=other.phone_number_id, messages=inbound("a"))
    deliveries.process(stored(channel, payload).pk, now=NOW)
    assert heard == []


def test_the_oldest_is_processed_first(channel):
    late = stored(channel, {}, now=NOW)
    early = stored(channel, {}, now=NOW - MINUTE)
    stored(channel, {}, now=NOW + MINUTE)
    assert list(deliveries.waiting(NOW)) == [early, late]


def test_processed_bodies_are_kept_a_week_and_failed_ones_a_month(channel):
    for days, error in [(6, ""), (8, ""), (8, "x"), (31, "x")]:
        delivery = stored(channel, {})
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            processed_at=NOW - dt.timedelta(days=days), error=error, next_attempt_at=None
        )
    stored(channel, {}, now=NOW - dt.timedelta(days=99))
    assert deliveries.purge(NOW) == 2
    kept = WebhookDelivery.objects.exclude(processed_at=None)
    assert sorted((NOW - row.processed_at).days for row in kept) == [6, 8]


def test_a_body_that_the_parser_trips_over_is_counted_and_holds_up_no_other(channel, heard, monkeypatch):
    events = parsing.events

    def trip(payload, **rest):
        if "broken" in json.dumps(payload):
            raise RuntimeError("a bug")
        return events(payload, **rest)

    monkeypatch.setattr(parsing, "events", trip)
    broken = stored(channel, change(channel, messages=inbound("broken")))
    stored(channel, change(channel, messages=inbound("fine")))
    for delivery in list(deliveries.waiting(NOW)):
        deliveries.process(delivery.pk, now=NOW)
    broken.refresh_from_db()
    assert heard == ["fine"]
    assert (broken.failures, broken.next_attempt_at) == (1, NOW + MINUTE)
    assert "RuntimeError" in broken.error
