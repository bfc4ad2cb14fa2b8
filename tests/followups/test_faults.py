"""What breaks on the way: one bad row, one bad write, a broker that is down. Nothing else may suffer."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from conversations import recording
from conversations.models import Conversation
from followups import announcements, lifecycle
from followups.models import FailureKind, FollowUp, Outcome, Status
from followups.tasks import send_due_follow_ups
from followups.wording.failures import reason_for
from followups.wording.notices import Kind
from notifications.models import Notification
from tests import factories
from tests.followups.engine import refreshed, sent_of, tick
from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import message_status
from trochai.whatsapp.webhooks.parsing import MessageStatus

# Before the call -----------------------------------------------------------------------------------


def test_a_row_that_cannot_be_prepared_fails_with_a_reason_and_holds_up_no_other(meta, due, team):
    broken, fine = due(minutes=5, parameters={"body.1": "María"}), due()
    tick()
    assert refreshed(fine).status == Status.SENT
    row = refreshed(broken)
    assert (row.status, row.failure_kind) == (Status.FAILED, FailureKind.RECHECK)
    assert "could not be prepared" in reason_for(row.failure)
    assert len(meta.requests) == 1
    assert Notification.objects.filter(kind=Kind.FOLLOW_UP_FAILED, recipient=team.agent.user).count() == 1


def test_a_row_that_cannot_even_be_failed_holds_up_no_other(meta, due, monkeypatch):
    missed, fine = due(minutes=600), due()
    monkeypatch.setattr(announcements, "announce_failed", _raise)
    tick()
    assert refreshed(fine).status == Status.SENT
    assert refreshed(missed).status == Status.PROCESSING
    lifecycle.tidy_up(now=timezone.now() + lifecycle.LEASE)
    assert refreshed(missed).status == Status.PENDING


# After the call ------------------------------------------------------------------------------------


def test_an_outcome_that_cannot_be_recorded_holds_up_no_other(meta, due, monkeypatch):
    broken, fine = due(minutes=5, parameters={"body.1": "Ñ", "body.2": "EC", "body.3": "hoy"}), due()

    def break_one(message):
        return _raise() if "Ñ" in message["body"] else message["body"]

    monkeypatch.setattr(recording, "text_of", break_one)
    tick()
    tick()
    assert refreshed(fine).status == Status.SENT
    assert refreshed(broken).status == Status.PROCESSING
    assert len(meta.requests) == 2
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    assert refreshed(broken).failure_kind == FailureKind.UNKNOWN


def test_a_channel_that_cannot_be_told_loses_no_outcome(meta, due, monkeypatch):
    monkeypatch.setattr(rate, "slow_down", _raise)
    meta.answer(130429)
    rows = [due(), due()]
    tick()
    assert sorted(refreshed(row).status for row in rows) == [Status.PENDING, Status.SENT]


def test_a_row_that_cannot_be_given_up_keeps_neither_others_nor_the_sending(meta, due, monkeypatch):
    long_ago = timezone.now() - dt.timedelta(hours=1)
    held = {
        "status": Status.PROCESSING,
        "requested_at": long_ago,
        "reconcile_until": long_ago,
    }
    bad, other, fine = due(minutes=90, **held), due(minutes=80, **held), due()
    announce = announcements.announce_failed

    def announce_all_but_one(follow_up, **arguments):
        if follow_up.pk == bad.pk:
            raise RuntimeError("a bug")
        announce(follow_up, **arguments)

    monkeypatch.setattr(announcements, "announce_failed", announce_all_but_one)
    tick()
    assert refreshed(bad).status == Status.PROCESSING
    assert refreshed(other).failure_kind == FailureKind.UNKNOWN
    assert refreshed(fine).status == Status.SENT


def test_an_unknown_outcome_does_not_overwrite_what_the_webhook_has_proved(due):
    follow_up = due()
    claim = lifecycle.claim(limit=1, now=timezone.now())
    (attempt,) = lifecycle.request(sent_of(claim), token=claim.token, now=timezone.now()).values()
    event = MessageStatus(
        id="wamid.W",
        status="sent",
        at=timezone.now(),
        reference=f"attempt:{attempt.pk}",
        failure=Failure(),
    )
    message_status.send(sender=None, channel=follow_up.channel, event=event)
    lifecycle.settle_unknown(
        attempt, failure=Failure(cause="no_answer"), details="ReadTimeout", now=timezone.now()
    )
    attempt.refresh_from_db()
    assert attempt.outcome == Outcome.ACCEPTED
    assert refreshed(follow_up).status == Status.SENT


# The broker and the line -----------------------------------------------------------------------------


def test_a_broker_that_is_down_keeps_this_worker_from_nothing(meta, due, settings, monkeypatch):
    settings.FOLLOWUPS_BATCH_SIZE = 1
    rows = [due(), due(), due()]

    def refuse(**_options):
        raise OperationalError("no broker")

    monkeypatch.setattr(send_due_follow_ups, "apply_async", refuse)
    send_due_follow_ups()
    assert {refreshed(row).status for row in rows} == {Status.SENT}


def test_a_line_that_is_held_back_for_long_is_left_to_a_later_tick(due, team, django_assert_max_num_queries):
    row = due()
    rate.slow_down(team.channel, dt.timedelta(minutes=5))
    with django_assert_max_num_queries(14):
        tick()
    assert refreshed(row).status == Status.PENDING


def test_a_line_that_is_free_soon_is_waited_for(meta, due, team):
    row = due()
    Channel.objects.filter(pk=team.channel.pk).update(
        next_slot_at=timezone.now() + dt.timedelta(milliseconds=300)
    )
    tick()
    assert refreshed(row).status == Status.SENT


def test_a_line_that_is_held_back_takes_nothing_from_the_others_share(due, team):
    slow = factories.ChannelFactory(organization=team.organization)
    conversation = factories.ConversationFactory(organization=team.organization, channel=slow)
    due(conversation=conversation)
    rate.slow_down(slow, dt.timedelta(minutes=1))
    rows = [due() for _n in range(4)]
    claim = lifecycle.claim(limit=4, now=timezone.now())
    assert {row.pk for row in claim.rows} == {row.pk for row in rows}
    assert claim.more


# Two workers and one contact ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_never_hold_two_rows_of_one_contact(due, team):
    for _round in range(5):
        first = due()
        due(conversation=first.conversation)
        barrier = threading.Barrier(2)
        claims: list[FollowUp] = []

        def claim(barrier=barrier, claims=claims):
            barrier.wait()
            claims.extend(lifecycle.claim(limit=1, now=timezone.now()).rows)
            connection.close()

        threads = [threading.Thread(target=claim) for _n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claims) == 1
        FollowUp.objects.all().delete()
        lifecycle.recount()


def test_a_contact_whose_message_has_not_come_back_is_left_alone_for_6_seconds(due):
    first = due(minutes=5)
    second = due(conversation=first.conversation)
    now = timezone.now()
    claim = lifecycle.claim(limit=1, now=now)
    lifecycle.request(sent_of(claim), token=claim.token, now=now)
    assert lifecycle.claim(limit=5, now=now + dt.timedelta(seconds=5)).rows == []
    assert lifecycle.claim(limit=5, now=now + dt.timedelta(seconds=7)).rows == [second]


def _raise(*_arguments, **_options):
    raise RuntimeError("a bug")


def somebody_waits() -> bool:
    """Whether a connection to this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return cursor.fetchone()[0]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_webhook_and_a_worker_that_settle_one_row_at_once_do_not_wait_for_each_other(due):
    row, now = due(), timezone.now()
    claim = lifecycle.claim(limit=1, now=now)
    lifecycle.request(sent_of(claim), token=claim.token, now=now)
    attempt = row.attempts.get()

    def settle() -> None:
        try:
            lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=now, now=now)
        finally:
            connection.close()

    webhook = threading.Thread(target=settle)
    with transaction.atomic():
        # As ``settle_all_sent`` does: the row, then its conversation.
        FollowUp.objects.select_for_update().get(pk=row.pk)
        webhook.start()
        deadline = time.monotonic() + 10
        while not somebody_waits() and time.monotonic() < deadline:
            webhook.join(timeout=0.01)
        Conversation.objects.filter(pk=row.conversation_id).update(preview="Hola")
    webhook.join()
    row.refresh_from_db()
    assert row.status == Status.SENT
