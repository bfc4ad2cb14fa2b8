from __future__ import annotations

import datetime as dt
import re
from html import unescape

import pytest
from django.utils import timezone

from followups.wording.notices import Kind
from notifications import views
from notifications.models import Notification
from tests.conftest import signed_in
from tests.factories import MembershipFactory, NotificationFactory
from tests.html import html_of

HTMX = {"HX-Request": "true"}


# What the wordings of all kinds fill in.
VALUES = {
    "contact": "María Jiménez",
    "template": "visit_reminder",
    "kind": "permanent",
    "failure": {"code": 131026, "cause": "", "values": {}},
    "cause": "reply",
    "status": "PAUSED",
    "count": 3,
    "channel": "Ventas",
    "since": "2026-11-24T15:00:00+00:00",
    "at": "2026-11-24T16:30:00+00:00",
    "is_over": True,
    "other": "Otra (+506 7000 1122)",
    "before": "+506 8888 1111",
    "reason": "contact",
    "event": "ACCOUNT_RESTRICTION",
    "details": {"restriction_info": [{"restriction_type": "x"}]},
    "number": "10845520770001",
    "scope": "organization",
    "late": "tomorrow",
    "due": "3",
    "by": "Daniela Rojas",
    "made": "2026-11-24T16:00:00+00:00",
    "dates": ["2026-11-24T15:00:00+00:00"],
    "action": "move",
    "changed": 3,
    "refused": 1,
    "ending": "done",
    "file": "feria.csv",
    "scheduled": 2,
    "duplicates": 0,
}


def tell(membership, *, title="", text="", **fields):
    """Write a notification; with ``title`` one that says just that, as those of old did."""
    if title:
        fields["values"] = {"told": {"title": title, "text": text}}
    return NotificationFactory(organization=membership.organization, recipient=membership.user, **fields)


def unread_count(membership):
    return Notification.objects.for_member(membership).unread().count()


def get(membership, path="/notifications/", **headers):
    return signed_in(membership).get(path, headers=headers)


def text_of(response):
    return html_of(response)


def titles(response):
    return [notice.title for notice in response.context["notices"]]


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
def test_everybody_sees_their_own_newest_first(team, role):
    membership = team.member(role)
    now = timezone.now()
    tell(membership, title="Older", created_at=now - dt.timedelta(hours=1))
    tell(membership, title="Newer", created_at=now, kind=Kind.FOLLOW_UP_FAILED)
    tell(team.other_agent, title="Not theirs")
    assert titles(get(membership)) == ["Newer", "Older"]


def test_another_organizations_notifications_do_not_show_even_to_the_same_person(team, stranger):
    MembershipFactory(user=team.agent.user, organization=stranger.organization)
    NotificationFactory(organization=stranger.organization, recipient=team.agent.user)
    response = get(team.agent)
    assert titles(response) == []
    assert unread_count(team.agent) == 0


def test_htmx_gets_the_popovers_inside_and_a_browser_the_page(team):
    tell(team.agent, title="It is here")
    popover, page = text_of(get(team.agent, **HTMX)), text_of(get(team.agent))
    assert "<html" not in popover
    assert "<html" in page
    assert "It is here" in popover
    assert "It is here" in page
    assert "See all notifications" in popover
    assert "<html" in text_of(get(team.agent, **HTMX, **{"HX-History-Restore-Request": "true"}))


def test_opening_one_marks_it_as_read_and_leads_to_what_it_is_about(team):
    notice, other = tell(team.agent, url="/inbox/7/"), tell(team.agent)
    response = signed_in(team.agent).post(f"/notifications/{notice.pk}/open/")
    assert (response.status_code, response.url) == (302, "/inbox/7/")
    notice.refresh_from_db()
    other.refresh_from_db()
    assert notice.read_at is not None
    assert other.read_at is None


def test_opening_one_again_keeps_when_it_was_first_read(team):
    before = timezone.now() - dt.timedelta(days=1)
    notice = tell(team.agent, read_at=before)
    signed_in(team.agent).post(f"/notifications/{notice.pk}/open/")
    notice.refresh_from_db()
    assert notice.read_at == before


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "inbox/7/",
        "///evil.example",
    ],
)
def test_a_notification_never_leads_to_another_site(team, url):
    notice = tell(team.agent, url=url)
    response = signed_in(team.agent).post(f"/notifications/{notice.pk}/open/")
    assert (response.status_code, response.url) == (302, "/notifications/")


def test_opening_is_never_a_get(team):
    notice = tell(team.agent)
    client = signed_in(team.agent)
    assert client.get(f"/notifications/{notice.pk}/open/").status_code == 405
    assert client.get("/notifications/read/").status_code == 405


def test_somebody_elses_notification_does_not_exist(team, stranger):
    for membership in (team.other_agent, stranger.agent):
        notice = tell(membership)
        assert signed_in(team.agent).post(f"/notifications/{notice.pk}/open/").status_code == 404
        notice.refresh_from_db()
        assert notice.read_at is None


def test_mark_all_as_read_marks_ones_own_alone(team):
    for _ in range(3):
        tell(team.agent)
    other = tell(team.other_agent)
    response = signed_in(team.agent).post("/notifications/read/")
    assert (response.status_code, response.url) == (302, "/notifications/")
    assert unread_count(team.agent) == 0
    other.refresh_from_db()
    assert other.read_at is None


def test_mark_all_as_read_in_the_popover_makes_the_bell_count_again(team):
    tell(team.agent)
    response = signed_in(team.agent).post("/notifications/read/", headers=HTMX)
    assert "notifications:changed" in response.headers["HX-Trigger"]
    html = text_of(response)
    assert "<html" not in html
    assert "Mark all as read" not in html


def test_the_button_is_there_only_while_something_is_unread(team):
    assert "Mark all as read" not in text_of(get(team.agent))
    tell(team.agent)
    assert "Mark all as read" in text_of(get(team.agent))


def test_the_bell_counts_up_to_99_and_then_says_more(team):
    assert "count--alert" not in text_of(get(team.agent, "/notifications/bell/"))
    tell(team.agent, read_at=timezone.now())
    NotificationFactory.create_batch(3, organization=team.organization, recipient=team.agent.user)
    html = text_of(get(team.agent, "/notifications/bell/"))
    assert ">3<" in html
    NotificationFactory.create_batch(97, organization=team.organization, recipient=team.agent.user)
    response = get(team.agent, "/notifications/bell/")
    assert "99+" in text_of(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert unread_count(team.agent) == 100


def test_the_bell_is_cheap(team, told, django_assert_num_queries):
    client = signed_in(team.agent)
    NotificationFactory.create_batch(20, organization=team.organization, recipient=team.agent.user)
    # Session, person, membership; the counts, and the number that sends.
    with django_assert_num_queries(5):
        answer = client.get("/notifications/bell/", headers=HTMX)
    again = unescape(re.search(r'hx-get="(/notifications/bell/[^"]+)"', answer.content.decode())[1])
    with django_assert_num_queries(3):
        assert client.get(again, headers=HTMX).status_code == 204
    # Reading one is a change: the next look counts again.
    told([team.organization.pk])
    assert client.get(again, headers=HTMX).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_notifications(team, django_assert_num_queries):
    client = signed_in(team.agent)
    NotificationFactory.create_batch(
        views.PAGE_SIZE, organization=team.organization, recipient=team.agent.user
    )
    with django_assert_num_queries(7):
        client.get("/notifications/")
    with django_assert_num_queries(5):
        client.get("/notifications/", headers=HTMX)


def test_older_ones_are_a_page_further_also_where_many_came_at_once(team, monkeypatch):
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    moment = timezone.now()
    made = [tell(team.agent, title=f"n{number}", created_at=moment) for number in range(5)]
    seen, path = [], "/notifications/"
    while path:
        response = get(team.agent, path)
        seen += titles(response)
        older = response.context["older"]
        path = f"/notifications/?before={older}" if older else ""
    assert seen == [each.title for each in reversed(made)]


def test_nonsense_as_a_page_is_the_first_page(team, stranger):
    tell(team.agent, title="Mine")
    foreign = tell(stranger.agent)
    for before in ("x", "-1", "99999999999999999999999", str(foreign.pk), "²"):
        assert titles(get(team.agent, f"/notifications/?before={before}")) == ["Mine"]


def test_an_empty_list_says_what_will_come(team):
    assert "Nothing new" in text_of(get(team.viewer))
    assert "Nothing new" in text_of(get(team.viewer, **HTMX))


def test_texts_are_never_markup(team):
    tell(team.agent, title="<script>alert(1)</script>", text="<img src=x onerror=alert(1)>", url="/inbox/1/")
    for response in (get(team.agent), get(team.agent, **HTMX)):
        assert "<script>alert" not in text_of(response)
        assert "<img" not in text_of(response)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_can_be_drawn(team, kind):
    notice = tell(team.agent, kind=kind, values=VALUES)
    assert notice.text
    assert notice.title in text_of(get(team.agent, **HTMX))


def test_every_row_works_without_javascript(team):
    notice = tell(team.agent)
    html = text_of(get(team.agent))
    assert f'<form method="post" action="/notifications/{notice.pk}/open/">' in html


def test_signing_in_comes_first(client, db):
    for path in ("/notifications/", "/notifications/bell/"):
        assert client.get(path).status_code == 302
    assert client.post("/notifications/read/").status_code == 302
    assert client.post("/notifications/1/open/").status_code == 302
    assert not Notification.objects.exists()


def test_operators_can_look_at_notifications_but_not_change_them(team, admin_client):
    notice = tell(team.agent)
    path = f"/admin/notifications/notification/{notice.pk}/change/"
    assert admin_client.get("/admin/notifications/notification/").status_code == 200
    for words, count in (("María", 1), ("visit_rem", 1), ("Nobody", 0)):
        found = admin_client.get("/admin/notifications/notification/", {"q": words})
        assert found.context["cl"].result_count == count
    assert admin_client.get(path).status_code == 200
    assert admin_client.post(path, {"title": "other"}).status_code == 403
