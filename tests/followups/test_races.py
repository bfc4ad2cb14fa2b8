"""What people do with a follow-up at the moment at which a worker takes it, on connections of their own."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest

from followups import lifecycle
from followups.models import FollowUp, Status
from followups.wanted import CUSTOM
from tests import factories
from tests.conftest import Team
from tests.followups.test_editing import with_note
from trochai.accounts.models import Membership

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def edit(row: FollowUp, by: Membership) -> None:
    lifecycle.edit(row, with_note(row, "They come by bus"), version=0, by=by, now=NOW)


def move(row: FollowUp, by: Membership) -> None:
    lifecycle.move(row, choice=CUSTOM, to=NOW + dt.timedelta(days=14), version=0, by=by, now=NOW)


def send_now(row: FollowUp, by: Membership) -> None:
    lifecycle.send_now(row, version=0, by=by, now=NOW)


def cancel(row: FollowUp, by: Membership) -> None:
    lifecycle.cancel(row, by=by, now=NOW)


def hand_over(row: FollowUp, by: Membership) -> None:
    lifecycle.hand_over(row, to=by.user, by=by, now=NOW)


def rows_due_one_after_another(team: Team, count: int) -> list[FollowUp]:
    """Each for a contact of its own, on a line that keeps none of them waiting for long."""
    team.channel.messages_per_second = 1000
    team.channel.save()
    rows = [
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=factories.ConversationFactory(organization=team.organization, channel=team.channel),
            template=team.template,
            created_by=team.admin.user,
            scheduled_for=NOW + dt.timedelta(seconds=number + 1),
        )
        for number in range(count)
    ]
    lifecycle.recount()
    return rows


@pytest.mark.parametrize("change", [edit, move, send_now, cancel, hand_over])
def test_of_a_change_and_a_claim_at_once_exactly_one_comes_first(team, in_threads, pytestconfig, change):
    """Either the worker has what was decided, or whoever decided hears that it is being sent.

    Row by row. A claim asks more before it takes a row, so the change gives it more and less of a start, in
    questions of its own. A thousand times with --long.
    """
    rows = rows_due_one_after_another(team, 1000 if pytestconfig.getoption("long", default=False) else 60)
    both = threading.Barrier(2, timeout=60)

    def changes() -> dict[int, str]:
        heard = {}
        for number, row in enumerate(rows):
            both.wait()
            for _question in range(number % 20):
                FollowUp.objects.filter(pk=row.pk).exists()
            try:
                change(row, team.agent)
                heard[row.pk] = "done"
            except lifecycle.TransitionRefused as refusal:
                heard[row.pk] = refusal.code
        return heard

    def claims() -> dict[int, tuple[int, int | None]]:
        """Return what the worker has of each row that a change would have changed."""
        claimed = {}

        def claim(now: dt.datetime) -> None:
            claimed.update({each.pk: what_counts(each) for each in lifecycle.claim(limit=5, now=now).rows})

        for row in rows:
            both.wait()
            claim(row.scheduled_for)
        while FollowUp.objects.due(rows[-1].scheduled_for).exists():  # the line has kept it from some of them
            claim(rows[-1].scheduled_for)
        return claimed

    def race(number: int) -> tuple[dict[int, Any], dict[int, FollowUp]]:
        found = changes() if number == 0 else claims()
        both.wait()
        return found, FollowUp.objects.in_bulk()

    (heard, stored), (claimed, _stored) = in_threads(race, 2)
    assert set(heard.values()) == {"done", "processing"}
    assert {pk: what_counts(stored[pk]) for pk in claimed} == claimed
    assert claimed.keys() == {pk for pk in stored if stored[pk].status == Status.PROCESSING}
    assert changed_among(stored) == {pk for pk, answer in heard.items() if answer == "done"}


def what_counts(row: FollowUp) -> tuple[int, int | None]:
    return row.version, row.owner_id


def changed_among(rows: dict[int, FollowUp]) -> set[int]:
    return {pk for pk, row in rows.items() if any(what_counts(row)) or row.status == Status.CANCELED}
