"""What every page owes everybody: it fits a narrow screen, and names its controls."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.browser.pages import every_page
from tests.conftest import Team

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Whatever would scroll sideways. Tabs may: they are one line by design.
STICKS_OUT = """() => [document.documentElement, ...document.querySelectorAll(
  '.sidebar, .main, .list, .panel, .thread, dialog[open], dialog[open] .body, dialog[open] .form')]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.className || each.tagName)"""
NAMELESS = """() => [...document.querySelectorAll(
  'input:not([type=hidden]), select, textarea, button, a[href]')]
  .filter((each) => !each.labels?.length && !each.ariaLabel && !each.ariaLabelledByElements?.length
    && !each.textContent.trim()).map((each) => each.outerHTML)"""
# All rules of axe that look at colours; nothing else is another in the dark (static/css/tokens.css).
OF_COLOURS = ["color-contrast", "link-in-text-block"]
LEVELS = """() => [...document.querySelectorAll('h1, h2, h3, h4')]
  .filter((each) => each.checkVisibility()).map((each) => Number(each.tagName[1]))"""


@pytest.fixture
def addresses(team: Team) -> list[str]:
    """The main pages, with something long in each."""
    conversation = team.conversation
    conversation.contact.name = "María de los Ángeles Jiménez Rodríguez-Montealegre"
    conversation.contact.save()
    conversation.last_inbound_at = timezone.now()
    conversation.save()
    factories.MessageFactory(
        conversation=conversation, direction="in", text="https://example.com/" + "x" * 90
    )
    factories.NotificationFactory(organization=team.organization, recipient=team.admin.user)
    return every_page(team, search="x" * 60, note="Llevar las llaves del parqueo " * 5)


def open_schedule_dialog(page: Page, team: Team) -> None:
    page.goto(reverse("conversations:conversation", args=[team.conversation.pk]))
    page.get_by_role("button", name="More actions").click()
    page.locator("#more").get_by_role("link", name="Follow-up").click()
    dialog = page.get_by_role("dialog", name="Schedule a follow-up")
    expect(dialog.get_by_label("a [2]")).to_be_visible()
    dialog.locator(".choice--custom").click()
    expect(dialog.get_by_label("Date", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_no_page_scrolls_sideways_on_a_phone(
    team: Team, open_page: Any, addresses: list[str], width: int
) -> None:
    page = open_page(team.admin, addresses[0], width=width, has_touch=True, is_mobile=True)
    for address in addresses:
        page.goto(address)
        assert page.evaluate(STICKS_OUT) == [], address
    open_schedule_dialog(page, team)
    assert page.evaluate(STICKS_OUT) == []


def test_every_control_has_a_name_and_no_heading_level_is_skipped(
    team: Team, open_page: Any, addresses: list[str]
) -> None:
    page = open_page(team.admin, addresses[0])
    for address in addresses:
        page.goto(address)
        assert page.evaluate(NAMELESS) == [], address
        levels = page.evaluate(LEVELS)
        assert 1 in levels, address
        steps = zip([0, *levels], levels, strict=False)
        assert all(after <= before + 1 for before, after in steps), (address, levels)
    open_schedule_dialog(page, team)
    assert page.evaluate(NAMELESS) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_axe_finds_nothing(team: Team, open_page: Any, addresses: list[str], scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = {"rules": {"label-content-name-mismatch": {"enabled": True}}}
    looked_for: dict[str, Any] = {"runOnly": OF_COLOURS} if scheme == "dark" else rules
    # What passes would be described too, element by element.
    options = {**looked_for, "resultTypes": ["violations"]}
    # Axe reads the page's colours, which must not be on their way from one to another.
    page = open_page(team.admin, addresses[0], width=width, color_scheme=scheme, reduced_motion="reduce")

    def look(where: str) -> None:
        found = axe.run(page, options=options)
        assert found.violations_count == 0, f"{where}\n{found.generate_report()}"

    for address in addresses:
        page.goto(address)
        look(address)
    open_schedule_dialog(page, team)
    look("dialog")
    page.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.get_by_role("dialog").locator(".banner--error")).to_be_visible()
    look("dialog with errors")
    page.context.clear_cookies()
    page.goto("/sign-in/?next=/inbox/&ended=1")
    look("sign-in")


def test_fingers_get_targets_of_40_pixels(team: Team, open_page: Any, addresses: list[str]) -> None:
    page = open_page(team.admin, addresses[0], width=390, has_touch=True, is_mobile=True)
    for address in addresses:
        page.goto(address)
        low = page.evaluate(
            """() => [...document.querySelectorAll('main :is(a[href], button, select, textarea, summary)')]
            .filter((each) => each.checkVisibility() && each.offsetHeight && each.offsetHeight < 40)
            .map((each) => `${each.offsetHeight} ${each.outerHTML}`)"""
        )
        assert low == [], address


def test_a_toast_over_an_open_dialog_can_be_heard_and_dismissed(team: Team, open_page: Any) -> None:
    page = open_page(team.agent, reverse("conversations:conversation", args=[team.conversation.pk]))
    open_schedule_dialog(page, team)
    dialog = page.get_by_role("dialog")
    page.evaluate("document.dispatchEvent(new CustomEvent('toast', {detail: {title: 'Too many tries'}}))")
    toast = dialog.get_by_role("status").locator(".toast")
    expect(toast).to_contain_text("Too many tries")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("body > #toasts")).to_have_count(1)


def test_motion_is_reduced_for_those_who_ask_for_it(team: Team, open_page: Any) -> None:
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        status="processing",
        scheduled_for=timezone.now() + dt.timedelta(hours=1),
    )
    page = open_page(team.agent, reverse("followups:index"), reduced_motion="reduce")
    expect(page.locator(".badge .spin")).to_be_visible()
    assert page.locator(".badge .spin").evaluate("each => each.getAnimations().length") == 0
