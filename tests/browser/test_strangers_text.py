"""Whatever strangers are called and write: nothing leaves its box, and nothing around it changes order."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from followups.models import FollowUp
from followups.wording.notices import Kind
from tests import factories
from tests.browser.pages import every_page

if TYPE_CHECKING:
    from tests.conftest import Team

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

UNBROKEN = "Ñandú" * 40
ARABIC = "شركة العقارات الخضراء "
# Weekday, two digits, a year that must be named, and an hour with two digits: 12:00 AM in Costa Rica.
WIDE_DATE = dt.datetime(2023, 11, 22, 6, tzinfo=dt.UTC)
# What is wider than its box without being cut off or scrolled there. Tabs are one line by design, and a wide
# table scrolls in a box of its own.
OUTSIDE = """() => [...document.querySelectorAll('body *')]
  .filter((each) => each.checkVisibility({visibilityProperty: true}))
  .filter((each) => !each.closest('.sr-only, svg, .tabs, .chips, .scroller, thead'))
  .filter((each) => {
    const { display, overflowX } = getComputedStyle(each);
    const wide = each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0;
    const { left, right } = each.getBoundingClientRect();
    const cut = each.closest('.truncate, .option, textarea, input, select, [popover]:not(:popover-open)');
    return (wide && overflowX === 'visible' && !display.startsWith('inline'))
      || (!cut && right > left && (right > innerWidth + 1 || left < -1));
  })
  .map((each) => `${each.tagName}.${each.className} ${each.id} ${each.textContent.trim().slice(0, 30)}`)"""


@pytest.fixture(params=[UNBROKEN, ARABIC * 9], ids=["unbroken", "right to left"])
def called(request: pytest.FixtureRequest) -> str:
    return request.param[:200]


@pytest.fixture
def addresses(team: Team, called: str) -> list[str]:
    """Every page, with such a contact, message, note, value and template in each."""
    team.organization.name = called[:100]
    team.organization.save()
    team.template.name = f"{'plantilla' * 50}"[:512]
    team.template.save()
    conversation = team.conversation
    conversation.contact.name = called
    conversation.contact.save()
    conversation.last_inbound_at = timezone.now()
    conversation.preview = called
    conversation.assignee = team.agent.user
    conversation.save()
    factories.MessageFactory(conversation=conversation, direction="in", text=f"{called} 506 7777 0003")
    document = {"document": {"filename": f"{called}.pdf"}}
    factories.MessageFactory(conversation=conversation, direction="in", kind="document", content=document)
    for kind, values in (
        (Kind.FOLLOW_UP_SENT, {"contact": called, "template": team.template.name}),
        (Kind.CONTACTS_ALIKE, {"contact": called, "other": called}),
    ):
        factories.NotificationFactory(
            organization=team.organization, recipient=team.admin.user, kind=kind, values=values
        )
    values = {"body.1": called, "body.2": called, "body.3": called}
    pages = every_page(team, search=called[:60], parameters=values, note=called)
    FollowUp.objects.exclude(status="pending").update(scheduled_for=WIDE_DATE)
    return pages


@pytest.mark.parametrize("width", [320, 390, 1280, 1440])
def test_nothing_leaves_its_box(team: Team, open_page: Any, addresses: list[str], width: int) -> None:
    page = open_page(team.admin, addresses[0], width=width, reduced_motion="reduce")
    outside: dict[str, Any] = {}

    def look(where: str) -> None:
        page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        if found := page.evaluate(OUTSIDE):
            outside[where] = found

    for address in addresses:
        page.goto(address)
        look(address)
    page.goto(reverse("followups:index"))
    page.get_by_role("link", name="Notifications").click()
    expect(page.locator("#notices li").first).to_be_visible()
    look("bell")
    page.keyboard.press("Escape")
    page.locator("th .name").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("drawer")
    page.keyboard.press("Escape")
    page.goto(reverse("conversations:conversation", args=[team.conversation.pk]))
    page.get_by_role("button", name="More actions").click()
    look("menu")
    page.locator("#more").get_by_role("link", name="Follow-up").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("a [2]").fill("x" * 200)
    dialog.get_by_label("el [3]").fill("x")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    expect(dialog.locator(".summary")).to_contain_text("Will be sent to")
    look("dialog")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".toast")).to_be_visible()
    look("toast")
    assert outside == {}, json.dumps(outside, ensure_ascii=False, indent=1)


def test_a_name_in_another_direction_leaves_the_number_and_the_sentence_alone(
    team: Team, open_page: Any
) -> None:
    contact = team.conversation.contact
    contact.name, contact.phone = "محمد علي", "+50677770003"
    contact.save()
    team.conversation.preview = ARABIC * 9
    team.conversation.save()
    page = open_page(team.agent, reverse("conversations:conversation", args=[team.conversation.pk]))
    preview = page.locator(".preview .truncate")
    style = preview.evaluate(
        "(each) => [getComputedStyle(each).direction, each.scrollWidth > each.clientWidth]"
    )
    assert style == ["rtl", True], "its beginning shows, and its end is cut off"
    assert preview.bounding_box()["x"] < page.locator("#rows").bounding_box()["x"] + 70
    page.locator("#schedule-instead").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    expect(dialog.locator(".summary .phone")).to_have_text("+506 7777 0003")
    name, phone = (dialog.locator(f".summary {part}").first.bounding_box() for part in ("b", ".phone"))
    assert (name["y"], name["x"]) < (phone["y"], phone["x"])
    expect(dialog.locator(".summary b").first).to_have_text("\u2068محمد علي\u2069")
