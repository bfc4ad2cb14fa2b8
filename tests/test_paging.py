"""Pages of a list by cursor: the mechanism, and what each list makes of a cursor that is not its own."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from conversations.models import Message
from templates_app.models import Template
from tests import factories
from tests.conftest import signed_in
from trochai.paging import EPOCH, Cursor, Order, newest_first, page_of

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)
NEWEST = newest_first("at")
BY_NAME = Order({"name": str, "language": str, "pk": int})


@given(st.integers(0, 10**17 - 1), st.integers(0, 2**63 - 1))
def test_a_place_in_time_survives_the_address(microseconds, pk):
    cursor = Cursor((EPOCH + dt.timedelta(microseconds=microseconds), pk))
    assert NEWEST.parse(str(cursor)) == cursor


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(texts, texts, st.integers(0, 2**63 - 1))
def test_a_place_among_names_survives_the_address(name, language, pk):
    cursor = Cursor((name, language, pk))
    assert BY_NAME.parse(str(cursor)) == cursor
    assert re.fullmatch(r"[\w.~%-]*", str(cursor), re.ASCII)


@pytest.mark.parametrize(
    "text", ["a-b", "a-b-c", "a-b-c-1", "a-b-", "%FF-b-1", "%00-b-1", "x" * 3000 + "-b-1"]
)
def test_what_no_list_of_names_has_written_is_no_place_in_it(text):
    assert BY_NAME.parse(text) is None


@given(st.text())
def test_nothing_that_is_typed_into_the_address_breaks_it(text):
    for order in (NEWEST, BY_NAME):
        found = order.parse(text)
        assert found is None or order.parse(str(found)) == found


@pytest.mark.parametrize("order", [BY_NAME, BY_NAME.reversed], ids=["ascending", "descending"])
def test_walking_by_name_there_and_back_sees_each_row_once(team, order):
    for name in ("a", "a-b", "á", "b%2D"):
        for language in ("en", "es"):
            factories.TemplateFactory(channel=team.channel, name=name, language=language)
    rows = Template.objects.all()
    everything = list(order.sort(rows))
    page = page_of(rows, order, size=2)
    there = [page.rows]
    while page.following:
        page = page_of(rows, order, size=2, after=order.parse(str(page.following)))
        there.append(page.rows)
    back = [page.rows]
    while page.previous:
        page = page_of(rows, order, size=2, before=order.parse(str(page.previous)))
        back.append(page.rows)
    assert [row for rows in there for row in rows] == everything
    assert back == there[::-1]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's plans say nothing about PostgreSQL's")
@pytest.mark.parametrize("order", [NEWEST, NEWEST.reversed], ids=["newest first", "oldest first"])
def test_a_place_amid_ties_is_where_the_index_is_entered(team, order):
    rows = Message.objects.filter(conversation=team.conversation)
    cursor = Cursor((NOW, 5))
    with connection.cursor() as database:
        database.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
        )
    plan = order.beyond(rows, cursor)[:26].explain()
    assert re.search(r"Index Cond: .*ROW\(at, id\) [<>] ROW\(", plan)
    assert "Sort" not in plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's planner")
@pytest.mark.parametrize(("order", "side"), [(NEWEST, "<"), (NEWEST.reversed, ">")])
def test_sqlite_enters_the_index_at_the_place_as_well(team, order, side):
    rows = Message.objects.filter(conversation=team.conversation)
    assert f"(conversation_id=? AND at{side}?)" in order.beyond(rows, Cursor((NOW, 5)))[:26].explain()


@pytest.fixture
def filled(team):
    """A row in each of the four lists, and their addresses by name."""
    factories.FollowUpFactory(
        organization=team.organization, conversation=team.conversation, template=team.template
    )
    factories.NotificationFactory(
        organization=team.organization, recipient=team.agent.user, values={"contact": "Told", "template": "t"}
    )
    return team


LISTS = {
    "follow-ups": ("/followups/?after={}", 'id="followup-'),
    "follow-ups, backwards": ("/followups/?before={}", 'id="followup-'),
    "inbox": ("/inbox/?before={}", 'id="item-'),
    "templates": ("/templates/?after={}", "visit_reminder"),
    "notifications": ("/notifications/?before={}", "Told"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "-",
        "1",
        "12-34-56",
        "%C2%B2-1",
        "99999999999999999999-1",
        "1-9223372036854775808",
        "%00-%00-1",
        # Well formed, but of another list, or of a place behind all of this one's rows.
        "1700000000000000-5",
        "visit_reminder-es-5",
        "zzz-es-5",
        "9999999999999999-1",
    ],
)
def test_a_cursor_that_is_malformed_or_from_elsewhere_is_the_first_page(filled, name, cursor):
    address, shown = LISTS[name]
    response = signed_in(filled.agent).get(address.format(cursor))
    html = response.content.decode()
    assert response.status_code == 200
    assert shown in html
    assert 'rel="next"' not in html


def test_a_list_behind_its_last_row_offers_no_way_back(filled):
    """What is shown is the first page: nothing is newer."""
    client = signed_in(filled.agent)
    assert 'id="pages"' not in client.get("/inbox/?before=1000000-1").content.decode()
    for address in ("/followups/?after=1000000-1", "/templates/?after=zz-zz-1", "/notifications/?before=1-1"):
        html = client.get(address).content.decode()
        assert not re.search(r'<nav class="pager"(?:(?!</nav>).)*<a ', html, re.S)
