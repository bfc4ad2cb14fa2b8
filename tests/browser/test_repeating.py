"""Repeating a follow-up as a person does it, with the keyboard and on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from followups.models import Series
from tests.browser.test_schedule_dialog import another_template, choose_template, open_dialog
from tests.conftest import Team

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

__all__ = ["another_template"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    page.keyboard.press("Tab")
    dialog.get_by_label("How it ends").select_option("count")
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Times")).to_be_focused()
    page.keyboard.type("4")
    expect(dialog.locator("#schedule-summary")).to_contain_text("4 times in all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Follow-up scheduled", exact=True)).to_be_visible()
    assert Series.objects.get().count == 4
