"""After a long silence nothing that is due goes out before a person has looked."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection
from django.utils import timezone

from followups.holds import people, releasing
from followups.models import FollowUp, Hold, HoldCause, Late, Status
from followups.sending import ticks
from followups.tasks import help_to_send, release_holds
from notifications.models import Notification
from tests import factories
from tests.followups.engine import refreshed, tick


def last_tick(**ago: float) -> None:
    ticks.record(now=timezone.now() - dt.timedelta(**ago))


@pytest.mark.django_db
class TestTheFirstTickAfterwards:
    def test_it_holds_what_is_due_and_sends_nothing(self, team, meta, due):
        rows = [due(minutes=30), due(minutes=150)]  # also what was due shortly before the last tick
        last_tick(hours=2, minutes=1)
        tick()
        tick()
        assert {refreshed(row).status for row in rows} == {Status.PENDING}
        assert meta.requests == []
        hold = Hold.objects.get()
        assert (hold.organization, hold.cause, hold.by) == (team.organization, HoldCause.SILENCE, None)

    def test_its_admins_are_told_how_many_are_due_and_since_when_and_nothing_else(self, team, meta, due):
        due()
        due(status=Status.PROCESSING)  # a worker had claimed it when the backup was made
        last_tick(hours=5)
        tick()
        notice = Notification.objects.get()
        assert notice.recipient == team.admin.user
        assert notice.title == "Sending is on hold"
        assert "Nothing had been sent since" in notice.text
        assert "Follow-ups that are due: 2." in notice.text

    def test_what_was_claimed_when_the_backup_was_made_is_held_alone_too(self, meta, due):
        row = due(minutes=5, status=Status.PROCESSING)
        last_tick(hours=5)
        tick()
        assert refreshed(row).status == Status.PENDING
        assert meta.requests == []

    def test_once_released_it_goes_out(self, team, meta, due):
        row = due()
        last_tick(hours=5)
        tick()
        hold = Hold.objects.get()
        releasing.ask_for_release(hold, late=Late.LEAVE, by=team.admin.user, now=timezone.now())
        release_holds()
        tick()
        assert refreshed(row).status == Status.SENT

    def test_an_organization_with_nothing_due_goes_on(self, team, stranger, meta, due):
        due()
        later = factories.FollowUpFactory(
            organization=stranger.organization,
            conversation=stranger.conversation,
            template=stranger.template,
            scheduled_for=timezone.now() + dt.timedelta(minutes=1),
        )
        last_tick(hours=5)
        tick()
        FollowUp.objects.filter(pk=later.pk).update(next_attempt_at=timezone.now())
        tick()
        assert refreshed(later).status == Status.SENT
        # They are told that the silence is over, as always.
        told = Notification.objects.filter(kind="sending_interrupted")
        assert [notice.recipient for notice in told] == [stranger.admin.user]

    def test_what_somebody_holds_already_is_not_held_twice(self, team, meta, due):
        due()
        people.begin(
            reason="Restore", cause=HoldCause.OPERATOR, organization=team.organization, now=timezone.now()
        )
        last_tick(hours=5)
        tick()
        assert Hold.objects.count() == 1

    @pytest.mark.parametrize(
        "harmless", ["short", "switched off", "first tick", "local sandbox"], ids=lambda name: name
    )
    def test_it_holds_nothing_where_there_is_no_reason(self, meta, due, settings, harmless):
        row = due()
        match harmless:
            case "short":
                last_tick(hours=1, minutes=55)
            case "switched off":
                settings.FOLLOWUPS_HOLD_AFTER_SILENCE = 0
                last_tick(days=9)
            case "local sandbox":  # a laptop sleeps
                settings.SANDBOX_API_URL = settings.WHATSAPP_API_URL
                last_tick(days=9)
        tick()
        assert refreshed(row).status == Status.SENT

    def test_a_call_for_help_that_an_earlier_run_left_in_the_broker_sends_nothing_before_it(self, meta, due):
        row = due()
        last_tick(hours=5)
        help_to_send()
        assert meta.requests == []
        assert refreshed(row).status == Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_tick_at_once_one_holds_it_and_none_sends(meta, due, team):
    row = due()
    last_tick(hours=5)
    barrier = threading.Barrier(4)

    def work():
        barrier.wait(timeout=10)
        tick()
        connection.close()

    workers = [threading.Thread(target=work) for _n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Hold.objects.count() == 1
    assert meta.requests == []
    assert refreshed(row).status == Status.PENDING
