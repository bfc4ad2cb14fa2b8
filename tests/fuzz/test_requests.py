"""Whatever is typed into an address, a form or a header: an answer, and never a crash."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import given
from hypothesis import strategies as st

from conversations.pages.forms import ReplyForm
from followups.models import FailureKind, Status
from followups.pages.forms import ScheduleForm
from followups.pages.listing import FilterForm
from tests import factories
from tests.conftest import signed_in
from tests.fuzz.strategies import HEADER, TEXT, bounded, fields

APPS = {"accounts", "conversations", "followups", "notifications", "templates"}
FORMS = (ReplyForm, ScheduleForm, FilterForm)
OTHERS = {
    *(
        "next",
        "q",
        "f",
        "before",
        "after",
        "to",
        "since",
        "open",
        "v",
        "language",
        "category",
        "seen",
        "anyway",
    ),
    *("confirmed", "submission", "template", "cancel_on_reply", "p-body-1", "choose"),
    "anyway",
    *("assignee", "status", "uuid", "username", "password"),
}
NAMES = {name for form in FORMS for name in form.base_fields} | OTHERS
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("HX-Request", "HX-Current-URL", "HX-Current-URL-URI-AutoEncoded", "HX-Target", "HX-Trigger"),
            *("HX-Boosted", "HX-History-Restore-Request", "Referer", "X-Forwarded-For", "X-Forwarded-Proto"),
            *("Accept", "Accept-Language", "Cookie", "Host", "Origin", "If-Modified-Since", "If-None-Match"),
        ]
    ),
    HEADER,
    max_size=4,
)


def routes() -> list[str]:
    """Return every route of the product's own pages, as it stands in the URL patterns."""

    def below(patterns, prefix, name):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, route, pattern.app_name or name)
            elif isinstance(pattern, URLPattern) and name in APPS:
                yield route

    return sorted(below(get_resolver().url_patterns, "", ""))


ROUTES = routes()
IDS = st.sampled_from(["1", "2", "0", "999", "9223372036854775807", "9223372036854775808", "9" * 400])


@pytest.fixture
def things(team):
    """Something of everything, so that pages have what they draw."""
    for status in Status:
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            status=status,
            **({"failure_kind": FailureKind.UNKNOWN} if status == Status.FAILED else {}),
        )
    factories.MessageFactory(conversation=team.conversation)
    factories.NotificationFactory(organization=team.organization, recipient=team.agent.user)
    return team


def address(draw_id: str, route: str) -> str:
    for kind in ("<int:pk>", "<int:conversation_id>", "<int:membership_id>"):
        route = route.replace(kind, draw_id)
    return f"/{route}"


def refuse_writes(execute, sql, params, many, context):
    verb = sql.lstrip("( ").partition(" ")[0].upper()
    assert verb in {"SELECT", "SAVEPOINT", "RELEASE", "WITH", "BEGIN"}, sql
    return execute(sql, params, many, context)


def test_the_routes_are_found():
    assert {"inbox/", "followups/<int:pk>/cancel/", "templates/sync/", "sign-in/"} <= set(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
@bounded(50)
@given(pk=IDS, query=fields(sorted(NAMES)), headers=HEADERS)
def test_no_address_and_no_header_breaks_a_page_or_writes(things, route, pk, query, headers):
    client = signed_in(things.viewer)
    with connection.execute_wrapper(refuse_writes):
        answer = client.get(address(pk, route), query, headers=headers)
    assert answer.status_code < 500


@pytest.mark.parametrize("route", ROUTES)
@bounded(50)
@given(pk=IDS, data=fields(sorted(NAMES)), headers=HEADERS)
def test_no_form_breaks_anything(things, meta, route, pk, data, headers):
    answer = signed_in(things.admin).post(address(pk, route), data, headers=headers)
    assert answer.status_code < 500


@pytest.mark.parametrize("door", ["/sign-in/", "/admin/login/"])
@bounded(200)
@given(username=TEXT, password=TEXT, target=TEXT, headers=HEADERS)
def test_nothing_typed_into_the_sign_in_breaks_it(db, door, username, password, target, headers):
    data = {"username": username, "password": password, "next": target}
    assert Client().post(door, data, headers=headers).status_code < 500
