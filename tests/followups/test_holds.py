"""A hold stops follow-ups at once, changes none of them, and lets people answer meanwhile."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from conversations import outbox
from conversations.models import Conversation, Delivery
from followups import lifecycle
from followups.holds import people
from followups.models import FollowUp, FollowUpAttempt, Hold, HoldCause, HoldScope, Status
from followups.sending.work import FollowUps
from notifications.models import Notification
from tests import factories
from tests.conversations.replies import sent
from tests.followups.engine import refreshed, sent_of, tick
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sending.preparation import prepare


@pytest.fixture
def hold(team):
    """Return a function that begins a hold of the team's organization, unless told otherwise."""

    def begin(**scope) -> Hold:
        scope = scope or {"organization": team.organization}
        by = team.admin.user
        return people.begin(reason="Wrong price", cause=HoldCause.MEMBER, by=by, now=timezone.now(), **scope)

    return begin


def row_of(team, due, **fields) -> FollowUp:
    conversation = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    fields = {"organization": team.organization, "template": team.template, **fields}
    return due(channel=team.channel, conversation=conversation, **fields)


@pytest.mark.django_db
class TestWhatIsHeld:
    def test_what_is_due_is_not_sent_and_stays_as_it_is(self, meta, due, hold):
        row = due()
        before = refreshed(row)
        hold()
        tick()
        assert meta.requests == []
        assert vars(refreshed(row)) | {"_state": None} == vars(before) | {"_state": None}

    def test_one_numbers_hold_leaves_the_others_alone(self, team, meta, due, hold):
        other = factories.ChannelFactory(organization=team.organization)
        held, free = due(), due(channel=other)
        hold(channel=team.channel)
        tick()
        assert [refreshed(row).status for row in (held, free)] == [Status.PENDING, Status.SENT]

    def test_an_organizations_hold_leaves_other_organizations_alone(self, team, stranger, meta, due, hold):
        held, free = due(), row_of(stranger, due)
        hold(organization=team.organization)
        tick()
        assert [refreshed(row).status for row in (held, free)] == [Status.PENDING, Status.SENT]

    def test_an_operators_hold_of_everything_holds_every_organization(self, stranger, meta, due, hold):
        rows = [due(), row_of(stranger, due)]
        people.begin(reason="Restore", cause=HoldCause.OPERATOR, now=timezone.now())
        tick()
        assert {refreshed(row).status for row in rows} == {Status.PENDING}
        assert meta.requests == []

    def test_a_trial_of_a_stopped_number_waits_too(self, team, meta, due, hold):
        row = due(failure_kind="channel", failure_code=190)
        Channel.objects.update(stopped_at=timezone.now(), stop_code=190)
        hold()
        tick()
        assert refreshed(row).status == Status.PENDING
        assert meta.requests == []

    def test_replies_still_go_out(self, team, meta, hold):
        Conversation.objects.update(last_inbound_at=timezone.now())
        team.conversation.refresh_from_db()
        hold()
        reply = outbox.send_reply(
            conversation=team.conversation, text="Good morning", by=team.agent.user, now=timezone.now()
        )
        assert sent(reply).delivery == Delivery.ACCEPTED

    def test_nothing_is_missed_while_it_is_held(self, team, meta, due, hold):
        """Also by a worker that has claimed it a moment ago."""
        row = due(minutes=9 * 60)
        claim = lifecycle.claim(limit=10, now=timezone.now())
        Hold.objects.create(
            scope=HoldScope.ORGANIZATION,
            organization=team.organization,
            reason="Wrong price",
            cause=HoldCause.MEMBER,
            since=timezone.now(),
        )
        assert prepare(FollowUps(), claim, busy=(), now=timezone.now()) == []
        assert refreshed(row).status == Status.PENDING
        tick()
        assert refreshed(row).status == Status.PENDING

    def test_sending_one_now_is_refused_in_words(self, team, due, hold):
        row = due(minutes=-60)
        hold()
        with pytest.raises(lifecycle.TransitionRefused, match="Sending is on hold"):
            lifecycle.send_now(row, version=0, by=team.admin, now=timezone.now())
        assert refreshed(row).scheduled_for > timezone.now()

    def test_it_can_be_moved_and_canceled(self, team, due, hold):
        moved, canceled = due(), due()
        hold()
        later = timezone.now().replace(second=0, microsecond=0) + dt.timedelta(days=9)
        lifecycle.move(moved, choice="custom", to=later, version=0, by=team.admin, now=timezone.now())
        lifecycle.cancel(canceled, by=team.admin, now=timezone.now())
        assert refreshed(moved).scheduled_for == later
        assert refreshed(canceled).status == Status.CANCELED

    def test_what_a_worker_has_claimed_waits_again_at_once(self, due, hold):
        row = due()
        claim = lifecycle.claim(limit=10, now=timezone.now())
        hold()
        assert refreshed(row).status == Status.PENDING
        assert lifecycle.request(sent_of(claim), token=claim.token, now=timezone.now()) == {}

    def test_a_worker_that_claims_while_it_begins_hands_its_rows_back(self, team, due, hold):
        row = due()
        hold(channel=team.channel)
        # As if its claim had begun before.
        token = uuid.uuid4()
        lease = {"claim_token": token, "lease_expires_at": timezone.now() + lifecycle.LEASE}
        FollowUp.objects.filter(pk=row.pk).update(status=Status.PROCESSING, **lease)
        kept = {row.pk: lifecycle.what_is_sent(row)}
        assert lifecycle.request(kept, token=token, now=timezone.now()) == {}
        current = refreshed(row)
        assert (current.status, current.failures, current.claim_token) == (Status.PENDING, 0, None)

    def test_what_was_marked_but_has_not_left_is_not_called_again(self, due, hold):
        row = due()
        claim = lifecycle.claim(limit=10, now=timezone.now())
        attempts = lifecycle.request(sent_of(claim), token=claim.token, now=timezone.now())
        hold()
        assert refreshed(row).status == Status.PROCESSING  # its call may be under way
        assert lifecycle.request_again(list(attempts.values()), now=timezone.now()) == set()
        assert refreshed(row).status == Status.PENDING
        assert not row.attempts.exists()


@pytest.mark.django_db
class TestBeginning:
    def test_the_other_admins_are_told_who_and_why(self, team, hold):
        colleague = factories.MembershipFactory(organization=team.organization, role="admin")
        hold()
        notice = Notification.objects.get()
        assert notice.recipient == colleague.user
        assert notice.title == "Sending is on hold"
        assert str(team.admin.user) in notice.text
        assert "Wrong price" in notice.text

    def test_it_names_the_number(self, team, hold):
        factories.MembershipFactory(organization=team.organization, role="admin")
        hold(channel=team.channel)
        assert Notification.objects.get().title == f"Sending from {team.channel.name} is on hold"

    def test_of_everything_only_those_are_told_who_have_something_waiting(self, team, stranger, due):
        due()
        people.begin(reason="Restore", cause=HoldCause.OPERATOR, now=timezone.now())
        notice = Notification.objects.get()
        assert notice.recipient == team.admin.user
        assert notice.text.startswith("Trochai’s operator: “Restore”")

    def test_twice_at_once_is_refused_and_another_number_is_not(self, team, hold):
        hold(channel=team.channel)
        with pytest.raises(people.AlreadyHeld):
            hold(channel=team.channel)
        hold(channel=factories.ChannelFactory(organization=team.organization))
        hold()
        with pytest.raises(people.AlreadyHeld):
            hold()
        assert Hold.objects.in_force().count() == 3

    def test_the_database_keeps_a_scope_from_naming_too_little_or_too_much(self, team):
        for wrong in (
            {"scope": HoldScope.EVERYTHING, "organization": team.organization},
            {"scope": HoldScope.CHANNEL, "channel": team.channel},
            {"scope": HoldScope.ORGANIZATION},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                Hold.objects.create(reason="x", cause=HoldCause.MEMBER, since=timezone.now(), **wrong)


@pytest.mark.django_db(transaction=True)
def test_once_a_hold_has_begun_no_call_is_recorded_whatever_workers_do(team, due, hold):
    """Two workers claim and mark, each on a connection of its own, and a hold comes in between."""
    Channel.objects.update(messages_per_second=1000)
    for _n in range(60):
        due()
    marking, over = threading.Event(), threading.Event()

    def work():
        while not over.is_set():
            claim = lifecycle.claim(limit=5, now=timezone.now())
            if claim.rows:
                lifecycle.request(sent_of(claim), token=claim.token, now=timezone.now())
                marking.set()
        connection.close()

    workers = [threading.Thread(target=work) for _n in range(2)]
    for worker in workers:
        worker.start()
    assert marking.wait(30)
    hold()
    recorded = FollowUpAttempt.objects.count()
    assert recorded < 60
    over.set()
    for worker in workers:
        worker.join()
    assert FollowUpAttempt.objects.count() == recorded
    # Nothing waits for a lease to run out.
    assert not FollowUp.objects.filter(status=Status.PROCESSING, requested_at__isnull=True).exists()
