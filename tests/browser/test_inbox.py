"""The inbox in a real browser."""

from __future__ import annotations

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1440, 1100, 768, 720, 390])
def test_the_name_and_more_actions_are_in_sight_at_every_width(team, open_page, width):
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/", width=width)
    name = page.get_by_role("heading", name=team.conversation.contact.display_name)
    assert name.evaluate("element => element.clientWidth") > 100
    more = page.get_by_role("button", name="More actions")
    more.click()
    box = more.bounding_box()
    assert box["x"] + box["width"] <= width
    # The select stands in the toolbar or, where that is narrow, in the menu; never in both.
    expect(page.get_by_label("Assigned to").filter(visible=True)).to_have_count(1)
