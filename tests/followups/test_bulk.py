"""Changing many at once: what is previewed, what is done, by whom, and what of it can be read afterwards."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from followups import lifecycle, tasks
from followups.bulk import job
from followups.models import BulkChange, FollowUp
from notifications.models import Notification
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from trochai.clock import database_now
from trochai.waking import waker

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team: Team, count: int = 1, **fields: Any) -> list[FollowUp]:
    """Return follow-ups that are due in a week, one a contact."""
    return [
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=factories.ConversationFactory(
                organization=team.organization,
                channel=team.channel,
                contact=factories.ContactFactory(organization=team.organization, name=f"Contact {number}"),
            ),
            template=team.template,
            created_at=NOW - dt.timedelta(days=2),
            **{"created_by": team.agent.user, "scheduled_for": FRIDAY, **fields},
        )
        for number in range(count)
    ]


def ask(member: Any, action: str, rows: list[FollowUp] | None, *, htmx: bool = True, **data: Any) -> Any:
    """Press a button of the bar, with these rows ticked or the whole list."""
    chosen = {"all": "1"} if rows is None else {"pick": [row.pk for row in rows]}
    headers = HTMX if htmx else {}
    return signed_in(member).post(
        f"/followups/bulk/{action}/", {"next": "/followups/", **chosen, **data}, headers=headers
    )


def confirm(member: Any, action: str, preview: Any, *, htmx: bool = True) -> Any:
    """Press the last button of a preview."""
    data: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(html_of(preview)):
        data.setdefault(name, []).append(html.unescape(value))
    assert "confirmed" in data
    headers = HTMX if htmx else {}
    return signed_in(member).post(f"/followups/bulk/{action}/", data, headers=headers)


def do(member: Any, action: str, rows: list[FollowUp] | None, **data: Any) -> Any:
    return confirm(member, action, ask(member, action, rows, step=1, **data))


def toast(response: Any) -> dict[str, str]:
    return json.loads(response["HX-Trigger"])["toast"]


def moments(rows: list[FollowUp]) -> list[dt.datetime]:
    return list(
        FollowUp.objects.filter(pk__in=[row.pk for row in rows]).values_list("scheduled_for", flat=True)
    )


BY_3 = {"how": "by", "days": 3, "direction": "later"}


# The list ----------------------------------------------------------------------------------------------


def boxes(member: Any, path: str = "/followups/") -> set[int]:
    page = html_of(signed_in(member).get(path))
    return {int(pk) for pk in re.findall(r'name="pick" value="(\d+)"', page)}


def test_what_somebody_may_change_has_a_box_and_nothing_else(team):
    mine, theirs = make(team, 2), make(team, created_by=team.other_agent.user)
    failed = make(team, status="failed")
    make(team, status="sent")
    make(team, status="processing")
    assert boxes(team.agent) == {row.pk for row in mine}
    assert boxes(team.admin) == {row.pk for row in [*mine, *theirs, *failed]}
    assert boxes(team.viewer) == set()


def test_the_bar_offers_what_the_tab_and_the_role_allow(team):
    make(team)
    for member, tab, actions in (
        (team.admin, "all", {"move", "hand_over", "template", "cancel", "delete"}),
        (team.admin, "pending", {"move", "hand_over", "template", "cancel"}),
        (team.admin, "failed", {"hand_over", "delete"}),
        (team.agent, "pending", {"move", "template", "cancel"}),
        (team.agent, "failed", set()),
        (team.viewer, "all", set()),
        (team.admin, "sent", set()),
    ):
        page = html_of(signed_in(member).get(f"/followups/?status={tab}"))
        assert set(re.findall(r'formaction="/followups/bulk/(\w+)/"', page)) == actions, (tab, member.role)


# Preview -----------------------------------------------------------------------------------------------


def test_a_preview_says_how_many_will_and_which_cannot_and_changes_nothing(team):
    rows = make(team, 3)
    (sent,) = make(team, status="sent")
    (theirs,) = make(team, created_by=team.other_agent.user)
    page = html_of(ask(team.agent, "move", [*rows, sent, theirs], step=1, **BY_3))
    assert "Move 5 follow-ups 3 days later" in page
    assert "3 will move" in page
    assert "2 can’t" in page
    assert "It has already been sent." in page
    assert "Somebody else is in charge of it." in page
    assert "<del>Fri 27 Nov, 9:00 AM</del>" in page
    assert "<ins>Mon 30 Nov, 9:00 AM</ins>" in page
    assert "Move 3 follow-ups" in page
    assert set(moments(rows)) == {FRIDAY}
    assert not BulkChange.objects.exists()


def test_a_date_outside_the_window_says_which_would_still_do(team):
    rows = make(team)
    page = html_of(ask(team.agent, "move", rows, step=1, how="by", days=90, direction="later"))
    assert "later than a date may be chosen. The latest is Thu 18 Feb 2027, 9:00 AM." in page
    assert "Move 1 follow-up<" not in page
    page = html_of(ask(team.agent, "move", rows, step=1, how="by", days=3, direction="earlier"))
    assert "sooner than a date may be chosen. The earliest is Wed 25 Nov, 9:00 AM." in page


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"how": "by", "days": ""}, "Enter how many days."),
        ({"how": "by", "days": "0", "direction": "later"}, "greater than or equal to 1"),
        ({"how": "by", "days": "9" * 30}, "less than or equal to 365"),
        ({"how": "to", "date": ""}, "Choose a date."),
        ({"how": "to", "date": "soon"}, "Enter the date as year-month-day"),
    ],
)
def test_what_is_asked_for_and_makes_no_sense_is_refused_beside_its_field(team, data, words):
    response = ask(team.agent, "move", make(team), step=1, **data)
    assert response.status_code == 422
    assert words in html_of(response)


def test_each_action_first_asks_for_what_it_needs(team):
    rows = make(team)
    for action, words in (
        ("move", "By days"),
        ("hand_over", "Choose somebody"),
        ("template", "Choose a template"),
    ):
        assert words in html_of(ask(team.admin, action, rows))
    assert "1 will be canceled" in html_of(ask(team.admin, "cancel", rows))


def test_of_a_great_many_the_first_are_looked_at_and_the_preview_says_so(team, monkeypatch):
    monkeypatch.setattr("followups.bulk.preview.EXAMINED", 4)
    make(team, 6)
    page = html_of(ask(team.admin, "move", None, step=1, **BY_3))
    assert "of the first 4; 6 are selected" in page
    assert "Move 6 follow-ups" in page


def test_a_preview_costs_the_same_queries_however_many_are_chosen(team):
    rows = make(team, 12)
    counts = []
    for chosen in (rows[:2], rows):
        client = signed_in(team.admin)
        data = {"next": "/followups/", "pick": [row.pk for row in chosen], "step": 1, **BY_3}
        with CaptureQueriesContext(connection) as queries:
            client.post("/followups/bulk/move/", data, headers=HTMX)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


# Doing it ----------------------------------------------------------------------------------------------


def test_few_are_moved_at_once_and_the_rest_is_named(team):
    rows, sent = make(team, 3), make(team, status="sent")
    response = do(team.agent, "move", [*rows, *sent], **BY_3)
    assert set(moments(rows)) == {FRIDAY + dt.timedelta(days=3)}
    assert toast(response)["title"] == "3 moved, 1 refused"
    assert "dialog:close" in response["HX-Trigger"]
    page = html_of(signed_in(team.viewer).get(toast(response)["url"]))
    assert "It has already been sent." in page
    assert f"/followups/{sent[0].pk}/" in page


def test_to_a_date_each_keeps_its_hour(team):
    early = make(team, scheduled_for=FRIDAY - dt.timedelta(hours=2))
    late = make(team, scheduled_for=FRIDAY + dt.timedelta(days=2, hours=6))
    do(team.agent, "move", [*early, *late], how="to", date="2026-12-09")
    assert moments(early) == [dt.datetime(2026, 12, 9, 13, tzinfo=dt.UTC)]
    assert moments(late) == [dt.datetime(2026, 12, 9, 21, tzinfo=dt.UTC)]


def test_what_was_moved_says_so_in_its_history_and_its_thread(team):
    (row,) = make(team)
    do(team.admin, "move", [row], **BY_3)
    page = html_of(signed_in(team.agent).get(f"/followups/{row.pk}/"))
    assert f"Moved by {team.admin.user}" in page
    assert "<del>Fri 27 Nov, 9:00 AM</del>" in page
    thread = html_of(signed_in(team.agent).get(f"/inbox/{row.conversation_id}/"))
    assert "moved visit_reminder" in thread


def test_a_retry_that_waits_begins_anew_when_it_is_moved(team):
    soon = NOW + dt.timedelta(minutes=5)
    failed = {"failures": 1, "failure_kind": "temporary", "failure_cause": "timeout"}
    (row,) = make(team, next_attempt_at=soon, **failed)
    do(team.agent, "move", [row], **BY_3)
    row.refresh_from_db()
    assert (row.next_attempt_at, row.failures, row.failure_kind) == (row.scheduled_for, 0, "")


def test_many_are_canceled_and_their_conversations_count_it(team):
    rows = make(team, 2)
    assert toast(do(team.admin, "cancel", rows))["title"] == "2 canceled"
    for row in rows:
        row.refresh_from_db()
        assert (row.status, row.canceled_by) == ("canceled", team.admin.user)
    assert f"canceled by {team.admin.user}" in html_of(
        signed_in(team.agent).get(f"/inbox/{row.conversation_id}/")
    )


def test_many_are_handed_over_and_both_hear_of_it_once(team):
    rows = make(team, 3)
    do(team.admin, "hand_over", rows, to=team.other_agent.user_id)
    assert set(FollowUp.objects.values_list("owner", flat=True)) == {team.other_agent.user_id}
    told = {notice.recipient: notice.text for notice in Notification.objects.all()}
    assert set(told) == {team.agent.user, team.other_agent.user}
    assert "3 are yours now" in told[team.other_agent.user]
    assert "3 handed over" in told[team.agent.user]
    history = html_of(signed_in(team.agent).get(f"/followups/{rows[0].pk}/"))
    assert f"<ins>{team.other_agent.user}</ins>" in history


def test_whoever_has_it_already_is_no_news(team):
    rows = make(team)
    page = html_of(ask(team.admin, "hand_over", rows, step=1, to=team.agent.user_id))
    assert "It is like that already." in page


def test_final_ones_are_deleted_by_admins(team):
    failed, canceled, pending = make(team, status="failed"), make(team, status="canceled"), make(team)
    response = do(team.admin, "delete", [*failed, *canceled, *pending])
    assert toast(response)["title"] == "2 deleted, 1 refused"
    assert set(FollowUp.objects.visible()) == set(pending)


def test_those_in_charge_are_told_once_how_many_of_theirs_were_changed(team):
    mine, theirs = make(team, 3), make(team, 2, created_by=team.other_agent.user)
    own = make(team, created_by=team.admin.user)
    do(team.admin, "move", [*mine, *theirs, *own], **BY_3)
    told = {notice.recipient: notice.text for notice in Notification.objects.all()}
    assert set(told) == {team.agent.user, team.other_agent.user}
    assert "3 moved" in told[team.agent.user]
    assert "2 moved" in told[team.other_agent.user]


# Another template --------------------------------------------------------------------------------------


def named(team: Team, text: str, name: str, **fields: Any) -> Any:
    return factories.TemplateFactory(
        channel=team.channel,
        name=name,
        parameter_format="NAMED",
        components=[{"type": "BODY", "text": text}],
        **fields,
    )


def with_values(team: Team, **values: str) -> FollowUp:
    template = named(team, "Una casa en {{zone}} por {{price}}, mañana.", f"before_{len(values)}")
    parameters = {f"body.{name}": value for name, value in values.items()}
    (row,) = make(team)
    FollowUp.objects.filter(pk=row.pk).update(template=template, parameters=parameters, shape=template.shape)
    row.refresh_from_db()
    return row


def test_values_stay_by_name_and_what_is_missing_is_asked_for_once(team):
    row = with_values(team, zone="Escazú", price="900")
    after = named(team, "En {{zone}} hasta el {{day}}, visítela.", "after")
    asked = ask(team.agent, "template", [row], step=1, template=after.pk)
    page = html_of(asked)
    assert 'name="p-body-day"' in page
    assert 'name="p-body-zone"' not in page
    assert asked.status_code == 200
    given = {"template": after.pk, "asked": "1"}
    assert ask(team.agent, "template", [row], step=1, **given, **{"p-body-day": ""}).status_code == 422
    preview = ask(team.agent, "template", [row], step=1, **given, **{"p-body-day": "lunes"})
    assert "En Escazú hasta el lunes, visítela." in html_of(preview)
    assert toast(confirm(team.agent, "template", preview))["title"] == "1 changed"
    row.refresh_from_db()
    assert (row.template, row.parameters) == (after, {"body.zone": "Escazú", "body.day": "lunes"})
    assert row.shape == after.shape
    history = html_of(signed_in(team.agent).get(f"/followups/{row.pk}/"))
    assert f"<ins>{after.name}</ins>" in history


def test_a_number_is_no_name(team):
    (row,) = make(team)
    other = factories.TemplateFactory(channel=team.channel, name="oferta")
    page = html_of(ask(team.agent, "template", [row], step=1, template=other.pk))
    assert 'name="p-body-2"' in page


def test_the_contacts_name_may_be_left_to_each(team):
    rows = make(team, 2)
    after = named(team, "Hola {{first_name}}, la esperamos.", "after")
    do(team.agent, "template", rows, template=after.pk, asked="1", **{"p-body-first_name": ""})
    assert {row.parameters["body.first_name"] for row in FollowUp.objects.all()} == {"Contact"}


def test_a_value_that_makes_the_message_too_long_is_refused_for_that_one(team):
    long, short = with_values(team, zone="x" * 1000), with_values(team, zone="Escazú", price="1")
    after = named(team, "En {{zone}} hasta {{day}}, visítela hoy.", "after")
    answer = do(
        team.agent, "template", [long, short], template=after.pk, asked="1", **{"p-body-day": "l" * 60}
    )
    assert toast(answer)["title"] == "1 changed, 1 refused"


def test_what_is_not_approved_or_another_channels_cannot_be_chosen(team, stranger):
    rows = make(team)
    paused = factories.TemplateFactory(channel=team.channel, name="paused", status="PAUSED")
    for template in (paused, stranger.template):
        assert ask(team.agent, "template", rows, step=1, template=template.pk).status_code == 422


# Who may -----------------------------------------------------------------------------------------------


def test_viewers_change_nothing_and_only_admins_hand_over_and_delete(team):
    rows = make(team)
    for action in ("move", "cancel", "template", "hand_over", "delete"):
        assert ask(team.viewer, action, rows).status_code == 403
    for action in ("hand_over", "delete"):
        assert ask(team.agent, action, rows).status_code == 403


def test_another_organizations_rows_are_not_there(team, stranger):
    (theirs,) = make(stranger)
    mine = make(team)
    preview = ask(team.admin, "cancel", [*mine, theirs])
    assert "Cancel 1 follow-up" in html_of(preview)
    assert toast(confirm(team.admin, "cancel", preview))["title"] == "1 canceled"
    theirs.refresh_from_db()
    assert theirs.status == "pending"
    assert ask(team.admin, "cancel", [theirs]).status_code == 409


def test_an_agents_whole_list_leaves_the_others_alone(team):
    mine, theirs = make(team, 2), make(team, 2, created_by=team.other_agent.user)
    assert toast(do(team.agent, "cancel", None))["title"] == "2 canceled, 2 refused"
    assert {FollowUp.objects.get(pk=row.pk).status for row in theirs} == {"pending"}
    assert {FollowUp.objects.get(pk=row.pk).status for row in mine} == {"canceled"}


def test_nothing_ticked_or_nonsense_changes_nothing(team):
    make(team)
    for data in ({}, {"pick": "x"}, {"pick": "9" * 30}, {"pick": "٣"}, {"all": "1", "next": "/inbox/"}):
        response = signed_in(team.admin).post(
            "/followups/bulk/cancel/", {"next": "/followups/", **data}, headers=HTMX
        )
        assert response.status_code == 409
        assert toast(response)["title"] == "Nothing is selected"
    client = signed_in(team.admin)
    assert client.get("/followups/bulk/cancel/").status_code == 302
    assert client.post("/followups/bulk/rename/").status_code == 404


def test_a_filter_that_makes_no_sense_any_more_does_not_mean_all(team):
    """Its person has left between the list and the button, say."""
    make(team)
    response = ask(team.admin, "cancel", None, next="/followups/?by=999999&status=pending")
    assert response.status_code == 409


# All that match ----------------------------------------------------------------------------------------


def test_all_that_match_are_the_lists_filters_and_not_the_page(team):
    rows = make(team, 30)
    others = make(team, 2, created_by=team.other_agent.user)
    path = f"/followups/?status=pending&by={team.agent.user_id}"
    assert toast(do(team.admin, "move", None, next=path, **BY_3))["title"] == "30 moved"
    assert set(moments(rows)) == {FRIDAY + dt.timedelta(days=3)}
    assert set(moments(others)) == {FRIDAY}


def test_what_comes_in_after_the_preview_is_not_meant(team):
    make(team, 2)
    preview = ask(team.admin, "cancel", None)
    (late,) = make(team)
    assert toast(confirm(team.admin, "cancel", preview))["title"] == "2 canceled"
    late.refresh_from_db()
    assert late.status == "pending"


def test_what_a_colleague_has_changed_since_the_preview_is_refused(team, time_machine):
    kept, moved = make(team, 2)
    preview = ask(team.admin, "move", [kept, moved], step=1, **BY_3)
    time_machine.move_to(NOW + dt.timedelta(seconds=9), tick=False)
    lifecycle.move(
        moved,
        choice="custom",
        to=FRIDAY + dt.timedelta(days=9),
        version=0,
        by=team.agent,
        now=NOW + dt.timedelta(seconds=5),
    )
    answer = confirm(team.admin, "move", preview)
    assert toast(answer)["title"] == "1 moved, 1 refused"
    assert "It was changed in the meantime." in html_of(signed_in(team.admin).get(toast(answer)["url"]))
    moved.refresh_from_db()
    assert moved.scheduled_for == FRIDAY + dt.timedelta(days=9)


def test_what_was_deleted_since_the_preview_is_refused(team):
    (failed,) = make(team, status="failed")
    preview = ask(team.admin, "delete", [failed])
    lifecycle.delete(failed, by=team.admin, now=NOW)
    answer = confirm(team.admin, "delete", preview)
    assert toast(answer)["title"] == "0 deleted, 1 refused"
    page = html_of(signed_in(team.admin).get(toast(answer)["url"]))
    assert "It was deleted in the meantime." in page
    assert f"/followups/{failed.pk}/" not in page


def test_the_last_button_twice_makes_one_change(team):
    rows = make(team)
    preview = ask(team.admin, "move", rows, step=1, **BY_3)
    for _each in range(2):
        assert toast(confirm(team.admin, "move", preview))["title"] == "1 moved"
    assert moments(rows) == [FRIDAY + dt.timedelta(days=3)]
    assert BulkChange.objects.count() == 1


def test_without_scripts_it_goes_page_by_page_and_says_what_happened(team):
    rows = make(team, 2)
    back = "/followups/?status=pending"
    asked = ask(team.agent, "move", rows, htmx=False, next=back)
    assert "<h1" in html_of(asked)
    preview = ask(team.agent, "move", rows, htmx=False, next=back, step=1, **BY_3)
    assert "2 will move" in html_of(preview)
    answer = confirm(team.agent, "move", preview, htmx=False)
    assert answer["Location"] == back


# The worker --------------------------------------------------------------------------------------------


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(job, "CHUNK", 2)


def work(*, most: int = 100) -> None:
    """Let a worker make chunks until nothing is left, or so many."""
    for _each in range(most):
        if not job.do_next(now=NOW):
            return


@pytest.mark.usefixtures("small_chunks")
def test_a_large_one_is_gone_on_with_by_a_worker_and_the_bell_tells(team):
    rows = make(team, 7)
    response = do(team.admin, "move", rows, **BY_3)
    assert toast(response)["title"].startswith("Moving 2 follow-ups 3 days later")
    assert sorted(moments(rows)).count(FRIDAY) == 5
    waker.wait_idle()
    work()
    assert set(moments(rows)) == {FRIDAY + dt.timedelta(days=3)}
    told = {notice.recipient: notice for notice in Notification.objects.all()}
    assert told[team.admin.user].text == "7 moved"
    assert "7 moved" in told[team.agent.user].text
    assert all(row.changes.filter(kind="moved").count() == 1 for row in rows)


@pytest.mark.usefixtures("small_chunks")
def test_everybody_sees_how_far_it_is_and_an_open_page_follows(team):
    do(team.agent, "move", make(team, 7), **BY_3)
    job.do_next(now=NOW)
    client = signed_in(team.viewer)
    page = html_of(client.get("/followups/"))
    assert "Moving 7 follow-ups 3 days later" in page
    assert "4 done" in page
    assert "/stop/" not in page
    seen = re.search(r'name="progress" value="([^"]*)"', page)[1]
    data = {"progress": seen, "tabs": "", "stops": ""}
    job.do_next(now=NOW)
    assert "6 done" in html_of(client.get("/followups/rows/", data, headers=HTMX))
    work()
    answer = html_of(client.get("/followups/rows/", data, headers=HTMX))
    assert 'id="followups-progress"' in answer
    assert "Moving" not in answer


@pytest.mark.usefixtures("small_chunks")
def test_whoever_began_it_and_admins_stop_it_and_what_has_changed_stays(team):
    rows = make(team, 7)
    do(team.agent, "move", rows, **BY_3)
    change = BulkChange.objects.get()
    for member in (team.other_agent, team.viewer):
        assert signed_in(member).post(f"/followups/bulk/{change.pk}/stop/").status_code == 403
    for member in (team.agent, team.admin):
        assert signed_in(member).post(f"/followups/bulk/{change.pk}/stop/", headers=HTMX).status_code == 200
    work()
    change.refresh_from_db()
    assert change.ending == "stopped"
    assert sorted(moments(rows)).count(FRIDAY) == 5
    assert "2 moved. Stopped before the end" in Notification.objects.get(recipient=team.agent.user).text
    assert "Stopped before the end" in html_of(signed_in(team.viewer).get(f"/followups/bulk/{change.pk}/"))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("how", ["left", "may only look"])
def test_it_ends_when_whoever_began_it_may_no_longer_do_it(team, how):
    rows = make(team, 5)
    do(team.admin, "hand_over", rows, to=team.other_agent.user_id)
    if how == "left":
        team.admin.delete()
    else:
        team.admin.role = "viewer"
        team.admin.save()
    work()
    assert BulkChange.objects.get().ending == "forbidden"
    assert FollowUp.objects.filter(owner=team.other_agent.user).count() == 2


@pytest.mark.usefixtures("small_chunks")
def test_an_admin_who_is_an_agent_by_now_changes_only_their_own(team):
    make(team, 2, created_by=team.admin.user)
    make(team, 4)
    do(team.admin, "cancel", None)
    team.admin.role = "agent"
    team.admin.save()
    work()
    change = BulkChange.objects.get()
    assert (change.changed, change.refused) == (2, 4)


@pytest.mark.usefixtures("small_chunks")
def test_a_chunk_that_dies_half_way_leaves_nothing_and_is_made_again(team, monkeypatch):
    rows = make(team, 5)
    do(team.agent, "move", rows, **BY_3)

    def die(*_arguments: Any, **_options: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("followups.announcements.announce_all_moved", die)
        with pytest.raises(SystemExit):
            job.do_next(now=NOW)
    assert sorted(moments(rows)).count(FRIDAY) == 3
    work()
    assert set(moments(rows)) == {FRIDAY + dt.timedelta(days=3)}
    assert all(row.changes.filter(kind="moved").count() == 1 for row in rows)
    change = BulkChange.objects.get()
    assert (change.changed, change.refused, change.total, change.ending) == (5, 0, 5, "done")


@pytest.mark.usefixtures("small_chunks")
def test_one_that_goes_wrong_is_given_up_and_keeps_no_other(team, monkeypatch):
    do(team.agent, "cancel", make(team, 3))
    BulkChange.objects.update(selection={})
    do(team.agent, "cancel", make(team, 5))
    work()
    broken, fine = BulkChange.objects.order_by("pk")
    assert (broken.ending, fine.ending) == ("broken", "done")
    assert fine.changed == 5


@pytest.mark.usefixtures("small_chunks")
def test_the_sweep_takes_up_what_a_lost_worker_has_left_and_no_other(team):
    do(team.agent, "cancel", make(team, 7))
    BulkChange.objects.update(worked_at=database_now())
    tasks.change_many()
    assert BulkChange.objects.get().done == 2
    BulkChange.objects.update(worked_at=database_now() - job.LOST_AFTER)
    tasks.change_many()
    assert BulkChange.objects.get().changed == 7


def test_while_follow_ups_go_out_it_leaves_them_the_machine(team):
    assert job.rest(0.5) == 0.5
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        scheduled_for=NOW - dt.timedelta(minutes=1),
    )
    assert lifecycle.claim(limit=1, now=NOW).rows
    assert job.rest(0.5) >= 5
    assert job.rest(60) < job.LOST_AFTER.total_seconds()


@pytest.mark.usefixtures("small_chunks")
def test_two_changes_are_made_in_turn(team):
    first, second = make(team, 9), make(team, 5)
    do(team.agent, "move", first, **BY_3)
    do(team.agent, "cancel", second)
    for number in range(3):
        job.do_next(now=NOW + dt.timedelta(seconds=number))
    assert {change.done for change in BulkChange.objects.all()} in ({4, 6}, {6, 4})


def test_a_chunk_costs_the_same_statements_however_many_rows_it_has(team, monkeypatch):
    counts = []
    for size in (3, 12):
        monkeypatch.setattr(job, "CHUNK", size)
        rows = make(team, size + 1)
        do(team.admin, "move", rows, **BY_3)
        BulkChange.objects.update(cursor=0)
        FollowUp.objects.update(scheduled_for=FRIDAY, next_attempt_at=FRIDAY)
        with CaptureQueriesContext(connection) as queries:
            job.do_next(now=NOW)
        counts.append(len(queries))
        work()
    assert counts[0] == counts[1] <= 26


def test_the_result_is_paged_and_costs_no_query_a_row(team, django_assert_max_num_queries):
    (pending,) = make(team)
    answer = toast(do(team.admin, "cancel", [pending, *make(team, 60, status="sent")]))["url"]
    client = signed_in(team.viewer)
    with django_assert_max_num_queries(9):
        page = html_of(client.get(answer))
    assert page.count("It has already been sent.") == 50
    following = re.search(r'href="([^"]+\?after=[^"]+)"', page)[1]
    assert html_of(client.get(following)).count("It has already been sent.") == 10


def test_old_changes_are_forgotten_with_the_names_in_them(team):
    do(team.admin, "cancel", [*make(team), *make(team, status="sent")])
    job.purge(now=NOW + dt.timedelta(days=29))
    assert BulkChange.objects.get().refusals.exists()
    job.purge(now=NOW + dt.timedelta(days=31))
    assert not BulkChange.objects.exists()
