"""Workers that disagree about the time, and hours in which nothing ran."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from followups.models import FailureKind, FollowUp, Status
from tests.faults import rows
from tests.faults.course import finish
from tests.faults.ledger import discrepancies
from tests.faults.servers import wait_until
from trochai.whatsapp.models import Channel


def most_in_a_second(calls):
    moments = sorted(call.at for call in calls)
    return max(sum(1 for moment in moments if begin <= moment < begin + 1) for begin in moments)


def test_workers_whose_clocks_are_off_by_a_quarter_of_an_hour_send_once_in_time_and_no_faster(installation):
    trochai = installation
    for offset in (900, -900, 0):
        worker = trochai.worker(clock_off_by=offset)
        wait_until(lambda worker=worker: worker.said(" ready."), "the worker is ready")
    line = rows.make_channel(messages_per_second=50)
    early = rows.make_follow_ups(line, 1, due_for=dt.timedelta(seconds=-45))
    due = rows.make_follow_ups(line, 200)
    for _worker in range(6):
        trochai.tick()
    wait_until(
        lambda: not FollowUp.objects.filter(pk__in=due).exclude(status=Status.SENT).exists(), "all are sent"
    )
    assert FollowUp.objects.filter(pk__in=early, status=Status.PENDING).exists()
    # Two lines at once would show as 100; the margin is for calls that wait for each other on this machine.
    assert most_in_a_second(trochai.cloud.calls) <= 65
    assert discrepancies(trochai.cloud.calls) == []


def test_after_an_outage_what_is_hours_late_is_missed_and_the_rest_is_sent(installation):
    trochai = installation
    line = rows.make_channel()
    hour = rows.make_follow_ups(line, 60, due_for=dt.timedelta(hours=1))
    night = rows.make_follow_ups(line, 60, due_for=dt.timedelta(hours=9))
    trochai.workers(2)
    finish(trochai)
    assert set(FollowUp.objects.filter(pk__in=hour).values_list("status", flat=True)) == {Status.SENT}
    missed = FollowUp.objects.filter(pk__in=night)
    assert set(missed.values_list("status", "failure_kind", "retry_allowed_at")) == {
        (Status.FAILED, FailureKind.MISSED, None)
    }
    assert len(trochai.cloud.calls) == 60
    assert discrepancies(trochai.cloud.calls) == []


def test_what_waited_for_a_stopped_channel_all_night_is_missed(installation):
    trochai = installation
    line = rows.make_channel()
    Channel.objects.filter(pk=line.pk).update(
        stopped_at=timezone.now() - dt.timedelta(hours=9), stop_code=190
    )
    night = rows.make_follow_ups(line, 20, due_for=dt.timedelta(hours=9))
    evening = rows.make_follow_ups(line, 20, due_for=dt.timedelta(hours=2))
    trochai.workers(1)
    trochai.tick()
    # An admin has entered a new token.
    Channel.objects.filter(pk=line.pk).update(stopped_at=None, stop_code=None)
    finish(trochai)
    assert set(FollowUp.objects.filter(pk__in=night).values_list("failure_kind", flat=True)) == {
        FailureKind.MISSED
    }
    assert set(FollowUp.objects.filter(pk__in=evening).values_list("status", flat=True)) == {Status.SENT}
    assert discrepancies(trochai.cloud.calls) == []
