from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.utils import timezone, translation

from conversations import message_search
from conversations.models import Contact, Conversation, Message, Tag
from conversations.pages import listing
from conversations.pages.listing import Filters, Tab
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.paging import Cursor

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def converse(team, name="María Jiménez", **fields):
    contact = factories.ContactFactory(organization=team.organization, name=name, **fields.pop("contact", {}))
    return factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact, **fields
    )


def names(membership, query=""):
    text = html_of(signed_in(membership).get(f"/inbox/{query}"))
    return re.findall(r'<span class="name truncate" dir="auto">([^<]*)', text)


@pytest.fixture
def team(team):
    """Without the conversation that everybody else's tests need."""
    team.conversation.delete()
    return team


def test_the_newest_message_is_first(team):
    for name, hours in [("Third", 3), ("First", 1), ("Second", 2)]:
        converse(team, name, last_message_at=NOW - dt.timedelta(hours=hours))
    assert names(team.viewer) == ["First", "Second", "Third"]


def test_a_row_says_who_wrote_last_what_and_whether_it_went_wrong(team):
    converse(
        team,
        last_message_at=NOW,
        preview="Hola María",
        preview_is_outbound=True,
        preview_kind="template",
        last_has_failed=True,
    )
    converse(team, "Unread One", unread_count=120, preview="Hi", last_message_at=NOW - dt.timedelta(days=1))
    text = html_of(signed_in(team.agent).get("/inbox/"))
    assert re.search(
        r'You:</span>\s*<svg [^>]*aria-label="Template".*?Hola María.*?aria-label="Not sent"', text, re.DOTALL
    )
    assert text.count('aria-label="Not sent"') == 1
    assert '99+<span class="sr-only"> unread' in text
    assert '<time class="time" datetime="2026-11-19T09:00-06:00">Yesterday</time>' in text


def test_a_pending_follow_up_marks_the_row(team):
    conversation = converse(team)
    factories.FollowUpFactory(
        organization=team.organization, conversation=conversation, template=team.template
    )
    text = html_of(signed_in(team.agent).get("/inbox/"))
    assert 'aria-label="Follow-up scheduled"' in text


def test_the_chips_narrow_the_list_and_count(team):
    converse(team, "Unread", unread_count=1)
    converse(team, "Mine", assignee=team.agent.user)
    converse(team, "Mine but closed", assignee=team.agent.user, status="closed")
    assert set(names(team.agent)) == {"Unread", "Mine", "Mine but closed"}
    assert names(team.agent, "?f=unread") == ["Unread"]
    assert names(team.agent, "?f=mine") == ["Mine"]
    assert names(team.agent, "?f=closed") == ["Mine but closed"]
    assert names(team.other_agent, "?f=mine") == []
    text = html_of(signed_in(team.agent).get("/inbox/"))
    assert "Unread <span>1</span>" in text
    assert "Mine <span>1</span>" in text


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("maria", ["María Jiménez"]),
        ("JIMENEZ", ["María Jiménez"]),
        ("úñi", ["Allan Zúñiga"]),
        ("Ál", ["Allan Zúñiga"]),
        ("úñ", []),  # with fewer than three letters only how a name begins
        ("zuniga", ["Allan Zúñiga"]),
        ("8888 1234", ["María Jiménez"]),
        ("+506 8888-1234", ["María Jiménez"]),
        ("50688881234", ["María Jiménez"]),
        ("12", []),
        ("lote en grecia", ["Allan Zúñiga"]),
        ("100%", []),
        (".*", []),
        ("[a", []),
        ("\\", []),
    ],
)
def test_search_finds_names_numbers_and_last_messages(team, wanted, found):
    converse(team, "María Jiménez", contact={"phone": "+50688881234"}, preview="Perfecto")
    converse(team, "Allan Zúñiga", contact={"phone": "+50671230000"}, preview="El lote en Grecia")
    query = Filters(search=wanted)
    assert [row.name for row in listing.listing(team.agent, query).rows] == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("parqueo para dos", ["María Jiménez"]),
        ("dos parqu", ["María Jiménez"]),  # in any order, each by how it begins
        ("parqueo dos perros", []),
        ("pa", []),
        ("visita' & !x:*", []),
        ("%", []),
    ],
)
def test_search_finds_words_of_earlier_messages_of_either_side(team, stranger, wanted, found):
    conversation = converse(team, "María Jiménez", preview="Perfecto")
    factories.MessageFactory(conversation=conversation, direction="in", text="¿Hay PARQUEO para dos carros?")
    factories.MessageFactory(conversation=stranger.conversation, text="Parqueo para dos carros")
    query = Filters(search=wanted)
    assert [row.name for row in listing.listing(team.agent, query).rows] == found


@pytest.mark.skipif(connection.vendor != "postgresql", reason="LIKE knows no accents")
def test_words_of_messages_are_found_without_their_accents(team):
    conversation = converse(team, "María", preview="Perfecto")
    factories.MessageFactory(conversation=conversation, text="Mañana ÚNICAMENTE después de las 3")
    for wanted in ("manana", "únicamente", "UNICA despues"):
        assert len(listing.listing(team.agent, Filters(search=wanted)).rows) == 1, wanted


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere all messages are read")
@pytest.mark.django_db
def test_words_of_messages_are_found_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    said = message_search.saying("parqueo")
    assert "message_words" in Message.objects.filter(message_search.SPOKEN, said).explain()


def test_what_everybody_was_sent_is_not_searched_and_too_many_are_said(team, monkeypatch):
    monkeypatch.setattr(message_search, "MOST", 2)
    for number in range(3):
        conversation = converse(team, f"Contact {number}", preview="Perfecto")
        factories.MessageFactory(conversation=conversation, kind="template", text="Le recordamos su visita")
    text = html_of(signed_in(team.agent).get("/inbox/?q=recordamos"))
    assert "Nothing found" in text
    for conversation in team.organization.conversations.all():
        factories.MessageFactory(conversation=conversation, text="Gracias por la visita")
    text = html_of(signed_in(team.agent).get("/inbox/?q=gracias"))
    assert text.count('id="row-') == 2
    assert "Very many messages say this" in text


def test_pages_follow_one_another_none_twice_none_lost(team):
    for number in range(listing.PAGE_SIZE * 2 + 3):
        # Many at one moment: the id decides.
        converse(team, f"Contact {number:03}", last_message_at=NOW - dt.timedelta(hours=number // 20))
    client, url, seen = signed_in(team.agent), "/inbox/", []
    while url:
        text = html_of(client.get(url))
        seen += re.findall(r'name truncate" dir="auto">(Contact \d+)', text)
        older = re.search(r'href="([^"]*)"[^>]*rel="next"', text)
        url = older and older[1].replace("&amp;", "&")
    assert sorted(seen) == [f"Contact {number:03}" for number in range(listing.PAGE_SIZE * 2 + 3)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("shown", "on_its_own"),
    [("30", False), ("470", True), ("nonsense", False), ("-1", False), ("9" * 7, False)],
)
def test_after_very_many_rows_those_that_follow_come_on_a_page_of_their_own(team, shown, on_its_own):
    for number in range(listing.PAGE_SIZE * 2 + 1):
        conversation = converse(
            team, f"Contact {number:03}", last_message_at=NOW - dt.timedelta(hours=number)
        )
    client, opened = signed_in(team.agent), f"/inbox/{conversation.pk}/"
    before = re.search(r'rel="next"\s+hx-get="/inbox/older/\?before=([\d-]+)', html_of(client.get(opened)))[1]
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{opened}?f=x"}
    found = html_of(client.get("/inbox/older/", {"before": before, "shown": shown}, headers=headers))
    assert found.count('id="row-') == listing.PAGE_SIZE
    assert ("Older, on a page of their own" in found) is on_its_own
    assert bool(re.search(rf'hx-push-url="{opened}\?before=', found)) is on_its_own
    assert ("intersect" in found) is not on_its_own


def test_filter_and_search_stay_in_every_link(team):
    for _ in range(listing.PAGE_SIZE + 1):
        converse(team, "Ana & Co", unread_count=1)
    text = html_of(signed_in(team.agent).get("/inbox/?f=unread&q=ana+%26+co"))
    assert re.search(r'href="/inbox/\d+/\?f=unread&amp;q=ana\+%26\+co"', text)
    assert re.search(r'href="/inbox/\?f=unread&amp;q=ana\+%26\+co&amp;before=\d+-\d+"', text)


def test_an_empty_inbox_an_empty_filter_and_an_empty_search_say_why(team):
    client = signed_in(team.agent)
    assert "No conversations yet" in html_of(client.get("/inbox/"))
    assert "Nothing closed yet" in html_of(client.get("/inbox/?f=closed"))
    assert "Nobody is waiting" in html_of(client.get("/inbox/?f=unassigned"))
    assert "Nothing found for “zzz”" in html_of(client.get("/inbox/?q=zzz"))


def test_a_search_by_htmx_puts_itself_into_the_address(team):
    headers = {"HX-Request": "true", "HX-Trigger": "search"}
    response = signed_in(team.agent).get("/inbox/poll/?q=ana&f=mine", headers=headers)
    assert response["HX-Replace-Url"] == "/inbox/?f=mine&q=ana"


@pytest.mark.parametrize(
    "text", ["", "x", "1", "-1", "1-", "1-x", "99999999999999999999-1", f"1-{2**63}", "１-１"]
)
def test_a_cursor_that_was_not_made_here_is_no_cursor(text):
    assert listing.ORDER.parse(text) is None


def test_a_cursor_keeps_the_microsecond():
    cursor = Cursor((dt.datetime(2026, 11, 20, 15, 0, 0, 123457, tzinfo=dt.UTC), 7))
    assert listing.ORDER.parse(str(cursor)) == cursor


def test_counts_stop_at_99(team, monkeypatch):
    monkeypatch.setattr(listing, "COUNT_CAP", 2)
    for _ in range(5):
        converse(team, unread_count=1)
    chips = listing.listing(team.agent, Filters()).chips
    assert [(chip.query.tab, chip.count) for chip in chips][:2] == [
        (Tab.ALL, ""),
        (Tab.UNREAD, "2+"),
    ]


@pytest.fixture
def row(team):
    """Return a function that draws the one row of the list."""
    converse(team, last_message_at=NOW, preview="Hola", preview_kind="text")

    def draw():
        (only,) = listing.listing(team.agent, Filters()).rows
        return only.html

    return draw


def test_a_row_in_which_nothing_has_changed_is_not_drawn_again(row):
    assert row() is row()


@pytest.mark.parametrize(
    "change",
    [
        {"unread_count": 1},
        {"last_message_at": NOW - dt.timedelta(minutes=1)},
        {"preview": "Adiós"},
        {"preview_kind": "image"},
        {"preview_is_outbound": True},
        {"last_has_failed": True},
        {"status": "closed"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_row_is_drawn_again_when_its_conversation_changes(row, change):
    before = row()
    Conversation.objects.update(**change)
    assert row() != before


def test_a_row_is_drawn_again_with_another_name_another_tag_and_another_look_of_it(row, team):
    seen = [row()]
    Contact.objects.update(name="María Rojas")
    seen.append(row())
    tag = factories.TagFactory(organization=team.organization, name="VIP")
    Conversation.objects.get().tags.add(tag)
    seen.append(row())
    Tag.objects.update(tone="blue")
    seen.append(row())
    assert len(set(seen)) == 4


def test_a_row_is_drawn_again_on_the_next_day_in_another_zone_and_in_another_language(row, time_machine):
    today = row()
    with timezone.override("Europe/Madrid"):
        assert "4:00 PM" in row()
        assert "3:00 PM" in today
    with translation.override("de"):
        assert row() is not today
    time_machine.move_to(NOW + dt.timedelta(days=1), tick=False)
    assert "Yesterday" in row()
