"""Imports under load: whatever stands in a file, and whoever is at it at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from conversations.models import Contact, Conversation
from followups.imports import checking, work
from followups.imports.models import Import, ImportRow, State, Verdict
from followups.models import FollowUp
from followups.wanted import CUSTOM, Wanted, problems_with
from notifications.models import Notification
from tests import factories
from tests.conftest import Team
from tests.fuzz.strategies import NASTY, bounded
from trochai.accounts.models import Membership
from trochai.clock import database_now

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
ROLES = ["phone", "value:body.1", "value:body.2", "value:body.3", "date", "time", "note"]
DAY = (dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=20)).date().isoformat()


def imported(team: Team, by: Membership, rows: list[list[str]], state: State) -> Import:
    batch = factories.ImportFactory(
        organization=team.organization,
        created_by=by.user,
        headings=ROLES,
        columns=ROLES,
        channel=team.channel,
        template=team.template,
        state=state,
    )
    for number, cells in enumerate(rows, start=2):
        factories.ImportRowFactory(batch=batch, number=number, cells=cells)
    return batch


def lines(count: int) -> list[list[str]]:
    return [[f"8712 {4000 + n}", "Ana", "Casa", "sábado", DAY, "9:00", ""] for n in range(count)]


def check(batch: Import) -> None:
    with transaction.atomic():
        checking.check_all(batch, now=database_now())


def run(_number: int) -> None:
    while work.do_next(now=database_now()):
        pass


def test_several_workers_at_one_file_schedule_each_row_once(team, in_threads):
    batch = imported(team, team.agent, lines(30), State.CHECKING)
    check(batch)
    Import.objects.update(state=State.SCHEDULING)

    def work_and_count(number: int) -> tuple[int, dict[str, int], int, str]:
        run(number)
        batch.refresh_from_db()
        notices = Notification.objects.filter(kind="follow_ups_imported").count()
        return FollowUp.objects.count(), batch.counts(), notices, batch.state

    # Who finds the file in other hands goes; the last one sees it done.
    results = in_threads(work_and_count, 3)
    made, counts, notices, state = max(results, key=lambda result: result[3] == State.DONE)
    assert (made, counts["scheduled"], notices, state) == (30, 30, 1, State.DONE)


def test_the_same_file_at_once_by_two_makes_each_row_once(team, in_threads):
    for member in (team.agent, team.other_agent):
        check(imported(team, member, lines(20), State.CHECKING))
    assert ImportRow.objects.filter(verdict=Verdict.READY).count() == 40
    Import.objects.update(state=State.SCHEDULING)

    def work_and_count(number: int) -> tuple[int, int, dict[str, int]]:
        run(number)
        both = [batch.counts() for batch in Import.objects.all()]
        verdicts = {name: sum(counts[name] for counts in both) for name in both[0]}
        return FollowUp.objects.count(), Contact.objects.count(), verdicts

    results = in_threads(work_and_count, 2)
    made, contacts, verdicts = min(results, key=lambda result: result[2]["ready"])
    assert (made, contacts) == (20, 21)
    assert (verdicts["scheduled"], verdicts["duplicate"], verdicts["ready"]) == (20, 20, 0)


GOOD = ["8712 4490", "Ana", "Casa EC-204", "sábado 5", "2026-12-01", "9:00", "Feria"]
CELLS = st.one_of(
    st.sampled_from(NASTY).filter(lambda text: "\0" not in text),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    st.sampled_from(["8712 4490", "+506 87124491", "2026-11-25", "2026-11-25T09:15-06:00", "x" * 1100]),
)


@st.composite
def rows(draw: st.DrawFn) -> list[list[str]]:
    """A few good rows, some with a cell or two of anything."""
    found = []
    for _row in range(draw(st.integers(1, 4))):
        cells = list(GOOD)
        for column in draw(st.lists(st.integers(0, len(GOOD) - 1), max_size=2)):
            cells[column] = draw(CELLS)
        found.append(cells)
    return found


@pytest.mark.django_db
@bounded(60)
@given(table=rows())
def test_nothing_is_scheduled_that_the_dialog_would_refuse(team, table):
    with transaction.atomic():
        batch = imported(team, team.agent, table, State.CHECKING)
        while work.do_next(now=NOW):
            pass
        assert not FollowUp.objects.exists()
        Import.objects.filter(state=State.CHECKED).update(state=State.SCHEDULING)
        while work.do_next(now=NOW):
            pass
        counts = batch.counts()
        assert counts[Verdict.READY] == counts[Verdict.UNCHECKED] == 0
        made = list(FollowUp.objects.select_related("conversation__contact", "template"))
        assert len(made) == counts[Verdict.SCHEDULED]
        assert [problem for each in made for problem in problems_with(wanted(each), now=NOW)] == []
        assert Conversation.objects.count() == 1 + len({each.conversation_id for each in made})
        transaction.set_rollback(True)


def wanted(follow_up: FollowUp) -> Wanted:
    names = ("conversation", "template", "parameters", "scheduled_for", "note")
    decided: dict[str, Any] = {name: getattr(follow_up, name) for name in names}
    return Wanted(choice=CUSTOM, **decided)
