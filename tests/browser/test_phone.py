"""The sandbox's page of the customers' phones, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from conversations.tasks import send_replies
from tests import factories
from tests.browser.test_accessibility import LEVELS
from tests.browser.workers import in_a_worker
from trochai.whatsapp.sandbox.catalogue import CATALOGUE
from trochai.whatsapp.tasks import process_waiting_webhooks

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Team
    from trochai.whatsapp.sandbox import Sandbox

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STICKS_OUT = """() => [document.documentElement, ...document.querySelectorAll(
  '.sandbox, .people, .desk, .handset, .thread, .composer, .lab:popover-open')]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.className || each.tagName)"""
SMALL = """() => [...document.querySelectorAll(
  'main :is(a[href], button, select, textarea, label:has(input))')]
  .filter((each) => each.checkVisibility() && (each.offsetHeight < 24 || each.offsetWidth < 24))
  .map((each) => `${each.offsetWidth} × ${each.offsetHeight} ${each.outerHTML}`)"""


def write(page: Page, words: str) -> None:
    page.get_by_label("Write as María").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator(".thread")).to_contain_text(words)
    expect(page.get_by_label("Write as María")).to_have_value("")


def test_one_person_plays_both_sides(
    team: Team, open_page: Any, open_phone: Callable[..., Page], whatsapp: Sandbox
) -> None:
    phone = open_phone()
    write(phone, "¿Sigue libre la casa?")
    assert whatsapp.wait_idle()
    in_a_worker(process_waiting_webhooks)
    inbox = open_page(team.agent, reverse("conversations:inbox"))
    inbox.locator(".row", has_text="¿Sigue libre la casa?").click()
    inbox.locator("#reply-form, .composer textarea").first.fill("Sí. ¿Le funciona el sábado?")
    phone.get_by_label("Write as María").fill("Una pregunta más")
    inbox.keyboard.press("Enter")
    expect(inbox.locator(".thread")).to_contain_text("¿Le funciona el sábado?")
    in_a_worker(send_replies)
    # It arrives by itself, and leaves alone what is being typed.
    expect(phone.locator(".thread")).to_contain_text("¿Le funciona el sábado?")
    expect(phone.get_by_label("Write as María")).to_have_value("Una pregunta más")
    phone.locator(".thread").get_by_title("Quote this message").click()
    phone.get_by_label("Write as María").press("Enter")
    expect(phone.locator(".quoted")).to_contain_text("¿Le funciona el sábado?")
    phone.get_by_role("group", name="React").get_by_role("button", name="Heart").click()
    expect(phone.locator(".reaction")).to_be_visible()
    assert whatsapp.wait_idle()
    in_a_worker(process_waiting_webhooks)
    expect(inbox.locator(".thread")).to_contain_text("Una pregunta más")
    expect(inbox.locator(".reaction")).to_contain_text("❤️")


def test_a_hidden_number_is_asked_for_from_the_sheet_and_shared(
    team: Team, open_page: Any, open_phone: Callable[..., Page], whatsapp: Sandbox
) -> None:
    asks = next(each for each in CATALOGUE if each["name"] == "number_request")
    factories.TemplateFactory(channel=team.channel, name=asks["name"], components=asks["components"])
    phone = open_phone()
    phone.get_by_role("switch", name="Shares its number").click()
    write(phone, "¡Hola!")
    assert whatsapp.wait_idle()
    in_a_worker(process_waiting_webhooks)
    inbox = open_page(team.agent, reverse("conversations:inbox"))
    inbox.locator(".row", has_text="¡Hola!").click()
    inbox.locator("#details-button").click()
    sheet = inbox.get_by_role("complementary", name="Contact")
    expect(sheet).to_contain_text("Not shared")
    sheet.get_by_role("link", name="Ask for it").click()
    inbox.get_by_role("dialog").get_by_role("button", name="Send now").click()
    expect(inbox.get_by_role("log")).to_contain_text("¿nos comparte su número")
    in_a_worker(send_replies)
    phone.get_by_role("button", name="Compartir mi número").click()
    expect(phone.get_by_role("button", name="Compartir mi número")).to_be_disabled()
    assert whatsapp.wait_idle()
    in_a_worker(process_waiting_webhooks)
    expect(sheet).to_contain_text("+506 8888 1234")


def test_each_event_is_a_button(open_phone: Callable[..., Page], whatsapp: Sandbox) -> None:
    page = open_phone()
    thread = page.locator(".thread")
    write(page, "El 12")
    page.get_by_role("button", name="Edit the last message").click()
    page.get_by_label("What it says instead").fill("El 21")
    page.get_by_role("button", name="Save").click()
    expect(thread).to_contain_text("El 21")
    page.get_by_role("button", name="Delete the last message").click()
    expect(thread).to_contain_text("You deleted this message")
    page.get_by_role("button", name="Send a picture").click()
    expect(thread.get_by_role("img", name="Picture")).to_be_visible()
    page.get_by_role("button", name="Send a voice message").click()
    expect(thread.get_by_label("Voice message")).to_be_visible()
    page.get_by_role("button", name="Answer from the Business app").click()
    page.get_by_label("What the business writes").fill("Le escribo desde el celular")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(thread).to_contain_text("Le escribo desde el celular")
    page.get_by_role("button", name="Opt out of marketing").click()
    expect(page.get_by_role("button", name="Opt in to marketing again")).to_be_visible()
    page.get_by_role("button", name="Change number").click()
    page.get_by_label("New number").fill("8888")
    page.get_by_role("button", name="Take this number").click()
    expect(page.get_by_role("alert")).to_contain_text("country code")
    page.get_by_label("New number").fill("+506 8888 9999")
    page.get_by_role("button", name="Take this number").click()
    expect(page.locator(".row")).to_contain_text("+506 8888 9999")
    page.get_by_role("switch", name="Is switched on").click()
    expect(page.get_by_role("status").filter(has_text="Switched off")).to_be_visible()


def test_on_a_narrow_screen_everything_is_in_the_phones_menu(open_phone: Callable[..., Page]) -> None:
    page = open_phone(width=390, has_touch=True, is_mobile=True)
    write(page, "¡Hola!")
    page.get_by_role("button", name="What María can do").click()
    page.get_by_role("button", name="Delete the last message").click()
    expect(page.locator(".thread")).to_contain_text("You deleted this message")
    expect(page.get_by_role("button", name="Delete the last message")).to_be_hidden()
    page.get_by_role("button", name="New phone").click()
    page.get_by_label("Name", exact=True).fill("Karen Whitfield")
    page.get_by_label("Phone number").fill("+1 415 555 0134")
    page.get_by_role("button", name="Take this phone").click()
    expect(page.get_by_label("Write as Karen")).to_be_visible()
    page.get_by_label("You are").select_option(label="María Jiménez, +506 8888 1234")
    expect(page.get_by_label("Write as María")).to_be_visible()


def test_it_works_without_a_script(open_phone: Callable[..., Page]) -> None:
    page = open_phone(java_script_enabled=False)
    page.get_by_label("Write as María").fill("¡Hola!")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".thread")).to_contain_text("¡Hola!")
    page.get_by_role("button", name="Send a location").click()
    expect(page.locator(".place")).to_be_visible()
    page.get_by_role("switch", name="Is switched on").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Switched off")).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 320)]
)
def test_the_page_owes_everybody_what_every_page_does(
    open_phone: Callable[..., Page], whatsapp: Sandbox, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_phone(width=width, color_scheme=scheme)
    write(page, "https://example.com/" + "x" * 90)
    for name, shown in (("picture", "img"), ("voice message", "audio"), ("location", ".place")):
        for count in (1, 2):
            page.get_by_role("button", name=f"Send a {name}").click()
            expect(page.locator(".thread").locator(shown)).to_have_count(count)
    if width < 1000:
        page.get_by_role("button", name="What María can do").click()
    page.get_by_role("button", name="Answer from the Business app").click()
    page.get_by_label("What the business writes").fill("Buenos días")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.get_by_role("group", name="React")).to_be_visible()
    assert whatsapp.wait_idle()
    options = {"rules": {"label-content-name-mismatch": {"enabled": True}}}
    for opens in (None, "What María can do" if width < 1000 else "Change number"):
        if opens:
            page.get_by_role("button", name=opens).click()
        found = axe.run(page, options=options)
        assert found.violations_count == 0, f"{opens}\n{found.generate_report()}"
        assert page.evaluate(STICKS_OUT) == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert page.evaluate(SMALL) == []
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
