"""A new follow-up from the Follow-ups page, in a real browser."""

from __future__ import annotations

import pytest

from followups.models import FollowUp
from tests import factories

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.browser


def open_dialog(open_page, team, **options):
    page = open_page(team.agent, "/followups/", **options)
    page.get_by_role("link", name="New follow-up").click()
    dialog = page.get_by_role("dialog", name="New follow-up")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    return page, dialog


def schedule(page):
    dialog = page.get_by_role("dialog", name="Schedule a follow-up")
    dialog.get_by_label("su visita a [2]").fill("Casa 7")
    dialog.get_by_label("el [3]").fill("sábado 28")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#followups-rows tr")).to_have_count(1)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_contact_is_found_and_their_follow_up_comes_into_the_table(team, open_page, width):
    contact = factories.ContactFactory(organization=team.organization, name="José Pablo Vargas")
    factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=contact)
    page, dialog = open_dialog(open_page, team, width=width)
    expect(dialog.get_by_role("link", name="María Jiménez")).to_be_visible()
    dialog.get_by_role("searchbox").press_sequentially("jose pab")
    expect(dialog.get_by_role("link", name="María Jiménez")).to_have_count(0)
    dialog.get_by_role("link", name="José Pablo Vargas").click()
    schedule(page)
    assert FollowUp.objects.get().conversation.contact == contact


def test_a_number_is_checked_while_it_is_typed_and_leads_to_the_same_dialog(team, open_page):
    page, dialog = open_dialog(open_page, team)
    dialog.get_by_text("A new contact").click()
    number = dialog.get_by_label("WhatsApp number")
    number.press_sequentially("8712 449")
    expect(dialog).to_contain_text("A number in Costa Rica has 8 digits; this has 7.")
    number.press("Enter")
    # The answer brings the field anew, with what was typed.
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(dialog).to_contain_text("A number in Costa Rica has 8 digits; this has 7.")
    number.fill("8712 4490")
    expect(dialog).to_contain_text("+506 8712 4490, a mobile number in Costa Rica")
    dialog.get_by_label("Name").fill("Esteban Quirós")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("write only to who has agreed")
    dialog.get_by_label("This person agreed to get WhatsApp messages").check()
    dialog.get_by_role("button", name="Continue").click()
    page.get_by_role("dialog", name="Schedule a follow-up").get_by_label("Hola [1]").fill("Esteban")
    schedule(page)
    assert FollowUp.objects.get().conversation.contact.phone == "+50687124490"
