"""Releasing a hold: what becomes of what is late, once, and only where nothing else is in force."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from followups.holds import people, releasing
from followups.models import FailureKind, FollowUp, FollowUpChange, Hold, HoldCause, Late, Status
from followups.tasks import release_holds
from notifications.models import Notification
from tests import factories
from tests.followups.engine import refreshed, tick

HOUR = 60


@pytest.fixture
def hold(team):
    """Return a function that begins a hold of the team's organization, unless told otherwise."""

    def begin(**scope) -> Hold:
        scope = scope or {"organization": team.organization}
        by = team.admin.user
        return people.begin(reason="Wrong price", cause=HoldCause.MEMBER, by=by, now=timezone.now(), **scope)

    return begin


def release(hold: Hold, late: Late, *, by=None) -> None:
    """Ask for it, and do what the task does that is woken."""
    releasing.ask_for_release(hold, late=late, by=by or hold.by, now=timezone.now())
    release_holds()


@pytest.mark.django_db
class TestWhatIsLate:
    def test_it_is_sent_if_that_is_chosen(self, team, meta, due, hold):
        rows = [due(minutes=minutes) for minutes in (9 * HOUR, 30)]
        release(hold(), Late.SEND)
        tick()
        assert {refreshed(row).status for row in rows} == {Status.SENT}
        change = FollowUpChange.objects.get()
        assert (change.follow_up, change.kind, change.by) == (rows[0], "released", team.admin.user)

    def test_it_goes_out_tomorrow_at_9_if_that_is_chosen_and_what_is_less_late_now(
        self, team, meta, due, hold
    ):
        late, soon = due(minutes=9 * HOUR), due(minutes=30)
        release(hold(), Late.TOMORROW)
        tick()
        moved = refreshed(late)
        local = moved.scheduled_for.astimezone(team.organization.zone)
        tomorrow = timezone.now().astimezone(team.organization.zone).date() + dt.timedelta(days=1)
        assert (local.date(), local.time()) == (tomorrow, dt.time(9))
        assert (moved.status, moved.next_attempt_at) == (Status.PENDING, moved.scheduled_for)
        assert refreshed(soon).status == Status.SENT
        change = FollowUpChange.objects.get()
        assert (change.kind, change.by) == ("moved", team.admin.user)
        assert change.values["from"] == {"scheduled_for": late.scheduled_for.isoformat()}

    def test_it_is_missed_if_it_is_left(self, meta, due, hold):
        late, soon = due(minutes=9 * HOUR), due(minutes=30)
        release(hold(), Late.LEAVE)
        tick()
        assert refreshed(late).failure_kind == FailureKind.MISSED
        assert refreshed(soon).status == Status.SENT

    def test_what_would_be_late_in_a_moment_is_sent_whatever_is_chosen(self, meta, due, hold):
        """Many may have to go before it."""
        row = due(minutes=4 * HOUR - 1)
        release(hold(), Late.LEAVE)
        assert timezone.now() - refreshed(row).next_attempt_at < dt.timedelta(minutes=5)

    def test_what_an_organization_takes_for_late_counts(self, team, meta, due, hold):
        team.organization.missed_after_minutes = 24 * HOUR
        team.organization.save()
        row = due(minutes=9 * HOUR)
        release(hold(), Late.TOMORROW)
        tick()
        assert refreshed(row).status == Status.SENT

    @pytest.mark.parametrize(
        ("now", "nine"),
        [
            ((2027, 3, 27, 20), (2027, 3, 28, 7)),  # the clocks go forward
            ((2027, 10, 30, 20), (2027, 10, 31, 8)),  # back
            ((2027, 12, 31, 22, 59), (2028, 1, 1, 8)),
            ((2027, 12, 31, 23, 1), (2028, 1, 2, 8)),  # there it is tomorrow already
        ],
    )
    def test_tomorrow_at_9_is_the_organizations(self, now, nine):
        madrid = factories.OrganizationFactory.build(timezone="Europe/Madrid")
        at = releasing.tomorrow_at_9(madrid, now=dt.datetime(*now, tzinfo=dt.UTC))
        assert at == dt.datetime(*nine, tzinfo=dt.UTC)

    def test_what_is_held_for_itself_stays_so(self, meta, due, hold):
        row = due(minutes=9 * HOUR, held_reason="contact")
        release(hold(), Late.SEND)
        tick()
        assert refreshed(row).held_reason == "contact"


@pytest.mark.django_db
class TestOtherHolds:
    def test_a_number_under_another_hold_is_left_alone_until_that_is_released(self, team, meta, due, hold):
        other = factories.ChannelFactory(organization=team.organization)
        held, free = due(minutes=9 * HOUR), due(minutes=9 * HOUR, channel=other)
        of_number, of_all = hold(channel=team.channel), hold()
        release(of_all, Late.TOMORROW)
        tick()
        assert refreshed(free).scheduled_for > timezone.now()
        assert refreshed(held).next_attempt_at == held.scheduled_for
        release(of_number, Late.SEND)
        tick()
        assert refreshed(held).status == Status.SENT

    def test_of_two_that_are_released_at_once_one_deals_with_what_is_late(self, team, meta, due, hold):
        row = due(minutes=9 * HOUR)
        for each in (hold(channel=team.channel), hold()):
            releasing.ask_for_release(each, late=Late.SEND, by=team.admin.user, now=timezone.now())
        release_holds()
        tick()
        assert refreshed(row).status == Status.SENT
        assert FollowUpChange.objects.count() == 1

    def test_an_operators_release_of_everything_spares_what_an_admin_holds(
        self, team, stranger, meta, due, hold
    ):
        theirs = due(
            minutes=9 * HOUR,
            organization=stranger.organization,
            conversation=stranger.conversation,
            template=stranger.template,
        )
        mine = due(minutes=9 * HOUR)
        hold()
        release(
            people.begin(reason="Restore", cause=HoldCause.OPERATOR, now=timezone.now()), Late.SEND, by=None
        )
        tick()
        assert refreshed(theirs).status == Status.SENT
        assert refreshed(mine).next_attempt_at == mine.scheduled_for


@pytest.mark.django_db
class TestItsTwoSteps:
    def test_until_the_task_has_run_it_is_in_force(self, team, meta, due, hold):
        row = due(minutes=9 * HOUR)
        releasing.ask_for_release(hold(), late=Late.SEND, by=team.admin.user, now=timezone.now())
        tick()
        assert refreshed(row).status == Status.PENDING

    def test_a_task_that_is_stopped_in_the_middle_is_taken_up_where_it_was(
        self, team, meta, due, hold, monkeypatch
    ):
        monkeypatch.setattr(releasing, "CHUNK", 2)
        rows = [due(minutes=9 * HOUR) for _n in range(5)]
        held = hold()
        releasing.ask_for_release(held, late=Late.SEND, by=team.admin.user, now=timezone.now())
        held.refresh_from_db()
        assert releasing.release(held, now=timezone.now(), stop=lambda: True) is False
        assert (
            FollowUp.objects.exclude(next_attempt_at__lt=timezone.now() - dt.timedelta(hours=4)).count() == 2
        )
        tick()
        assert meta.requests == []
        release_holds()
        tick()
        assert {refreshed(row).status for row in rows} == {Status.SENT}
        assert FollowUpChange.objects.count() == 5

    def test_it_is_asked_for_once(self, team, hold):
        held = hold()
        releasing.ask_for_release(held, late=Late.LEAVE, by=team.admin.user, now=timezone.now())
        with pytest.raises(people.AlreadyReleased):
            releasing.ask_for_release(held, late=Late.SEND, by=None, now=timezone.now())
        held.refresh_from_db()
        assert (held.late, held.released_by) == (Late.LEAVE, team.admin.user)

    def test_it_is_kept_and_another_one_may_begin(self, hold):
        release(hold(), Late.LEAVE)
        hold()
        assert Hold.objects.count() == 2

    def test_the_other_admins_are_told(self, team, hold):
        colleague = factories.MembershipFactory(organization=team.organization, role="admin")
        release(hold(), Late.TOMORROW)
        notice = Notification.objects.get(kind="sending_released")
        assert notice.recipient == colleague.user
        assert notice.title == "Sending goes on"
        assert str(team.admin.user) in notice.text
        assert "tomorrow at 9:00 AM" in notice.text
