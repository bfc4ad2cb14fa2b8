"""Starting a conversation, in a real browser."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1440, 390])
def test_a_number_is_checked_while_it_is_typed_and_leads_to_its_template(team, open_page, width):
    team.conversation.contact.phone = "+50687124490"
    team.conversation.contact.save()
    page = open_page(team.agent, "/inbox/", width=width)
    page.get_by_role("link", name="Start a conversation").click()
    dialog = page.get_by_role("dialog", name="Start a conversation")
    number = dialog.get_by_label("WhatsApp number")
    expect(number).to_be_focused()
    number.press_sequentially("8712 449")
    expect(dialog).to_contain_text("A number in Costa Rica has 8 digits; this has 7.")
    number.press_sequentially("0")
    expect(dialog).to_contain_text("This number already has a conversation")
    expect(dialog.get_by_role("link", name="Open conversation")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_be_hidden()
    number.fill("+49 1512 3456789")
    expect(dialog).to_contain_text("a mobile number in Germany")
    expect(dialog.get_by_label("Country")).to_have_value("DE")
    dialog.get_by_label("Name").fill("Greta Vogt")
    dialog.get_by_role("button", name="Send template").click()
    expect(page).to_have_url(re.compile("/template/"))
    expect(page.get_by_role("heading", name="Send a template")).to_be_visible()
    expect(page.locator(".summary")).to_contain_text("Greta Vogt")
