"""The keyboard, in a real browser."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from conversations.models import Conversation
from tests import factories
from trochai.accounts.models import Membership

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = pytest.mark.browser


@pytest.fixture
def three(team):
    """The newest first: María, Tom, Olga; María has just written."""
    now = timezone.now()
    Conversation.objects.filter(pk=team.conversation.pk).update(last_message_at=now, last_inbound_at=now)
    for hours, name in ((1, "Tom Becker"), (2, "Olga Nueva")):
        factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            contact=factories.ContactFactory(organization=team.organization, name=name),
            last_message_at=now - dt.timedelta(hours=hours),
        )


@pytest.fixture
def page(team, three, open_page):
    return open_page(team.agent, "/inbox/")


def opened(page, name: str) -> None:
    expect(page.locator("#panel").get_by_role("heading", level=1)).to_have_text(name)


def test_conversations_are_walked_through_and_left(page):
    page.keyboard.press("j")
    opened(page, "María Jiménez")
    page.keyboard.press("j")
    opened(page, "Tom Becker")
    page.keyboard.press("j")
    opened(page, "Olga Nueva")
    page.keyboard.press("j")  # the last
    page.keyboard.press("k")
    opened(page, "Tom Becker")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="No conversation open")).to_be_visible()


def test_what_one_does_in_a_conversation_has_a_key(team, page):
    page.keyboard.press("j")
    opened(page, "María Jiménez")
    page.keyboard.press("r")
    reply = page.locator("#reply")
    expect(reply).to_be_focused()
    page.keyboard.type("jkfe?")
    expect(reply).to_have_value("jkfe?")
    page.keyboard.press("Escape")
    expect(reply).not_to_be_focused()
    opened(page, "María Jiménez")
    page.keyboard.press("f")
    dialog = page.get_by_role("dialog", name="Schedule a follow-up")
    expect(dialog).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    opened(page, "María Jiménez")
    page.keyboard.press("t")
    expect(page.get_by_role("dialog", name="Send a template")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.locator("#assignee")).to_have_value(str(team.agent.user_id))
    page.keyboard.press("e")
    expect(page.locator("#status")).to_have_value("closed")
    page.keyboard.press("e")
    expect(page.locator("#status")).to_have_value("open")


def test_the_list_has_keys_as_well(page):
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(page.get_by_text("Nothing is yours")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("dialog", name="Start a conversation")).to_be_visible()


def test_the_sheet_lists_them_and_switches_single_keys_off_for_good(team, page):
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    switch = sheet.get_by_role("switch", name="Single-key shortcuts")
    expect(switch).to_be_focused()
    expect(switch).to_be_checked()
    with page.expect_response("**/shortcuts/"):
        page.keyboard.press("Space")
    expect(switch).not_to_be_checked()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("?")
    page.reload()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="No conversation open")).to_be_visible()
    assert not Membership.objects.get(pk=team.agent.pk).single_keys
    # The way back is in the menu.
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    with page.expect_response("**/shortcuts/"):
        switch.check()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.get_by_role("button", name="Your account")).to_be_focused()
    page.keyboard.press("j")
    opened(page, "María Jiménez")


def test_keys_with_a_modifier_are_the_browsers(page):
    for keys in ("Control+j", "Alt+j", "Shift+J"):
        page.keyboard.press(keys)
    expect(page.get_by_role("heading", name="No conversation open")).to_be_visible()


def test_what_was_read_can_be_marked_as_unread_and_is_left(team, page):
    page.keyboard.press("j")
    opened(page, "María Jiménez")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="No conversation open")).to_be_visible()
    expect(page.locator(".row--unread")).to_contain_text("María Jiménez")


def test_the_page_that_is_left_does_not_read_what_was_marked_as_unread(team, page):
    routes = []

    def hold(route):
        routes.append(route)

    page.clock.install()
    page.reload()
    page.keyboard.press("j")
    opened(page, "María Jiménez")
    page.route("**/unread/", hold)
    with page.expect_request("**/unread/"):
        page.keyboard.press("u")
    assert page.title()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    answer = routes[0].fetch()
    # Its answer is slow, and the page has time to ask what is new: it would be seen to look at it.
    page.clock.run_for(5_000)
    assert asked == []
    routes[0].fulfill(response=answer)
    expect(page.get_by_role("heading", name="No conversation open")).to_be_visible()
    expect(page.locator(".row--unread")).to_contain_text("María Jiménez")


def test_the_palette_goes_to_a_conversation_by_a_few_letters(team, page):
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Go to a conversation")
    expect(field).to_be_focused()
    field.press_sequentially("marí")
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_contain_text("María Jiménez")
    page.keyboard.press("Enter")
    opened(page, "María Jiménez")


def test_the_palette_offers_what_the_open_page_can_do_and_does_it(team, page):
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to")
    expect(palette.get_by_role("option", name="Inbox: Unread")).to_be_visible()
    # Nothing is open: nothing can be answered.
    expect(palette.get_by_role("option", name="Reply")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    page.keyboard.press("j")
    opened(page, "María Jiménez")
    page.keyboard.press("Control+k")
    palette.get_by_role("combobox").press_sequentially("note")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("Note")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_be_focused()


def test_arrows_walk_through_what_was_found(team, page):
    page.keyboard.press("Control+k")
    options = page.get_by_role("dialog", name="Go to").get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
