"""Many calls at once: their lines, their moments, and what happens where the machinery itself fails."""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import replace

import certifi
import psycopg
import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from followups import lifecycle
from followups.models import FailureKind, FollowUp, Status
from followups.sending.work import FollowUps, dispatcher
from followups.tasks import help_to_send
from tests import factories
from tests.followups.engine import refreshed, sent_of, tick
from tests.meta import accepted
from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api import transport
from trochai.whatsapp.cloud_api.client import Accepted
from trochai.whatsapp.cloud_api.errors import ChannelError
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sending import dispatch, settlement, sliding_window
from trochai.whatsapp.sending.work import Call


@pytest.fixture
def woken(monkeypatch):
    """Keep calls for help off the broker, and in a list."""
    asked: list[dict] = []
    monkeypatch.setattr(help_to_send, "apply_async", lambda **options: asked.append(options["kwargs"]))
    return asked


# Moments -------------------------------------------------------------------------------------------


def test_rows_that_missed_their_moments_are_sent_once_all_the_same(meta, due, monkeypatch):
    """A worker that was held up for longer than its slots, each time between claim and call."""
    rows = [due() for _n in range(3)]
    job_for = FollowUps.job_for

    def slowly(self, row, **options):
        time.sleep(0.15)
        return job_for(self, row, **options)

    monkeypatch.setattr(FollowUps, "job_for", slowly)
    tick()
    assert {refreshed(row).status for row in rows} == {Status.SENT}
    assert len(meta.requests) == 3


def test_a_process_that_was_away_for_long_calls_nobody_whose_row_was_given_up(meta, due, monkeypatch):
    """It was stopped between the mark and the call, as by a machine that sleeps."""
    row = due()
    mark = FollowUps.mark

    def sleep_for_long(self, jobs, **options):
        marked = mark(self, jobs, **options)
        lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
        return [replace(each, job=replace(each.job, at=each.job.at - 600)) for each in marked]

    monkeypatch.setattr(FollowUps, "mark", sleep_for_long)
    tick()
    assert meta.requests == []
    assert (refreshed(row).status, refreshed(row).failure_kind) == (Status.FAILED, FailureKind.UNKNOWN)


def test_a_marked_row_whose_call_was_surely_not_made_waits_again(due):
    row = due()
    now = timezone.now()
    claim = lifecycle.claim(limit=1, now=now)
    attempts = lifecycle.request(sent_of(claim), token=claim.token, now=now)
    lifecycle.withdraw(list(attempts.values()))
    assert (refreshed(row).status, refreshed(row).failures) == (Status.PENDING, 0)
    assert not row.attempts.exists()
    assert [each.pk for each in lifecycle.claim(limit=1, now=now).rows] == [row.pk]


def test_what_is_marked_is_called_although_the_next_mark_fails(meta, due, team, settings, monkeypatch):
    """The database goes away between the marks of two claims, whose rows leave at nearly the same moment."""
    settings.FOLLOWUPS_BATCH_SIZE = 1
    rows = [due() for _n in range(2)]
    mark, marked = FollowUps.mark, []

    def fail_the_second(self, jobs, **options):
        if marked:
            raise DatabaseError
        marked.extend(mark(self, jobs, **options))
        return marked

    monkeypatch.setattr(FollowUps, "mark", fail_the_second)
    # Until the line is free, both are claimed.
    rate.reserve(Channel.objects.get(pk=team.channel.pk), 15)
    with pytest.raises(DatabaseError):
        tick()
    assert len(meta.requests) == 1
    assert sorted(refreshed(row).status for row in rows) == [Status.PROCESSING, Status.SENT]
    assert [refreshed(row).requested_at for row in rows if refreshed(row).status == Status.PROCESSING] == [
        None
    ]


@pytest.mark.parametrize("step", ["mark", "mark_again"])
def test_a_call_that_begins_although_the_worker_is_told_to_stop_is_written_down(meta, due, step, monkeypatch):
    """Told so while the row is marked, or marked once more after it has missed its moment."""
    row = due()
    mark, slowly = FollowUps.mark, getattr(FollowUps, step)
    told = threading.Event()
    monkeypatch.setattr(dispatch, "stopping", told)

    def miss_the_moment(self, jobs, **options):
        marked = mark(self, jobs, **options)
        return [replace(each, job=replace(each.job, at=each.job.at - 600)) for each in marked]

    def be_told(self, marked, **options):
        done = slowly(self, marked, **options)
        told.set()
        # Until the run has looked up.
        time.sleep(2 * sliding_window.LOOK_UP_EVERY)
        return done

    monkeypatch.setattr(FollowUps, "mark", miss_the_moment)
    monkeypatch.setattr(FollowUps, step, be_told)
    tick()
    assert len(meta.requests) == 1
    assert refreshed(row).status == Status.SENT


# Lines ---------------------------------------------------------------------------------------------


def test_rows_that_need_no_call_leave_their_line_to_those_that_do(meta, due, team):
    Channel.objects.filter(pk=team.channel.pk).update(messages_per_second=1)
    for _n in range(8):
        due(minutes=5 * 60)
    tick()
    assert FollowUp.objects.filter(failure_kind=FailureKind.MISSED).count() == 8
    assert rate.reserve(Channel.objects.get(pk=team.channel.pk), 1).count == 1


def test_many_channels_are_all_served_in_one_run(meta, due, team):
    channels = [factories.ChannelFactory(organization=team.organization) for _n in range(40)]
    rows = [due(channel=channel) for channel in channels]
    tick()
    assert {refreshed(row).status for row in rows} == {Status.SENT}


def test_a_row_whose_contact_is_being_written_to_keeps_no_worker_busy(due, django_assert_max_num_queries):
    held = due(minutes=5)
    due(conversation=held.conversation)
    lifecycle.claim(limit=1, now=timezone.now())  # by a worker that has died
    with django_assert_max_num_queries(25):
        tick()


def test_a_date_that_lies_ahead_does_not_hold_a_contact_back_for_long(due, team):
    tomorrow = timezone.now() + dt.timedelta(days=1)
    conversation = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, last_outbound_at=tomorrow
    )
    row = due(conversation=conversation)
    tick()
    assert refreshed(row).next_attempt_at < timezone.now() + dt.timedelta(seconds=7)


# Long backlogs ---------------------------------------------------------------------------------------


def test_what_is_left_when_a_runs_time_is_up_does_not_wait_for_the_next_tick(
    meta, due, team, woken, monkeypatch
):
    Channel.objects.filter(pk=team.channel.pk).update(messages_per_second=8)
    rows = [due() for _n in range(24)]
    monkeypatch.setattr(dispatch, "RUN_TIME", 2)
    tick()
    assert {refreshed(row).status for row in rows} == {Status.SENT, Status.PENDING}
    assert len(woken) == 1
    monkeypatch.setattr(dispatch, "RUN_TIME", 60)
    help_to_send(**woken[0])
    assert {refreshed(row).status for row in rows} == {Status.SENT}


def test_a_call_for_help_that_the_same_process_takes_is_passed_on(due, woken):
    due()

    def ask(_more):
        help_to_send(passes=2)
        help_to_send(passes=0)

    dispatcher.send_in_this_process(claimed=ask)
    assert woken == [{"passes": 1}]


def test_a_tick_while_this_process_sends_is_not_lost(meta, due):
    first, later = due(), []

    def tick_meanwhile(more):
        assert more is False
        if not later:
            later.append(due())
            tick()  # leaves it to the run

    dispatcher.send_in_this_process(claimed=tick_meanwhile)
    assert {refreshed(row).status for row in (first, *later)} == {Status.SENT}


@pytest.mark.django_db(transaction=True)
def test_what_falls_due_does_not_wait_for_a_call_that_takes_its_time(meta, due):
    slow = due()
    later: list[FollowUp] = []
    seen: list[FollowUp] = []

    def answer_once_the_other_is_called(_body):
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            seen.extend(FollowUp.objects.filter(requested_at__isnull=False).exclude(pk=slow.pk))
            time.sleep(0.02)
        connection.close()
        return 200, accepted("wamid.SLOW")

    def let_another_fall_due(_more):
        if not later:
            later.append(due())
            tick()  # leaves it to the run

    meta.answer(answer_once_the_other_is_called)
    dispatcher.send_in_this_process(claimed=let_another_fall_due)
    assert [row.pk for row in seen] == [row.pk for row in later]
    assert {refreshed(row).status for row in (slow, *later)} == {Status.SENT}


@pytest.mark.django_db(transaction=True)
def test_what_falls_due_does_not_wait_for_an_outcome_that_cannot_be_written_yet(meta, due):
    """Somebody's transaction has the row of the conversation in which a message has just gone out."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    first = due()
    seen: list[tuple[str, str]] = []

    def let_another_fall_due_once_the_first_waits() -> None:
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
        pid, deadline = somebody.info.backend_pid, time.monotonic() + 10
        while not somebody.execute(blocked, [pid]).fetchone()[0] and time.monotonic() < deadline:
            time.sleep(0.02)
        later = due()
        tick()  # leaves it to the run
        while not refreshed(later).requested_at and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append((refreshed(first).status, refreshed(later).status))
        somebody.rollback()
        connection.close()

    with psycopg.connect(**_server()) as somebody:
        lock = "SELECT id FROM conversations_conversation WHERE id = %s FOR UPDATE"
        somebody.execute(lock, [first.conversation_id])
        meanwhile = threading.Thread(target=let_another_fall_due_once_the_first_waits)
        meanwhile.start()
        tick()
        meanwhile.join()
    assert seen == [(Status.PROCESSING, Status.PROCESSING)]
    assert {row.status for row in FollowUp.objects.all()} == {Status.SENT}


# What may break --------------------------------------------------------------------------------------


def test_where_no_call_can_be_made_rows_are_handed_back_and_nothing_hangs(meta, due, monkeypatch):
    row = due()
    transport._authorities.cache_clear()
    monkeypatch.setattr(certifi, "where", lambda: "/nowhere/at/all.pem")
    with pytest.raises(FileNotFoundError):
        tick()
    assert refreshed(row).status == Status.PENDING
    assert not row.attempts.exists()
    monkeypatch.undo()
    tick()
    assert refreshed(row).status == Status.SENT


def test_the_old_tokens_error_counts_as_the_old_tokens_whatever_else_came_back(due, team):
    """Two calls of one group: one began before an admin saved a new token, one after."""
    now = timezone.now()
    before, after = due(), due()
    claim = lifecycle.claim(limit=2, now=now)
    attempts = lifecycle.request(sent_of(claim), token=claim.token, now=now)
    error = Call(before, attempts[before.pk], ChannelError(190))
    assert error.row.channel.access_token == team.channel.access_token
    channel = Channel.objects.get(pk=team.channel.pk)
    channel.access_token = "EAANewToken"
    channel.save()
    after = FollowUp.objects.select_related("channel").get(pk=after.pk)
    settlement.tell_channels([error, Call(after, attempts[after.pk], Accepted("wamid.N"))])
    assert not Channel.objects.get(pk=team.channel.pk).is_stopped


@pytest.mark.django_db(transaction=True)
def test_after_a_restart_of_the_database_the_next_tick_sends(meta, due):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    row = due()
    # A pool of this test's own, with one idle connection.
    connection.close()
    connection.close_pool()
    connection.ensure_connection()
    connection.close()
    with psycopg.connect(**_server()) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    tick()
    assert refreshed(row).status == Status.SENT


def _server() -> dict[str, object]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "host", "port", "password") if given.get(name)}
