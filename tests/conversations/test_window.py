from __future__ import annotations

import datetime as dt

import pytest

from conversations import window
from conversations.models import Conversation

WROTE = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("later", "open_"),
    [
        (dt.timedelta(0), True),
        (dt.timedelta(hours=23, minutes=59, seconds=59), True),
        (dt.timedelta(hours=24), False),
        (dt.timedelta(days=3), False),
    ],
)
def test_the_window_is_open_for_24_hours_after_the_contact_wrote(later, open_):
    conversation = Conversation(last_inbound_at=WROTE)
    assert window.is_open(conversation, WROTE + later) is open_
    assert window.closes_at(conversation) == WROTE + dt.timedelta(hours=24)


def test_it_is_closed_to_a_contact_who_has_never_written():
    assert window.closes_at(Conversation()) is None
    assert not window.is_open(Conversation(), WROTE)
