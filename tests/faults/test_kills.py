"""Anything may be killed at any instant of a burst: nothing is sent twice, nothing is lost, nothing hangs."""

from __future__ import annotations

import time

from django.db import connection

from followups.models import FailureKind, FollowUp, FollowUpAttempt, Status, Tick
from tests.faults import cloud, rows
from tests.faults.course import finish
from tests.faults.ledger import discrepancies
from tests.faults.servers import wait_until
from trochai.whatsapp.sending import sliding_window

# Below the answer's latency and above it: calls are in flight, and answers wait to be recorded.
SLOW = cloud.Answer(latency=0.3)


def begin_burst(trochai, count, webhooks=()):
    """Make follow-ups due and return once the Cloud API has been called for the first of them."""
    line = rows.make_channel()
    trochai.cloud.answers[line.phone_number_id] = SLOW
    if webhooks:
        trochai.post_webhooks_of(line)
        trochai.cloud.webhooks[line.phone_number_id] = webhooks
    before = len(trochai.cloud.calls)
    rows.make_follow_ups(line, count)
    trochai.tick()
    trochai.tick()
    wait_until(lambda: len(trochai.cloud.calls) > before, "the burst has begun")
    return line


def sent_count():
    return FollowUp.objects.filter(status=Status.SENT).count()


def unknown_count():
    return FollowUp.objects.filter(status=Status.FAILED, failure_kind=FailureKind.UNKNOWN).count()


def never_called_count(calls):
    called = {call.reference.removeprefix("attempt:") for call in calls}
    lost = FollowUpAttempt.objects.filter(follow_up__failure_kind=FailureKind.UNKNOWN)
    return len({str(pk) for pk in lost.values_list("pk", flat=True)} - called)


def answered_count(calls, killed_at):
    """How many are in doubt although Meta had answered when the worker was killed that made the call."""
    lost = FollowUpAttempt.objects.filter(follow_up__failure_kind=FailureKind.UNKNOWN)
    references = {f"attempt:{pk}" for pk in lost.values_list("pk", flat=True)}
    return sum(
        any(call.at + SLOW.latency < at < call.at + 5 for at in killed_at)
        for call in calls
        if call.reference in references
    )


def test_workers_killed_at_random_instants(installation, kills, chance):
    trochai = installation
    workers = trochai.workers(2)
    killed_at = []
    for _kill in range(kills):
        begin_burst(trochai, 150)
        time.sleep(chance.uniform(0, 0.8))
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        killed_at.append(time.monotonic())
        workers += trochai.workers(1)
    finish(trochai, seconds=30 + 5 * kills)
    assert discrepancies(trochai.cloud.calls) == []
    assert sent_count() + unknown_count() == 150 * kills
    never_called = never_called_count(trochai.cloud.calls)
    answered = answered_count(trochai.cloud.calls, killed_at)
    print(f"in doubt: {unknown_count()}, of which never called {never_called}, answered {answered}")
    # README: what was about to leave within LEAD_OF_ALL, and one group of answers. Twice that, as this
    # machine does other things as well.
    about_to_leave = rows.RATE * sliding_window.LEAD_OF_ALL
    assert never_called <= 2 * about_to_leave * kills
    assert answered <= 2 * sliding_window.GROUP * kills


def test_a_worker_that_sleeps_for_longer_than_anybody_waits_for_it(installation, chance):
    """Like a suspended machine: it wakes up with calls half made, and others have moved on."""
    trochai = installation
    (sleeper,) = trochai.workers(1)
    begin_burst(trochai, 300)
    time.sleep(chance.uniform(0, 0.8))
    sleeper.suspend()
    trochai.workers(1)
    finish(trochai)
    sleeper.resume()
    assert sleeper.stop(within=45) == 0
    finish(trochai)
    assert sent_count() + unknown_count() == 300
    assert discrepancies(trochai.cloud.calls) == []


def test_a_worker_asked_to_stop_finishes_what_is_in_flight_and_hands_the_rest_back(installation):
    trochai = installation
    (worker,) = trochai.workers(1)
    begin_burst(trochai, 400)
    wait_until(lambda: len(trochai.cloud.calls) > 60, "the burst is under way")
    assert worker.stop(within=15) == 0
    states = set(FollowUp.objects.values_list("status", flat=True))
    assert states == {Status.SENT, Status.PENDING}
    assert sent_count() == len(trochai.cloud.calls)
    trochai.workers(1)
    finish(trochai)
    assert sent_count() == 400
    assert discrepancies(trochai.cloud.calls) == []


def test_webhooks_tell_what_a_killed_worker_could_not(installation, chance):
    trochai = installation
    trochai.web()
    (worker,) = trochai.workers(1)
    begin_burst(trochai, 150, webhooks=[(1, "sent"), (1.5, "delivered")])
    time.sleep(chance.uniform(0, 0.8))
    worker.kill()
    trochai.workers(1)
    finish(trochai)
    assert unknown_count() == never_called_count(trochai.cloud.calls)
    assert sent_count() == len(trochai.cloud.calls)
    assert discrepancies(trochai.cloud.calls) == []


def test_redis_killed_and_started_again_during_bursts(installation, kills, chance):
    trochai = installation
    workers = trochai.workers(2)
    rounds = max(1, kills // 5)
    for _kill in range(rounds):
        begin_burst(trochai, 400)
        time.sleep(chance.uniform(0, 0.8))
        trochai.redis.kill()
        time.sleep(chance.uniform(0, kills / 4))
        trochai.redis.start()
    finish(trochai, seconds=60 + 5 * kills)
    assert all(worker.is_running for worker in workers)
    assert sent_count() == 400 * rounds
    assert discrepancies(trochai.cloud.calls) == []


def test_postgresql_killed_and_started_again_during_bursts(installation, kills, chance):
    trochai = installation
    workers = trochai.workers(2)
    trochai.web()
    rounds = max(1, kills // 5)
    for _kill in range(rounds):
        begin_burst(trochai, 300, webhooks=[(0.2, "sent"), (0.5, "delivered")])
        time.sleep(chance.uniform(0, 0.8))
        connection.close()
        trochai.postgres.kill()
        time.sleep(chance.uniform(0, kills / 4))
        trochai.postgres.start()
    finish(trochai, seconds=60 + 5 * kills)
    assert all(worker.is_running for worker in workers)
    assert unknown_count() == never_called_count(trochai.cloud.calls)
    assert sent_count() + unknown_count() == 300 * rounds
    assert discrepancies(trochai.cloud.calls) == []


def test_two_beats_one_of_which_is_killed(installation):
    trochai = installation
    shorten_the_minute()
    beats = [trochai.beat(), trochai.beat()]
    trochai.workers(2)
    wait_until(Tick.objects.exists, "the first tick")
    line = rows.make_channel()
    rows.make_follow_ups(line, 200)
    wait_until(lambda: sent_count() == 200, "both beats' ticks send everything")
    beats[0].kill()
    rows.make_follow_ups(line, 50)
    wait_until(lambda: sent_count() == 250, "the other beat goes on")
    beats[1].kill()
    trochai.beat()
    rows.make_follow_ups(line, 50)
    wait_until(lambda: sent_count() == 300, "a new beat takes over")
    assert len(trochai.cloud.calls) == 300
    assert discrepancies(trochai.cloud.calls) == []


def shorten_the_minute():
    """Have beat tick every second."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    sending = PeriodicTask.objects.filter(task="followups.tasks.send_due_follow_ups")
    sending.update(crontab=None, interval=second)
