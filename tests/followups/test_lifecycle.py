"""Every change of status in the table of transitions works, and every other one is refused."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations.models import Message
from followups import lifecycle
from followups.lifecycle import TransitionRefused
from followups.models import (
    TRANSITIONS,
    CancelCause,
    ChangeKind,
    FailureKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    Outcome,
    Status,
)
from followups.wanted import CUSTOM, Code, Field, Wanted
from followups.wording.failures import reason_for
from notifications.models import Notification
from tests import factories
from tests.conftest import make_team
from tests.followups.engine import sent_of
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import WebhookDelivery

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def make(team):
    def make_follow_up(status: str = Status.PENDING, **fields) -> FollowUp:
        fields.setdefault("scheduled_for", NOW)
        return factories.FollowUpFactory(
            organization=team.organization,
            template=team.template,
            created_by=team.agent.user,
            status=status,
            **{"conversation": team.conversation, **fields},
        )

    return make_follow_up


def held(make, **fields) -> tuple[FollowUp, FollowUpAttempt]:
    """A row whose call is in flight, and its attempt."""
    token = uuid.uuid4()
    follow_up = make(
        Status.PROCESSING,
        claim_token=token,
        requested_at=NOW,
        reconcile_until=NOW + lifecycle.RECONCILIATION,
        **fields,
    )
    return follow_up, factories.AttemptFactory(follow_up=follow_up, claim_token=token, requested_at=NOW)


def fail_temporarily(attempt, now=NOW):
    lifecycle.settle_retry(
        attempt,
        kind=FailureKind.TEMPORARY,
        failure=Failure(130429),
        details="",
        now=now,
    )


def schedule(team, *, submission=None, **fields):
    wanted = Wanted(
        **{
            "conversation": team.conversation,
            "template": team.template,
            "parameters": {"body.1": "María", "body.2": "EC-204", "body.3": "sábado"},
            "choice": CUSTOM,
            "scheduled_for": NOW + dt.timedelta(days=7),
            "note": "Visita",
            **fields,
        }
    )
    return lifecycle.schedule(wanted, submission=submission or uuid.uuid4(), by=team.agent, now=NOW)


# The verbs -----------------------------------------------------------------------------------------


def test_scheduling_makes_a_pending_row_that_is_due_at_its_date(team):
    follow_up = schedule(team)
    assert follow_up.status == Status.PENDING
    assert follow_up.next_attempt_at == follow_up.scheduled_for == NOW + dt.timedelta(days=7)
    assert follow_up.created_by == team.agent.user
    assert follow_up.shape == ["body.1", "body.2", "body.3"]


def test_the_same_submission_twice_makes_one_follow_up(team):
    submission = uuid.uuid4()
    first = schedule(team, submission=submission)
    second = schedule(team, submission=submission, note="Something else")
    assert first.pk == second.pk
    assert FollowUp.objects.get().note == "Visita"


def test_canceling_says_who_and_when(team, make):
    follow_up = lifecycle.cancel(make(), by=team.admin, now=NOW)
    assert follow_up.status == Status.CANCELED
    assert (follow_up.canceled_by, follow_up.canceled_at) == (team.admin.user, NOW)
    assert follow_up.cancel_cause == CancelCause.MEMBER


def test_a_failed_send_can_be_retried_rescheduled_for_5_minutes_in_the_future(team, make):
    follow_up = lifecycle.retry(make(Status.FAILED, failures=4), by=team.agent, now=NOW)
    assert follow_up.status == Status.PENDING
    assert follow_up.scheduled_for == follow_up.next_attempt_at == NOW + dt.timedelta(minutes=5)
    assert follow_up.failures == 0
    assert not follow_up.failure


def test_a_capped_marketing_message_can_be_retried_only_after_24_hours(team, make):
    allowed_at = NOW + dt.timedelta(hours=24)
    follow_up = make(Status.FAILED, retry_allowed_at=allowed_at)
    with pytest.raises(TransitionRefused, match="24 hours"):
        lifecycle.retry(follow_up, by=team.agent, now=allowed_at - dt.timedelta(seconds=1))
    assert lifecycle.retry(follow_up, by=team.agent, now=allowed_at).status == Status.PENDING


def test_what_came_too_late_for_a_capped_message_speaks_of_itself_and_not_of_another_try(team, make):
    follow_up = make(Status.FAILED, retry_allowed_at=NOW + dt.timedelta(hours=24))
    with pytest.raises(TransitionRefused, match="It has failed in the meantime"):
        lifecycle.cancel(follow_up, by=team.agent, now=NOW)


def test_a_follow_up_canceled_by_a_reply_can_be_restored_while_its_date_is_ahead(team, make):
    follow_up = make(Status.CANCELED, cancel_cause=CancelCause.REPLY, scheduled_for=NOW)
    before = NOW - dt.timedelta(seconds=1)
    restored = lifecycle.restore(follow_up, by=team.agent, now=before)
    assert restored.status == Status.PENDING
    assert restored.next_attempt_at == NOW


def test_neither_restoring_nor_retrying_goes_beyond_what_may_wait(team, make, settings):
    settings.FOLLOWUPS_MAX_WAITING = 1
    make(status=Status.PENDING, next_attempt_at=NOW + dt.timedelta(days=9))
    replied = make(
        status=Status.CANCELED, cancel_cause=CancelCause.REPLY, scheduled_for=NOW + dt.timedelta(days=9)
    )
    with pytest.raises(lifecycle.TransitionRefused, match="Too many follow-ups"):
        lifecycle.restore(replied, by=team.admin, now=NOW)
    failed = make(status=Status.FAILED, failure_kind=FailureKind.TEMPORARY)
    with pytest.raises(lifecycle.TransitionRefused, match="Too many follow-ups"):
        lifecycle.retry(failed, by=team.admin, now=NOW)
    assert FollowUp.objects.filter(status=Status.PENDING).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_given_once(in_threads, settings):
    settings.FOLLOWUPS_MAX_WAITING = 2
    team = make_team()

    def try_to_schedule(_number):
        try:
            return schedule(team).pk
        except lifecycle.ScheduleRefused as refused:
            return str(refused)

    outcomes = in_threads(try_to_schedule, 4)
    assert outcomes.count("contact: too_many") == 2


@pytest.mark.parametrize(
    ("cause", "ahead"), [(CancelCause.REPLY, 0), (CancelCause.MEMBER, 1), (CancelCause.OPT_OUT, 1)]
)
def test_no_other_cancellation_can_be_undone(team, make, cause, ahead):
    date = NOW + dt.timedelta(days=ahead)
    follow_up = make(Status.CANCELED, cancel_cause=cause, scheduled_for=date)
    with pytest.raises(TransitionRefused, match="already canceled"):
        lifecycle.restore(follow_up, by=team.agent, now=NOW)


def test_deleting_hides_the_row_at_once_and_purges_it_after_30_days(team, make):
    follow_up = make(Status.FAILED)
    lifecycle.delete(follow_up, by=team.admin, now=NOW)
    assert not FollowUp.objects.for_organization(team.organization).exists()
    assert lifecycle.purge_deleted(now=NOW + dt.timedelta(days=29)) == 0
    assert lifecycle.purge_deleted(now=NOW + dt.timedelta(days=30)) == 1
    assert not FollowUp.objects.exists()


def test_a_deleted_row_cannot_be_retried(team, make):
    follow_up = make(Status.FAILED)
    lifecycle.delete(follow_up, by=team.admin, now=NOW)
    with pytest.raises(TransitionRefused, match="no longer exists"):
        lifecycle.retry(follow_up, by=team.admin, now=NOW)


def test_what_people_do_is_recorded_with_who_did_it_and_when(team, make):
    later = NOW + dt.timedelta(hours=1)
    lifecycle.cancel(make(), by=team.agent, now=NOW)
    lifecycle.retry(make(Status.FAILED), by=team.admin, now=NOW)
    canceled = make(Status.CANCELED, cancel_cause=CancelCause.REPLY, scheduled_for=later)
    lifecycle.restore(canceled, by=team.agent, now=NOW)
    lifecycle.delete(make(Status.FAILED), by=team.admin, now=later)
    schedule(team)
    assert list(FollowUpChange.objects.order_by("pk").values_list("kind", "by", "at")) == [
        (ChangeKind.CANCELED, team.agent.user.pk, NOW),
        (ChangeKind.RETRIED, team.admin.user.pk, NOW),
        (ChangeKind.RESTORED, team.agent.user.pk, NOW),
        (ChangeKind.DELETED, team.admin.user.pk, later),
        (ChangeKind.SCHEDULED, team.agent.user.pk, NOW),
    ]


def test_what_the_system_cancels_is_recorded_with_the_reason_and_without_a_person(team, make):
    make()
    lifecycle.cancel_by_system(FollowUp.objects.all(), cause=CancelCause.OPT_OUT, now=NOW)
    recorded = FollowUpChange.objects.get()
    assert (recorded.kind, recorded.by, recorded.values) == ("canceled", None, {"cause": "opt_out"})


def test_nothing_is_recorded_of_what_came_too_late(team, make):
    with pytest.raises(TransitionRefused):
        lifecycle.cancel(make(Status.SENT), by=team.admin, now=NOW)
    assert not FollowUpChange.objects.exists()


def test_the_record_of_a_deleted_follow_up_is_purged_with_it(team, make):
    lifecycle.delete(make(Status.FAILED), by=team.admin, now=NOW)
    lifecycle.purge_deleted(now=NOW + dt.timedelta(days=30))
    assert not FollowUpChange.objects.exists()


def test_the_record_outlives_the_account_of_who_did_it(team, make):
    person = factories.MembershipFactory(organization=team.organization)
    lifecycle.retry(make(Status.FAILED), by=person, now=NOW)
    person.user.delete()
    assert FollowUpChange.objects.get().by is None


def test_what_stands_against_a_follow_up_is_refused_whoever_asks(team):
    with pytest.raises(lifecycle.ScheduleRefused, match="scheduled_for: outside_window") as refused:
        schedule(team, scheduled_for=NOW - dt.timedelta(days=1))
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == (Field.MOMENT, Code.OUTSIDE_WINDOW)
    assert not FollowUp.objects.exists()


def test_the_same_submission_returns_the_first_row_although_it_could_not_be_scheduled_by_now(team):
    submission = uuid.uuid4()
    first = schedule(team, submission=submission)
    team.conversation.contact.opted_out_at = NOW
    assert schedule(team, submission=submission).pk == first.pk
    assert FollowUpChange.objects.count() == 1


# The table -----------------------------------------------------------------------------------------


def edit(row, team):
    wanted = Wanted(
        conversation=row.conversation,
        template=row.template,
        parameters=row.parameters,
        choice="custom",
        scheduled_for=NOW + dt.timedelta(days=9),
        note="another",
    )
    return lifecycle.edit(row, wanted, version=0, by=team.admin, now=NOW)


VERBS = {
    "cancel": (Status.CANCELED, lambda row, team: lifecycle.cancel(row, by=team.admin, now=NOW)),
    "keep": (None, lambda row, team: lifecycle.keep(row, by=team.admin, now=NOW)),
    "move": (
        None,
        lambda row, team: lifecycle.move(
            row, choice="custom", to=NOW + dt.timedelta(days=9), version=0, by=team.admin, now=NOW
        ),
    ),
    "edit": (None, edit),
    "retry": (Status.PENDING, lambda row, team: lifecycle.retry(row, by=team.admin, now=NOW)),
    "restore": (
        Status.PENDING,
        lambda row, team: lifecycle.restore(row, by=team.admin, now=NOW - dt.timedelta(days=1)),
    ),
    "delete": (None, lambda row, team: lifecycle.delete(row, by=team.admin, now=NOW)),
}
ALLOWED = {
    ("cancel", Status.PENDING),
    ("keep", Status.PENDING),
    ("move", Status.PENDING),
    ("edit", Status.PENDING),
    ("retry", Status.FAILED),
    ("restore", Status.CANCELED),
    ("delete", Status.FAILED),
    ("delete", Status.CANCELED),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("verb", VERBS)
def test_a_persons_verb_works_only_from_the_state_it_leaves(team, make, verb, status):
    target, act = VERBS[verb]
    extra = {"cancel_cause": CancelCause.REPLY} if verb == "restore" and status == Status.CANCELED else {}
    follow_up = make(status, **extra)
    if (verb, status) in ALLOWED:
        act(follow_up, team)
        follow_up.refresh_from_db()
        assert follow_up.status == (target or status)
        assert target is None or target in TRANSITIONS[status]
    else:
        with pytest.raises(TransitionRefused):
            act(follow_up, team)
        follow_up.refresh_from_db()
        assert follow_up.status == status


WORKER_VERBS = {
    "settle_retry": fail_temporarily,
    "settle_failed": lambda attempt: lifecycle.settle_failed(
        attempt, failure=Failure(131026), details="", retry_allowed_at=None, now=NOW
    ),
}


@pytest.mark.parametrize("status", [s for s in Status if s != Status.PROCESSING])
@pytest.mark.parametrize("verb", WORKER_VERBS)
def test_a_worker_that_lost_its_row_changes_nothing(make, verb, status):
    follow_up = make(status)
    attempt = factories.AttemptFactory(follow_up=follow_up)
    with pytest.raises(TransitionRefused):
        WORKER_VERBS[verb](attempt)
    follow_up.refresh_from_db()
    assert follow_up.status == status


@pytest.mark.parametrize("verb", WORKER_VERBS)
def test_a_worker_with_an_old_claim_changes_nothing(make, verb):
    follow_up, _attempt = held(make)
    old = factories.AttemptFactory(follow_up=follow_up)
    with pytest.raises(TransitionRefused, match="already being sent"):
        WORKER_VERBS[verb](old)
    follow_up.refresh_from_db()
    assert follow_up.status == Status.PROCESSING


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.FAILED, Status.PENDING])
def test_proof_of_acceptance_makes_a_row_sent(make, status):
    follow_up = make(status)
    attempt = factories.AttemptFactory(follow_up=follow_up)
    message = lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=NOW, now=NOW)
    follow_up.refresh_from_db()
    assert follow_up.status == Status.SENT
    assert follow_up.message == message
    assert follow_up.next_attempt_at is None  # a retry that was waiting is withdrawn


@pytest.mark.parametrize("status", [Status.CANCELED, Status.SENT])
def test_proof_that_comes_too_late_is_recorded_but_changes_no_final_row(make, status):
    follow_up = make(status)
    attempt = factories.AttemptFactory(follow_up=follow_up)
    message = lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=NOW, now=NOW)
    follow_up.refresh_from_db()
    assert follow_up.status == status
    assert Message.objects.filter(pk=message.pk, attempt=attempt.pk).exists()


@pytest.mark.parametrize(
    ("status", "column"),
    [
        (Status.PENDING, {"next_attempt_at": None}),
        (Status.PROCESSING, {"claim_token": None}),
        (Status.SENT, {"message": None}),
        (Status.FAILED, {"failure_code": None}),
        (Status.FAILED, {"failure_kind": ""}),
        (Status.FAILED, {"failed_at": None}),
        (Status.CANCELED, {"cancel_cause": ""}),
        (Status.PENDING, {"claim_token": uuid.uuid4()}),
        (Status.SENT, {"next_attempt_at": NOW}),
        (Status.PENDING, {"deleted_at": NOW}),
        (Status.PENDING, {"status": "lost"}),
    ],
)
def test_the_database_refuses_a_row_that_contradicts_itself(make, status, column):
    follow_up = make(status)
    with pytest.raises(IntegrityError), transaction.atomic():
        FollowUp.objects.filter(pk=follow_up.pk).update(**column)


# Settling ------------------------------------------------------------------------------------------


def test_temporary_errors_are_retried_after_5_15_and_60_minutes_and_the_fourth_fails(make):
    follow_up, attempt = held(make)
    now = NOW
    for failures, minutes in [(1, 5), (2, 15), (3, 60)]:
        fail_temporarily(attempt, now)
        follow_up.refresh_from_db()
        assert follow_up.status == Status.PENDING
        assert follow_up.failures == failures
        assert follow_up.next_attempt_at == now + dt.timedelta(minutes=minutes)
        assert follow_up.scheduled_for == NOW  # the date that people chose stays visible
        now = follow_up.next_attempt_at
        claim = lifecycle.claim(limit=10, now=now)
        attempt = lifecycle.request(sent_of(claim), token=claim.token, now=now)[follow_up.pk]
    fail_temporarily(attempt, now)
    follow_up.refresh_from_db()
    assert follow_up.status == Status.FAILED
    assert follow_up.failure_kind == FailureKind.TEMPORARY
    assert follow_up.failure_code == 130429
    assert [a.outcome for a in follow_up.attempts.all()] == [Outcome.TEMPORARY] * 4


def test_a_failure_is_never_unseen_by_its_creator(team, make):
    _follow_up, attempt = held(make)
    WORKER_VERBS["settle_failed"](attempt)
    notification = Notification.objects.get(recipient=team.agent.user)
    assert notification.title == "Follow-up failed"
    assert "This number isn’t on WhatsApp" in notification.text


def test_the_admins_hear_of_a_failure_when_its_creator_has_left(team, make):
    _follow_up, attempt = held(make)
    team.agent.delete()
    WORKER_VERBS["settle_failed"](attempt)
    assert list(Notification.objects.values_list("recipient_id", flat=True)) == [team.admin.user_id]


def test_a_sent_follow_up_stands_in_the_conversation_and_its_creator_is_told(team, make):
    follow_up, attempt = held(make)
    lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=NOW, now=NOW)
    message = team.conversation.messages.get()
    assert "le recordamos su visita a Casa EC-204" in message.text
    assert message.is_from_follow_up
    team.conversation.refresh_from_db()
    assert team.conversation.last_outbound_at == NOW
    notification = Notification.objects.get(recipient=team.agent.user)
    assert notification.title == "Follow-up sent"
    assert notification.url == f"/inbox/{follow_up.conversation_id}/"


def test_settling_the_same_attempt_twice_records_one_message(make):
    _follow_up, attempt = held(make)
    lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=NOW, now=NOW)
    lifecycle.settle_sent(attempt, whatsapp_id="wamid.1", at=NOW, now=NOW)
    assert Message.objects.count() == 1
    assert Notification.objects.count() == 1


# Claims and leases ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"scheduled_for": NOW + dt.timedelta(seconds=1)}, "not due yet"),
        ({"status": Status.PROCESSING}, "held by another worker"),
        ({"status": Status.SENT}, "sent"),
        ({"status": Status.FAILED}, "failed"),
        ({"status": Status.CANCELED}, "canceled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_is_not_claimed_because(make, fields, why):
    make(**fields)
    assert lifecycle.claim(limit=10, now=NOW).rows == []


def test_claiming_takes_the_oldest_first(make, team):
    somebody_else = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    later = make(scheduled_for=NOW - dt.timedelta(minutes=1), conversation=somebody_else)
    older = make(scheduled_for=NOW - dt.timedelta(minutes=9))
    first = lifecycle.claim(limit=1, now=NOW)
    assert first.rows == [older]
    assert first.more
    assert lifecycle.claim(limit=10, now=NOW).rows == [later]


def test_one_organizations_backlog_does_not_hold_back_anothers(make, stranger):
    for _n in range(20):
        make(scheduled_for=NOW - dt.timedelta(hours=1))
    theirs = factories.FollowUpFactory(
        organization=stranger.organization,
        conversation=stranger.conversation,
        template=stranger.template,
        scheduled_for=NOW,
    )
    assert theirs in lifecycle.claim(limit=4, now=NOW).rows


def test_a_stopped_channels_rows_stay_pending_but_the_one_that_met_the_stop_is_tried_again(team, make):
    team.channel.stopped_at, team.channel.stop_code = NOW, 190
    team.channel.save()
    waiting = make()
    met_it = make(failure_kind=FailureKind.CHANNEL, failures=1)
    assert lifecycle.claim(limit=10, now=NOW).rows == [met_it]
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


def test_a_row_whose_worker_vanished_before_the_call_comes_back(make):
    follow_up = make(scheduled_for=NOW)
    lifecycle.claim(limit=1, now=NOW)
    just_before = NOW + lifecycle.LEASE - dt.timedelta(seconds=1)
    assert lifecycle.release_expired(now=just_before) == 0
    assert lifecycle.release_expired(now=NOW + lifecycle.LEASE) == 1
    follow_up.refresh_from_db()
    assert follow_up.status == Status.PENDING
    assert follow_up.failures == 0
    assert follow_up.next_attempt_at == NOW


def test_a_row_whose_call_had_begun_is_never_claimed_again(make):
    follow_up = make(scheduled_for=NOW)
    claim = lifecycle.claim(limit=1, now=NOW)
    lifecycle.request(sent_of(claim), token=claim.token, now=NOW)
    assert lifecycle.release_expired(now=NOW + dt.timedelta(days=1)) == 0
    follow_up.refresh_from_db()
    assert follow_up.status == Status.PROCESSING


def test_no_call_is_made_under_a_lease_that_has_run_out(make):
    make(scheduled_for=NOW)
    claim = lifecycle.claim(limit=1, now=NOW)
    assert lifecycle.request(sent_of(claim), token=claim.token, now=NOW + lifecycle.LEASE) == {}


def test_an_unknown_outcome_is_left_to_a_person_after_the_reconciliation_time(team, make):
    follow_up, attempt = held(make)
    lifecycle.settle_unknown(attempt, failure=Failure(cause="no_answer"), details="", now=NOW)
    assert lifecycle.give_up_on_unknown(now=NOW + dt.timedelta(minutes=9, seconds=59)) == 0
    assert lifecycle.give_up_on_unknown(now=NOW + dt.timedelta(minutes=10)) == 1
    follow_up.refresh_from_db()
    assert follow_up.status == Status.FAILED
    assert follow_up.failure_kind == FailureKind.UNKNOWN
    assert reason_for(follow_up.failure) == "Delivery unknown: it may have reached the contact."
    assert Notification.objects.filter(recipient=team.agent.user).count() == 1


def test_nothing_is_called_unknown_while_its_proof_may_lie_unread(team, make):
    follow_up, attempt = held(make)
    lifecycle.settle_unknown(attempt, failure=Failure(cause="no_answer"), details="", now=NOW)
    unread = WebhookDelivery.objects.create(channel=follow_up.channel, body=b"{}", received_at=NOW)
    WebhookDelivery.objects.create(channel=factories.ChannelFactory(), body=b"{}", received_at=NOW)
    assert lifecycle.give_up_on_unknown(now=NOW + dt.timedelta(minutes=59)) == 0
    # One that a worker has looked at, and will try again, keeps nobody waiting.
    WebhookDelivery.objects.filter(pk=unread.pk).update(claims=1)
    assert lifecycle.give_up_on_unknown(now=NOW + dt.timedelta(minutes=59)) == 1


def test_unread_webhooks_keep_an_outcome_open_for_an_hour_and_the_reason_says_so(team, make):
    follow_up, attempt = held(make)
    lifecycle.settle_unknown(attempt, failure=Failure(cause="no_answer"), details="", now=NOW)
    WebhookDelivery.objects.create(channel=follow_up.channel, body=b"{}", received_at=NOW)
    assert lifecycle.give_up_on_unknown(now=NOW + dt.timedelta(minutes=60)) == 1
    follow_up.refresh_from_db()
    assert "could not be read for an hour" in reason_for(follow_up.failure)


def test_an_opt_out_cancels_what_waits_and_tells_the_creator(team, make):
    follow_up = make()
    canceled = lifecycle.cancel_by_system(FollowUp.objects.all(), cause=CancelCause.OPT_OUT, now=NOW)
    follow_up.refresh_from_db()
    assert (canceled, follow_up.status) == (1, Status.CANCELED)
    assert "no longer wants messages" in Notification.objects.get(recipient=team.agent.user).text


def test_the_present_moment_is_not_read_by_the_lifecycle(make):
    """A row scheduled in 2026 is settled at the moment passed in, whatever the clock says."""
    follow_up, attempt = held(make)
    WORKER_VERBS["settle_failed"](attempt)
    follow_up.refresh_from_db()
    assert follow_up.failed_at == NOW != timezone.now()
