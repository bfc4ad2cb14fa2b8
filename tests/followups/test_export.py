"""What the list shows, as a file for a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from hypothesis import example, given
from hypothesis import strategies as st

from conversations import erasure
from followups import export
from followups.csv_cells import defused, undefused
from followups.models import FailureKind, FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.fuzz.strategies import bounded
from tests.html import html_of
from trochai.accounts.models import Membership
from trochai.search import search_text

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
FORMULAS = ["=1+1", "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1", "'=1", "''=1", "+A1", "+506"]


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team: Team, *, contact: dict[str, Any] | None = None, **given: Any) -> FollowUp:
    given.setdefault("conversation", team.conversation)
    if contact:
        given["conversation"] = factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            contact=factories.ContactFactory(organization=team.organization, **contact),
        )
    given = {"created_by": team.agent.user, "template": team.template, "scheduled_for": NOW, **given}
    given["search_text"] = search_text(*given["conversation"].contact.known_as, given.get("note", ""))
    return factories.FollowUpFactory(organization=team.organization, **given)


def file_of(member: Membership, query: str = "") -> str:
    answer = signed_in(member).get(f"/followups/export/{query}")
    assert answer.status_code == 200
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer).decode()


def lines_of(member: Membership, query: str = "") -> list[dict[str, str]]:
    text = file_of(member, query)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
def test_whoever_sees_the_rows_may_have_them(team, role):
    team.conversation.contact.phone = "+50688881234"
    team.conversation.contact.save()
    make(team, note="Cliente de la feria", scheduled_for=dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC))
    assert lines_of(team.member(role)) == [
        {
            "Contact": "María Jiménez",
            "Phone": "+506 8888 1234",
            "Template": "visit_reminder",
            "Language": "es",
            "Scheduled for": "2026-12-01T09:00:00-06:00",
            "Created by": team.agent.user.name,
            "Status": "Pending",
            "Reason": "",
            "Note": "Cliente de la feria",
            "body.1": "María",
            "body.2": "Casa EC-204",
            "body.3": "sábado 28",
            "Former values": "",
        }
    ]


def test_the_file_is_named_after_the_day_and_no_cache_keeps_it(team):
    answer = signed_in(team.agent).get("/followups/export/")
    assert answer["Content-Disposition"] == 'attachment; filename="follow-ups-2026-11-20.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store, private"


def test_it_has_what_the_filters_find_in_the_order_of_the_list_whatever_page_is_open(team, stranger):
    soon, late = (make(team, scheduled_for=NOW + dt.timedelta(days=days), note=str(days)) for days in (6, 9))
    make(team, status="sent", note="sent")
    make(team, status="failed", note="failed")
    make(stranger, note="theirs")
    notes = [line["Note"] for line in lines_of(team.viewer, "?status=pending")]
    assert notes == [soon.note, late.note]
    place = f"{(late.scheduled_for - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)}"
    assert len(lines_of(team.agent, f"?status=pending&after={place}-{late.pk}")) == 2
    assert len(lines_of(team.agent)) == 4
    assert [line["Note"] for line in lines_of(team.agent, "?q=fail")] == ["failed"]


def test_times_are_the_organizations_with_the_offset_of_that_day(team):
    team.organization.timezone = "Europe/Madrid"
    team.organization.save()
    make(team, scheduled_for=dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC))
    make(team, scheduled_for=dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC))
    times = [line["Scheduled for"] for line in lines_of(team.agent)]
    assert times == ["2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+02:00"]


def test_why_something_failed_or_was_canceled_is_said_in_words(team):
    make(team, status="failed", failure_kind=FailureKind.PERMANENT, failure_code=131026)
    make(team, status="canceled", cancel_cause="reply", scheduled_for=NOW - dt.timedelta(days=1))
    failed, canceled = lines_of(team.agent)
    assert failed["Reason"].startswith("Not sent. ")
    assert "(error 131026)" in failed["Reason"]
    assert (canceled["Status"], canceled["Reason"]) == ("Canceled", "María replied")


def test_values_for_a_place_that_a_template_no_longer_has_are_not_lost(team):
    make(team, status="sent", parameters={"body.1": "María", "body.9": "El Roble"})
    (line,) = lines_of(team.agent)
    assert (line["body.1"], line["Former values"]) == ("María", "body.9: El Roble")


def test_of_an_erased_contact_there_is_not_a_word(team):
    make(team, note="Cliente de la feria")
    erasure.erase(team.conversation.contact, by=team.admin.user, now=NOW)
    (line,) = lines_of(team.agent)
    words = ("Contact", "Phone", "Note", "body.1", "body.2", "body.3")
    assert [line[name] for name in words] == [""] * len(words)


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_taken_for_a_formula(team, formula):
    make(team, contact={"name": formula}, note=formula, parameters={"body.1": formula})
    (line,) = lines_of(team.agent)
    assert {line["Contact"], line["Note"], line["body.1"]} == {f"'{formula}"}


@bounded(300)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(FORMULAS))
@example("+506 8888 1234")
def test_what_was_defused_is_read_as_it_was(text):
    assert undefused(defused(text)) == text
    assert defused(text).lstrip()[:1] not in set("=-@") or text == ""


def test_a_number_of_rows_costs_a_query_a_chunk_and_what_is_sent_first_needs_none_of_them(
    team, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(export, "CHUNK", 3)
    for number in range(7):
        make(team, contact={"name": f"Contact {number}"})
    client = signed_in(team.agent)
    client.get("/inbox/")
    answer = client.get("/followups/export/")
    assert isinstance(answer, StreamingHttpResponse)
    pieces = iter(answer)
    with django_assert_num_queries(0):
        assert next(pieces).startswith(b"\xef\xbb\xbfContact,")
    # Its rows, and their templates.
    with django_assert_num_queries(2):
        assert next(pieces).count(b"\r\n") == 3
    with django_assert_num_queries(4):
        assert [piece.count(b"\r\n") for piece in pieces] == [3, 1]


def test_compressed_it_still_comes_in_pieces(team, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 1)
    for _number in range(3):
        make(team)
    answer = signed_in(team.agent).get("/followups/export/", headers={"Accept-Encoding": "gzip"})
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(b"".join(answer)).splitlines()) == 4


def test_the_page_offers_what_it_shows(team):
    client, query = signed_in(team.viewer), "?status=failed&by=me"
    page = html_of(client.get(f"/followups/{query}"))
    assert 'href="/followups/export/?status=failed&amp;by=me"' in page
    swapped = html_of(client.get(f"/followups/{query}", headers={"HX-Request": "true"}))
    assert 'href="/followups/export/?status=failed&amp;by=me"' in swapped
