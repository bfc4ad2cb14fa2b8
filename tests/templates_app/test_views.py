from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine
from django.db import connection

from templates_app import listing, tasks
from templates_app.models import RequestedSync
from tests.conftest import signed_in
from tests.factories import ChannelFactory, TemplateFactory
from tests.html import html_of
from tests.templates_app import shapes
from tests.templates_app.conftest import BODY, entry
from trochai.clock import database_now
from trochai.waking import waker
from trochai.whatsapp.models import Channel

HTMX = {"HX-Request": "true"}


def page(membership, query="", **headers):
    return signed_in(membership).get(f"/templates/{query}", headers=headers)


def text_of(response):
    return html_of(response)


def toast(response):
    return json.loads(response.headers["HX-Trigger"])["toast"]


def test_a_card_shows_name_category_language_status_quality_and_the_message(team):
    TemplateFactory(
        channel=team.channel,
        name="new_listing",
        language="en_US",
        category="MARKETING",
        status="PAUSED",
        quality="RED",
        components=[
            {"type": "HEADER", "format": "TEXT", "text": "New listing: {{1}}"},
            {"type": "BODY", "text": "Hi {{1}}, a new house.\nWould you like to see it?"},
            {"type": "BUTTONS", "buttons": shapes.BUTTONS},
        ],
    )
    html = text_of(page(team.admin))
    for words in ("new_listing", "Marketing", "English (US)", "Paused", "Low quality", "See photos"):
        assert words in html
    assert '<span class="var" data-slot="body.1" data-empty="{{1}}">{{1}}</span>' in html
    assert "a new house.<br>Would you" in html
    assert 'lang="en-US"' in html


def test_a_rejected_template_says_why(team):
    TemplateFactory(channel=team.channel, status="REJECTED", rejected_reason="PROMOTIONAL")
    assert "promotes something" in text_of(page(team.agent))


def test_a_template_that_cannot_be_filled_here_says_so(team):
    TemplateFactory(channel=team.channel, components=[BODY, {"type": "CAROUSEL"}])
    assert "can’t fill in yet" in text_of(page(team.agent))


def test_templates_that_meta_deleted_and_other_organizations_ones_do_not_show(team, stranger):
    TemplateFactory(channel=team.channel, name="long_gone", status="DELETED")
    TemplateFactory(channel=stranger.channel, name="of_somebody_else", language="fi")
    html = text_of(page(team.admin))
    assert "long_gone" not in html
    assert "of_somebody_else" not in html
    assert "Finnish" not in html


def test_text_from_meta_is_never_markup(team):
    evil = "<script>alert(1)</script>"
    TemplateFactory(
        channel=team.channel,
        name=f"evil{evil}",
        status="REJECTED",
        rejected_reason=evil,
        category=evil,
        language="<b>x",
        components=[
            {"type": "HEADER", "format": "TEXT", "text": evil},
            {"type": "BODY", "text": f"{evil} {{{{1}}}}"},
            {"type": "FOOTER", "text": evil},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": evil}]},
        ],
    )
    for response in (page(team.admin), page(team.admin, f"?q={evil}")):
        assert "<script>alert" not in text_of(response)
        assert "<b>x" not in text_of(response)


@pytest.fixture
def several(team):
    """One of each status beside the team's own approved visit_reminder."""
    for name, status, category, language in (
        ("open_house", "PAUSED", "MARKETING", "es"),
        ("price_drop", "REJECTED", "MARKETING", "es"),
        ("document_request", "PENDING", "UTILITY", "es"),
        ("appealed", "IN_APPEAL", "UTILITY", "en"),
        ("switched_off", "DISABLED", "UTILITY", "en"),
    ):
        TemplateFactory(
            channel=team.channel,
            name=name,
            status=status,
            category=category,
            language=language,
            components=[{"type": "BODY", "text": f"Texto de José para {name.replace('_', '-')}"}],
        )
    return team


def names(response):
    return [template.name for template in response.context["table"].templates]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=approved", ["visit_reminder"]),
        ("?status=in_review", ["appealed", "document_request"]),
        ("?status=paused", ["open_house"]),
        ("?status=rejected", ["price_drop"]),
        ("?category=MARKETING", ["open_house", "price_drop"]),
        ("?language=en", ["appealed", "switched_off"]),
        ("?status=rejected&category=UTILITY", []),
        ("?q=open", ["open_house"]),
        ("?q=open+house", ["open_house"]),
        ("?q=jose+price-drop", ["price_drop"]),
        ("?q=JOSÉ&status=paused", ["open_house"]),
        ("?q=100%25", []),
    ],
)
def test_tabs_search_and_filters_are_in_the_address(several, query, found):
    assert names(page(several.viewer, query)) == found


@pytest.mark.parametrize(
    "query",
    ["?status=nonsense", "?category=nonsense", "?after=nonsense", "?after=99999999999999999999", "?q=%00"],
)
def test_nonsense_in_the_address_shows_everything(several, query):
    assert len(names(page(several.agent, query))) == 6


def test_tabs_count_what_search_and_filters_leave(several):
    tabs = page(several.agent, "?language=es").context["table"].tabs
    assert [(tab.key, tab.count) for tab in tabs] == [
        ("", 4),
        ("approved", 1),
        ("in_review", 1),
        ("paused", 1),
        ("rejected", 1),
    ]
    assert "language=es" in tabs[1].query


def test_htmx_gets_the_list_and_counts_without_the_field_that_is_being_typed_in(several):
    response = page(several.agent, "?q=open&category=&language=", **HTMX)
    html = text_of(response)
    assert "<html" not in html
    assert 'name="q"' not in html
    assert "open_house" in html
    assert 'id="templates-tabs" aria-label="Filter by status" hx-swap-oob="true"' in html
    assert response.headers["HX-Replace-Url"] == "/templates/?q=open"
    assert "HX-Request" in response.headers["Vary"]


def test_a_page_that_the_browser_restores_is_whole(several):
    html = text_of(page(several.agent, **HTMX, **{"HX-History-Restore-Request": "true"}))
    assert "<html" in html


def test_long_lists_come_in_pages(team, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    for name in ("a", "b", "c"):
        for language in ("en", "es"):
            TemplateFactory(channel=team.channel, name=name, language=language)
    seen, query = [], ""
    while True:
        response = page(team.agent, query)
        seen += [(each.name, each.language) for each in response.context["table"].templates]
        query = f"?{response.context['table'].next_query}"
        if query == "?":
            break
        assert "after=" in query
    assert seen == [(name, language) for name in "abc" for language in ("en", "es")] + [
        ("visit_reminder", "es")
    ]


def test_an_anchor_of_another_organization_is_ignored(team, stranger):
    assert names(page(team.agent, f"?after={stranger.template.pk}")) == ["visit_reminder"]


def test_empty_lists_say_why_and_what_to_do(team):
    assert "No template matches" in text_of(page(team.agent, "?q=nothing+like+it"))
    assert "None of your templates has this status" in text_of(page(team.agent, "?status=paused"))
    team.template.delete()
    assert "choose Sync" in text_of(page(team.agent))
    assert "choose Sync" not in text_of(page(team.viewer))


def test_the_page_says_when_it_was_synced(team):
    now = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)
    assert "Not synced yet" in text_of(page(team.agent))
    Channel.objects.filter(pk=team.channel.pk).update(templates_synced_at=now - dt.timedelta(minutes=13))
    with time_machine.travel(now, tick=False):
        assert "13 minutes ago" in text_of(page(team.agent))


def test_the_number_of_queries_does_not_grow_with_the_templates(team, django_assert_num_queries):
    client = signed_in(team.admin)
    for number in range(40):
        TemplateFactory(channel=team.channel, name=f"template_{number}")
    asks_for_the_time = connection.vendor == "postgresql"
    with django_assert_num_queries(9 + asks_for_the_time):
        client.get("/templates/")
    with django_assert_num_queries(5):
        client.get("/templates/?q=template", headers=HTMX)


def test_signing_in_comes_first(client, db):
    assert client.get("/templates/").status_code == 302
    assert client.post("/templates/sync/").status_code == 302


# Sync -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    """The ids of the channels for which a worker was woken."""
    ids = []
    monkeypatch.setattr(tasks.sync_requested, "apply_async", lambda args, **_: ids.extend(args))
    return ids


def ask(membership, query="", **headers):
    return signed_in(membership).post(f"/templates/sync/{query}", headers=headers)


def result(membership, query=""):
    return signed_in(membership).get(f"/templates/sync/result/{query}", headers=HTMX)


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_members_who_write_can_sync_and_the_result_arrives_by_itself(team, meta_lists, woken, role):
    meta_lists(team.channel, [entry(), entry("fresh")])
    asked = ask(team.member(role), **HTMX)
    waker.wait_idle()
    assert woken == [team.channel.pk]
    for html in (text_of(asked), text_of(page(team.viewer))):
        assert "Syncing…" in html
        assert 'hx-get="/templates/sync/result/"' in html
    assert "<html" not in text_of(asked)
    assert result(team.member(role)).status_code == 204
    tasks.sync_requested(team.channel.pk)
    answer = result(team.member(role), "?q=fresh")
    assert "fresh" in text_of(answer)
    assert "visit_reminder" not in text_of(answer)
    assert "Syncing…" not in text_of(answer)
    assert toast(answer)["title"] == "Templates synced"
    assert toast(answer)["text"] == "1 added, 1 changed."


def test_asking_again_while_it_goes_on_wakes_nobody(team, woken):
    ask(team.admin)
    ask(team.agent)
    waker.wait_idle()
    assert woken == [team.channel.pk]


@pytest.mark.parametrize(("began", "minutes"), [(False, 2), (True, 10)])
def test_a_sync_of_which_nobody_hears_says_so_and_can_be_asked_for_again(team, woken, began, minutes):
    ask(team.admin)
    waker.wait_idle()
    long_ago = database_now() - dt.timedelta(minutes=minutes)
    RequestedSync.objects.update(asked_at=long_ago, began_at=long_ago if began else None)
    assert toast(result(team.admin))["text"] == "Nothing came back. Try again."
    assert "Syncing…" in text_of(ask(team.admin, **HTMX))
    waker.wait_idle()
    assert woken == [team.channel.pk] * 2


def test_viewers_have_no_sync_button_and_may_not_sync(team):
    assert "/templates/sync/" in text_of(page(team.agent))
    assert "/templates/sync/" not in text_of(page(team.viewer))
    assert ask(team.viewer).status_code == 403


def test_syncing_is_never_a_get(team):
    assert signed_in(team.admin).get("/templates/sync/").status_code == 405


def test_without_javascript_syncing_leads_back_to_the_same_list(team):
    response = ask(team.agent, "?status=approved&q=visit")
    assert (response.status_code, response.url) == (302, "/templates/?status=approved&q=visit")
    assert "Syncing…" in text_of(page(team.agent))


def test_syncing_again_says_that_nothing_has_changed(team, meta_lists):
    meta_lists(team.channel, [entry("visit_reminder", language="es")])
    for _turn in range(2):
        ask(team.agent)
        tasks.sync_requested(team.channel.pk)
    assert toast(result(team.agent))["text"] == "Nothing has changed."


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": {"code": 190, "message": "Error validating access token"}}),
        (403, {"error": {"code": 200, "message": "Permissions error"}}),
        (500, {"error": {"code": 2, "message": "Service unavailable"}}),
        (400, {"error": {"code": 987654, "message": "Something new"}}),
        (200, "<html>not what we asked for</html>"),
        (502, "<html>Bad gateway</html>"),
    ],
)
def test_a_failed_sync_says_so_plainly_and_keeps_the_list(team, meta_refuses, status, body):
    meta_refuses(team.channel, status, body)
    ask(team.admin)
    tasks.sync_requested(team.channel.pk)
    answer = result(team.admin)
    assert toast(answer)["tone"] == "error"
    assert toast(answer)["title"] == "Couldn’t sync the templates"
    assert toast(answer)["text"]
    assert "Traceback" not in text_of(answer)
    assert "visit_reminder" in text_of(answer)


def test_one_numbers_failure_does_not_keep_the_others_from_syncing(team, meta_lists, meta_refuses):
    second = ChannelFactory(organization=team.organization, name="Zona Norte")
    meta_refuses(team.channel, 401, {"error": {"code": 190, "message": "expired"}})
    meta_lists(second, [entry("fresh")])
    ask(team.admin)
    for channel in (team.channel, second):
        tasks.sync_requested(channel.pk)
    answer = result(team.admin)
    assert team.channel.name in toast(answer)["text"]
    assert "fresh" in text_of(answer)


def test_without_a_number_there_is_nothing_to_sync(team):
    Channel.objects.filter(organization=team.organization).exclude(pk=team.channel.pk).delete()
    team.conversation.delete()
    team.template.delete()
    team.channel.delete()
    assert toast(ask(team.admin, **HTMX))["title"] == "Nothing to sync"


def test_syncing_leaves_other_organizations_alone(team, stranger, woken):
    ask(team.admin)
    waker.wait_idle()
    assert woken == [team.channel.pk]
    assert "Syncing…" not in text_of(page(stranger.admin))


def test_operators_can_look_at_templates_but_not_change_them(team, admin_client):
    path = f"/admin/templates_app/template/{team.template.pk}/change/"
    assert admin_client.get("/admin/templates_app/template/").status_code == 200
    assert admin_client.get(path).status_code == 200
    assert admin_client.post(path, {"name": "other"}).status_code == 403
