"""The beat job against a real HTTP server that answers as Meta does."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Callable

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from conversations.models import Delivery, EarlyStatus
from followups import lifecycle
from followups.models import CancelCause, FailureKind, FollowUp, Outcome, Status
from followups.sending.work import dispatcher
from followups.wording.failures import attempt_failure, reason_for
from followups.wording.notices import Kind
from notifications.models import Notification
from templates_app.models import Template
from tests import factories
from tests.followups.engine import refreshed, sent_of, tick
from tests.meta import accepted
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sending.dispatch import stopping
from trochai.whatsapp.signals import inbound_message, marketing_preference, message_status
from trochai.whatsapp.webhooks.parsing import InboundMessage, MarketingPreference, MessageStatus


def called_first(*rows: FollowUp, within: Callable[[], None]) -> list[FollowUp]:
    """Return the rows in the order in which Meta heard of them: on a busy machine one may miss its moment."""
    within()
    rows = tuple(refreshed(row) for row in rows)
    never = timezone.now()
    return sorted(rows, key=lambda row: min((a.requested_at for a in row.attempts.all()), default=never))


def status_of(follow_up: FollowUp, status: str, *, whatsapp_id: str = "wamid.W", number: int = 0, **fields):
    """Deliver Meta's status webhook about the follow-up's attempt."""
    attempt = follow_up.attempts.order_by("requested_at")[number]
    event = MessageStatus(
        id=whatsapp_id,
        status=status,
        at=timezone.now(),
        reference=f"attempt:{attempt.pk}",
        failure=Failure(fields.get("code")),
    )
    message_status.send(sender=None, channel=follow_up.channel, event=event)


# When the scheduled date and time arrives ----------------------------------------------------------


def test_the_system_sends_the_template_message_to_the_contact_via_whatsapp(meta, due, team):
    follow_up = due()
    tick()
    assert refreshed(follow_up).status == Status.SENT
    (request,) = meta.requests
    assert request["to"] == follow_up.conversation.contact.phone
    assert request["template"]["name"] == "visit_reminder"
    assert request["template"]["language"]["code"] == "es"
    texts = [p["text"] for p in request["template"]["components"][0]["parameters"]]
    assert texts == ["María", "Casa EC-204", "sábado 28"]
    assert request["biz_opaque_callback_data"] == f"attempt:{follow_up.attempts.get().pk}"


def test_the_message_is_recorded_in_the_conversation_history(meta, due):
    follow_up = due()
    tick()
    message = follow_up.conversation.messages.get()
    assert "Hola María, le recordamos su visita a Casa EC-204 el sábado 28." in message.text
    assert message.kind == "template"
    assert message.is_from_follow_up
    assert refreshed(follow_up).message == message


def test_the_conversations_last_message_date_is_updated(meta, due):
    follow_up = due()
    before = timezone.now()
    tick()
    follow_up.conversation.refresh_from_db()
    assert follow_up.conversation.last_message_at >= before


def test_a_notification_is_sent_to_the_follow_up_creator(meta, due, team):
    due()
    tick()
    assert Notification.objects.get(recipient=team.agent.user).kind == Kind.FOLLOW_UP_SENT


def test_the_note_is_internal_and_never_sent(meta, due):
    due(note="Llamarla si no responde")
    tick()
    assert "Llamarla" not in json.dumps(meta.requests)


def test_a_follow_up_that_is_not_due_is_not_sent(meta, due):
    follow_up = due(minutes=-1)
    tick()
    assert meta.requests == []
    assert refreshed(follow_up).status == Status.PENDING


def test_follow_ups_do_not_require_an_open_24_hour_window(meta, due):
    follow_up = due()
    assert follow_up.conversation.last_inbound_at is None
    tick()
    assert refreshed(follow_up).status == Status.SENT


def test_everything_that_is_due_is_sent_also_when_it_is_more_than_one_batch(meta, due, settings):
    settings.FOLLOWUPS_BATCH_SIZE = 4
    settings.FOLLOWUPS_CONCURRENCY = 2
    rows = [due() for _n in range(11)]
    tick()
    assert {refreshed(row).status for row in rows} == {Status.SENT}
    assert len(meta.requests) == 11


# The re-check --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: setattr(row.template, "status", "PAUSED"), "no longer approved"),
        (lambda row: row.template.components[1].update(text="Hola {{1}}."), "has changed since"),
        (lambda row: setattr(row.conversation.contact, "opted_out_at", timezone.now()), "no longer wants"),
    ],
    ids=["template not approved", "template of another shape", "contact opted out"],
)
def test_what_must_not_be_sent_any_more_fails_without_a_call(meta, due, change, reason):
    follow_up = due()
    change(follow_up)
    follow_up.template.save()
    follow_up.conversation.contact.save()
    tick()
    row = refreshed(follow_up)
    assert (row.status, row.failure_kind) == (Status.FAILED, FailureKind.RECHECK)
    assert reason in reason_for(row.failure)
    assert meta.requests == []
    assert Notification.objects.filter(kind=Kind.FOLLOW_UP_FAILED).count() == 1


@pytest.mark.parametrize(("minutes", "status"), [(239, Status.SENT), (241, Status.FAILED)])
def test_a_row_later_than_four_hours_is_missed_rather_than_sent_at_a_senseless_hour(
    meta, due, minutes, status
):
    follow_up = due(minutes=minutes)
    tick()
    row = refreshed(follow_up)
    assert row.status == status
    if status == Status.FAILED:
        assert row.failure_kind == FailureKind.MISSED
        assert reason_for(row.failure).startswith("Missed")


# Errors --------------------------------------------------------------------------------------------


def test_a_temporary_error_is_retried_5_minutes_later_and_keeps_code_and_meaning(meta, due):
    meta.answer(130429)
    follow_up = due()
    before = timezone.now()
    tick()
    row = refreshed(follow_up)
    assert row.status == Status.PENDING
    assert before < row.next_attempt_at - dt.timedelta(minutes=5) < timezone.now()
    assert row.failure_code == 130429
    attempt = row.attempts.get()
    assert (attempt.outcome, attempt.code) == (Outcome.TEMPORARY, 130429)
    assert "rate limit" in reason_for(attempt_failure(attempt))


@pytest.mark.parametrize("code", [4, 80007])
def test_a_used_up_limit_slows_the_whole_channel_down(meta, due, settings, code):
    settings.FOLLOWUPS_CONCURRENCY = 1
    meta.answer(code)
    _met_it, waiting = called_first(due(), due(), within=tick)
    assert len(meta.requests) == 1
    assert (waiting.status, waiting.failures) == (Status.PENDING, 0)
    assert lifecycle.claim(limit=10, now=timezone.now()).rows == []


def test_after_a_rate_limit_the_channels_next_message_leaves_5_seconds_later(meta, due, settings):
    settings.FOLLOWUPS_CONCURRENCY = 1
    meta.answer(130429)
    refused, next_one = called_first(due(), due(), within=tick)
    assert next_one.status == Status.SENT
    gap = next_one.attempts.get().requested_at - refused.attempts.get().finished_at
    assert dt.timedelta(seconds=4.8) < gap < dt.timedelta(seconds=30)


def test_usage_headers_slow_the_channel_down_although_the_message_was_accepted(meta, due, settings):
    settings.FOLLOWUPS_CONCURRENCY = 1
    meta.headers["X-App-Usage"] = '{"call_count": 100, "total_time": 20, "total_cputime": 20}'
    first, second = called_first(due(), due(), within=tick)
    assert first.status == Status.SENT
    assert (second.status, second.failures) == (Status.PENDING, 0)


def test_a_permanent_error_fails_at_once(meta, due):
    meta.answer(131026)
    follow_up = due()
    tick()
    row = refreshed(follow_up)
    assert (row.status, row.failure_kind, row.failure_code) == (
        Status.FAILED,
        FailureKind.PERMANENT,
        131026,
    )


def test_a_marketing_cap_fails_and_offers_retry_only_after_24_hours(meta, due):
    meta.answer(131049)
    follow_up = due()
    tick()
    row = refreshed(follow_up)
    assert row.status == Status.FAILED
    assert row.retry_allowed_at - row.failed_at == dt.timedelta(hours=24)


def test_a_contact_who_opted_out_gets_nothing_more(meta, due):
    meta.answer(131050)
    follow_up = due()
    later = due(conversation=follow_up.conversation, minutes=-60)
    tick()
    assert refreshed(follow_up).status == Status.FAILED
    assert refreshed(later).status == Status.CANCELED
    assert refreshed(later).cancel_cause == CancelCause.OPT_OUT


def test_an_unusable_token_stops_the_channel_and_its_other_rows_stay_pending(meta, due, team, settings):
    settings.FOLLOWUPS_CONCURRENCY = 1
    meta.answer(190)
    met_it, waiting = called_first(due(), due(), within=tick)
    assert Channel.objects.get(pk=team.channel.pk).is_stopped
    assert (met_it.status, met_it.failures) == (Status.PENDING, 1)
    assert (waiting.status, waiting.failures) == (Status.PENDING, 0)
    tick()
    assert len(meta.requests) == 1
    told = Notification.objects.filter(kind=Kind.CHANNEL_STOPPED)
    assert [notification.recipient_id for notification in told] == [team.admin.user_id]


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_old_token_does_not_stop_a_channel_that_has_a_new_one(meta, due, team):
    def save_a_new_token(_body):
        channel = Channel.objects.get(pk=team.channel.pk)
        channel.access_token = "EAANewToken"
        channel.save()
        connection.close()
        return 401, {"error": {"message": "Session has expired", "code": 190}}

    meta.answer(save_a_new_token)
    met_it = due()
    tick()
    assert not Channel.objects.get(pk=team.channel.pk).is_stopped
    assert (refreshed(met_it).status, refreshed(met_it).failures) == (Status.PENDING, 1)
    other = due()
    tick()
    assert refreshed(other).status == Status.SENT


def test_a_stopped_channel_resumes_when_the_row_that_met_the_stop_gets_through(meta, due, team):
    Channel.objects.filter(pk=team.channel.pk).update(stopped_at=timezone.now(), stop_code=190)
    met_it = due(failure_kind=FailureKind.CHANNEL, failures=1)
    waiting = due()
    tick()
    assert refreshed(met_it).status == Status.SENT
    assert not Channel.objects.get(pk=team.channel.pk).is_stopped
    assert refreshed(waiting).status == Status.SENT


@pytest.mark.parametrize(
    "answer",
    [(500, "<html>Oops</html>"), (200, "<html>Not JSON</html>"), (200, {"messages": []})],
    ids=["500 without an envelope", "HTML instead of JSON", "200 without a message id"],
)
def test_a_call_whose_outcome_is_unknown_is_not_repeated(meta, due, answer):
    meta.answer(answer)
    follow_up = due()
    tick()
    tick()
    assert len(meta.requests) == 1
    row = refreshed(follow_up)
    assert row.status == Status.PROCESSING
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    row = refreshed(follow_up)
    assert (row.status, row.failure_kind) == (Status.FAILED, FailureKind.UNKNOWN)


def test_a_call_that_is_never_answered_is_unknown_too(meta, due, settings):
    settings.WHATSAPP_READ_TIMEOUT = 0.5
    release = threading.Event()
    meta.answer(lambda _body: release.wait(5) and None)
    follow_up = due()
    tick()
    release.set()
    assert refreshed(follow_up).status == Status.PROCESSING
    assert refreshed(follow_up).attempts.get().outcome == Outcome.UNKNOWN


def test_a_refused_connection_is_retried(due, settings):
    settings.WHATSAPP_API_URL = "http://127.0.0.1:9"
    follow_up = due()
    tick()
    assert refreshed(follow_up).status == Status.PENDING
    assert refreshed(follow_up).failures == 1


def test_if_the_outcome_cannot_be_written_nothing_is_and_the_send_is_not_repeated(meta, due):
    follow_up, other = due(), due()
    factories.MessageFactory(conversation=other.conversation, whatsapp_id="wamid.TAKEN")
    meta.answer((200, accepted("wamid.TAKEN")))
    tick()
    tick()
    statuses = sorted(refreshed(row).status for row in (follow_up, other))
    assert statuses == [Status.PROCESSING, Status.SENT]
    assert len(meta.requests) == 2
    assert Notification.objects.count() == 1


# One message per 6 seconds to one contact ----------------------------------------------------------


def test_two_follow_ups_for_one_contact_leave_6_seconds_apart(meta, due):
    first = due(minutes=2)
    second = due(conversation=first.conversation)
    tick()
    assert len(meta.requests) == 1
    row = refreshed(second)
    assert (row.status, row.failures) == (Status.PENDING, 0)
    gap = row.next_attempt_at - refreshed(first).attempts.get().requested_at
    assert dt.timedelta(seconds=5) < gap < dt.timedelta(seconds=30)


# Stopping --------------------------------------------------------------------------------------------


def test_a_worker_that_is_told_to_stop_hands_its_rows_back(meta, due):
    follow_up = due()

    def stop(_more):
        assert refreshed(follow_up).status == Status.PROCESSING
        stopping.set()

    try:
        dispatcher.send_in_this_process(claimed=stop)
    finally:
        stopping.clear()
    assert meta.requests == []
    assert refreshed(follow_up).status == Status.PENDING


# Webhooks --------------------------------------------------------------------------------------------


def test_a_late_webhook_after_delivery_unknown_makes_the_row_sent(meta, due):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    status_of(follow_up, "delivered")
    row = refreshed(follow_up)
    assert row.status == Status.SENT
    assert row.message.delivery == Delivery.DELIVERED
    assert row.message.whatsapp_id == "wamid.W"
    assert not EarlyStatus.objects.exists()


def test_a_late_webhook_after_a_manual_retry_withdraws_the_retry(meta, due, team):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    lifecycle.retry(refreshed(follow_up), by=team.agent, now=timezone.now() - dt.timedelta(hours=1))
    status_of(follow_up, "sent")
    tick()
    assert refreshed(follow_up).status == Status.SENT
    assert len(meta.requests) == 1


def test_a_late_webhook_while_the_retry_is_under_way_records_both_messages_truthfully(meta, due, team):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    lifecycle.retry(refreshed(follow_up), by=team.agent, now=timezone.now() - dt.timedelta(hours=1))
    meta.answer(lambda _body: (200, accepted("wamid.SECOND")))
    claim = lifecycle.claim(limit=1, now=timezone.now())
    (attempt,) = lifecycle.request(sent_of(claim), token=claim.token, now=timezone.now()).values()
    status_of(follow_up, "sent", whatsapp_id="wamid.FIRST")
    lifecycle.settle_sent(attempt, whatsapp_id="wamid.SECOND", at=timezone.now(), now=timezone.now())
    assert refreshed(follow_up).status == Status.SENT
    sent = follow_up.conversation.messages.filter(direction="out")
    assert set(sent.values_list("whatsapp_id", flat=True)) == {"wamid.FIRST", "wamid.SECOND"}


@pytest.mark.django_db(transaction=True)
def test_a_webhook_that_comes_before_the_http_answer_settles_the_row_once(meta, due):
    follow_up = due()

    def webhook_first(body):
        close_old_connections()
        try:
            status_of(follow_up, "delivered", whatsapp_id="wamid.EARLY")
        finally:
            connection.close()
        return 200, accepted("wamid.EARLY")

    meta.answer(webhook_first)
    tick()
    row = refreshed(follow_up)
    assert row.status == Status.SENT
    assert follow_up.conversation.messages.get().delivery == Delivery.DELIVERED
    assert Notification.objects.count() == 1


def test_metas_later_failed_status_fails_a_sent_row_with_its_reason(meta, due):
    follow_up = due()
    tick()
    whatsapp_id = refreshed(follow_up).message.whatsapp_id
    status_of(follow_up, "failed", whatsapp_id=whatsapp_id, code=131026)
    row = refreshed(follow_up)
    assert (row.status, row.failure_kind) == (Status.FAILED, FailureKind.UNDELIVERED)
    assert "isn’t on WhatsApp" in reason_for(row.failure)
    assert row.message.delivery == Delivery.FAILED


def test_a_failed_status_of_a_call_whose_answer_was_lost_fails_the_row(meta, due):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    status_of(follow_up, "failed", code=131049)
    row = refreshed(follow_up)
    assert (row.status, row.failure_kind) == (Status.FAILED, FailureKind.UNDELIVERED)
    assert row.retry_allowed_at is not None


def test_a_failed_status_of_an_older_attempt_does_not_fail_a_newer_one(meta, due, team):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    lifecycle.tidy_up(now=timezone.now() + lifecycle.RECONCILIATION)
    lifecycle.retry(refreshed(follow_up), by=team.agent, now=timezone.now() - dt.timedelta(hours=1))
    tick()
    status_of(follow_up, "failed", number=0, whatsapp_id="wamid.OLD", code=131026)
    assert refreshed(follow_up).status == Status.SENT


def test_another_channels_webhook_cannot_settle_a_row(meta, due, stranger):
    meta.answer((500, "<html></html>"))
    follow_up = due()
    tick()
    event = MessageStatus(
        id="wamid.X",
        status="sent",
        at=timezone.now(),
        reference=f"attempt:{follow_up.attempts.get().pk}",
        failure=Failure(),
    )
    message_status.send(sender=None, channel=stranger.channel, event=event)
    assert refreshed(follow_up).status == Status.PROCESSING


def write_in(conversation, text="Hola"):
    event = InboundMessage(
        id=f"wamid.IN{uuid.uuid4().hex}",
        from_phone=conversation.contact.phone,
        from_user_id="",
        profile_name="",
        at=timezone.now(),
        kind="text",
        text=text,
        content={},
    )
    inbound_message.send(sender=None, channel=conversation.channel, event=event)


@pytest.mark.parametrize(("wanted", "status"), [(True, Status.CANCELED), (False, Status.PENDING)])
def test_a_reply_cancels_only_what_was_scheduled_to_be_canceled_by_it(due, team, wanted, status):
    follow_up = due(minutes=-60, cancel_on_reply=wanted)
    write_in(follow_up.conversation)
    assert refreshed(follow_up).status == status
    assert Notification.objects.filter(recipient=team.agent.user).count() == int(wanted)


def test_an_opt_out_cancels_what_waits(due):
    follow_up = due(minutes=-60)
    contact = follow_up.conversation.contact
    event = MarketingPreference(phone=contact.phone, user_id="", opted_out=True, at=timezone.now())
    marketing_preference.send(sender=None, channel=follow_up.channel, event=event)
    assert refreshed(follow_up).status == Status.CANCELED
    assert refreshed(follow_up).cancel_cause == CancelCause.OPT_OUT


# Races on two real connections ---------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_cancel_against_claim_has_exactly_one_winner(team, due):
    for _round in range(10):
        follow_up = due()
        barrier = threading.Barrier(2)
        won: list[str] = []

        def cancel(row=follow_up, barrier=barrier, won=won):
            barrier.wait()
            try:
                lifecycle.cancel(row, by=team.admin, now=timezone.now())
                won.append("cancel")
            except lifecycle.TransitionRefused:
                pass
            connection.close()

        def claim(barrier=barrier, won=won):
            barrier.wait()
            won.extend("claim" for _row in lifecycle.claim(limit=10, now=timezone.now()).rows)
            connection.close()

        threads = [threading.Thread(target=cancel), threading.Thread(target=claim)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = {"cancel": Status.CANCELED, "claim": Status.PROCESSING}
        assert len(won) == 1
        assert refreshed(follow_up).status == expected[won[0]]


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_row(team, due):
    Channel.objects.filter(pk=team.channel.pk).update(messages_per_second=1000)
    rows = [due() for _n in range(12)]
    claims: list[FollowUp] = []

    def work():
        while batch := lifecycle.claim(limit=3, now=timezone.now()).rows:
            claims.extend(batch)
        connection.close()

    threads = [threading.Thread(target=work) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.pk for row in claims) == sorted(row.pk for row in rows)


@pytest.mark.django_db(transaction=True)
def test_history_shows_what_was_sent_also_after_an_edit_at_meta(meta, due, team):
    """The template is edited while the call is under way: the contact got the old text."""
    row = due()
    sent = row.template.render(row.parameters).text

    def edit_meanwhile(_body):
        edited = [{"type": "BODY", "text": "Otra cosa: {{1}}, {{2}}, {{3}}."}]
        Template.objects.filter(pk=row.template_id).update(components=edited, name="renamed")
        connection.close()
        return 200, accepted("wamid.OLD")

    meta.answer(edit_meanwhile)
    tick()
    message = refreshed(row).message
    assert (message.text, message.template_name) == (sent, row.template.name)
    attempt = row.attempts.get()
    assert attempt.sent["values"] == row.parameters
