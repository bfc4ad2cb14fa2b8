"""Whatever the Cloud API answers, no contact is written to twice and nobody is left in the dark."""

from __future__ import annotations

from conversations.models import Delivery, Direction, Message
from followups.models import FailureKind, FollowUp, FollowUpAttempt, Outcome, Status
from followups.wording.notices import Kind
from notifications.models import Notification
from tests.faults import cloud, rows
from tests.faults.course import finish
from tests.faults.ledger import discrepancies
from tests.faults.servers import wait_until
from trochai.whatsapp.models import Channel

TEMPORARY = {
    "429 with Meta's code": cloud.RATE_LIMITED,
    "429 without a word": cloud.TOO_MANY_REQUESTS,
    "503 from a proxy": cloud.UNAVAILABLE,
    "500 with Meta's code": cloud.SOMETHING_WENT_WRONG,
}
UNKNOWN = {
    "500 with a page, message taken": cloud.ERROR_PAGE,
    "500 with a page, message lost": cloud.ERROR_PAGE_UNSENT,
    "bytes that are no JSON": cloud.GARBAGE,
    "an empty object": cloud.EMPTY_OBJECT,
    "half an answer": cloud.HALF,
    "hung up, message taken": cloud.HUNG_UP,
    "hung up, message lost": cloud.HUNG_UP_UNSENT,
    "silence, message taken": cloud.SILENT,
    "silence, message lost": cloud.SILENT_UNSENT,
}


def make_channels(trochai, answers):
    """Give each answer a channel of its own with a few follow-ups, so that none slows another down."""
    channels = {}
    for name, answer in answers.items():
        channels[name] = rows.make_channel()
        trochai.cloud.answers[channels[name].phone_number_id] = answer
        rows.make_follow_ups(channels[name], 3)
    return channels


def outcomes(channel, field="outcome"):
    return set(FollowUpAttempt.objects.filter(follow_up__channel=channel).values_list(field, flat=True))


def statuses(channel):
    return set(FollowUp.objects.filter(channel=channel).values_list("status", "failure_kind"))


def deliveries(channel):
    messages = Message.objects.filter(channel=channel, direction=Direction.OUTBOUND)
    return sorted(messages.values_list("delivery", flat=True))


def test_refusals_are_retried_doubts_are_not_and_everything_is_told(installation):
    trochai = installation
    channels = make_channels(trochai, {**TEMPORARY, **UNKNOWN, "for good": cloud.NOT_ON_WHATSAPP})
    trochai.workers(1)
    trochai.tick()
    called = 3 * len(UNKNOWN) + 3  # a channel that is told to slow down has called at least once
    wait_until(lambda: len(trochai.cloud.calls) >= called + len(TEMPORARY), "everything was tried")
    wait_until(
        lambda: not FollowUpAttempt.objects.filter(outcome="").exists(), "every call has an outcome", 15
    )
    for name in TEMPORARY:
        assert outcomes(channels[name]) == {Outcome.TEMPORARY}, name
        trochai.cloud.answers.pop(channels[name].phone_number_id)
    for name in UNKNOWN:
        assert outcomes(channels[name]) == {Outcome.UNKNOWN}, name
        assert statuses(channels[name]) == {(Status.PROCESSING, "")}, name
    assert statuses(channels["for good"]) == {(Status.FAILED, FailureKind.PERMANENT)}
    rows.make_retries_due()
    finish(trochai)
    rows.make_retries_due()
    finish(trochai)
    for name in TEMPORARY:
        assert statuses(channels[name]) == {(Status.SENT, "")}, name
    for name in UNKNOWN:
        assert statuses(channels[name]) == {(Status.FAILED, FailureKind.UNKNOWN)}, name
    assert discrepancies(trochai.cloud.calls) == []


def test_four_refusals_are_the_end_of_it(installation):
    trochai = installation
    channels = make_channels(trochai, {"always": cloud.SOMETHING_WENT_WRONG})
    trochai.workers(1)
    for _time in range(4):
        rows.make_retries_due()
        finish(trochai)
    assert statuses(channels["always"]) == {(Status.FAILED, FailureKind.TEMPORARY)}
    assert len(trochai.cloud.calls) == 3 * 4
    assert discrepancies(trochai.cloud.calls) == []


def test_webhooks_settle_what_the_answer_did_not_in_whatever_order_they_come(installation):
    trochai = installation
    slow = cloud.Answer(latency=1.5)
    channels = make_channels(
        trochai,
        {
            "early": slow,
            "early and doubled": slow,
            "early and backwards": slow,
            "early, then silence": cloud.SILENT,
            "together": cloud.ACCEPTED,
        },
    )
    plans = {
        "early": [(0, "sent"), (0.3, "delivered"), (0.6, "read")],
        "early and doubled": [(0, "sent"), (0, "sent"), (0.1, "delivered"), (0.1, "delivered"), (2, "read")],
        "early and backwards": [(0, "read"), (0.3, "delivered"), (0.6, "sent")],
        "early, then silence": [(0, "sent"), (0.1, "read")],
        "together": [(0.05, "sent"), (0.05, "delivered"), (0.05, "read"), (0.05, "sent")],
    }
    for name, channel in channels.items():
        trochai.post_webhooks_of(channel)
        trochai.cloud.webhooks[channel.phone_number_id] = plans[name]
    trochai.workers(1)
    trochai.web()
    trochai.tick()
    wait_until(
        lambda: all(deliveries(channel) == [Delivery.READ] * 3 for channel in channels.values()),
        "every message is read",
    )
    finish(trochai)
    for name, channel in channels.items():
        assert statuses(channel) == {(Status.SENT, "")}, name
    assert discrepancies(trochai.cloud.calls) == []


def test_a_webhook_that_comes_after_delivery_was_called_unknown_proves_that_it_arrived(installation):
    trochai = installation
    (channel,) = make_channels(trochai, {"hung up": cloud.HUNG_UP}).values()
    trochai.post_webhooks_of(channel)
    trochai.workers(1)
    trochai.web()
    trochai.tick()
    wait_until(lambda: outcomes(channel) == {Outcome.UNKNOWN}, "the calls have ended")
    finish(trochai)
    assert statuses(channel) == {(Status.FAILED, FailureKind.UNKNOWN)}
    sent, also_sent, failed = trochai.cloud.calls
    trochai.cloud.post(sent, "delivered")
    trochai.cloud.post(also_sent, "sent")
    trochai.cloud.post(also_sent, "sent")
    wait_until(lambda: deliveries(channel) == [Delivery.DELIVERED, Delivery.SENT], "the two are proven")
    assert discrepancies(trochai.cloud.calls) == []
    trochai.cloud.post(failed, "failed", failure=131026)
    wait_until(
        lambda: (Status.FAILED, FailureKind.UNDELIVERED) in statuses(channel), "the third's reason is known"
    )
    assert Notification.objects.filter(kind=Kind.FOLLOW_UP_SENT).count() == 2


def test_a_stopped_channel_waits_alone_and_resumes_by_itself(installation):
    trochai = installation
    channels = make_channels(trochai, {"expired": cloud.TOKEN_EXPIRED, "fine": cloud.ACCEPTED})
    stopped = channels["expired"]
    rows.make_follow_ups(stopped, 400)
    trochai.workers(2)
    trochai.tick()
    wait_until(
        lambda: Channel.objects.filter(pk=stopped.pk, stopped_at__isnull=False).exists(), "it is stopped"
    )
    wait_until(lambda: statuses(channels["fine"]) == {(Status.SENT, "")}, "the other channel sends")
    wait_until(lambda: {state for state, _kind in statuses(stopped)} == {Status.PENDING}, "all wait")
    tried = len([call for call in trochai.cloud.calls if call.phone_number_id == stopped.phone_number_id])
    assert tried < 200  # no more than what was under way when the first answer came
    assert Notification.objects.filter(kind=Kind.FOLLOW_UP_FAILED).count() == 0
    rows.make_follow_ups(channels["fine"], 1)
    trochai.tick()
    wait_until(lambda: statuses(channels["fine"]) == {(Status.SENT, "")}, "the other channel still sends")
    again = [call for call in trochai.cloud.calls if call.phone_number_id == stopped.phone_number_id]
    assert len(again) == tried
    trochai.cloud.answers.pop(stopped.phone_number_id)
    rows.make_retries_due()
    finish(trochai)
    assert statuses(stopped) == {(Status.SENT, "")}
    assert discrepancies(trochai.cloud.calls) == []
