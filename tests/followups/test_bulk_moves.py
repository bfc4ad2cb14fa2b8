"""Moving many: whatever the dates and zones, and whatever the worker does at the same time."""

from __future__ import annotations

import datetime as dt
import random
import threading
import uuid
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups import lifecycle
from followups.bulk import job
from followups.bulk.actions import Move, Refused
from followups.bulk.selection import Selection
from followups.models import BulkChange, BulkRefusal, FollowUp, FollowUpChange
from followups.pages.listing import Filters, Tab
from followups.scheduling import earliest, latest
from tests import factories
from tests.conftest import Team
from trochai.accounts.models import Organization

NOW = dt.datetime(2026, 10, 20, 15, 0, tzinfo=dt.UTC)
ZONES = ["America/Costa_Rica", "America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "Asia/Kathmandu"]
MOMENTS = st.integers(0, 200 * 24 * 60).map(
    lambda minutes: NOW + dt.timedelta(days=-10, minutes=minutes, seconds=17)
)


@given(
    zone=st.sampled_from(ZONES),
    at=MOMENTS,
    days=st.integers(-365, 365),
    least=st.integers(1, 30),
    span=st.integers(0, 90),
)
def test_by_days_each_keeps_its_hour_and_stays_within_the_window(zone, at, days, least, span):
    organization = Organization(timezone=zone, min_days=least, max_days=least + span)
    row = FollowUp(scheduled_for=at)
    try:
        to = Move(organization, days=days).wanted(row, NOW)
    except Refused as refusal:
        if refusal.code == "same":
            assert days == 0
        return
    before, after = (moment.astimezone(ZoneInfo(zone)) for moment in (at, to))
    assert after.date() - before.date() == dt.timedelta(days=days)
    assert after.time() == before.time().replace(second=0, microsecond=0)
    assert earliest(NOW, organization) <= to <= latest(NOW, organization)


@given(zone=st.sampled_from(ZONES), at=MOMENTS, date=st.dates(dt.date(2026, 10, 1), dt.date(2027, 4, 30)))
def test_to_a_date_each_keeps_its_hour_and_stays_within_the_window(zone, at, date):
    organization = Organization(timezone=zone)
    try:
        to = Move(organization, date=date).wanted(FollowUp(scheduled_for=at), NOW)
    except Refused:
        return
    before, after = (moment.astimezone(ZoneInfo(zone)) for moment in (at, to))
    assert after.date() == date
    assert after.time() == before.time().replace(second=0, microsecond=0)
    assert earliest(NOW, organization) <= to <= latest(NOW, organization)


def test_over_a_change_of_the_clocks_the_hour_stays_and_one_that_is_skipped_is_refused():
    organization = Organization(timezone="America/New_York")
    spring = dt.datetime(2027, 3, 11, 7, 30, tzinfo=dt.UTC)  # 2:30 AM; the clocks go forward on the 14th
    now = dt.datetime(2027, 3, 1, tzinfo=dt.UTC)
    with pytest.raises(Refused, match="skipped_time"):
        Move(organization, days=3).wanted(FollowUp(scheduled_for=spring), now)
    moved = Move(organization, days=4).wanted(FollowUp(scheduled_for=spring), now)
    assert moved == dt.datetime(2027, 3, 15, 6, 30, tzinfo=dt.UTC)


def make(team: Team, count: int, **fields: object) -> list[FollowUp]:
    return [
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=factories.ConversationFactory(organization=team.organization, channel=team.channel),
            template=team.template,
            created_by=team.agent.user,
            created_at=NOW - dt.timedelta(days=2),
            **{"scheduled_for": NOW + dt.timedelta(seconds=number), **fields},
        )
        for number in range(count)
    ]


def move_all(team: Team, selection: Selection, **values: object) -> BulkChange:
    """Store a move of which no chunk has been made."""
    return BulkChange.objects.create(
        organization=team.organization,
        by=team.agent.user,
        action="move",
        values=values or {"days": 10},
        selection=selection.as_json(),
        submission=uuid.uuid4(),
        created_at=NOW,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_however_it_is_cut_into_chunks_none_is_lost_or_doubled(team, monkeypatch, seed):
    """Also while others are canceled, deleted or begin to be sent between the chunks."""
    chance = random.Random(seed)
    monkeypatch.setattr(job, "CHUNK", chance.randint(1, 7))
    rows = make(team, 25)
    rows += [row for status in ("failed", "canceled", "sent") for row in make(team, 2, status=status)]
    newest = max(row.pk for row in rows)
    change = move_all(team, Selection(NOW, filters=Filters(tab=Tab.ALL), newest=newest))
    before = {row.pk: row.scheduled_for for row in rows}
    gone = set()
    while job.do_next(now=NOW):
        left = [row for row in rows if row.pk not in gone]
        row = chance.choice(left)
        current = FollowUp.objects.get(pk=row.pk)
        if current.status == "pending":
            lifecycle.cancel(current, by=team.admin, now=NOW)
        elif current.status in {"failed", "canceled"}:
            lifecycle.delete(current, by=team.admin, now=NOW)
            gone.add(row.pk)
    change.refresh_from_db()
    moved = [pk for pk, at in before.items() if FollowUp.objects.get(pk=pk).scheduled_for != at]
    recorded = Counter(FollowUpChange.objects.filter(kind="moved").values_list("follow_up", flat=True))
    refused = Counter(BulkRefusal.objects.values_list("follow_up", flat=True))
    assert recorded == Counter(moved)
    assert change.changed == len(moved)
    assert change.refused == refused.total() == len(refused)
    # Deleted before its turn: no longer in the list that was meant.
    assert before.keys() - gone <= recorded.keys() | refused.keys()
    assert not recorded.keys() & refused.keys()


@pytest.mark.django_db
def test_of_a_chunk_and_a_claim_at_once_each_row_is_moved_or_sent(team, in_threads, pytestconfig):
    """Each on a connection of its own.

    The claim asks more before it takes rows, so the chunk gives it more and less of a start, in questions of
    its own. A thousand times with --long.
    """
    team.channel.messages_per_second = 1000
    team.channel.save()
    rounds = 1000 if pytestconfig.getoption("long", default=False) else 40
    size = 3
    rows = make(team, rounds * size)
    groups = [rows[at : at + size] for at in range(0, len(rows), size)]
    before = {row.pk: row.scheduled_for for row in rows}
    changes = [move_all(team, Selection(NOW, ids=tuple(row.pk for row in group))) for group in groups]
    both = threading.Barrier(2, timeout=60)

    def chunks() -> set[int]:
        for number, change in enumerate(changes):
            both.wait()
            for _question in range(number % 20):
                FollowUp.objects.filter(pk=0).exists()
            job.advance(change.pk, now=NOW)
        return set()

    def claims() -> set[int]:
        claimed: set[int] = set()
        for group in groups:
            both.wait()
            claim = lifecycle.claim(limit=size, now=group[-1].scheduled_for)
            assert all(row.scheduled_for == before[row.pk] for row in claim.rows)
            claimed |= {row.pk for row in claim.rows}
        return claimed

    def race(number: int) -> tuple[set[int], dict[int, tuple[str, dt.datetime]], dict[int, str], list[int]]:
        found = (chunks, claims)[number]()
        both.wait()
        now = {
            pk: (status, at)
            for pk, status, at in FollowUp.objects.values_list("pk", "status", "scheduled_for")
        }
        refused = dict(BulkRefusal.objects.values_list("follow_up", "code"))
        recorded = list(FollowUpChange.objects.filter(kind="moved").values_list("follow_up", flat=True))
        return found, now, refused, recorded

    (_none, now, refused, recorded), (claimed, *_same) = in_threads(race, 2)
    moved = {pk for pk, (_status, at) in now.items() if at != before[pk]}
    assert sorted(recorded) == sorted(moved)
    assert claimed == {pk for pk, (status, _at) in now.items() if status == "processing"}
    assert not moved & claimed
    assert refused.keys() == before.keys() - moved
    assert set(refused.values()) <= {"processing", "changed"}


@pytest.mark.django_db
def test_two_workers_make_each_chunk_once(team, in_threads, monkeypatch):
    monkeypatch.setattr(job, "CHUNK", 3)
    rows = make(team, 30)
    change = move_all(team, Selection(NOW, ids=tuple(row.pk for row in rows)))

    def work(_number: int) -> tuple[int, int, list[int]]:
        while job.do_next(now=NOW):
            pass
        done = BulkChange.objects.get(pk=change.pk)
        return done.changed, done.refused, list(FollowUpChange.objects.values_list("follow_up", flat=True))

    for changed, refused, recorded in in_threads(work, 2):
        assert (changed, refused) == (30, 0)
        assert sorted(recorded) == [row.pk for row in rows]


@pytest.mark.django_db
def test_a_selection_is_read_as_it_was_stored():
    every = Filters(
        tab=Tab.PENDING, q="María", by="7", template="x", date="custom", first=NOW.date(), last=NOW.date()
    )
    for selection in (Selection(NOW, ids=(1, 2)), Selection(NOW, filters=every, newest=9)):
        assert Selection.from_json(selection.as_json()) == selection
