"""The table's order, pages, filters and counts, below the HTTP layer."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.cache import caches
from django.db import connection
from django.http import QueryDict
from django.utils import timezone

from followups import lifecycle
from followups.models import FollowUp, Status
from followups.pages import listing, search
from followups.pages.listing import DateRange, Filters, Tab
from followups.pages.search import Found
from tests import factories
from trochai import statistics
from trochai.paging import Count, Cursor, count_of
from trochai.search import search_text

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica


@pytest.fixture(autouse=True)
def costa_rica():
    with timezone.override("America/Costa_Rica"):
        yield


def make(team, **given):
    """Return a follow-up of the team's first conversation; ``contact`` makes one of its own."""
    given.setdefault("created_by", team.agent.user)
    given.setdefault("template", team.template)
    contact = given.pop("contact", None)
    if contact is None:
        given.setdefault("conversation", team.conversation)
    else:
        person = factories.ContactFactory(organization=team.organization, **contact)
        given["conversation"] = factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=person
        )
    given["search_text"] = search_text(*given["conversation"].contact.known_as, given.get("note", ""))
    return factories.FollowUpFactory(organization=team.organization, **given)


def filters_from(team, query: str, membership=None) -> Filters:
    choices = listing.choices_for(membership or team.agent)
    return listing.FilterForm(QueryDict(query), choices=choices).filters()


def found(team, query: str, membership=None, now=NOW) -> list[int]:
    """Return the ids on the first page for this query string."""
    member = membership or team.agent
    filters = filters_from(team, query, member)
    rows = filters.apply(
        FollowUp.objects.for_organization(team.organization),
        membership=member,
        choices=listing.choices_for(member),
        now=now,
    )
    return [row.pk for row in listing.page_of(rows, filters).rows]


def walk(team, query: str) -> tuple[list[list[int]], list[list[int]]]:
    """Return the pages met on the way to the end, and those met on the way back."""
    filters = filters_from(team, query)
    rows = filters.apply(
        FollowUp.objects.for_organization(team.organization),
        membership=team.agent,
        choices=listing.choices_for(team.agent),
        now=NOW,
    )
    there, back = [], []
    page = listing.page_of(rows, filters)
    there.append([row.pk for row in page.rows])
    while page.following:
        page = listing.page_of(rows, filters.beyond(page.following))
        there.append([row.pk for row in page.rows])
    back.append([row.pk for row in page.rows])
    while page.previous:
        page = listing.page_of(rows, filters.short_of(page.previous))
        back.append([row.pk for row in page.rows])
    return there, back


class TestPages:
    @pytest.fixture
    def sixty(self, team):
        """60 rows on three moments, so that most neighbours are ties."""
        moments = [NOW + dt.timedelta(days=days) for days in (6, 7, 8)]
        return [make(team, scheduled_for=moments[number % 3]) for number in range(60)]

    @pytest.mark.parametrize(
        ("query", "sign"), [("status=all", -1), ("status=pending", 1)], ids=["newest first", "soonest first"]
    )
    def test_walking_there_and_back_sees_each_row_once_in_order(self, team, sixty, query, sign):
        expected = [
            row.pk
            for row in sorted(sixty, key=lambda row: (sign * row.scheduled_for.timestamp(), sign * row.pk))
        ]
        there, back = walk(team, query)
        assert [len(page) for page in there] == [25, 25, 10]
        assert [pk for page in there for pk in page] == expected
        assert back == there[::-1]

    def test_the_end_of_a_walk_has_nothing_further_and_its_start_nothing_before(self, team, sixty):
        filters = filters_from(team, "status=all")
        rows = Found(FollowUp.objects.for_organization(team.organization))
        first = listing.page_of(rows, filters)
        assert first.previous is None
        assert first.following is not None
        last = listing.page_of(
            rows, filters.beyond(listing.page_of(rows, filters.beyond(first.following)).following)
        )
        assert last.following is None

    def test_exactly_one_page_has_no_neighbours(self, team):
        for _ in range(listing.PAGE_SIZE):
            make(team, scheduled_for=NOW)
        page = listing.page_of(Found(FollowUp.objects.for_organization(team.organization)), Filters())
        assert page.is_whole
        assert len(page.rows) == listing.PAGE_SIZE

    def test_a_cursor_past_the_last_row_shows_the_first_page(self, team):
        row = make(team, scheduled_for=NOW)
        rows = Found(FollowUp.objects.for_organization(team.organization))
        page = listing.page_of(rows, Filters(after=Cursor((NOW - dt.timedelta(days=99), 1))))
        assert page.rows == [row]
        assert page.previous is None

    def test_going_back_to_fewer_rows_than_a_page_shows_the_first_page(self, team, sixty):
        rows = Found(FollowUp.objects.for_organization(team.organization))
        first = listing.page_of(rows, Filters())
        back = listing.page_of(rows, Filters(before=Tab.ALL.order.after(first.rows[3])))
        assert back.rows == first.rows

    def test_a_page_is_found_through_an_index_and_without_offset(self, team, django_assert_num_queries):
        filters = filters_from(team, f"status=sent&after={Cursor((NOW, 5))}")
        rows = filters.apply(
            FollowUp.objects.for_organization(team.organization),
            membership=team.agent,
            choices=listing.choices_for(team.agent),
            now=NOW,
        )
        with django_assert_num_queries(2) as queries:  # an empty place is followed by the first page
            listing.page_of(rows, filters)
        assert all("OFFSET" not in query["sql"] for query in queries)


class TestCursor:
    def test_it_survives_the_url_to_the_microsecond(self):
        cursor = Cursor((NOW + dt.timedelta(microseconds=123_457), 42))
        assert Tab.ALL.order.parse(str(cursor)) == cursor

    @pytest.mark.parametrize(
        "nonsense",
        [
            "",
            "1",
            "-1-1",
            "1-",
            "a-b",
            "1-1-1",
            "99999999999999999-1",
            "1-9223372036854775808",
            "١-١",
            "1 -1",
            "1-1\n",
        ],
    )
    def test_anything_else_is_no_cursor_or_a_harmless_one(self, team, nonsense):
        parsed = Tab.ALL.order.parse(nonsense)
        rows = FollowUp.objects.for_organization(team.organization)
        assert listing.page_of(Found(rows), Filters(after=parsed)).rows == []


class TestTabs:
    def test_each_tab_shows_its_statuses_and_processing_stands_under_pending(self, team):
        made = {
            status: make(team, status=status, scheduled_for=NOW - dt.timedelta(hours=1)).pk
            for status in ("pending", "processing", "sent", "failed", "canceled")
        }
        assert set(found(team, "status=all")) == set(made.values())
        assert set(found(team, "status=pending")) == {made["pending"], made["processing"]}
        assert found(team, "status=sent") == [made["sent"]]
        assert found(team, "status=failed") == [made["failed"]]
        assert found(team, "status=canceled") == [made["canceled"]]

    def test_counts_are_exact_below_the_cap(self, team):
        for status in ("pending", "pending", "processing", "sent", "failed"):
            make(team, status=status)
        counts = listing.counts_for(team.organization)
        assert {tab.value: str(counts[tab]) for tab in Tab} == {
            "all": "5",
            "pending": "3",
            "sent": "1",
            "failed": "1",
            "canceled": "0",
        }

    def test_counts_stop_at_the_cap_and_say_so(self, team, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr(listing, "COUNT_CAP", 3)
        for _ in range(4):
            make(team)
        make(team, status="failed")
        with django_assert_num_queries(1):
            counts = listing.counts_for(team.organization)
        assert str(counts[Tab.PENDING]) == "3+"
        assert str(counts[Tab.FAILED]) == "1"
        assert str(counts[Tab.ALL]) == "3+"

    def test_what_is_beyond_the_cap_is_not_counted_again_soon_but_for_what_waits(self, team, monkeypatch):
        monkeypatch.setattr(listing, "COUNT_CAP", 1)
        for status in ("pending", "pending", "failed", "failed", "canceled"):
            make(team, status=status)
        assert str(listing.counts_for(team.organization)[Tab.FAILED]) == "1+"
        FollowUp.objects.filter(status="failed").delete()
        FollowUp.objects.filter(status="pending").first().delete()
        lifecycle.recount()
        counts = listing.counts_for(team.organization)
        assert (str(counts[Tab.FAILED]), str(counts[Tab.PENDING]), str(counts[Tab.CANCELED])) == (
            "1+",
            "1",
            "1",
        )
        caches["hints"].clear()  # as ten minutes do
        assert str(listing.counts_for(team.organization)[Tab.FAILED]) == "0"

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's planner")
    @pytest.mark.parametrize(
        ("tab", "index"),
        [
            (Tab.PENDING, "follow_up_waiting"),
            (Tab.SENT, "follow_up_sent"),
            (Tab.FAILED, "follow_up_failed"),
            (Tab.CANCELED, "follow_up_canceled"),
        ],
    )
    def test_each_tab_is_counted_and_listed_in_its_own_index(self, team, tab, index):
        rows = tab.of(FollowUp.objects.for_organization(team.organization))
        for asked in (rows.order_by().values("pk")[:9], tab.order.sort(rows)[:9]):
            assert index in asked.explain()

    def test_all_is_capped_when_only_the_sum_passes_the_cap(self, team, monkeypatch):
        monkeypatch.setattr(listing, "COUNT_CAP", 3)
        for status in ("pending", "pending", "failed", "failed"):
            make(team, status=status)
        counts = listing.counts_for(team.organization)
        assert str(counts[Tab.PENDING]) == "2"
        assert str(counts[Tab.ALL]) == "3+"

    def test_a_capped_count_reads_as_people_write_it(self):
        assert str(Count(10_000, is_capped=True)) == "10,000+"

    def test_deleted_rows_and_other_organizations_are_not_counted(self, team, stranger):
        make(team, status="failed", deleted_at=NOW)
        make(stranger)
        assert not listing.counts_for(team.organization)[Tab.ALL]
        assert found(team, "") == []


class TestFilters:
    @pytest.mark.parametrize(
        "query", ["jimenez", "JIMÉNEZ", "8888 1234", "88881234", "+506 8888", "parqueo", "  parqueo  "]
    )
    def test_search_finds_contact_number_and_note_however_they_are_typed(self, team, query):
        wanted = make(
            team, contact={"name": "María Jiménez", "phone": "+50688881234"}, note="Confirmar el parqueo"
        )
        make(team, contact={"name": "Tom Becker", "phone": "+491512345678"})
        assert found(team, f"q={query.replace('+', '%2B')}") == [wanted.pk]

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's planner")
    def test_sqlite_looks_up_what_a_search_has_found_and_reads_no_other_rows(self, team):
        for number in range(100):
            make(team, contact={"name": f"María {number}", "phone": f"+506{number:08}"})
        statistics.take()
        rows = FollowUp.objects.for_organization(team.organization)
        of_contacts = search.search(rows, "maria", organization=team.organization).rows
        assert "follow_up_of_conversation" in of_contacts.explain()
        noted = rows.exclude(note="").filter(search_text__contains="parqueo")
        assert "follow_up_noted" in noted.explain()

    @pytest.mark.parametrize("status", Status)
    def test_search_finds_what_is_in_any_status_also_while_it_is_being_sent(self, team, status):
        wanted = make(team, note="Confirmar el parqueo", status=status)
        make(team, note="nothing special", status=status)
        assert found(team, "q=parqueo") == [wanted.pk]

    @pytest.mark.parametrize("query", ["%25", "_", "%5C", "'", "%25%25%25", "___", "a%25c", "'''"])
    def test_search_takes_wildcards_and_quotes_literally(self, team, query):
        make(team, note="nothing special")
        assert found(team, f"q={query}") == []

    @pytest.mark.parametrize("query", ["Li", "l", "张伟"])
    def test_a_name_of_two_letters_is_found_by_how_it_begins(self, team, query):
        name = "Li Mora" if query.isascii() else "张伟"
        short = make(team, contact={"name": name, "phone": "+50688881234"})
        make(team, contact={"name": "Julia Olivera", "phone": "+49151234567"}, note="Li llamó a 张伟")
        assert found(team, f"q={query}") == [short.pk]

    @pytest.mark.parametrize(("cap", "counted"), [(9, "3"), (1, "2+")], ids=["looked up", "walked"])
    def test_what_is_frequent_is_found_by_walking_the_list(self, team, monkeypatch, cap, counted):
        """Contacts or notes beyond the cap: the same rows, in the same order, only counted less far."""
        monkeypatch.setattr(search, "HITS_CAP", cap)
        monkeypatch.setattr(search, "FREQUENT_CAP", 2)
        rows = [
            make(team, scheduled_for=NOW, contact={"name": "María Mora", "phone": "+50688881234"}),
            make(team, scheduled_for=NOW, contact={"name": "Tom B", "phone": "+50688881235"}, note="maria"),
            make(team, scheduled_for=NOW, contact={"name": "Ana María", "phone": "+50688881236"}),
        ]
        make(team, scheduled_for=NOW, contact={"name": "Zoé", "phone": "+50688881237"})
        assert found(team, "q=maria") == [row.pk for row in reversed(rows)]
        matching = search.search(
            FollowUp.objects.for_organization(team.organization), "maria", organization=team.organization
        )
        assert str(count_of(matching.rows, matching.count_cap)) == counted

    def test_another_organizations_contacts_are_not_found(self, team, stranger):
        theirs = make(stranger, contact={"name": "María Mora", "phone": "+50688881234"}, note="parqueo")
        assert found(team, "q=maria") == found(team, "q=parqueo") == []
        assert found(stranger, "q=maria", stranger.agent) == [theirs.pk]

    def test_by_creator_and_by_me(self, team):
        mine = make(team, created_by=team.agent.user)
        theirs = make(team, created_by=team.other_agent.user)
        assert found(team, "by=me") == [mine.pk]
        assert found(team, f"by={team.other_agent.user_id}") == [theirs.pk]
        assert found(team, "by=me", membership=team.other_agent) == [theirs.pk]

    def test_by_template_takes_all_languages_of_the_name(self, team):
        english = factories.TemplateFactory(channel=team.channel, name=team.template.name, language="en")
        other = factories.TemplateFactory(channel=team.channel, name="new_listing")
        first, second = make(team, scheduled_for=NOW), make(team, template=english, scheduled_for=NOW)
        make(team, template=other)
        assert found(team, f"template={team.template.name}") == [second.pk, first.pk]

    def test_the_next_seven_days_end_with_the_seventh_whole_day_here(self, team):
        last = dt.datetime(2026, 11, 28, 5, 59, tzinfo=dt.UTC)  # Friday 27, 11:59 PM in Costa Rica
        inside, earlier_today = make(team, scheduled_for=last), make(team, scheduled_for=NOW)
        make(team, scheduled_for=last + dt.timedelta(minutes=1))
        make(team, scheduled_for=NOW - dt.timedelta(days=1))
        assert found(team, "date=next_7_days") == [inside.pk, earlier_today.pk]

    def test_the_last_thirty_days_begin_with_a_whole_day_here(self, team):
        first = dt.datetime(2026, 10, 21, 6, 0, tzinfo=dt.UTC)  # midnight in Costa Rica
        inside = make(team, scheduled_for=first)
        make(team, scheduled_for=first - dt.timedelta(minutes=1))
        make(team, scheduled_for=NOW + dt.timedelta(days=1))
        assert found(team, "date=last_30_days") == [inside.pk]

    def test_chosen_dates_include_both_ends_in_either_order(self, team):
        inside = make(team, scheduled_for=dt.datetime(2026, 11, 24, 3, 0, tzinfo=dt.UTC))  # 23 Nov, 9 PM
        make(team, scheduled_for=dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC))
        assert found(team, "date=custom&first=2026-11-23&last=2026-11-23") == [inside.pk]
        assert found(team, "date=custom&last=2026-11-20&first=2026-11-23") == [inside.pk]
        assert found(team, "date=custom&last=2026-11-23") == [inside.pk]

    def test_filters_combine_with_each_other_and_with_the_tab(self, team):
        wanted = make(team, status="failed", note="parqueo", scheduled_for=NOW)
        make(team, status="pending", note="parqueo", scheduled_for=NOW)
        make(team, status="failed", note="parqueo", scheduled_for=NOW, created_by=team.admin.user)
        make(team, status="failed", scheduled_for=NOW)
        make(team, status="failed", note="parqueo", scheduled_for=NOW - dt.timedelta(days=60))
        query = f"status=failed&q=parqueo&by=me&date=last_30_days&template={team.template.name}"
        assert found(team, query) == [wanted.pk]

    @pytest.mark.parametrize(
        "query",
        [
            "status=nonsense",
            "by=nonsense",
            "by=999999",
            "template=nonsense",
            "date=nonsense",
            "date=custom&first=32-13-2026",
            "date=custom&first=0001-01-01",
            "date=custom&last=9999-12-31",
            "first=2026-11-23",
            "after=nonsense",
            "after=1&before=2",
            "status=pending&status=",
            "q=" + "x" * 201,
            "unknown=1",
        ],
    )
    def test_nonsense_in_the_url_is_left_out(self, team, query):
        row = make(team, scheduled_for=NOW)
        assert found(team, query) == [row.pk]

    def test_a_null_character_is_left_out(self, team):
        row = make(team)
        assert found(team, "q=a%00b") == [row.pk]

    def test_another_organizations_member_and_template_are_not_offered(self, team, stranger):
        make(stranger)
        row = make(team)
        assert found(team, f"by={stranger.agent.user_id}") == [row.pk]
        secret = factories.TemplateFactory(channel=stranger.channel, name="secret")
        assert secret.name not in listing.choices_for(team.agent).templates

    def test_the_query_string_leads_back_to_the_same_filters(self, team):
        query = "?status=failed&q=a+%26+b&by=me&date=custom&first=2026-11-23&last=2026-11-24"
        filters = filters_from(team, query[1:])
        assert filters.query == query
        assert filters.date is DateRange.CUSTOM
        assert filters.cleared().query == "?status=failed"
        assert filters.with_tab(Tab.SENT).query.startswith("?status=sent&q=")
