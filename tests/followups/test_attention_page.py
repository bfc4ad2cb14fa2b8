"""Needs attention: who sees what of it, in which groups, and what repairs one or all of a group."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Contact
from followups import lifecycle
from followups.bulk import job
from followups.models import Attention, AttentionLook, BulkChange, BulkRefusal, FollowUp
from followups.pages import attention_groups
from followups.pages.attention import AttentionPage
from tests import factories
from tests.conftest import Team, make_team, signed_in
from tests.followups.test_bulk import confirm, toast
from tests.html import html_of
from trochai import changes
from trochai.accounts.models import DayOff, Organization, SendingHours, User
from trochai.whatsapp.models import Channel

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
PAGE = "/followups/attention/"
HTMX = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{PAGE}"}
TITLE = re.compile(r"<h2>(.*?)<span class=\"count-of\">· (.*?)</span></h2>")
# Session, user, member, frame (2), counts, groups (and their values), when all were looked at.
QUERIES = 9


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(
    team: Team, name: str = "Ana Mora", *, cause: str = "template", days: int = 7, **given: Any
) -> Attention:
    """Return what needs attention about a follow-up of its own, with the cause's subject and values."""
    about = {key: given.pop(key) for key in ("subject", "values") if key in given}
    contact = factories.ContactFactory(organization=team.organization, name=name)
    follow_up = factories.FollowUpFactory(
        organization=team.organization,
        conversation=factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact
        ),
        template=team.template,
        created_at=NOW - dt.timedelta(days=2),
        **{"created_by": team.agent.user, "scheduled_for": NOW + dt.timedelta(days=days), **given},
    )
    return factories.AttentionFactory(follow_up=follow_up, cause=cause, **about)


def left(team: Team, name: str = "Ana Mora", **given: Any) -> Attention:
    return make(team, name, cause="left", subject="77", values={"name": "Luis Mora"}, **given)


def group_of(team: Team) -> str:
    return f"template:{team.template.pk}"


def page(member: Any, query: str = "") -> str:
    answer = signed_in(member).get(PAGE + query)
    assert answer.status_code == 200
    return html_of(answer)


def titles(html: str) -> list[tuple[str, str]]:
    return [(title.strip(), count) for title, count in TITLE.findall(html)]


def tab(member: Any, path: str = "/followups/") -> str | None:
    html = html_of(signed_in(member).get(path))
    found = re.search(r'class="warned"[^>]*>Needs attention <span>(.*?)</span>', html)
    return found and found[1]


def names(html: str) -> list[str]:
    return re.findall(r'<a class="name"[^>]*>(.*?)</a>', html)


def post(member: Any, path: str, **data: Any) -> Any:
    return signed_in(member).post(path, {"next": PAGE, **data}, headers=HTMX)


# Who sees what -----------------------------------------------------------------------------------------


def test_the_tab_counts_what_its_viewer_may_repair(team):
    make(team)
    make(team, created_by=team.other_agent.user)
    make(team, created_by=team.other_agent.user, owner=team.agent.user)
    make(team, owner=team.other_agent.user)
    assert tab(team.admin) == "4"
    assert tab(team.agent) == "2"
    assert tab(team.viewer) is None


def test_without_anything_there_is_no_tab_but_on_its_own_page(team):
    kept = make(team)
    make(team, status="sent")
    Attention.objects.filter(pk=kept.pk).update(kept_at=NOW, kept_by=team.agent.user)
    assert "Needs attention" not in html_of(signed_in(team.admin).get("/followups/"))
    html = page(team.admin)
    assert re.search(r'aria-current="page">Needs attention <span>0</span>', html)
    assert "Nothing needs you" in html
    assert "1 pending follow-up can go out as it is." in html


def test_the_page_says_when_all_were_last_looked_at(team):
    assert "All were last checked" not in page(team.admin)
    AttentionLook.objects.create(organization=team.organization, looked_at=NOW - dt.timedelta(hours=5))
    AttentionLook.objects.create(organization=make_team(name="Other").organization, looked_at=NOW)
    for expected in ("Nothing needs you", "1 is to be looked at"):
        html = page(team.admin)
        assert expected in html
        assert re.search(r"All were last checked <time [^>]*>Fri 20 Nov, 4:00 AM</time>\.", html)
        make(team)


def test_a_follow_up_counts_once_and_stands_in_each_of_its_groups(team):
    making = make(team)
    factories.AttentionFactory(
        follow_up=making.follow_up, cause="left", subject="77", values={"name": "Luis"}
    )
    make(team)
    assert tab(team.admin) == "2"
    assert titles(page(team.admin)) == [
        ("visit_reminder can’t be sent: paused", "2"),
        ("Luis has left", "1"),
    ]


def test_the_tabs_count_is_capped_as_the_others_are(team, monkeypatch):
    monkeypatch.setattr("followups.pages.listing.ATTENTION_CAP", 2)
    making = make(team)
    make(team)
    assert tab(team.admin) == "2"
    # No more causes are read than the cap, whose follow-ups there are at least.
    factories.AttentionFactory(follow_up=making.follow_up, cause="quiet", subject="")
    assert tab(team.admin) == "2+"


def test_agents_see_what_they_are_in_charge_of_and_admins_choose(team):
    make(team, "Ana")
    make(team, "Eva", created_by=team.admin.user)
    left(team, "Tom", created_by=None)
    assert titles(page(team.agent)) == [("visit_reminder can’t be sent: paused", "1")]
    assert len(titles(page(team.admin))) == 2
    assert titles(page(team.admin, "?whose=mine")) == [("visit_reminder can’t be sent: paused", "1")]
    assert "Only mine" not in page(team.agent)
    group = f"?open={group_of(team)}"
    assert names(page(team.admin, group)) == ["Ana", "Eva"]
    # Asking for everyone's does not show an agent more.
    assert names(html_of(signed_in(team.agent).get(f"{PAGE}rows/{group}"))) == ["Ana"]


def test_viewers_have_no_page(team):
    making = make(team)
    client = signed_in(team.viewer)
    paths = (PAGE, f"{PAGE}rows/?open={group_of(team)}")
    assert [client.get(path).status_code for path in paths] == [403, 403]
    for path in (f"{PAGE}keep/", f"{PAGE}{making.pk}/keep/", f"{PAGE}ask-again/"):
        assert client.post(path, {"attention": group_of(team)}).status_code == 403
    assert Attention.objects.get().kept_at is None


def test_another_organizations_are_not_there(team):
    other = make_team(name="Other")
    theirs = make(other)
    assert titles(page(team.admin)) == []
    assert names(page(team.admin, f"?open={group_of(other)}")) == []
    assert post(team.admin, f"{PAGE}{theirs.pk}/keep/").status_code == 404
    post(team.admin, f"{PAGE}keep/", attention=group_of(other))
    assert Attention.objects.get().kept_at is None
    answer = post(team.admin, "/followups/bulk/cancel/", attention=group_of(other))
    assert toast(answer)["title"] == "Nothing is selected"


# Groups ------------------------------------------------------------------------------------------------


def test_hours_are_written_like_other_times(team):
    make(team, cause="quiet", subject="", values={"zone": "Madrid", "hours": "08:00–20:00"})
    assert "There it is sent within 8:00 AM to 8:00 PM (Madrid)." in page(team.admin)


def test_the_worst_stands_first_and_then_what_is_due_first(team):
    make(team, cause="limit", subject="2026-12-01", values={"due": 2356, "limit": 2000}, days=1)
    make(team, cause="holiday", subject="2026-12-25", values={"name": "Christmas"})
    make(team, cause="quiet", subject="", values={"zone": "Madrid", "hours": "08:00–20:00"})
    left(team)
    make(team, cause="number", subject="5", values={"contact": "José", "before": "+1 22", "after": "+1 33"})
    make(team, cause="opted_out", subject="6", values={"contact": "Silvia"})
    make(team, subject="8", values={"template": "late_one", "status": "DISABLED"}, days=9)
    make(team, subject="9", values={"template": "soon_one", "status": "APPROVED"}, days=2)
    make(team, subject="9", values={"template": "soon_one", "status": "APPROVED"}, days=3)
    html = page(team.admin)
    assert titles(html) == [
        ("soon_one no longer fits the values", "2"),
        ("late_one can’t be sent: disabled", "1"),
        ("Silvia opted out", "1"),
        ("José has another number", "1"),
        ("Luis Mora has left", "1"),
        ("Quiet hours where the contact is", "1"),
        ("Christmas, Fri 25 Dec", "1"),
        ("Over the limit on Tue 1 Dec", "1"),
    ]
    assert html.count('class="mark-icon bad"') == 3
    assert "First due: <time" in html
    assert "Sun 22 Nov, 9:00 AM</time>." in html
    assert "+1 22 is now +1 33." in html
    assert "2,356 are due, WhatsApp lets 2,000 through." in html


@pytest.mark.parametrize(
    ("cause", "of_agents", "of_admins"),
    [
        ("template", ["template", "move", "cancel"], ["template", "move", "hand_over", "cancel"]),
        ("opted_out", ["cancel"], ["cancel"]),
        ("number", ["cancel"], ["cancel"]),
        ("left", ["cancel"], ["hand_over", "cancel"]),
        ("quiet", ["move", "cancel"], ["move", "cancel"]),
        ("holiday", ["move", "cancel"], ["move", "cancel"]),
        ("limit", ["move", "cancel"], ["move", "cancel"]),
    ],
)
def test_each_cause_has_its_repairs_the_best_first(team, cause, of_agents, of_admins):
    subject = "2026-12-25" if cause in {"holiday", "limit"} else "1"
    make(team, cause=cause, subject=subject, values={})
    for member, actions, key in (
        (team.agent, of_agents, f"mine-{cause}:{subject}"),
        (team.admin, of_admins, f"{cause}:{subject}"),
    ):
        inside = html_of(signed_in(member).get(f"{PAGE}rows/?open={key}"))
        assert re.findall(r'formaction="/followups/bulk/(\w+)/"', inside) == actions
        row = re.findall(r'href="/followups/\d+/(\w[\w-]+)/', inside)
        one = [{"template": "edit", "hand_over": "hand-over"}.get(action, action) for action in actions]
        assert row == (["edit", *one] if cause == "number" else one)
        first = re.search(r'btn--primary"[^>]*formaction="([^"]+)"', inside)[1]
        assert first == (f"{PAGE}keep/" if cause == "number" else f"/followups/bulk/{actions[0]}/")
        assert ("Keep anyway" in inside) is (cause != "opted_out")


def test_a_group_shows_its_first_rows_and_leads_to_the_others(team):
    for number in range(27):
        make(team, f"Contact {number:02}", days=1 + number)
    html = page(team.admin, f"?open={group_of(team)}")
    assert names(html) == [f"Contact {number:02}" for number in range(25)]
    following = re.search(r'href="([^"]+)"[^>]*>Show the others', html)[1].replace("&amp;", "&")
    rest = html_of(signed_in(team.admin).get(following))
    assert names(rest) == ["Contact 25", "Contact 26"]
    first = re.search(r'href="([^"]+)"[^>]*>Show the first ones', rest)[1]
    assert len(names(html_of(signed_in(team.admin).get(first)))) == 25
    part = re.search(r'hx-get="([^"]+)"[^>]*>Show the others', html)[1]
    assert names(html_of(signed_in(team.admin).get(part, headers=HTMX))) == ["Contact 25", "Contact 26"]


def test_no_more_is_read_than_the_cap_and_a_group_says_so(team, monkeypatch):
    monkeypatch.setattr(attention_groups, "ATTENTION_CAP", 2)
    for number in range(4):
        make(team, f"Contact {number}")
    left(team)
    assert titles(page(team.admin)) == [
        ("visit_reminder can’t be sent: paused", "2+"),
        ("Luis Mora has left", "1"),
    ]


def test_very_many_of_one_cause_hide_no_other(team, monkeypatch):
    monkeypatch.setattr(attention_groups, "ATTENTION_CAP", 2)
    for number in range(4):
        left(team, f"Contact {number}")
    make(team, cause="quiet", subject="", values={})
    assert titles(page(team.admin)) == [
        ("Luis Mora has left", "2+"),
        ("Quiet hours where the contact is", "1"),
    ]


def test_what_is_beyond_the_cap_is_not_read(team, monkeypatch):
    monkeypatch.setattr(attention_groups, "ATTENTION_CAP", 2)
    for number in range(5):
        make(team, cause="opted_out", subject=str(number), values={"contact": f"C{number}"})
    assert len(titles(page(team.admin))) == 3


def test_two_groups_of_one_cause_are_repaired_apart(team):
    here, there = (make(team, name, subject=subject) for name, subject in (("Ana", "1"), ("Eva", "2")))
    assert names(page(team.admin, "?open=template:1")) == ["Ana"]
    confirm(team.admin, "cancel", post(team.admin, "/followups/bulk/cancel/", attention="template:1"))
    states = dict(FollowUp.objects.values_list("pk", "status"))
    assert states == {here.follow_up_id: "canceled", there.follow_up_id: "pending"}


def test_no_more_groups_are_shown_than_fit(team, monkeypatch):
    monkeypatch.setattr(attention_groups, "SHOWN", 2)
    for number in range(3):
        make(team, cause="opted_out", subject=str(number), values={"contact": f"C{number}"}, days=number + 1)
    assert titles(page(team.admin)) == [("C0 opted out", "1"), ("C1 opted out", "1")]


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_the_page_costs_the_same_queries_however_much_there_is(team, role):
    member = team.member(role)
    client = signed_in(member)
    key = group_of(team) if member.is_admin else f"mine-{group_of(team)}"

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(path).status_code == 200
        return len(found)

    make(team, owner=team.agent.user)
    client.get(PAGE)
    few = cost(PAGE), cost(f"{PAGE}?open={key}"), cost("/followups/")
    for number in range(9):
        make(team, f"Contact {number}", owner=team.agent.user)
        make(team, cause="opted_out", subject=str(number), values={"contact": "Eva"})
    many = cost(PAGE), cost(f"{PAGE}?open={key}"), cost("/followups/")
    assert many == few
    assert few[0] == QUERIES
    # The rows of an open group, who is in charge of them, and what would go wrong with each.
    assert few[1] == few[0] + 3


def test_an_open_page_is_told_only_what_is_new(team, django_capture_on_commit_callbacks):
    making = make(team)
    client = signed_in(team.agent)
    with django_capture_on_commit_callbacks(execute=True):
        changes.changed([team.organization.pk])
    version = re.search(r'name="v" value="([^"]+)"', html_of(client.get(PAGE)))[1]
    assert client.get(PAGE, {"v": version}, headers=HTMX).status_code == 204
    making.delete()
    with django_capture_on_commit_callbacks(execute=True):
        changes.changed([team.organization.pk])
    answer = client.get(PAGE, {"v": version, "open": f"mine-{group_of(team)}"}, headers=HTMX)
    assert "Nothing needs you" in html_of(answer)
    assert "<html" not in html_of(answer)


def test_who_comes_again_finds_the_groups_that_were_there_until_something_is_told(
    team, told, django_assert_num_queries
):
    making = make(team)
    AttentionLook.objects.create(organization=team.organization, looked_at=NOW)
    client = signed_in(team.admin)
    told([team.organization.pk])
    assert titles(html_of(client.get(PAGE))) != []
    making.delete()
    # Session, user, member.
    with django_assert_num_queries(3):
        assert titles(html_of(client.get(PAGE))) != []
    assert titles(page(team.agent)) == []
    told([team.organization.pk])
    assert titles(html_of(client.get(PAGE))) == []


def test_nonsense_in_the_address_opens_nothing(team):
    make(team)
    for given in ("x", "template", "nothing:5", "template:%00", "template:5@x", "a" * 3000):
        assert names(page(team.admin, f"?open={given}")) == []
    assert signed_in(team.admin).get(f"{PAGE}rows/?open=nothing:5").status_code == 404


# Drawn once ---------------------------------------------------------------------------------------------


def groups_drawn(team: Team, query: str = "") -> list[str]:
    return signed_in(team.admin).get(PAGE + query).context["groups"]


def rows_drawn(team: Team, key: str) -> list[str]:
    request = RequestFactory().get(PAGE, {"open": key})
    request.membership = team.admin
    return AttentionPage(request, now=timezone.now()).open_context()["open"].rows


def test_what_nothing_has_changed_in_is_not_drawn_again(team):
    make(team)
    left(team)
    for drawn in (lambda: groups_drawn(team), lambda: rows_drawn(team, "left:77")):
        before = drawn()
        assert [again is once for again, once in zip(drawn(), before, strict=True)] == [True] * len(before)


def test_a_group_is_drawn_again_when_something_in_it_changes(team, time_machine):
    about = {"subject": "2027-01-04", "values": {"due": 30, "limit": 20}}
    making = make(team, cause="limit", owner=team.admin.user, **about)
    seen = [groups_drawn(team), groups_drawn(team, "?whose=mine")]
    for change in (
        lambda: Attention.objects.update(values={"due": 31, "limit": 20}),
        lambda: FollowUp.objects.update(scheduled_for=FRIDAY + dt.timedelta(hours=1)),
        lambda: make(team, cause="limit", **about),
        lambda: Attention.objects.update(subject="2027-01-05"),
        lambda: Attention.objects.filter(pk=making.pk).update(kept_at=NOW),
        # In the year of which it speaks no year is named.
        lambda: time_machine.move_to(dt.datetime(2027, 1, 2, 15, tzinfo=dt.UTC), tick=False),
    ):
        change()
        seen.append(groups_drawn(team))
    assert len({"".join(each) for each in seen}) == len(seen)
    assert "Over the limit on Tue 5 Jan\n" in seen[-1][0]


def test_a_row_of_a_group_is_drawn_again_when_something_in_it_changes(team, time_machine):
    values = {"zone": "Madrid", "hours": "08:00–20:00"}
    making = make(team, cause="quiet", subject="", values=values, created_by=team.agent.user)
    theirs = Contact.objects.filter(pk=making.follow_up.conversation.contact_id)
    seen = [rows_drawn(team, "quiet:"), rows_drawn(team, "mine-quiet:")]
    assert seen.pop() == []
    for change in (
        lambda: theirs.update(name="María Rojas"),
        lambda: theirs.update(phone="+50688881299"),
        lambda: User.objects.filter(pk=team.agent.user_id).update(name="Daniela Mora"),
        lambda: FollowUp.objects.update(owner=team.other_agent.user),
        lambda: FollowUp.objects.update(scheduled_for=FRIDAY + dt.timedelta(hours=1)),
        lambda: Attention.objects.update(values={**values, "zone": "Lisbon"}),
        lambda: Attention.objects.filter(pk=making.pk).update(id=making.pk + 1),
        lambda: time_machine.move_to(NOW + dt.timedelta(days=1), tick=False),
        lambda: theirs.update(erased_at=NOW),
    ):
        change()
        seen.append(rows_drawn(team, "quiet:"))
    assert len({"".join(each) for each in seen}) == len(seen)


# Keeping -----------------------------------------------------------------------------------------------


def test_one_is_kept_and_asked_about_again_when_that_is_undone(team):
    making, other = make(team, "Ana"), make(team, "Eva")
    answer = post(team.agent, f"{PAGE}{making.pk}/keep/")
    said = toast(answer)
    assert (said["title"], said["link"], said["posts"]) == ("1 follow-up kept", "Undo", True)
    making.refresh_from_db()
    assert (making.kept_at, making.kept_by) == (NOW, team.agent.user)
    assert names(page(team.admin, f"?open={group_of(team)}")) == ["Eva"]
    # Not by somebody else.
    signed_in(team.admin).post(said["url"], headers=HTMX)
    assert tab(team.admin) == "1"
    signed_in(team.agent).post(said["url"], headers=HTMX)
    making.refresh_from_db()
    assert (making.kept_at, making.kept_by) == (None, None)
    assert other.kept_at is None


def test_an_agent_keeps_only_what_is_theirs(team):
    mine, theirs = make(team), make(team, created_by=team.other_agent.user)
    assert post(team.agent, f"{PAGE}{theirs.pk}/keep/").status_code == 403
    post(team.agent, f"{PAGE}keep/", attention=group_of(team))
    assert set(Attention.objects.filter(kept_at=NOW)) == {mine}


def test_all_of_a_group_are_kept_in_one_statement(team):
    for number in range(5):
        make(team, f"Contact {number}")
    left(team)
    client = signed_in(team.admin)
    with CaptureQueriesContext(connection) as found:
        answer = client.post(f"{PAGE}keep/", {"next": PAGE, "attention": group_of(team)}, headers=HTMX)
    assert toast(answer)["title"] == "5 follow-ups kept"
    assert sum('UPDATE "followups_attention"' in each["sql"] for each in found) == 1
    assert titles(page(team.admin)) == [("Luis Mora has left", "1")]


def test_without_scripts_keeping_leads_back(team):
    make(team)
    answer = signed_in(team.agent).post(
        f"{PAGE}keep/", {"next": f"{PAGE}?whose=mine", "attention": f"mine-{group_of(team)}"}
    )
    assert answer.url == f"{PAGE}?whose=mine"


# For all of a group ------------------------------------------------------------------------------------


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(job, "CHUNK", 2)
    monkeypatch.setattr("followups.pages.bulk_views.waker.wake", lambda *given: None)


def test_all_of_a_group_are_moved_by_the_preview_and_the_worker(team, small_chunks):
    several = [make(team, f"Contact {number}") for number in range(5)]
    theirs = make(team, "Somebody else’s", created_by=team.other_agent.user)
    other = left(team)
    asked = {"attention": f"mine-{group_of(team)}", "next": PAGE}
    preview = post(team.agent, "/followups/bulk/move/", **asked, step=1, how="by", days=3, direction="later")
    assert "5 will move" in html_of(preview)
    late = make(team, "Made since")
    confirm(team.agent, "move", preview)
    change = BulkChange.objects.get()
    assert change.finished_at is None
    while job.do_next(now=NOW):
        pass
    change.refresh_from_db()
    assert (change.changed, change.refused, change.ending) == (5, 0, "done")
    moved = {row.pk for row in FollowUp.objects.filter(scheduled_for=FRIDAY + dt.timedelta(days=3))}
    assert moved == {each.follow_up_id for each in several}
    assert not moved & {theirs.follow_up_id, other.follow_up_id, late.follow_up_id}


@pytest.fixture
def hours(team):
    """From 8 to 8, on any day but Christmas."""
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
        for day in range(1, 8)
    )
    DayOff.objects.create(organization=team.organization, date=dt.date(2026, 12, 25), name="Christmas")


def at_night(team: Team, name: str, zone: str, **given: Any) -> Attention:
    """Return what needs attention about a follow-up at 3 AM UTC."""
    making = make(team, name, cause="quiet", subject="", scheduled_for=FRIDAY.replace(hour=3), **given)
    Contact.objects.filter(name=name).update(timezone=zone)
    return making


QUIETLY = {"attention": "quiet:", "next": PAGE}


def test_all_of_a_quiet_group_are_moved_each_to_when_it_is_good_for_its_contact(team, hours, small_chunks):
    here, there = at_night(team, "Ana", "America/Costa_Rica"), at_night(team, "Eva", "Europe/Madrid")
    awake = at_night(team, "Zoe", "Asia/Tokyo")
    # The last evening of the window.
    last = dt.datetime(2027, 2, 19, 3, tzinfo=dt.UTC)
    too_far = make(team, "Leo", cause="quiet", subject="", scheduled_for=last)
    asked = html_of(post(team.admin, "/followups/bulk/move/", **QUIETLY))
    assert re.search(r'name="how" value="good" checked', asked)
    preview = post(team.admin, "/followups/bulk/move/", **QUIETLY, step=1, how="good")
    html = html_of(preview)
    assert "Move 4 follow-ups to the next good moment" in html
    assert "2 will move" in html
    assert "It is not due in quiet hours." in html
    assert "No moment that may be chosen is good where the contact is." in html
    assert "in quiet hours</b>" not in html
    confirm(team.admin, "move", preview)
    while job.do_next(now=NOW):
        pass
    moved = dict(FollowUp.objects.values_list("pk", "scheduled_for"))
    assert moved[here.follow_up_id] == dt.datetime(2026, 11, 27, 14, tzinfo=dt.UTC)
    assert moved[there.follow_up_id] == dt.datetime(2026, 11, 27, 7, tzinfo=dt.UTC)
    refused = dict(BulkRefusal.objects.values_list("follow_up", "code"))
    assert refused == {too_far.follow_up_id: "never_good", awake.follow_up_id: "not_quiet"}


def test_all_of_a_day_off_are_moved_to_when_the_next_day_begins(team, hours):
    christmas = dt.datetime(2026, 12, 25, 16, tzinfo=dt.UTC)
    about = {"subject": "2026-12-25", "values": {"name": "Christmas"}, "scheduled_for": christmas}
    making = make(team, cause="holiday", **about)
    asked = {"attention": "holiday:2026-12-25", "step": 1, "how": "good"}
    confirm(team.admin, "move", post(team.admin, "/followups/bulk/move/", **asked))
    row = FollowUp.objects.get(pk=making.follow_up_id)
    assert row.scheduled_for == dt.datetime(2026, 12, 26, 14, tzinfo=dt.UTC)


FULL = dt.datetime(2026, 12, 1, 16, tzinfo=dt.UTC)
OVER = {"attention": f"limit:{FULL.date()}", "next": PAGE}


@pytest.fixture
def crowded(team) -> list[Attention]:
    """Of five on one day WhatsApp lets two through; the next day has one already."""
    Channel.objects.filter(pk=team.channel.pk).update(messaging_limit="TIER_2", messaging_limit_at=NOW)
    for hour in range(2):
        left(team, scheduled_for=FULL - dt.timedelta(hours=1 + hour))
    left(team, scheduled_for=FULL + dt.timedelta(days=1, hours=1))
    about = {"cause": "limit", "subject": str(FULL.date()), "values": {"due": 5, "limit": 2}}
    return [
        make(team, f"Contact {hour}", scheduled_for=FULL + dt.timedelta(hours=hour), **about)
        for hour in range(3)
    ]


def spread(team: Team) -> Any:
    return post(team.admin, "/followups/bulk/move/", **OVER, step=1, how="spread")


def dates(rows: list[Attention]) -> list[dt.datetime]:
    return [FollowUp.objects.get(pk=each.follow_up_id).scheduled_for for each in rows]


def test_what_a_day_has_too_many_spreads_to_the_next_days_that_have_room(team, crowded, small_chunks):
    assert re.search(r'bulk/move/"[^>]*>\s*Spread…', page(team.admin))
    asked = html_of(post(team.admin, "/followups/bulk/move/", **OVER))
    assert re.search(r'name="how" value="spread" checked', asked)
    preview = spread(team)
    html = html_of(preview)
    assert "Move 3 follow-ups to days with room" in html
    assert re.findall(r"<ins>(.*?)</ins>", html) == [
        "Wed 2 Dec, 10:00 AM",
        "Thu 3 Dec, 11:00 AM",
        "Thu 3 Dec, 12:00 PM",
    ]
    confirm(team.admin, "move", preview)
    while job.do_next(now=NOW):
        pass
    days = [FULL + dt.timedelta(days=days, hours=hour) for hour, days in enumerate([1, 2, 2])]
    assert dates(crowded) == days


def test_a_day_gives_away_no_more_than_it_has_too_many(team, crowded):
    preview = spread(team)
    lifecycle.cancel(FollowUp.objects.filter(scheduled_for__lt=FULL)[0], by=team.admin, now=NOW)
    confirm(team.admin, "move", preview)
    assert dates(crowded)[2] == FULL + dt.timedelta(hours=2)
    refusal = BulkRefusal.objects.get()
    assert (refusal.follow_up, refusal.code) == (crowded[2].follow_up, "has_room")


def test_where_no_day_of_the_window_has_room_it_stays(team, crowded):
    # It ends on the next day, before these hours.
    Organization.objects.filter(pk=team.organization.pk).update(max_days=12)
    html = html_of(spread(team))
    assert "No day that may be chosen has room for it." in html
    assert "they stay as they are" in html


def test_nobody_is_woken_to_make_room(team, crowded, hours):
    """Only from 8 to 8: a day off is none that has room."""
    for day in (2, 3):
        DayOff.objects.create(organization=team.organization, date=dt.date(2026, 12, day))
    html = html_of(spread(team))
    assert re.findall(r"<ins>(.*?)</ins>", html)[0] == "Fri 4 Dec, 10:00 AM"
    assert "in quiet hours</b>" not in html


def test_what_repairs_another_cause_is_not_offered(team, hours):
    make(team)
    asked = {"attention": group_of(team), "next": PAGE}
    assert 'value="good"' not in html_of(post(team.admin, "/followups/bulk/move/", **asked))
    answer = post(team.admin, "/followups/bulk/move/", **asked, step=1, how="good")
    assert answer.status_code == 422
    days = post(team.admin, "/followups/bulk/move/", **asked, step=1, how="by", days=1, direction="later")
    assert "1 will move" in html_of(days)


def test_what_a_colleague_keeps_after_the_preview_stays(team):
    kept, canceled = make(team, "Ana"), make(team, "Eva")
    preview = post(team.admin, "/followups/bulk/cancel/", attention=group_of(team))
    assert "Cancel 2 follow-ups" in html_of(preview)
    post(team.agent, f"{PAGE}{kept.pk}/keep/")
    confirm(team.admin, "cancel", preview)
    states = dict(FollowUp.objects.values_list("pk", "status"))
    assert states == {kept.follow_up_id: "pending", canceled.follow_up_id: "canceled"}
    assert tab(team.admin) is None


def test_all_of_a_group_are_handed_over(team):
    making = left(team, created_by=None)
    asked = {"attention": "left:77", "step": 1, "to": team.agent.user_id}
    confirm(team.admin, "hand_over", post(team.admin, "/followups/bulk/hand_over/", **asked))
    assert FollowUp.objects.get(pk=making.follow_up_id).owner == team.agent.user


def test_a_group_that_makes_no_sense_is_nothing_and_not_all(team):
    make(team)
    for key in ("nothing:5", "template", f"{group_of(team)}x"):
        answer = post(team.admin, "/followups/bulk/cancel/", attention=key)
        assert toast(answer)["title"] == "Nothing is selected"
