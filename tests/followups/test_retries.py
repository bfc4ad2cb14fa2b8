from __future__ import annotations

import datetime as dt

import pytest

from followups.retries import next_attempt_at

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, 5), (2, 15), (3, 60)],
    ids=["1st retry: 5 minutes later", "2nd retry: 15 minutes later", "3rd retry: 60 minutes later"],
)
def test_automatic_retries_come_at_incremental_intervals(failures, minutes):
    assert next_attempt_at(failures, NOW) == NOW + dt.timedelta(minutes=minutes)


def test_the_fourth_failure_is_the_last():
    assert next_attempt_at(4, NOW) is None
