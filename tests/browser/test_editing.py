"""Editing a follow-up that waits, as a person does it, in a real browser."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from followups import lifecycle
from followups.models import FollowUp
from followups.wanted import KEEP, Wanted
from tests import factories
from tests.conftest import Team

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def follow_up(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=timezone.now() + dt.timedelta(days=20),
        note="They bring the dog",
    )


def open_dialog(open_page: Any, team: Team, **options: Any) -> tuple[Page, Locator]:
    """From the row's menu."""
    page = open_page(team.agent, "/followups/?status=pending", **options)
    page.get_by_role("button", name="More for the follow-up to María Jiménez").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog", name="Edit follow-up")
    expect(dialog.get_by_label("su visita a [2]")).to_have_value("Casa EC-204")
    return page, dialog


def by_a_colleague(follow_up: FollowUp, team: Team, note: str) -> None:
    wanted = Wanted(
        conversation=follow_up.conversation,
        template=follow_up.template,
        parameters=follow_up.parameters,
        choice=KEEP,
        scheduled_for=follow_up.scheduled_for,
        note=note,
        kept=follow_up.scheduled_for,
    )
    lifecycle.edit(follow_up, wanted, version=follow_up.version, by=team.admin, now=timezone.now())


@pytest.mark.parametrize("width", [1440, 390])
def test_changes_are_listed_and_counted_before_they_are_saved(team, follow_up, open_page, width):
    page, dialog = open_dialog(open_page, team, width=width)
    expect(dialog.locator(".summary")).to_contain_text("Will be sent to María Jiménez")
    dialog.get_by_label("su visita a [2]").fill("Casa 7")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    changes = dialog.locator(".changes")
    expect(changes).to_contain_text("2 changes")
    expect(changes.locator("del").first).to_have_text("Casa EC-204")
    expect(changes.locator("ins").first).to_have_text("Casa 7")
    expect(dialog.locator(".bubble")).to_contain_text("Casa 7")
    dialog.get_by_role("button", name="Save 2 changes").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("Follow-up changed")
    expect(page.locator(f"#followup-{follow_up.pk} .when")).to_contain_text("in 7 days")
    page.get_by_role("link", name="María Jiménez", exact=True).click()
    expect(page.locator("#drawer")).to_contain_text("Casa 7")


def test_the_dialog_is_the_same_on_the_follow_ups_own_page(team, follow_up, open_page):
    page = open_page(team.agent, f"/followups/{follow_up.pk}/")
    page.get_by_role("link", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog", name="Edit follow-up")
    dialog.get_by_label("Note").fill("Ten chars.")
    expect(dialog.locator("#schedule-note-count")).to_have_text("10/500")
    form, preview = (dialog.locator(part).bounding_box() for part in (".form", ".preview"))
    assert preview["x"] >= form["x"] + form["width"]


def test_a_colleagues_change_stands_beside_mine_and_mine_can_be_saved_all_the_same(
    team, follow_up, open_page
):
    _page, dialog = open_dialog(open_page, team, allowed=["409"])
    by_a_colleague(follow_up, team, "Theirs")
    dialog.get_by_label("Note").fill("Mine")
    dialog.get_by_role("button", name="Save 1 change").click()
    asked = dialog.get_by_role("alert")
    expect(asked).to_contain_text(f"{team.admin.user} changed it at")
    expect(asked.locator("del")).to_have_text("Theirs")
    expect(asked.locator("ins")).to_have_text("Mine")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    follow_up.refresh_from_db()
    assert follow_up.note == "Mine"


def test_a_colleagues_change_can_be_taken_instead_of_mine(team, follow_up, open_page):
    page, dialog = open_dialog(open_page, team, allowed=["409"])
    by_a_colleague(follow_up, team, "Theirs")
    dialog.get_by_label("Note").fill("Mine")
    dialog.get_by_role("button", name="Save 1 change").click()
    dialog.get_by_role("link", name="Drop mine").click()
    expect(dialog.get_by_role("alert")).to_have_count(0)
    expect(dialog.get_by_label("Note")).to_have_value("Theirs")
    dialog.get_by_role("button", name="Back").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_was_typed_for_one_that_is_being_sent_can_become_another(team, follow_up, open_page):
    page, dialog = open_dialog(open_page, team, allowed=["409"])
    dialog.get_by_label("Note").fill("Mine")
    due = timezone.now() - dt.timedelta(minutes=1)
    FollowUp.objects.update(scheduled_for=due, next_attempt_at=due)
    assert lifecycle.claim(limit=1, now=timezone.now()).rows
    dialog.get_by_role("button", name="Save 1 change").click()
    dialog = page.get_by_role("dialog", name="Schedule a follow-up")
    expect(dialog.get_by_role("alert").first).to_contain_text("It is already being sent.")
    expect(dialog.get_by_label("Note")).to_have_value("Mine")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#followups-rows tr")).to_have_count(2)
    assert FollowUp.objects.exclude(pk=follow_up.pk).get().note == "Mine"


def test_what_was_typed_into_an_older_one_is_not_saved_over_a_colleagues_change(team, follow_up, open_page):
    """It comes back from the device, and is told like any other change that was overtaken."""
    page, dialog = open_dialog(open_page, team, allowed=["409"])
    dialog.get_by_label("Note").fill("Mine")
    expect(dialog.get_by_role("button", name="Save 1 change")).to_be_visible()
    by_a_colleague(follow_up, team, "Theirs")
    page.reload()
    page.get_by_role("button", name="More for the follow-up to María Jiménez").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(dialog.get_by_label("Note")).to_have_value("Mine")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text(f"{team.admin.user} changed it at")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_move_is_one_click_and_undone_with_another(team, follow_up, open_page, width):
    page = open_page(team.agent, "/followups/?status=pending", width=width)
    row = page.locator(f"#followup-{follow_up.pk}")
    before = row.locator(".when time").get_attribute("datetime")
    row.get_by_title("Reschedule").click()
    page.get_by_role("button", name="In 1 week 9:00 AM").click()
    expect(row.locator(".when")).to_contain_text("in 7 days")
    page.locator("#toasts").get_by_role("button", name="Undo").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Follow-up moved back")
    expect(page.locator("#toasts").get_by_role("button", name="Undo")).to_have_count(0)
    expect(row.locator(".when time")).to_have_attribute("datetime", before)


def test_without_javascript_the_page_changes_it(team, follow_up, open_page):
    page = open_page(team.agent, f"/followups/{follow_up.pk}/", java_script_enabled=False)
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Note").fill("Later")
    page.locator(".foot").get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Follow-up changed")
    follow_up.refresh_from_db()
    assert follow_up.note == "Later"
