"""The follow-ups table in a real browser: rows change in place, nothing reloads, nothing errs."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from followups import lifecycle
from followups.models import FailureKind, FollowUp, Status
from tests import factories
from trochai import changes
from trochai.search import search_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

expect = pytest.importorskip("playwright.sync_api").expect
NOTE = "They land on the 24th. Send the new listing in Santa Ana, and ask about parking for two cars."


def make(team, name="Tom Becker", **given) -> FollowUp:
    contact = factories.ContactFactory(organization=team.organization, name=name)
    conversation = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=conversation,
        template=team.template,
        created_by=team.agent.user,
        search_text=search_text(*contact.known_as, given.get("note", "")),
        **given,
    )


def mark(page: Page) -> None:
    """Leave a trace in the document, which a reload would wipe away."""
    page.evaluate("document.body.dataset.same = 'yes'")


def is_same_document(page: Page) -> bool:
    return page.evaluate("document.body.dataset.same") == "yes"


def test_what_somebody_else_schedules_comes_in_where_it_belongs(team, open_page):
    page = open_page(team.agent, "/followups/?status=pending")
    mark(page)
    rows = page.locator("#followups-rows tr")
    last = make(team, "Tom Becker")
    expect(rows).to_have_count(1)
    page.locator(f"#followup-{last.pk}").get_by_role("link", name="View").focus()
    make(team, "Zoe Rivas", scheduled_for=timezone.now() + dt.timedelta(days=20))
    make(team, "Ana Mora", scheduled_for=timezone.now() + dt.timedelta(days=6))
    expect(rows).to_have_count(3)
    expect(rows.locator("th")).to_contain_text(["Ana Mora", "Tom Becker", "Zoe Rivas"])
    expect(page.locator("#followups-tabs [aria-current] span")).to_have_text("3")
    expect(page.locator("#followups-count")).to_have_text("3 follow-ups")
    expect(page.locator(f"#followup-{last.pk}").get_by_role("link", name="View")).to_be_focused()
    # What came in is a row as any other.
    rows.first.get_by_role("link", name="Cancel follow-up to Ana Mora").click()
    expect(page.get_by_role("dialog", name="Cancel this follow-up?")).to_be_visible()
    assert is_same_document(page)


def test_cancel_asks_once_and_updates_the_row_in_place(team, open_page):
    follow_up = make(team)
    page = open_page(team.agent, "/followups/?status=pending")
    mark(page)
    row = page.locator(f"#followup-{follow_up.pk}")
    row.get_by_role("link", name="Cancel follow-up to Tom Becker").click()
    dialog = page.get_by_role("dialog", name="Cancel this follow-up?")
    expect(dialog.get_by_role("button", name="Back")).to_be_focused()
    assert FollowUp.objects.get().status == Status.PENDING
    dialog.get_by_role("button", name="Cancel follow-up").click()
    expect(row.locator(".badge")).to_have_text("Canceled")
    expect(row.get_by_role("link", name="Cancel follow-up")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("Tom Becker won’t get visit_reminder.")
    expect(page.locator("#followups-tabs")).to_contain_text(re.compile(r"Canceled\s+1"))
    expect(row.get_by_role("link", name="Tom Becker", exact=True)).to_be_focused()
    assert FollowUp.objects.get().status == Status.CANCELED
    assert is_same_document(page)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_date_opens_reschedule_where_a_quick_option_is_one_click(team, open_page, width):
    follow_up = make(team, scheduled_for=timezone.now() + dt.timedelta(days=20))
    page = open_page(team.agent, "/followups/?status=pending", width=width)
    mark(page)
    row = page.locator(f"#followup-{follow_up.pk}")
    row.get_by_title("Reschedule").click()
    dialog = page.get_by_role("dialog", name="Reschedule")
    dialog.get_by_role("button", name="In 1 week 9:00 AM").click()
    expect(dialog).to_have_count(0)
    expect(row.locator(".when")).to_contain_text("in 7 days")
    expect(page.locator("#toasts")).to_contain_text("Follow-up moved")
    expect(row.get_by_title("Reschedule")).to_be_focused()
    assert is_same_document(page)


@pytest.mark.parametrize("width", [1440, 390])
def test_reschedule_stands_beside_its_date_and_a_click_elsewhere_closes_it(team, open_page, width):
    make(team, scheduled_for=timezone.now() + dt.timedelta(days=20))
    page = open_page(team.agent, "/followups/?status=pending", width=width, reduced_motion="reduce")
    date = page.get_by_title("Reschedule")
    date.click()
    dialog = page.get_by_role("dialog", name="Reschedule")
    shown, about = dialog.bounding_box(), date.bounding_box()
    if width > 390:
        assert shown["x"] == about["x"]
        assert 0 <= shown["y"] - about["y"] - about["height"] < 8
    else:
        assert (shown["x"], shown["width"], shown["y"] + shown["height"]) == (0, width, 844)
    page.mouse.click(5, 5)
    expect(dialog).to_have_count(0)
    expect(date).to_be_focused()


def test_another_date_is_said_in_words_before_enter_moves_it_there(team, open_page):
    follow_up = make(team, scheduled_for=timezone.now() + dt.timedelta(days=20))
    page = open_page(team.agent, "/followups/?status=pending")
    page.locator(f"#followup-{follow_up.pk}").get_by_title("Reschedule").click()
    dialog = page.get_by_role("dialog", name="Reschedule")
    day = timezone.localdate(timezone=team.organization.zone) + dt.timedelta(days=2)
    dialog.get_by_label("Date", exact=True).fill(day.isoformat())
    dialog.get_by_label("Time", exact=True).fill("10:30")
    dialog.get_by_label("Time", exact=True).blur()
    expect(dialog.locator(".error")).to_contain_text("Choose a time from")
    day += dt.timedelta(days=8)
    dialog.get_by_label("Date", exact=True).fill(day.isoformat())
    dialog.get_by_label("Date", exact=True).blur()
    expect(dialog.locator(".found")).to_contain_text("at 10:30 AM")
    dialog.get_by_label("Time", exact=True).press("Enter")
    expect(dialog).to_have_count(0)
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for.astimezone(team.organization.zone).date() == day


def test_send_now_asks_once_and_the_row_falls_due(team, open_page):
    follow_up = make(team)
    page = open_page(team.agent, "/followups/?status=pending")
    row = page.locator(f"#followup-{follow_up.pk}")
    row.get_by_role("button", name="More for the follow-up to Tom Becker").click()
    row.get_by_role("link", name="Send now").click()
    dialog = page.get_by_role("dialog", name="Send this follow-up now?")
    expect(dialog.get_by_role("button", name="Back")).to_be_focused()
    expect(dialog.locator(".bubble")).to_contain_text("Casa EC-204")
    assert FollowUp.objects.get().scheduled_for == follow_up.scheduled_for
    dialog.get_by_role("button", name="Send now").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("Follow-up on its way")
    follow_up.refresh_from_db()
    assert follow_up.next_attempt_at <= timezone.now()


def test_duplicate_opens_the_dialog_filled_in_and_asks_for_a_date(team, open_page):
    make(team, note=NOTE)
    page = open_page(team.agent, "/followups/?status=pending")
    page.get_by_role("button", name="More for the follow-up to Tom Becker").click()
    page.get_by_role("link", name="Duplicate").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Note")).to_have_value(NOTE)
    expect(dialog.get_by_role("radio", checked=True)).to_have_count(0)
    dialog.get_by_text("In 1 week 9:00 AM").click()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog).to_have_count(0)
    first, second = FollowUp.objects.order_by("pk")
    assert (second.parameters, second.note, second.template) == (first.parameters, NOTE, first.template)


def test_a_rows_menu_by_the_keyboard_opens_on_its_first_item_and_is_fetched_once(team, open_page):
    follow_up = make(team)
    page = open_page(team.agent, "/followups/?status=pending")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/menu/" in request.url else None)
    more = page.get_by_role("button", name="More for the follow-up to Tom Becker")
    for _time in range(2):
        more.press("Enter")
        expect(page.get_by_role("link", name="Edit")).to_be_focused()
        expect(page.locator(f"#more-{follow_up.pk} a")).to_have_text(
            ["Edit", "Reschedule", "Send now…", "Duplicate"], use_inner_text=True
        )
        page.keyboard.press("Escape")
        expect(more).to_be_focused()
    more.click()
    expect(page.get_by_role("link", name="Edit")).to_be_focused()
    assert len(asked) == 1


def test_handing_over_puts_a_colleague_in_charge_in_the_row(team, open_page):
    follow_up, colleague = make(team), team.other_agent.user
    colleague.name = "Luisa Mora"
    colleague.save()
    page = open_page(team.admin, "/followups/?status=pending")
    page.get_by_role("button", name="More for the follow-up to Tom Becker").click()
    page.get_by_role("link", name="Hand over").click()
    dialog = page.get_by_role("dialog", name="Hand over")
    dialog.get_by_label("To").select_option(str(colleague.pk))
    dialog.get_by_role("button", name="Hand over").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(f"#followup-{follow_up.pk} .by")).to_contain_text("for Luisa")
    follow_up.refresh_from_db()
    assert (follow_up.created_by, follow_up.owner) == (team.agent.user, colleague)


def test_back_and_escape_leave_everything_and_return_the_focus(team, open_page):
    make(team)
    page = open_page(team.agent, "/followups/")
    cancel = page.get_by_role("link", name="Cancel follow-up to Tom Becker")
    for leave in (
        lambda: page.get_by_role("button", name="Back").click(),
        lambda: page.keyboard.press("Escape"),
    ):
        cancel.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        leave()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(cancel).to_be_focused()
    assert FollowUp.objects.get().status == Status.PENDING


def test_retry_updates_the_row_in_place(team, open_page):
    follow_up = make(team, status="failed")
    page = open_page(team.agent, "/followups/")
    mark(page)
    row = page.locator(f"#followup-{follow_up.pk}")
    row.get_by_role("button", name="Retry follow-up to Tom Becker").click()
    expect(row.locator(".badge")).to_have_text("Pending")
    expect(row).to_contain_text("in 5 minutes")
    expect(page.locator("#toasts")).to_contain_text("Follow-up will be retried")
    expect(row.get_by_role("link", name="Tom Becker", exact=True)).to_be_focused()
    assert is_same_document(page)


def test_retrying_what_may_have_arrived_asks_first(team, open_page):
    follow_up = make(
        team, status="failed", failure_kind=FailureKind.UNKNOWN, failure_code=None, failure_cause="unknown"
    )
    page = open_page(team.agent, "/followups/")
    row = page.locator(f"#followup-{follow_up.pk}")
    row.get_by_role("link", name="Retry follow-up to Tom Becker").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It may have already arrived.")
    dialog.get_by_role("button", name="Retry").click()
    expect(row.locator(".badge")).to_have_text("Pending")


def test_delete_from_the_drawer_closes_it_and_takes_the_row_away(team, open_page):
    gone, stays = make(team, status="failed"), make(team, name="María Jiménez", status="failed")
    page = open_page(team.admin, "/followups/?status=failed")
    page.get_by_role("link", name="Tom Becker", exact=True).click()
    drawer = page.get_by_role("dialog", name="Follow-up to Tom Becker")
    expect(drawer).to_contain_text("(error 131026)")
    drawer.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog", name="Delete this follow-up?").get_by_role("button", name="Delete").click()
    expect(page.locator(f"#followup-{gone.pk}")).to_have_count(0)
    expect(page.locator(f"#followup-{stays.pk}")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="María Jiménez", exact=True)).to_be_focused()
    expect(page.locator("#toasts")).to_contain_text("Follow-up deleted")


class Held:
    """Holds the answer to a request of the page, once the server has done what it asks for."""

    def __init__(self, page, pattern):
        self.answers = []
        page.route(pattern, lambda route: self.answers.append((route, route.fetch())))

    def wait(self, page):
        while not self.answers:
            page.wait_for_timeout(20)

    def release(self):
        for route, answer in self.answers:
            route.fulfill(response=answer)


def ask_to_delete(page, name):
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("dialog", name=f"Follow-up to {name}").get_by_role("link", name="Delete").click()
    return page.get_by_role("dialog", name="Delete this follow-up?")


def test_an_own_deletion_that_the_drawer_hears_of_first_is_told_once_and_as_ones_own(team, open_page):
    gone = make(team, status="failed")
    page = open_page(team.admin, "/followups/?status=failed")
    question = ask_to_delete(page, "Tom Becker")
    held = Held(page, "**/delete/")
    question.get_by_role("button", name="Delete").click()
    held.wait(page)
    with page.expect_response(lambda response: f"/followups/{gone.pk}/?seen=" in response.url):
        page.evaluate("htmx.trigger('#drawer', 'poll')")
    expect(question).to_be_visible()
    held.release()
    expect(page.locator("#toasts")).to_contain_text("Follow-up deleted")
    expect(page.locator("#toasts")).not_to_contain_text("This follow-up was deleted")
    expect(page.locator(f"#followup-{gone.pk}")).to_have_count(0)


def test_a_dialog_that_is_closed_before_the_answer_still_says_what_happened(team, open_page):
    gone = make(team, status="failed")
    page = open_page(team.admin, "/followups/?status=failed")
    question = ask_to_delete(page, "Tom Becker")
    held = Held(page, "**/delete/")
    question.get_by_role("button", name="Delete").click()
    held.wait(page)
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    held.release()
    expect(page.locator("#toasts")).to_contain_text("Follow-up deleted")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("dialog[data-open]")).to_have_count(0)
    expect(page.locator(f"#followup-{gone.pk}")).to_have_count(0)


def test_a_notes_whole_text_shows_on_hover_and_on_focus(team, open_page):
    follow_up = make(team, note=NOTE)
    page = open_page(team.viewer, "/followups/")
    note, tip = page.locator(f"#followup-{follow_up.pk}-note"), page.locator(f"#note-{follow_up.pk}")
    assert note.evaluate("element => element.scrollWidth > element.clientWidth"), "the note is cut short"
    expect(tip).to_be_hidden()
    note.hover()
    expect(tip).to_be_visible()
    expect(tip).to_have_text(NOTE)
    page.mouse.move(1, 1)
    expect(tip).to_be_hidden()
    note.focus()
    expect(tip).to_be_visible()
    page.keyboard.press("Tab")
    expect(tip).to_be_hidden()


def test_rows_do_not_change_places_under_a_moving_pointer(team, open_page):
    now = timezone.now()
    make(team, "Zoe Rivas", status="failed", scheduled_for=now - dt.timedelta(hours=1))
    leaves = make(team, "Ana Mora", status="failed", scheduled_for=now)
    page = open_page(team.agent, "/followups/?status=failed")
    names = page.locator("#followups-rows .name")
    expect(names).to_have_text(["Ana Mora", "Zoe Rivas"])
    page.get_by_role("button", name="Retry follow-up to Zoe Rivas").hover()
    make(team, "Olga Nueva", status="failed", scheduled_for=now + dt.timedelta(minutes=1))
    lifecycle.delete(leaves, by=team.agent, now=now)
    changes.changed([team.organization.pk])
    expect(page.locator("#followups-tabs")).to_contain_text(re.compile(r"Failed\s+2"))
    expect(names).to_have_text(["Ana Mora", "Zoe Rivas"])
    page.mouse.move(1, 1)
    expect(names).to_have_text(["Olga Nueva", "Zoe Rivas"])


def test_filters_narrow_the_list_and_live_in_the_address(team, open_page):
    wanted, other = make(team, note="parqueo"), make(team, name="María Jiménez")
    page = open_page(team.admin, "/followups/?status=pending")
    mark(page)
    page.keyboard.press("/")
    page.keyboard.type("Parqueo")
    expect(page.locator(f"#followup-{other.pk}")).to_have_count(0)
    expect(page.locator(f"#followup-{wanted.pk}")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/followups/\?status=pending&q=Parqueo$"))
    page.get_by_label("Created by").select_option("me")
    expect(page.get_by_role("heading", name="No pending follow-ups match “Parqueo”")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?status=pending&q=Parqueo&by=me$"))
    assert is_same_document(page)
    page.get_by_role("link", name=re.compile("^Sent")).click()
    expect(page).to_have_url(re.compile(r"\?status=sent&q=Parqueo&by=me$"))
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("Parqueo")
    page.get_by_role("link", name="Clear filters").first.click()
    expect(page).to_have_url(re.compile(r"\?status=sent$"))


def test_chosen_dates_appear_when_they_are_asked_for(team, open_page):
    make(team)
    page = open_page(team.agent, "/followups/")
    expect(page.get_by_label("From")).to_be_hidden()
    page.locator("select[name=date]").select_option("custom")
    expect(page.get_by_label("From")).to_be_visible()
    page.get_by_label("From").fill("2031-01-01")
    expect(page.get_by_role("heading", name="No follow-ups match these filters")).to_be_visible()
    expect(page).to_have_url(re.compile(r"date=custom&first=2031-01-01$"))


def test_a_row_that_is_being_sent_shows_by_itself_that_it_was(team, open_page):
    follow_up = make(team, status="processing", scheduled_for=timezone.now())
    page = open_page(team.viewer, "/followups/?status=pending")
    row = page.locator(f"#followup-{follow_up.pk}")
    expect(row.locator(".badge")).to_have_text("Processing")
    message = factories.MessageFactory(conversation=follow_up.conversation, kind="template")
    FollowUp.objects.update(
        status="sent",
        message=message,
        sent_at=timezone.now(),
        claim_token=None,
        lease_expires_at=None,
        next_attempt_at=None,
    )
    lifecycle.recount()
    changes.changed([team.organization.pk])
    expect(row.locator(".badge")).to_have_text("Sent", timeout=12_000)
    expect(page.locator("#followups-tabs")).to_contain_text(re.compile(r"Sent\s+1"))


def test_an_action_that_fails_says_so_and_a_row_that_is_gone_leaves(team, open_page):
    follow_up = make(team, scheduled_for=timezone.now())
    page = open_page(team.agent, "/followups/", allowed=["404", "ERR_FAILED", "/cancel/", "htmx:"])
    row = page.locator(f"#followup-{follow_up.pk}")
    cancel = row.get_by_role("link", name="Cancel follow-up to Tom Becker")
    page.route("**/cancel/", lambda route: route.abort())
    cancel.click()
    expect(page.locator("#toasts")).to_contain_text("Couldn’t reach the server")
    page.unroute("**/cancel/")
    FollowUp.objects.all().delete()
    lifecycle.recount()
    cancel.click()
    expect(page.locator("#toasts")).to_contain_text("It’s no longer there")
    expect(row).to_have_count(0)


def test_a_click_keeps_a_note_open_and_another_closes_it(team, open_page):
    follow_up = make(team, note=NOTE)
    page = open_page(team.agent, "/followups/")
    note, tip = page.locator(f"#followup-{follow_up.pk}-note"), page.locator(f"#note-{follow_up.pk}")
    note.hover()
    expect(tip).to_be_visible()
    note.click()
    expect(tip).to_be_visible()
    page.get_by_role("heading", name="Follow-ups").hover()
    expect(tip).to_be_visible()
    note.click()
    expect(tip).to_be_hidden()


def test_a_tap_opens_a_note_and_another_closes_it(team, open_page):
    follow_up = make(team, note=NOTE)
    page = open_page(team.agent, "/followups/", width=390, has_touch=True)
    note, tip = page.locator(f"#followup-{follow_up.pk}-note"), page.locator(f"#note-{follow_up.pk}")
    note.tap()
    expect(tip).to_be_visible()
    assert tip.evaluate("(each) => each.getBoundingClientRect().right <= innerWidth")
    note.tap()
    expect(tip).to_be_hidden()


def test_a_card_has_room_for_a_long_name(team, open_page):
    follow_up = make(team, name="Familia Quesada Mora de la Cruz")
    page = open_page(team.agent, "/followups/", width=390, has_touch=True)
    name = page.locator(f"#followup-{follow_up.pk}-open")
    assert name.evaluate("(each) => each.scrollWidth <= each.clientWidth"), "nothing of it is cut off"


def test_on_a_phone_rows_are_cards_and_filters_one_sheet(team, open_page):
    follow_up = make(team, note=NOTE)
    make(team, name="María Jiménez")
    page = open_page(team.agent, "/followups/", width=390, has_touch=True)
    row = page.locator(f"#followup-{follow_up.pk}")
    assert row.evaluate("element => getComputedStyle(element).display") == "grid"
    assert page.evaluate("document.querySelector('.main').scrollWidth <= innerWidth"), "nothing sticks out"
    expect(page.get_by_label("Created by")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Template").select_option("visit_reminder")
    page.get_by_role("button", name="Show results").click()
    expect(page.get_by_label("Created by")).to_be_hidden()
    expect(page.get_by_role("button", name="Filters")).to_contain_text("1")
    expect(page).to_have_url(re.compile(r"template=visit_reminder$"))
    row.get_by_role("link", name="Cancel follow-up to Tom Becker").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel follow-up").click()
    expect(row.locator(".badge")).to_have_text("Canceled")


def test_without_javascript_the_same_page_works(team, open_page):
    follow_up = make(team, scheduled_for=timezone.now() + dt.timedelta(days=6))
    make(team, name="María Jiménez")
    page = open_page(team.agent, "/followups/?status=pending", java_script_enabled=False)
    page.get_by_role("searchbox").fill("becker")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Cancel follow-up to Tom Becker").click()
    page.get_by_role("button", name="Cancel follow-up").click()
    expect(page).to_have_url(re.compile(r"/followups/\?status=pending&q=becker$"))
    expect(page.locator("#toasts")).to_contain_text("Follow-up canceled")
    follow_up.refresh_from_db()
    assert follow_up.status == Status.CANCELED


def test_the_bar_that_says_the_server_is_away_takes_nothing_from_the_page(team, open_page):
    for _each in range(20):  # more than fits
        make(team)
    page = open_page(team.agent, "/followups/")
    tabs = page.locator("#followups-tabs")
    height = tabs.bounding_box()["height"]
    page.locator("#lost").evaluate("bar => { bar.hidden = false; }")
    assert tabs.bounding_box()["height"] == height
    page.locator("#main").evaluate("main => { main.scrollTop = 500; }")
    expect(page.locator("#lost")).to_be_in_viewport()


@pytest.mark.parametrize("width", [1280, 1440])
def test_why_one_failed_is_read_in_a_few_lines_beside_other_columns(team, open_page, width):
    failed = make(
        team, note=NOTE, status=Status.FAILED, failure_kind=FailureKind.UNKNOWN, failure_cause="unknown"
    )
    page = open_page(team.agent, "/followups/", width=width)
    line = page.locator(f"#followup-{failed.pk} .state small")
    lines = "element => element.offsetHeight / parseFloat(getComputedStyle(element).lineHeight)"
    assert line.evaluate(lines) < 3.5
    assert page.evaluate("document.documentElement.scrollWidth") == width
