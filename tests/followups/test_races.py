"""What people do with a follow-up at the moment at which a worker takes it, on connections of their own."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest

from followups import lifecycle
from followups.models import FollowUp, SeriesEnd, Status
from followups.repeating import Repeat, RepeatKind
from followups.wanted import CUSTOM, KEEP, Wanted
from tests import factories
from tests.conftest import Team
from tests.followups.test_editing import with_note
from tests.followups.test_series import FRIDAY, WEEK, settle
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


def repeated_rows(team: Team, count: int) -> list[FollowUp]:
    """Each the first of a weekly series, for a contact of its own."""
    rows = []
    for _number in range(count):
        about = {
            "organization": team.organization,
            "conversation": factories.ConversationFactory(
                organization=team.organization, channel=team.channel
            ),
            "template": team.template,
        }
        series = factories.SeriesFactory(**about, first_on=FRIDAY.date(), next_at=FRIDAY + WEEK)
        rows.append(factories.FollowUpFactory(**about, scheduled_for=FRIDAY, series=series, occurrence=1))
    lifecycle.recount()
    return rows


def repeat_monthly(row: FollowUp, by: Membership) -> str:
    """Return what somebody hears who has seen the row like this and has all that follow come monthly."""
    wanted = Wanted(
        row.conversation,
        row.template,
        row.parameters,
        KEEP,
        row.scheduled_for,
        kept=row.scheduled_for,
        repeat=Repeat(RepeatKind.MONTHLY),
        underway=row.underway,
    )
    shown = {"version": row.version, "series_version": row.series.version}
    try:
        lifecycle.edit(row, wanted, **shown, by=by, now=NOW, following=True)
    except lifecycle.TransitionRefused as refusal:
        return refusal.code
    return "done"


def at_once(in_threads: Any, rows: list[FollowUp], by: Membership, other: Callable[[FollowUp], Any]) -> Any:
    """Have each repeated monthly while another connection does something else with it.

    Now the one is given a start, now the other. Return what was heard of each, and the rows as they are then.
    """
    both = threading.Barrier(2, timeout=60)

    def race(thread: int) -> tuple[list[Any], list[FollowUp]]:
        heard = []
        for number, row in enumerate(FollowUp.objects.select_related("series").order_by("pk")):
            both.wait()
            for _question in range(number if thread == number % 2 else 0):
                FollowUp.objects.filter(pk=row.pk).exists()
            heard.append(repeat_monthly(row, by) if thread == 0 else other(row))
        both.wait()
        return heard, list(FollowUp.objects.select_related("series").order_by("pk"))

    (heard, stored), _other = in_threads(race, 2)
    return heard, stored


def test_a_rule_that_is_changed_while_the_next_one_is_made_is_that_of_the_next_or_is_told(team, in_threads):
    rows = repeated_rows(team, 24)

    def goes_out_and_the_next_is_made(row: FollowUp) -> None:
        settle(row)
        lifecycle.make_next(row.series, now=FRIDAY)

    heard, stored = at_once(in_threads, rows, team.agent, goes_out_and_the_next_is_made)
    made = {row.series_id: row.scheduled_for.date() for row in stored if row.occurrence == 2}
    days = {"done": dt.date(2026, 12, 27), "sent": dt.date(2026, 12, 4)}
    assert [made[row.series_id] for row in rows] == [days[each] for each in heard]


def test_a_rule_that_is_changed_while_a_colleague_ends_the_series_is_told(team, in_threads):
    rows = repeated_rows(team, 24)
    heard, stored = at_once(
        in_threads,
        rows,
        team.agent,
        lambda row: lifecycle.end_series(row.series, by=team.admin.user, now=NOW),
    )
    assert {row.series.end_cause for row in stored} == {SeriesEnd.MEMBER}
    kinds = {"done": RepeatKind.MONTHLY, "changed": RepeatKind.WEEKLY}
    assert [(row.series.kind, row.version) for row in stored] == [
        (kinds[each], int(each == "done")) for each in heard
    ]
