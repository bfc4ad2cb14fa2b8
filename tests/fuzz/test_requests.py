"""Whatever is typed into an address, a form or a header: an answer, and never a crash."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings as project_settings
from django.db import connection, transaction
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.models import Attachment
from conversations.pages.forms import ReplyForm
from followups.models import BulkAction, BulkChange, FailureKind, HoldScope, Status
from followups.pages.forms import ScheduleForm
from followups.pages.listing import FilterForm
from tests import factories
from tests.conftest import Team, signed_in
from tests.fuzz.strategies import HEADER, TEXT, bounded, fields
from trochai.accounts.models import Membership

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
# Whole numbers stand for rows of ours, which half of all addresses lead to; texts are taken as they are.
IDS = st.one_of(
    st.integers(0, 7),
    st.sampled_from(["1", "0", "999", "9223372036854775807", "9223372036854775808", "9" * 400]),
)
DAYS = ("2026-11-30", "2026-2-30", "0-0-0", "9999-12-31", "9" * 400 + "-1-1")
UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")


@dataclass
class Ours:
    """What a team has: for each route, by its beginning, the rows that it may lead to."""

    team: Team
    rows: dict[str, list[Model]]

    def address(self, route: str, pk: int | str) -> str:
        """Return a path that ``route`` matches, mostly; ``pk`` is one of ``IDS``."""
        number = pk if isinstance(pk, int) else len(pk)
        for part, values in (
            ("<int:year>-<int:month>-<int:day>", DAYS),
            ("<slug:action>", BulkAction.values),
            ("<uuid:uuid>", UUIDS),
        ):
            route = route.replace(part, values[number % len(values)])
        if part := re.search("<int:[a-z_]+>", route):
            rows = next(rows for beginning, rows in self.rows.items() if route.startswith(beginning))
            route = route.replace(part[0], str(rows[pk % len(rows)].pk) if isinstance(pk, int) else pk)
        return f"/{route}"


@pytest.fixture
def ours(team):
    """Something of everything, so that pages have what they draw."""
    organization, conversation = team.organization, team.conversation
    follow_ups = [
        factories.FollowUpFactory(
            organization=organization,
            conversation=conversation,
            status=status,
            **({"failure_kind": FailureKind.UNKNOWN} if status == Status.FAILED else {}),
        )
        for status in Status
    ]
    message = factories.MessageFactory(conversation=conversation)
    attachment = Attachment.objects.create(message=message, media_id="1", state="ready", file="x")
    other = factories.ChannelFactory(organization=organization)
    hold = factories.HoldFactory(organization=organization, scope=HoldScope.CHANNEL, channel=other)
    batch = factories.ImportFactory(organization=organization, created_by=team.agent.user)
    factories.ImportRowFactory(batch=batch)
    change = BulkChange.objects.create(
        organization=organization, by=team.admin.user, action=BulkAction.CANCEL, selection={}
    )
    notifications = [
        factories.NotificationFactory(organization=organization, recipient=member.user)
        for member in (team.admin, team.viewer)
    ]
    rows = {
        "followups/attention/": [factories.AttentionFactory(follow_up=follow_ups[0])],
        "followups/bulk/": [change],
        "followups/channels/": [team.channel, other],
        "followups/holds/": [hold],
        "followups/import/": [batch],
        "followups/schedule/": [conversation],
        "followups/": follow_ups,
        "inbox/files/": [attachment],
        "inbox/messages/": [message],
        "inbox/": [conversation],
        "notifications/": notifications,
        "organizations/": [team.admin, team.viewer],
    }
    return Ours(team, rows)


@pytest.fixture
def each_as(db):
    """Return a function that gives an example the client of a member, and takes back what it wrote."""
    sessions: dict[int, str] = {}

    @contextlib.contextmanager
    def begun(member: Membership) -> Iterator[Client]:
        if member.pk not in sessions:
            sessions[member.pk] = signed_in(member).cookies[project_settings.SESSION_COOKIE_NAME].value
        client = Client()
        client.cookies[project_settings.SESSION_COOKIE_NAME] = sessions[member.pk]
        with transaction.atomic():
            yield client
            transaction.set_rollback(True)

    return begun


def refuse_writes(execute, sql, params, many, context):
    verb = sql.lstrip("( ").partition(" ")[0].upper()
    assert verb in {"SELECT", "SAVEPOINT", "RELEASE", "WITH", "BEGIN"}, sql
    return execute(sql, params, many, context)


def test_the_routes_are_found():
    assert {"inbox/", "followups/<int:pk>/cancel/", "templates/sync/", "sign-in/"} <= set(ROUTES)


def examples(route: str, plain: HttpResponse) -> settings:
    """Return how many examples a route is worth, by its answer to a plain request."""
    if plain.status_code == 405:  # before anything of the request is read
        return bounded(5)
    # Half of these addresses lead to a row of ours.
    return bounded(25 if "<int:" in route else 50)


@pytest.mark.parametrize("route", ROUTES)
def test_no_address_and_no_header_breaks_a_page_or_writes(ours, each_as, route):
    viewer = ours.team.viewer
    with each_as(viewer) as client:
        plain = client.get(ours.address(route, 0))

    @examples(route, plain)
    @given(pk=IDS, query=fields(sorted(NAMES)), headers=HEADERS)
    def is_answered(pk, query, headers):
        with each_as(viewer) as client, connection.execute_wrapper(refuse_writes):
            answer = client.get(ours.address(route, pk), query, headers=headers)
        assert answer.status_code < 500

    is_answered()


@pytest.mark.parametrize("route", ROUTES)
def test_no_form_breaks_anything(ours, each_as, meta, route):
    admin = ours.team.admin
    with each_as(admin) as client:
        plain = client.post(ours.address(route, 0))

    @examples(route, plain)
    @given(pk=IDS, data=fields(sorted(NAMES)), headers=HEADERS)
    def is_answered(pk, data, headers):
        with each_as(admin) as client:
            answer = client.post(ours.address(route, pk), data, headers=headers)
        assert answer.status_code < 500

    is_answered()


@pytest.mark.parametrize("door", ["/sign-in/", "/admin/login/"])
@bounded(200)
@given(username=TEXT, password=TEXT, target=TEXT, headers=HEADERS)
def test_nothing_typed_into_the_sign_in_breaks_it(db, door, username, password, target, headers):
    data = {"username": username, "password": password, "next": target}
    assert Client().post(door, data, headers=headers).status_code < 500
