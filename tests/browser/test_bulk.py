"""Changing many follow-ups in a real browser: by keyboard, on a phone, without scripts, while others work."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from followups import lifecycle
from followups.bulk import job
from followups.models import BulkChange, FollowUp
from tests import factories
from tests.browser.test_followups_table import make

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

expect = pytest.importorskip("playwright.sync_api").expect
PENDING = "/followups/?status=pending"


def in_days(days: int) -> dt.datetime:
    return (timezone.now() + dt.timedelta(days=days)).replace(hour=15, minute=0, second=0, microsecond=0)


def three(team: Any) -> list[FollowUp]:
    return [
        make(team, name, scheduled_for=in_days(10 + number))
        for number, name in enumerate(("Ana Mora", "Tom Becker", "Zoe Rivas"))
    ]


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select the follow-up to {name}")


def bar(page: Page) -> Locator:
    return page.get_by_role("form", name="Selected follow-ups")


def test_by_keyboard_alone_from_the_boxes_to_the_last_button(team, open_page):
    rows = three(team)
    page = open_page(team.agent, PENDING)
    expect(bar(page)).to_be_hidden()
    box(page, "Ana Mora").focus()
    page.keyboard.press("Space")
    expect(bar(page)).to_contain_text("1 selected")
    box(page, "Zoe Rivas").focus()
    page.keyboard.press("Space")
    expect(bar(page)).to_contain_text("2 selected")
    bar(page).get_by_role("button", name="Move").focus()
    page.keyboard.press("Enter")
    ask = page.get_by_role("dialog", name="Move 2 follow-ups")
    ask.get_by_role("spinbutton", name="Days").fill("4")
    page.keyboard.press("Enter")
    preview = page.get_by_role("dialog", name="Move 2 follow-ups 4 days later")
    expect(preview).to_contain_text("2 will move")
    expect(preview.get_by_role("button", name="Back")).to_be_focused()
    page.keyboard.press("Tab")
    expect(preview.get_by_role("button", name="Move 2 follow-ups")).to_be_focused()
    assert FollowUp.objects.get(pk=rows[0].pk).scheduled_for == rows[0].scheduled_for
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text("2 moved")
    expect(bar(page)).to_be_hidden()
    moved = {row.pk: row.scheduled_for for row in FollowUp.objects.all()}
    days = [moved[row.pk] - row.scheduled_for for row in rows]
    assert days == [dt.timedelta(days=4), dt.timedelta(), dt.timedelta(days=4)]


def test_rows_that_a_colleague_changes_keep_their_ticks(team, open_page):
    ana, tom, _zoe = three(team)
    page = open_page(team.admin, PENDING)
    box(page, "Ana Mora").check()
    box(page, "Tom Becker").check()
    when = page.locator(f"#followup-{ana.pk} .when small")
    before = when.inner_text()
    lifecycle.move(ana, choice="custom", to=in_days(40), version=0, by=team.agent, now=timezone.now())
    make(team, "Eva Soto", scheduled_for=in_days(9))
    expect(page.locator("#followups-rows tr")).to_have_count(4)
    expect(when).not_to_have_text(before)
    expect(box(page, "Ana Mora")).to_be_checked()
    expect(box(page, "Eva Soto")).not_to_be_checked()
    expect(bar(page)).to_contain_text("2 selected")
    # What can no longer be chosen is chosen no longer.
    lifecycle.cancel(tom, by=team.agent, now=timezone.now())
    page.goto("/followups/?status=all")
    box(page, "Ana Mora").check()
    expect(bar(page)).to_contain_text("1 selected")


def test_all_on_the_page_and_all_that_match(team, open_page):
    for number in range(27):
        make(team, f"Contact {number}", scheduled_for=in_days(10))
    page = open_page(team.agent, PENDING)
    page.get_by_role("checkbox", name="Select all on this page").check()
    expect(bar(page)).to_contain_text("25 selected")
    page.get_by_label("Select all that match").check()
    expect(bar(page)).to_contain_text("All 27 selected")
    page.locator("[name=pick]").first.uncheck()
    expect(bar(page)).to_contain_text("24 selected")
    page.get_by_label("Select all that match").check()
    bar(page).get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 27 follow-ups").click()
    expect(page.locator(".toast")).to_contain_text("27 canceled")
    assert set(FollowUp.objects.values_list("status", flat=True)) == {"canceled"}


def test_other_filters_begin_a_selection_anew(team, open_page):
    three(team)
    page = open_page(team.agent, PENDING)
    box(page, "Ana Mora").check()
    box(page, "Tom Becker").check()
    page.get_by_label("Search follow-ups").fill("Ana")
    expect(page.locator("#followups-rows tr")).to_have_count(1)
    expect(bar(page)).to_be_hidden()
    # The search field loses the focus with it, and asks for the same list once more.
    with page.expect_response(lambda response: "q=Ana" in response.url):
        box(page, "Ana Mora").check()
    expect(bar(page)).to_contain_text("1 selected")
    page.get_by_role("button", name="Clear the selection").click()
    expect(box(page, "Ana Mora")).not_to_be_checked()
    expect(bar(page)).to_be_hidden()


def test_what_is_cleared_while_an_answer_comes_in_stays_cleared(team, open_page):
    three(team)
    page = open_page(team.agent, PENDING)
    box(page, "Ana Mora").check()
    # As when the page draws an answer at the moment at which "Clear the selection" is clicked.
    page.evaluate("""
        document.getElementById("bulk").reset();
        const target = document.getElementById("followups-rows");
        htmx.trigger(target, "htmx:oobAfterSwap", { target });
    """)
    expect(box(page, "Ana Mora")).not_to_be_checked()
    expect(bar(page)).to_be_hidden()


def test_on_a_phone_the_bar_stands_over_the_navigation(team, open_page):
    three(team)
    page = open_page(team.admin, PENDING, width=390, has_touch=True, is_mobile=True)
    box(page, "Ana Mora").check()
    bottom = bar(page).bounding_box()
    navigation = page.get_by_role("navigation", name="Main").bounding_box()
    assert bottom["y"] + bottom["height"] <= navigation["y"] + 1
    expect(bar(page).get_by_role("button", name="Hand over")).to_be_hidden()
    bar(page).get_by_role("button", name="More for what is selected").click()
    page.locator("#bulk-more").get_by_role("button", name="Hand over").click()
    dialog = page.get_by_role("dialog", name="Hand over 1 follow-up")
    dialog.get_by_label("To").select_option(str(team.other_agent.user_id))
    dialog.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name=f"Hand 1 follow-up over to {team.other_agent.user}")
    dialog.get_by_role("button", name="Hand over 1 follow-up").click()
    expect(page.locator(".toast")).to_contain_text("1 handed over")


def test_without_scripts_the_same_goes_page_by_page(team, open_page):
    rows = three(team)
    page = open_page(team.agent, PENDING, java_script_enabled=False)
    box(page, "Ana Mora").check()
    bar(page).get_by_role("button", name="Move").click()
    page.get_by_label("To a date").check()
    page.get_by_label("Date", exact=True).fill(in_days(30).date().isoformat())
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 will move")).to_be_visible()
    page.get_by_role("button", name="Move 1 follow-up").click()
    expect(page.get_by_text("1 moved")).to_be_visible()
    rows[0].refresh_from_db()
    assert rows[0].scheduled_for.date() == in_days(30).date()


def test_everybody_sees_how_far_a_large_one_is_and_whoever_began_it_stops_it(team, open_page, monkeypatch):
    monkeypatch.setattr(job, "CHUNK", 1)
    three(team)
    mine, theirs = (open_page(member, PENDING) for member in (team.agent, team.viewer))
    mine.get_by_role("checkbox", name="Select all on this page").check()
    bar(mine).get_by_role("button", name="Move").click()
    mine.get_by_role("dialog").get_by_role("button", name="Preview").click()
    mine.get_by_role("dialog").get_by_role("button", name="Move 3 follow-ups").click()
    expect(theirs.locator("#followups-progress")).to_contain_text("1 done")
    expect(theirs.get_by_role("button", name="Stop")).to_have_count(0)
    job.do_next(now=timezone.now())
    expect(theirs.get_by_role("progressbar")).to_have_attribute("value", "2")
    mine.get_by_role("button", name="Stop").click()
    expect(mine.locator("#followups-progress")).to_contain_text("Stopping…")
    job.do_next(now=timezone.now())
    for page in (mine, theirs):
        expect(page.locator("#followups-progress section")).to_have_count(0)
    assert BulkChange.objects.get().ending == "stopped"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_axe_finds_nothing_in_what_it_asks_and_shows(team, open_page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    three(team)
    make(team, "Familia Quesada Mora de los Ángeles", scheduled_for=in_days(1))
    other = factories.TemplateFactory(channel=team.channel, name="oferta")
    page = open_page(team.admin, PENDING, width=width, color_scheme=scheme, reduced_motion="reduce")

    def look(where: str) -> None:
        found = axe.run(page)
        assert found.violations_count == 0, f"{where}\n{found.generate_report()}"

    for each in page.locator("[name=pick]").all():
        each.check()
    look("bar")
    if width == 1440:
        bar(page).get_by_role("button", name="Change template").click()
    else:
        bar(page).get_by_role("button", name="More for what is selected").click()
        look("more")
        page.locator("#bulk-more").get_by_role("button", name="Change template").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Template").select_option(str(other.pk))
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("For those that have no such value")).to_be_visible()
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.locator(".error").first).to_be_visible()
    look("values with errors")
    dialog.get_by_role("button", name="Back").click()
    bar(page).get_by_role("button", name="Move").click()
    look("move")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("Why some can’t")).to_be_visible()
    look("preview")
