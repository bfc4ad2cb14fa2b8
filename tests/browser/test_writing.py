"""What helps while one writes, in a real browser: saved replies, and seeing that a colleague writes too."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from conversations.models import Conversation, QueuedMessage, SavedReply

pytestmark = pytest.mark.browser


@pytest.fixture
def talk(team):
    Conversation.objects.filter(pk=team.conversation.pk).update(last_inbound_at=timezone.now())
    for name, text in (
        ("Formas de pago", "Puede pagar por SINPE Móvil."),
        ("Horario de visitas", "Hola {name}, de lunes a sábado."),
    ):
        SavedReply.objects.create(organization=team.organization, name=name, text=text)
    return f"/inbox/{team.conversation.pk}/"


def options(page, **state):
    return page.get_by_role("listbox", name="Saved replies").get_by_role("option", **state)


def test_a_saved_reply_comes_with_a_slash_and_is_not_sent_by_itself(team, talk, open_page):
    page = open_page(team.agent, talk)
    message = page.locator("#reply")
    message.press_sequentially("/")
    search = page.get_by_role("combobox", name="Find a saved reply")
    expect(search).to_be_focused()
    expect(options(page)).to_have_count(2)
    search.press_sequentially("visitas")
    expect(options(page)).to_have_count(1)
    search.press("Enter")
    expect(message).to_have_value("Hola María, de lunes a sábado.")
    expect(message).to_be_focused()
    assert not QueuedMessage.objects.exists()


def test_one_is_chosen_with_arrows_and_goes_where_the_cursor_is(team, talk, open_page):
    page = open_page(team.agent, talk)
    message = page.locator("#reply")
    message.fill("Buenas. ")
    page.get_by_role("button", name="Saved replies").click()
    expect(options(page, selected=True)).to_contain_text("Formas de pago")
    page.keyboard.press("ArrowDown")
    expect(options(page, selected=True)).to_contain_text("Horario de visitas")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(message).to_have_value("Buenas. Puede pagar por SINPE Móvil.")


def test_escape_leaves_them_with_the_message_as_it_was(team, talk, open_page):
    page = open_page(team.agent, talk)
    page.locator("#reply").fill("A medias")
    page.get_by_role("button", name="Saved replies").click()
    expect(options(page)).to_have_count(2)
    page.keyboard.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(page.locator("#reply")).to_have_value("A medias")


def test_a_colleague_sees_that_somebody_writes_and_what_then_came(team, talk, open_page):
    mine, theirs = (open_page(each, talk) for each in (team.agent, team.other_agent))
    mine.locator("#reply").press_sequentially("Buenos")
    status = theirs.locator(".writing")
    expect(status).to_have_text(f"{team.agent.user.first_name} is writing…")
    expect(mine.locator(".writing")).to_have_text("")
    mine.locator("#reply").press("Enter")
    expect(theirs.get_by_role("log")).to_contain_text("Buenos")
    expect(status).to_have_text("")
