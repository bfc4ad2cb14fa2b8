from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError

from tests.factories import ChannelFactory
from tests.whatsapp.conftest import change
from trochai.clock import database_now
from trochai.whatsapp import signals, tasks
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


def test_another_organizations_events_are_not_handed_on(channel, heard):
    other = ChannelFactory(app_secret="another-secret")
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


# What one body, or one channel, may do to the others ---------------------------------------------------


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(deliveries, "PIECE", 2)


def test_a_body_with_more_events_than_meta_ever_puts_into_one_is_set_aside(channel, heard, caplog):
    ids = [str(number) for number in range(deliveries.MOST_EVENTS + 1)]
    delivery = stored(channel, change(channel, messages=inbound(*ids)))
    assert deliveries.process(delivery.pk, now=NOW)
    delivery.refresh_from_db()
    assert heard == []
    assert (delivery.processed_at, delivery.next_attempt_at) == (NOW, None)
    assert delivery.error == "More than 5000 events."
    assert "webhook delivery set aside" in caplog.text


def test_while_a_long_body_is_worked_on_its_lease_does_not_run_out(channel, only, small_pieces):
    seen = []

    def receive(event, **_):
        seen.append(event.id)
        # Only what was renewed a piece ago is still this worker's.
        WebhookDelivery.objects.filter(done__lt=len(seen) - 2).update(next_attempt_at=NOW)

    only(signals.inbound_message, receive)
    delivery = stored(channel, change(channel, messages=inbound(*"abcdefg")))
    deliveries.process(delivery.pk, now=NOW)
    delivery.refresh_from_db()
    assert seen == list("abcdefg")
    assert (delivery.processed_at, delivery.error) == (NOW, "")


def test_after_a_worker_died_the_next_goes_on_from_where_it_was(channel, only, small_pieces):
    class Killed(BaseException):
        pass

    seen = []

    def receive(event, **_):
        seen.append(event.id)
        if event.id == "e" and seen.count("e") == 1:
            raise Killed

    only(signals.inbound_message, receive)
    delivery = stored(channel, change(channel, messages=inbound(*"abcdefg")))
    with pytest.raises(Killed):
        deliveries.process(delivery.pk, now=NOW)
    assert not deliveries.process(delivery.pk, now=NOW + MINUTE)
    assert deliveries.process(delivery.pk, now=NOW + 2 * deliveries.LEASE)
    assert "".join(seen) == "abcdeefg"


def test_a_worker_that_was_away_for_longer_than_its_lease_leaves_the_body_to_the_other(
    channel, only, small_pieces
):
    seen = []

    def receive(event, **_):
        seen.append(event.id)
        if event.id == "b" and seen.count("b") == 1:
            assert deliveries.process(delivery.pk, now=NOW + deliveries.LEASE)

    only(signals.inbound_message, receive)
    delivery = stored(channel, change(channel, messages=inbound(*"abcd")))
    deliveries.process(delivery.pk, now=NOW)
    assert seen == [*"ab", *"abcd"]


def test_what_breaks_every_worker_is_given_up_and_seen(channel, only, caplog):
    class Killed(BaseException):
        pass

    def die(**_):
        raise Killed

    only(signals.inbound_message, die)
    delivery = stored(channel, change(channel, messages=inbound("a")))
    now = NOW
    for _try in range(deliveries.MOST_BREAKS):
        with pytest.raises(Killed):
            deliveries.process(delivery.pk, now=now)
        now += deliveries.LEASE
    assert deliveries.process(delivery.pk, now=now)
    delivery.refresh_from_db()
    assert (delivery.processed_at, delivery.error) == (now, "Processing it never came to an end.")
    assert "webhook delivery given up" in caplog.text


def test_a_flood_on_one_channel_holds_up_no_other(channel, heard):
    flood = [
        stored(channel, change(channel, messages=inbound(f"flood {n}"))).pk
        for n in range(deliveries.SHARE + 9)
    ]
    other = ChannelFactory()
    late = stored(other, change(other, messages=inbound("other"))).pk
    batch = deliveries.next_batch(NOW)
    assert batch.index(late) <= 1
    assert len(set(batch) & set(flood)) == deliveries.SHARE


def test_so_much_is_taken_at_a_time_however_many_channels_have_something(channel, heard, monkeypatch):
    monkeypatch.setattr(deliveries, "BATCH", 3)
    first = [
        stored(each, change(each, messages=inbound(f"{each.pk}"))).pk
        for each in [channel, *(ChannelFactory() for _n in range(4))]
    ]
    assert len(deliveries.next_batch(NOW)) == 3
    assert set(deliveries.next_batch(NOW)) < set(first)


def test_a_sweep_goes_on_until_nothing_is_due(channel, heard):
    now = database_now()
    for number in range(3 * deliveries.SHARE):
        stored(channel, change(channel, messages=inbound(str(number))), now=now)
    tasks.process_waiting_webhooks()
    assert len(heard) == 3 * deliveries.SHARE
    assert not WebhookDelivery.objects.filter(processed_at=None).exists()
