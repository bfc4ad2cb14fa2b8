"""The calendar in a real browser: by keyboard, while others schedule, on a phone and without JavaScript."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from django.utils import timezone

from tests import factories

pytestmark = pytest.mark.browser

expect = pytest.importorskip("playwright.sync_api").expect
ZONE = zoneinfo.ZoneInfo("America/Costa_Rica")


def at(days: int, hour: int = 9) -> dt.datetime:
    """Return that hour of a day from today, as the organization's clock has it."""
    today = timezone.localdate(timezone=ZONE)
    return dt.datetime.combine(today + dt.timedelta(days=days), dt.time(hour), tzinfo=ZONE)


def make(team, moment, **given):
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=moment,
        **given,
    )


def day_of(page, moment):
    return page.locator(f"#day-{moment:%Y-%m-%d}")


def test_arrow_keys_go_from_day_to_day_and_enter_opens_one(team, open_page):
    make(team, at(8))
    page = open_page(team.viewer, "/followups/calendar/")
    day_of(page, at(0)).focus()
    page.keyboard.press("ArrowRight")
    expect(day_of(page, at(1))).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(day_of(page, at(8))).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("1 pending")
    expect(drawer).to_contain_text("9:00 AM")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(day_of(page, at(8))).to_be_focused()


def test_the_whole_sheet_is_one_stop_for_tab(team, open_page):
    make(team, at(8))
    page = open_page(team.agent, "/followups/calendar/")
    assert page.locator(".month a[tabindex='0']").count() == 1
    expect(page.locator(".month a[tabindex='0']")).to_have_attribute("aria-current", "date")


def test_what_a_colleague_schedules_comes_in_and_leaves_the_focus_where_it_is(team, open_page):
    page = open_page(team.agent, "/followups/calendar/")
    day_of(page, at(9)).focus()
    make(team, at(9))
    expect(day_of(page, at(9))).to_have_accessible_name(f"{at(9):%A} {at(9).day} {at(9):%B}: 1 pending")
    expect(day_of(page, at(9))).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(day_of(page, at(8))).to_be_focused()


def test_in_a_week_arrow_keys_pass_over_hours_that_have_nothing(team, open_page):
    monday = at(14 - timezone.localdate(timezone=ZONE).weekday(), 9)
    make(team, monday)
    make(team, monday + dt.timedelta(hours=4))
    make(team, monday + dt.timedelta(days=2))
    page = open_page(team.agent, f"/followups/calendar/week/?on={monday:%Y-%m-%d}")
    slots = page.locator(".slot")
    expect(slots).to_have_count(3)
    slots.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(slots.nth(1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(slots.nth(2)).to_be_focused()


def test_on_a_phone_the_sheet_is_an_agenda_and_a_week_scrolls_by_itself(team, open_page):
    make(team, at(8))
    page = open_page(team.agent, "/followups/calendar/", width=390)
    expect(day_of(page, at(8))).to_be_visible()
    expect(day_of(page, at(7))).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto("/followups/calendar/week/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".scroller").evaluate("it => it.scrollWidth > it.clientWidth")


def test_without_javascript_a_day_is_a_page(team, open_page):
    make(team, at(8))
    page = open_page(team.agent, "/followups/", java_script_enabled=False)
    page.get_by_role("link", name="Calendar").click()
    day_of(page, at(8)).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{at(8):%A} {at(8).day} {at(8):%B}")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#followups-rows tr")).to_have_count(1)
