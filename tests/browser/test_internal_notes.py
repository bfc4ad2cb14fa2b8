"""Notes for the team in a real browser: another mode of the composer, that nobody sends by mistake."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from conversations.models import Conversation, Message, QueuedMessage

pytestmark = pytest.mark.browser


@pytest.fixture
def page(team, open_page):
    Conversation.objects.filter(pk=team.conversation.pk).update(last_inbound_at=timezone.now())
    return open_page(team.agent, f"/inbox/{team.conversation.pk}/")


def test_a_note_is_written_beside_a_reply_and_neither_becomes_the_other(team, page):
    reply, note = page.locator("#reply"), page.locator("#note")
    reply.fill("A medias")
    page.get_by_text("Note", exact=True).click()
    expect(note).to_be_focused()
    expect(reply).to_be_hidden()
    note.fill(f"@{team.admin.user.name} ¿confirma?")
    # Enter breaks the line: nothing is sent, nor added.
    note.press("Enter")
    note.press("Control+Enter")
    bubble = page.get_by_role("log").locator(".bubble--note")
    expect(bubble).to_contain_text("only your team sees it")
    expect(bubble.locator(".mention")).to_have_text(f"@{team.admin.user.name}")
    expect(note).to_have_value("")
    expect(note).to_be_focused()
    page.get_by_text("Reply", exact=True).click()
    expect(reply).to_have_value("A medias")
    expect(reply).to_be_focused()
    assert not QueuedMessage.objects.exists()
    assert Message.objects.get().kind == "internal"


def test_keys_choose_what_one_writes_and_radios_can_be_walked(team, page):
    reply, note = page.locator("#reply"), page.locator("#note")
    page.locator("body").press("n")
    expect(note).to_be_focused()
    note.press("Escape")
    page.locator("body").press("r")
    expect(reply).to_be_focused()
    page.get_by_role("radio", name="Reply").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Note")).to_be_focused()
    expect(note).to_be_visible()


def test_a_note_that_is_half_written_is_there_after_a_reload(team, page):
    page.locator("body").press("n")
    page.locator("#note").press_sequentially("Llamar al dueño")
    page.reload()
    page.locator("body").press("n")
    expect(page.locator("#note")).to_have_value("Llamar al dueño")


def test_where_the_window_is_closed_notes_can_be_written(team, open_page):
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    expect(page.get_by_role("heading", name="The 24-hour window is closed")).to_be_visible()
    page.get_by_text("Note", exact=True).click()
    expect(page.get_by_role("heading", name="The 24-hour window is closed")).to_be_hidden()
    page.locator("#note").fill("Volver a llamar")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("log").locator(".bubble--note")).to_contain_text("Volver a llamar")
