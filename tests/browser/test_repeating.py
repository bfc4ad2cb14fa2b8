"""Repeating a follow-up as a person does it, with the keyboard and on a phone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from followups.models import FollowUp, Series
from tests import factories
from tests.browser.test_editing import open_dialog as open_edit_dialog
from tests.browser.test_schedule_dialog import another_template, choose_template, open_dialog
from tests.conftest import Team

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

__all__ = ["another_template"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def end_after_four_times(page: Page, dialog: Locator) -> None:
    """From the field before, and save it."""
    page.keyboard.press("Tab")
    dialog.get_by_label("How it ends").select_option("count")
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Times")).to_be_focused()
    page.keyboard.type("4")
    expect(dialog.locator("#schedule-summary")).to_contain_text("4 times in all")
    page.keyboard.press("Enter")


@pytest.mark.parametrize("width", [1440, 390])
def test_it_is_repeated_by_keyboard_with_its_next_dates_in_sight(
    team: Team, open_page: Any, width: int
) -> None:
    page, dialog = open_dialog(open_page, team, width=width)
    choose_template(dialog)
    for number, value in enumerate(("María", "Casa EC-204", "sábado 28"), start=1):
        dialog.locator(f'[name="p-body-{number}"]').fill(value)
    dialog.get_by_text("In 1 week 9:00 AM").click()
    tick = dialog.get_by_role("checkbox", name="Repeat", exact=True)
    expect(dialog.get_by_label("How often")).to_be_hidden()
    tick.focus()
    page.keyboard.press("Space")
    expect(dialog.get_by_role("list", name="Next dates").get_by_role("listitem")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("How often")).to_be_focused()
    end_after_four_times(page, dialog)
    expect(page.get_by_text("Follow-up scheduled", exact=True)).to_be_visible()
    assert Series.objects.get().count == 4


def repeated(team: Team) -> FollowUp:
    """The second of a weekly series, which waits."""
    shared = {
        "organization": team.organization,
        "conversation": team.conversation,
        "template": team.template,
        "created_by": team.agent.user,
    }
    at = timezone.now().replace(hour=15, minute=0, second=0, microsecond=0) + dt.timedelta(days=7)
    first_on, next_at = (at - dt.timedelta(days=7)).date(), at + dt.timedelta(days=7)
    series = factories.SeriesFactory(**shared, first_on=first_on, next_number=3, next_at=next_at)
    return factories.FollowUpFactory(**shared, scheduled_for=at, series=series, occurrence=2)


@pytest.mark.parametrize("width", [1440, 390])
def test_how_it_is_repeated_is_changed_by_keyboard_for_all_that_follow(
    team: Team, open_page: Any, width: int
) -> None:
    repeated(team)
    page, dialog = open_edit_dialog(open_page, team, width=width)
    tick = dialog.get_by_role("checkbox", name="Repeat")
    expect(dialog.get_by_role("radio", name="This one", exact=True)).to_be_checked()
    expect(tick).to_be_hidden()
    dialog.get_by_role("radio", name="This one", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(tick).to_be_checked()
    expect(dialog.get_by_role("list", name="Next dates").get_by_role("listitem")).to_have_count(3)
    kinds = dialog.get_by_label("How often")
    kinds.focus()
    page.keyboard.press("End")
    expect(dialog.locator("#edit-changes")).to_contain_text("Every year on")
    expect(kinds).to_be_focused()
    end_after_four_times(page, dialog)
    expect(page.get_by_text("Follow-up changed", exact=True)).to_be_visible()
    series = Series.objects.get()
    assert (series.kind, series.count) == ("yearly", 4)
