from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import Membership, Role
from trochai.ui import toasts


def words(response) -> str:
    return html_of(response)


def sign_in(client, email, password=factories.PASSWORD, **data):
    return client.post("/sign-in/", {"username": email, "password": password, **data})


# Signing in and out ----------------------------------------------------------------------------------


def test_email_and_password_lead_to_the_inbox(team):
    response = sign_in(Client(), team.agent.user.email)
    assert (response.status_code, response["Location"]) == (302, "/inbox/")


def test_the_email_is_found_in_any_spelling(team):
    assert sign_in(Client(), f"  {team.agent.user.email.upper()} ").status_code == 302


def test_after_signing_in_people_go_where_they_wanted_to_and_nowhere_else(team):
    assert sign_in(Client(), team.agent.user.email, next="/followups/?q=a")["Location"] == "/followups/?q=a"
    assert sign_in(Client(), team.agent.user.email, next="https://example.com/")["Location"] == "/inbox/"
    assert sign_in(Client(), team.agent.user.email, next="//example.com/")["Location"] == "/inbox/"


@pytest.mark.parametrize("problem", ["password", "email", "inactive"])
def test_one_message_for_every_reason_so_that_it_tells_nobody_who_has_an_account(team, problem):
    user = team.agent.user
    user.is_active = problem != "inactive"
    user.save()
    email = "nobody@example.com" if problem == "email" else user.email
    response = sign_in(Client(), email, "wrong" if problem == "password" else factories.PASSWORD)
    assert response.status_code == 200
    assert "That email and password don’t match. Try again." in words(response)
    assert 'aria-invalid="true" aria-describedby="sign-in-error"' in words(response)


@pytest.mark.parametrize("door", ["/sign-in/", "/admin/login/"])
@pytest.mark.parametrize("username", ["a" * 300, "a" * 300 + "@example.com", "ñ" * 100_000, "a\0b"])
def test_no_account_has_a_name_as_long_as_that(db, door, username):
    response = Client().post(door, {"username": username, "password": "x" * 100_000})
    assert response.status_code == 200


def test_what_is_typed_into_the_sign_in_is_text(team):
    assert "<script>alert" not in words(sign_in(Client(), '"><script>alert(1)</script>', "x"))


def test_too_many_wrong_passwords_lock_and_say_for_how_long(team):
    client = Client()
    for _ in range(10):
        assert sign_in(client, team.agent.user.email, "wrong").status_code == 200
    response = sign_in(client, team.agent.user.email)
    assert response.status_code == 429
    assert "Wait 15 minutes" in words(response)
    assert sign_in(client, team.admin.user.email).status_code == 302


def test_signing_out_is_a_post_and_ends_the_session(team):
    client = signed_in(team.agent)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/inbox/").status_code == 302


def test_a_fragment_asked_for_after_the_end_of_the_session_sends_the_whole_page_to_the_sign_in(team):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/inbox/5/?f=mine"}
    response = Client().get("/inbox/poll/", headers=headers, follow=True)
    assert response["HX-Redirect"] == "/sign-in/?next=%2Finbox%2F5%2F%3Ff%3Dmine&ended=1"
    assert words(response) == ""


@pytest.mark.parametrize("page", ["http://[nonsense", "https://elsewhere.example/inbox/5/"])
def test_a_page_that_is_not_ours_is_not_gone_back_to(team, page):
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    response = Client().get("/inbox/poll/", headers=headers, follow=True)
    assert response["HX-Redirect"] == "/sign-in/?next=&ended=1"


def test_why_one_has_to_sign_in_again_is_said(team):
    client = signed_in(team.agent)
    Session.objects.all().delete()
    page = client.get("/inbox/", follow=True)
    assert "Your session has ended." in words(page)
    assert "Your session has ended." not in words(Client().get("/inbox/", follow=True))


@pytest.mark.parametrize(
    ("before", "way_back"),
    [
        ("http://testserver/inbox/5/?f=mine", "/inbox/5/?f=mine"),
        ("https://x.example/inbox/5/", ""),
        ("//[", ""),
    ],
)
def test_what_was_posted_leads_back_to_the_page_that_it_was_posted_from(team, before, way_back):
    path = f"/inbox/{team.conversation.pk}/reply/"
    answer = Client().post(path, {"text": "hola"}, headers={"Referer": before})
    assert answer["Location"] == f"/sign-in/?{urlencode({'next': way_back}, safe='/')}"


def test_somebody_who_is_a_member_nowhere_is_told_so(db):
    client = Client()
    client.force_login(factories.UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
    response = client.get("/inbox/")
    assert response.status_code == 403
    assert "You are not a member of any organization." in words(response)


def test_somebody_who_is_a_member_nowhere_can_leave_the_browser_to_another(team):
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
    page = words(client.get("/inbox/"))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    assert 'action="/sign-out/"' in page
    response = client.post("/sign-out/", {"csrfmiddlewaretoken": token})
    assert response["Location"] == "/sign-in/"
    assert client.get("/inbox/")["Location"].startswith("/sign-in/")
    assert 'action="/sign-out/"' not in words(signed_in(team.viewer).get("/templates/sync/"))


# Organizations ---------------------------------------------------------------------------------------


def test_a_person_of_two_organizations_switches_between_them(team, stranger):
    other = factories.MembershipFactory(
        user=team.agent.user, organization=stranger.organization, role=Role.VIEWER
    )
    client = signed_in(team.agent)
    assert f">{team.organization.name}<" in words(client.get("/inbox/"))
    client.post(reverse("accounts:switch_organization", args=[other.pk]))
    text = words(client.get("/inbox/"))
    assert f'title="{stranger.organization.name}"' in text
    assert "<small>Viewer</small>" in text
    assert client.get(f"/inbox/{team.conversation.pk}/").status_code == 404


def test_nobody_switches_to_an_organization_by_somebody_elses_membership(team, stranger):
    client = signed_in(team.agent)
    url = reverse("accounts:switch_organization", args=[stranger.agent.pk])
    assert client.post(url).status_code == 404
    assert client.get(url).status_code == 405


def test_who_is_removed_from_an_organization_falls_back_to_another(team, stranger):
    other = factories.MembershipFactory(user=team.agent.user, organization=stranger.organization)
    client = signed_in(team.agent)
    client.post(reverse("accounts:switch_organization", args=[other.pk]))
    Membership.objects.filter(pk=other.pk).delete()
    assert f'title="{team.organization.name}"' in words(client.get("/inbox/"))


# The frame -------------------------------------------------------------------------------------------


def test_the_sidebar_counts_the_members_own(team, stranger):
    team.conversation.unread_count = 3
    team.conversation.save()
    factories.NotificationFactory(organization=team.organization, recipient=team.agent.user)
    factories.NotificationFactory(organization=team.organization, recipient=team.admin.user)
    factories.NotificationFactory(organization=stranger.organization, recipient=team.agent.user)
    text = words(signed_in(team.agent).get("/templates/"))
    assert '<span class="count">1<span class="sr-only"> unread conversations' in text
    assert '<span class="count count--alert">1<span class="sr-only"> new' in text
    Notification.objects.all().delete()
    assert "count--alert" not in words(signed_in(team.agent).get("/templates/"))


def test_the_sidebar_says_how_the_channel_is(team):
    client = signed_in(team.agent)
    assert "WhatsApp connected" in words(client.get("/templates/"))
    factories.ChannelFactory(organization=team.organization)
    team.channel.stopped_at, team.channel.stop_code = team.channel.created_at, 190
    team.channel.save()
    assert "WhatsApp stopped: The WhatsApp access token is not valid any more." in words(
        client.get("/templates/")
    )


def test_without_a_channel_the_sidebar_says_nothing_of_it(db):
    assert "WhatsApp connected" not in words(signed_in(factories.MembershipFactory()).get("/inbox/"))


def test_the_frame_marks_where_one_is_and_draws_nothing_that_does_nothing(team):
    client = signed_in(team.viewer)
    for path in ("/inbox/", "/followups/", "/templates/", "/notifications/"):
        text = words(client.get(path))
        current = re.findall(
            r'<a[^>]*href="([^"]*)"[^>]*aria-current="page"', text.split('<main class="main"')[0]
        )
        assert current == [path]
        assert 'href="#' not in text.replace('href="#main"', "")
        assert "Settings" not in text


def test_every_page_keeps_the_content_security_policy_and_other_hosts_out(team):
    for response in (Client().get("/sign-in/"), signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/")):
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r'(?:src|href)="(?:https?:)?//', words(response))


@pytest.mark.parametrize("path", ["/inbox/", "/followups/", "/notifications/bell/", "/inbox/999/"])
def test_what_a_member_sees_is_kept_by_no_cache(team, path):
    response = signed_in(team.agent).get(path)
    assert "no-store" in response["Cache-Control"]
    assert "camera=()" in response["Permissions-Policy"]


def test_a_fragment_costs_nothing_for_the_frame_it_does_not_have(team, django_assert_num_queries):
    client = signed_in(team.agent)
    with django_assert_num_queries(5):  # session, person, membership, notices, unread ones
        client.get("/notifications/", headers={"HX-Request": "true"})
    with django_assert_num_queries(5 + 2):  # the frame: its counts, the channel
        client.get("/notifications/")


# Errors ----------------------------------------------------------------------------------------------


def test_a_page_that_does_not_exist_says_so_in_our_own_words(team):
    for client in (Client(), signed_in(team.agent)):
        response = client.get("/nothing/here/")
        assert response.status_code == 404
        assert "There’s nothing here" in words(response)


@pytest.mark.parametrize(
    "name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html", "503.html"]
)
def test_error_pages_need_nothing(name):
    """Django renders 500.html with no request at all."""
    text = render_to_string(name)
    assert "<h1>" in text
    assert 'href="/"' in text


def test_a_crash_shows_the_page_and_no_trace(team, monkeypatch):
    monkeypatch.setattr("conversations.pages.views.listing", lambda *_: 1 / 0)
    client = signed_in(team.agent)
    client.raise_request_exception = False
    response = client.get("/inbox/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in words(response)
    assert "ZeroDivisionError" not in words(response)


# Toasts ----------------------------------------------------------------------------------------------


def test_a_toast_for_a_page_is_shown_once_on_the_next_one(team):
    client = signed_in(team.agent)
    client.post(f"/inbox/{team.conversation.pk}/update/", {"status": "closed"})
    assert "Marked as closed" in words(client.get("/templates/"))
    assert "Marked as closed" not in words(client.get("/templates/"))


def test_toasts_are_text_and_link_within_the_site():
    toast = toasts.Toast(title="<b>x</b>", text="<i>y</i>", tone="error", url="/followups/", link="View")
    text = render_to_string("parts/_toast.html", {"toast": toast})
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "toast--error" in text
    assert '<a class="link" href="/followups/">View</a>' in text
    assert "<a" not in render_to_string("parts/_toast.html", {"toast": toasts.Toast(title="x")})


@pytest.mark.parametrize("message", ["Plain words", "3", '["list"]', '{"titel": "x"}', "null"])
def test_a_message_that_is_no_toast_becomes_the_title(message):
    assert toasts.read(message) == toasts.Toast(title=message)
