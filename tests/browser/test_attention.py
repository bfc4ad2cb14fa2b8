"""What needs attention, in a real browser: by keyboard, without scripts, while colleagues repair it too."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from followups.attention import tasks
from followups.models import Attention, FollowUp
from tests import factories
from tests.browser.test_followups_table import make
from trochai.accounts.models import SendingHours

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

expect = pytest.importorskip("playwright.sync_api").expect
PAGE = "/followups/attention/"


def paused(team: Any, *names: str) -> list[Attention]:
    """Return what needs attention about follow-ups of a template that was paused."""
    when = (timezone.now() + dt.timedelta(days=10)).replace(hour=15, minute=0, second=0, microsecond=0)
    team.template.name, team.template.status = "open_house", "PAUSED"
    team.template.save()
    return [
        factories.AttentionFactory(
            follow_up=make(team, name, scheduled_for=when + dt.timedelta(hours=number))
        )
        for number, name in enumerate(names)
    ]


def tab(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Filter by status").get_by_role("link", name="Needs attention")


def open_group(page: Page) -> None:
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cause-bar").first).to_contain_text("For all of them")


def press(button: Locator) -> None:
    button.focus()
    button.page.keyboard.press("Enter")


def test_by_keyboard_one_gets_another_template_one_is_kept_and_the_rest_are_moved(team, open_page):
    ana, tom, zoe = paused(team, "Ana Mora", "Tom Becker", "Zoe Rivas")
    page = open_page(team.agent, "/followups/")
    press(tab(page))
    expect(page.get_by_role("heading", level=2)).to_contain_text("open_house can’t be sent: paused · 3")
    open_group(page)
    press(page.get_by_role("link", name="Another template: Ana Mora"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    press(page.get_by_role("button", name="Keep the follow-up to Tom Becker anyway"))
    expect(page.locator(".toast")).to_contain_text("1 follow-up kept")
    expect(tab(page)).to_contain_text("2")
    # What was open stays open.
    expect(page.locator(".cause-rows .name")).to_have_text(["Ana Mora", "Zoe Rivas"])
    press(page.locator(".cause-bar").get_by_role("button", name="Move…"))
    ask = page.get_by_role("dialog", name="Move 2 follow-ups")
    ask.get_by_role("spinbutton", name="Days").fill("4")
    page.keyboard.press("Enter")
    preview = page.get_by_role("dialog", name="Move 2 follow-ups 4 days later")
    press(preview.get_by_role("button", name="Move 2 follow-ups"))
    expect(page.locator(".toast").last).to_contain_text("2 moved")
    moved = dict(FollowUp.objects.values_list("pk", "scheduled_for"))
    days = [(moved[each.follow_up_id] - each.follow_up.scheduled_for).days for each in (ana, tom, zoe)]
    assert days == [4, 0, 4]


def test_what_is_opened_before_the_scripts_are_there_is_loaded_with_them(team, open_page):
    paused(team, "Ana Mora")
    page = open_page(team.agent, "/followups/")
    scripts = []

    def hold(route: Any) -> None:
        scripts.append(route)

    page.route("**/htmx-2.min.js", hold)
    with page.expect_request("**/htmx-2.min.js"):
        page.goto(PAGE, wait_until="commit")
    page.locator("summary").click()
    expect(page.locator(".cause-bar")).to_have_text("Show them")
    scripts.pop().continue_()
    expect(page.locator(".cause-rows .name")).to_have_text(["Ana Mora"])


def test_by_keyboard_one_and_then_the_rest_get_another_template(team, open_page):
    paused(team, "Ana Mora", "Tom Becker", "Zoe Rivas")
    other = factories.TemplateFactory(
        channel=team.channel,
        name="private_visit",
        components=[{"type": "BODY", "text": "Puede visitar {{1}} cuando guste, escríbanos."}],
    )
    factories.TemplateFactory(channel=team.channel, name="public_visit")
    page = open_page(team.agent, PAGE)
    open_group(page)
    press(page.get_by_role("link", name="Another template: Ana Mora"))
    dialog = page.get_by_role("dialog", name="Edit follow-up")
    # Which template it gets is the first thing to decide.
    expect(dialog.get_by_label("Search approved templates")).to_be_focused()
    page.keyboard.type("private")
    expect(dialog.locator(".option:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    value = dialog.get_by_role("textbox", name="visitar [1]")
    value.fill("la casa de Escazú")
    expect(dialog.locator(".bubble")).to_contain_text("Puede visitar la casa de Escazú")
    press(dialog.get_by_role("button", name=re.compile("^Save")))
    expect(page.locator(".toast")).to_contain_text("Follow-up changed")
    expect(dialog).to_have_count(0)
    tasks.look_at_all()
    expect(page.locator(".cause-rows .name")).to_have_text(["Tom Becker", "Zoe Rivas"])
    press(page.locator(".cause-bar").get_by_role("button", name="Use another template…"))
    ask = page.get_by_role("dialog", name="Change 2 follow-ups")
    ask.get_by_label("Template").focus()
    page.keyboard.type("private")
    press(ask.get_by_role("button", name="Preview"))
    ask.get_by_role("textbox", name="visitar [1]").fill("la casa")
    press(ask.get_by_role("button", name="Preview"))
    preview = page.get_by_role("dialog", name="Send 2 follow-ups with private_visit")
    press(preview.get_by_role("button", name="Change 2 follow-ups"))
    expect(page.locator(".toast").last).to_contain_text("2 changed")
    tasks.look_at_all()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    sent_with = FollowUp.objects.values_list("template", "parameters").order_by("pk")
    values = ["la casa de Escazú", "la casa", "la casa"]
    assert list(sent_with) == [(other.pk, {"body.1": value}) for value in values]


def test_by_keyboard_one_and_then_the_rest_leave_the_night(team, open_page):
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
        for day in range(1, 8)
    )
    night = (timezone.now() + dt.timedelta(days=10)).replace(hour=9, minute=0, second=0, microsecond=0)
    for number, name in enumerate(["Ana Mora", "Tom Becker", "Zoe Rivas"]):
        make(team, name, scheduled_for=night + dt.timedelta(minutes=number))
    tasks.look_at_all()
    page = open_page(team.agent, PAGE)
    open_group(page)
    press(page.get_by_role("link", name="Move: Ana Mora"))
    press(page.get_by_role("dialog").get_by_role("button", name="Move to 8:00 AM there"))
    expect(page.locator(".toast")).to_contain_text("Follow-up moved")
    tasks.look_at_all()
    expect(page.locator(".cause-rows .name")).to_have_text(["Tom Becker", "Zoe Rivas"])
    press(page.locator(".cause-bar").get_by_role("button", name="Move…"))
    ask = page.get_by_role("dialog", name="Move 2 follow-ups")
    expect(ask.get_by_role("radio", name="To the next good moment")).to_be_checked()
    press(ask.get_by_role("button", name="Preview"))
    preview = page.get_by_role("dialog", name="Move 2 follow-ups to the next good moment")
    press(preview.get_by_role("button", name="Move 2 follow-ups"))
    expect(page.locator(".toast").last).to_contain_text("2 moved")
    tasks.look_at_all()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    morning = night.replace(hour=14)
    assert set(FollowUp.objects.values_list("scheduled_for", flat=True)) == {morning}


def test_what_colleagues_repair_leaves_an_open_page(team, open_page):
    ana, tom = paused(team, "Ana Mora", "Tom Becker")
    page = open_page(team.agent, PAGE)
    open_group(page)
    expect(page.locator(".cause-rows .name")).to_have_count(2)
    ana.delete()
    expect(page.locator(".cause-rows .name")).to_have_text(["Tom Becker"])
    expect(page.locator("details")).to_have_attribute("open", "")
    page.locator("summary").click()
    expect(page.locator(".cause-rows")).to_be_hidden()
    tom.delete()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()


def test_undo_brings_back_what_was_kept(team, open_page):
    paused(team, "Ana Mora", "Tom Becker")
    page = open_page(team.agent, PAGE)
    page.get_by_role("button", name="Keep anyway: open_house can’t be sent: paused").click()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("· 2")


def test_an_admin_looks_at_their_own_alone(team, open_page):
    ana, _tom = paused(team, "Ana Mora", "Tom Becker")
    FollowUp.objects.filter(pk=ana.follow_up_id).update(owner=team.admin.user)
    page = open_page(team.admin, PAGE)
    expect(page.get_by_role("heading", level=2)).to_contain_text("· 2")
    page.get_by_label("Whose").select_option("Only mine")
    expect(page.get_by_role("heading", level=2)).to_contain_text("· 1")
    open_group(page)
    expect(page.locator(".cause-rows .name")).to_have_text(["Ana Mora"])


def test_without_scripts_it_goes_by_links_and_buttons(team, open_page):
    paused(team, "Ana Mora", "Tom Becker")
    page = open_page(team.agent, PAGE, java_script_enabled=False)
    page.locator("summary").click()
    page.get_by_role("link", name="Show them").click()
    expect(page.locator(".cause-rows .name")).to_have_text(["Ana Mora", "Tom Becker"])
    page.get_by_role("button", name="Keep the follow-up to Tom Becker anyway").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("· 1")
    page.get_by_role("button", name="Use another template… open_house").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Change 1 follow-up")


def test_on_a_phone_names_and_dates_have_room(team, open_page):
    paused(team, "Ana Lucía Hernández-Villalobos")
    page = open_page(team.agent, PAGE, width=390)
    open_group(page)
    row = page.locator(".cause-rows > li").first
    name, date = (row.locator(part).bounding_box() for part in (".name", "time"))
    assert name["y"] < date["y"] + date["height"], "side by side"
    assert name["width"] > 100
    assert name["x"] + name["width"] <= date["x"]
