"""How a scenario continues after the fault: what is due is sent, what was left behind is settled."""

from __future__ import annotations

import itertools
import time
from collections import Counter

from django.utils import timezone

from followups.models import FollowUp, Status
from tests.faults.installation import Installation
from tests.faults.rows import end_reconciliation, expire_leases, make_webhooks_due

# Seconds without any change after which what is still held counts as left behind.
QUIET = 1.0


def finish(trochai: Installation, *, seconds: float = 60) -> None:
    """Tick until nothing is due and nothing is held; let deadlines pass once nothing happens any more."""
    deadline = time.monotonic() + seconds
    # The order of real life: a lease that runs out must not release a row whose call has begun.
    times = itertools.cycle([expire_leases, make_webhooks_due, end_reconciliation])
    while _waits():
        assert time.monotonic() < deadline, f"not settled within {seconds:g} seconds: {states()}"
        trochai.tick()
        if not _comes_to_rest(trochai, deadline):
            next(times)()


def states() -> Counter:
    """How many rows there are in each state, with and without a call that has begun."""
    rows = FollowUp.objects.values_list("status", "failure_kind", "requested_at")
    return Counter((status, kind, requested is not None) for status, kind, requested in rows)


def _waits() -> bool:
    is_due = FollowUp.objects.due(timezone.now()).exists()
    return is_due or FollowUp.objects.filter(status=Status.PROCESSING).exists()


def _comes_to_rest(trochai: Installation, deadline: float) -> bool:
    """Wait while anything changes; return True once nothing is left to do."""
    last, since = states(), time.monotonic()
    while _waits() and time.monotonic() < deadline:
        time.sleep(0.1)
        now = states()
        if now != last or not trochai.cloud.is_idle:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return False
    return not _waits()
