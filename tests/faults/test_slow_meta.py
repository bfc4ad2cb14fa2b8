"""Meta takes its time: ``pytest tests/faults/test_slow_meta.py --long -s`` for one that takes 30 seconds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversations.models import Delivery, Message
from tests.faults import rows
from tests.faults.browser import Browser
from tests.faults.cloud import Answer
from tests.faults.servers import wait_until

REPLIES = 40


@pytest.fixture
def patient(installation):
    """Processes that wait for Meta as long as they do in production."""
    installation.environment["WHATSAPP_READ_TIMEOUT"] = "40"
    return installation


def test_forty_replies_to_a_slow_meta_hold_up_no_page(patient, is_long):
    line = rows.make_channel()
    agent = line.organization.memberships.get().user
    patient.cloud.answers[line.phone_number_id] = Answer(latency=30 if is_long else 8)
    talks = rows.make_talks(line, REPLIES)
    patient.web()
    patient.workers_of_production()
    member, other = Browser(patient), Browser(patient)
    member.sign_in(agent)

    def timed(request):
        began = time.monotonic()
        assert request().status_code in {200, 302}
        return time.monotonic() - began

    with ThreadPoolExecutor(REPLIES) as pool:
        replies = [
            pool.submit(timed, lambda pk=talk.pk: member.post(f"/inbox/{pk}/reply/", text="Con gusto"))
            for talk in talks
        ]
        pages = []
        while not all(reply.done() for reply in replies):
            pages += [timed(lambda: other.get("/healthz")), timed(lambda: other.get("/sign-in/"))]
    slowest = max(reply.result() for reply in replies)
    print(f"replies answered in {slowest:.2f} s at most, pages meanwhile in {max(pages):.2f} s")
    # Nobody has waited for an answer of Meta's: none has come yet.
    wait_until(lambda: len(patient.cloud.calls) == REPLIES, "all are under way")
    assert patient.cloud.open_calls == REPLIES
    assert set(Message.objects.values_list("delivery", flat=True)) == {Delivery.SENDING}
    wait_until(
        lambda: not Message.objects.exclude(delivery=Delivery.ACCEPTED).exists(), "the ticks arrive", 60
    )
    assert len({call.reference for call in patient.cloud.calls}) == REPLIES
