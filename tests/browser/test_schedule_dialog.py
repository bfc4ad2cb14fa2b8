"""Scheduling a follow-up as a person does it, in a real browser."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from conversations.models import Contact
from followups.models import FollowUp, Status
from tests import factories
from tests.conftest import Team
from trochai.accounts.models import SendingHours

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def another_template(team: Team) -> None:
    factories.TemplateFactory(
        channel=team.channel,
        name="oferta_única",
        parameter_format="NAMED",
        components=[{"type": "BODY", "text": "Buenas, tenemos una casa en {{zone}} para usted."}],
    )


def open_dialog(open_page: Any, team: Team, **options: Any) -> tuple[Page, Locator]:
    """From the conversation's toolbar: More actions, Follow-up."""
    page = open_page(
        team.agent, reverse("conversations:conversation", args=[team.conversation.pk]), **options
    )
    page.get_by_role("button", name="More actions").click()
    page.locator("#more").get_by_role("link", name="Follow-up").click()
    dialog = page.get_by_role("dialog", name="Schedule a follow-up")
    expect(dialog.get_by_label("Search approved templates")).to_be_focused()
    return page, dialog


def choose_template(dialog: Locator) -> None:
    dialog.locator(".option", has_text="visit_reminder").click()
    expect(dialog.get_by_label("a [2]")).to_be_visible()


def local_day(days: int) -> dt.date:
    """A date that many days ahead, in the organization's zone."""
    zone = factories.OrganizationFactory.build().zone
    return (timezone.now().astimezone(zone) + dt.timedelta(days=days)).date()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_follow_up_is_scheduled_from_the_conversation(team: Team, open_page: Any, width: int) -> None:
    """Help page: "Open the conversation … click the More actions button … Select Follow-up … A dialog opens
    … fill in the values … Click Schedule to confirm. You'll see a confirmation message".
    """
    page, dialog = open_dialog(open_page, team, width=width)
    choose_template(dialog)
    preview = dialog.locator(".bubble")
    expect(preview).to_contain_text("Hola María, le recordamos su visita a {{2}} el {{3}}.")
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    dialog.get_by_label("el [3]").fill("sábado 28")
    expect(preview).to_contain_text("Hola María, le recordamos su visita a Casa EC-204 el sábado 28.")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    expect(dialog.locator(".summary")).to_contain_text("Will be sent to María Jiménez")
    expect(dialog.locator(".summary")).to_contain_text("at 9:00 AM")
    dialog.get_by_label("Note").fill("Traen al perrito 🐕")
    expect(dialog.get_by_text("18/500")).to_be_visible()
    dialog.get_by_label("Only if no answer before then").check()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog).to_have_count(0)
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Follow-up scheduled")
    expect(toast).to_contain_text("visit_reminder goes to María Jiménez on")
    expect(page.locator("#follow-up-banner")).to_contain_text("Follow-up scheduled: visit_reminder")
    follow_up = FollowUp.objects.get()
    assert follow_up.parameters == {"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}
    assert follow_up.note == "Traen al perrito 🐕"
    assert follow_up.cancel_on_reply
    assert follow_up.scheduled_for.astimezone(team.organization.zone).date() == local_day(7)


@pytest.mark.parametrize("width", [1440, 390])
def test_what_is_wrong_is_in_sight_and_has_the_focus(team: Team, open_page: Any, width: int) -> None:
    _page, dialog = open_dialog(open_page, team, width=width)
    choose_template(dialog)
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    dialog.get_by_label("el [3]").fill("sábado 28")
    dialog.get_by_text("In 1 week 9:00 AM").click()
    note = dialog.get_by_label("Note")
    note.fill("x" * 501)
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    error = dialog.locator("#schedule-note-error")
    expect(error).to_contain_text("Shorten the note")
    expect(note).to_be_focused()
    expect(error).to_be_in_viewport()
    foot = dialog.locator(".foot").bounding_box()
    below = error.bounding_box()
    assert below["y"] + below["height"] <= foot["y"]


def test_a_slow_answer_shows_that_something_happens(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    button = dialog.get_by_role("button", name="Schedule", exact=True)
    spinner = "(each) => getComputedStyle(each, '::before').content"
    assert button.evaluate(spinner) == "none"
    waiting = []

    def hold(route: Any) -> None:
        waiting.append(route)

    page.route("**/schedule/**", hold)
    button.click()
    expect(dialog.locator("form.htmx-request")).to_be_visible()
    assert button.evaluate(spinner) == '""'
    waiting[0].continue_()
    expect(dialog.get_by_label("a [2]")).to_be_focused()
    assert button.evaluate(spinner) == "none"


def test_a_double_click_schedules_once(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    dialog.get_by_label("el [3]").fill("sábado 28")
    dialog.get_by_text("Tomorrow 9:00 AM").click()
    dialog.get_by_role("button", name="Schedule", exact=True).dblclick()
    expect(page.locator(".toast")).to_have_count(1)
    assert FollowUp.objects.count() == 1


def test_the_banners_cancel_asks_once_and_the_banner_goes(team: Team, open_page: Any) -> None:
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
    )
    page = open_page(team.agent, reverse("conversations:conversation", args=[team.conversation.pk]))
    page.locator("#follow-up-banner").get_by_role("link", name="Cancel").click()
    question = page.get_by_role("dialog", name="Cancel this follow-up?")
    question.get_by_role("button", name="Cancel follow-up").click()
    expect(page.locator(".toast")).to_contain_text("Follow-up canceled")
    expect(question).to_have_count(0)
    expect(page.locator("#follow-up-banner")).to_have_count(0)
    # The nearest thing that is still there.
    expect(page.locator(".toolbar .who")).to_be_focused()
    assert FollowUp.objects.get().status == Status.CANCELED


def test_the_page_of_its_own_shows_nothing_that_is_for_browsers_without_scripts(
    team: Team, open_page: Any
) -> None:
    page = open_page(team.agent, reverse("followups:schedule", args=[team.conversation.pk]))
    expect(page.get_by_role("heading", name="Schedule a follow-up")).to_be_visible()
    expect(page.locator(".form > noscript")).to_be_hidden()


def test_a_date_is_typed_as_people_say_it(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    dialog.get_by_label("el [3]").fill("sábado 28")
    dialog.locator(".choice--custom").click()
    typed, date = (
        dialog.get_by_label("Date and time, as you would say it"),
        dialog.get_by_label("Date", exact=True),
    )
    typed.press_sequentially("whenever")
    expect(dialog.locator("#schedule-typed-error")).to_contain_text("I can’t read that as a date.")
    expect(typed).to_have_attribute("aria-invalid", "true")
    typed.fill("dentro de 2 semanas a las 10")
    expect(dialog.locator("#schedule-custom .understood")).to_contain_text("at 10:00 AM")
    expect(typed).to_be_focused()
    expect(typed).not_to_have_attribute("aria-invalid", "true")
    expect(date).to_have_value(local_day(14).isoformat())
    expect(dialog.get_by_label("Time", exact=True)).to_have_value("10:00")
    # What is picked afterwards takes its place.
    date.fill(local_day(20).isoformat())
    expect(typed).to_have_value("")
    expect(dialog.locator("#schedule-custom")).to_contain_text("in 20 days")
    typed.fill("in 3 weeks at 10:30")
    # Faster than the answer: what it means is shown first.
    typed.press("Enter")
    expect(dialog.locator("#schedule-custom")).to_contain_text("Check it, then press the button again.")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.get_by_text("Follow-up scheduled")).to_be_visible()
    at = FollowUp.objects.get().scheduled_for.astimezone(team.organization.zone)
    assert (at.date(), f"{at:%H:%M}") == (local_day(21), "10:30")


def test_a_moment_at_night_there_is_moved_to_the_morning_by_one_click(team: Team, open_page: Any) -> None:
    Contact.objects.update(timezone="Europe/Madrid")
    SendingHours.objects.bulk_create(
        SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
        for day in range(1, 8)
    )
    _page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    dialog.locator(".choice--custom").click()
    dialog.get_by_label("Date and time, as you would say it").fill("in 3 weeks at 8pm")
    notice = dialog.locator("#schedule-quiet")
    expect(notice).to_contain_text("in Madrid, outside 8:00 AM to 8:00 PM there.")
    notice.get_by_role("button", name="Move to 8:00 AM there").click()
    expect(notice).to_be_hidden()
    there = dt.datetime.combine(local_day(22), dt.time(8), tzinfo=ZoneInfo("Europe/Madrid"))
    here = there.astimezone(team.organization.zone)
    expect(dialog.get_by_label("Date", exact=True)).to_have_value(f"{here:%Y-%m-%d}")
    expect(dialog.get_by_label("Time", exact=True)).to_have_value(f"{here:%H:%M}")
    expect(dialog.locator("#schedule-summary")).to_contain_text(f"{here:%-I:%M} AM")


def test_what_is_chosen_while_an_answer_is_on_its_way_stays_chosen(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    dialog.locator(".choice--custom").click()
    typed, date = (
        dialog.get_by_label("Date and time, as you would say it"),
        dialog.get_by_label("Date", exact=True),
    )
    held: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/check/", hold_the_first)
    with page.expect_request("**/check/"):
        typed.fill("in 3 weeks at 8pm")
    date.fill(local_day(30).isoformat())
    held[0].continue_()
    expect(dialog.locator("#schedule-summary")).to_contain_text(f"{local_day(30):%-d %b}")
    expect(date).to_have_value(local_day(30).isoformat())


def test_a_date_too_near_is_refused_while_choosing_and_at_the_submit(team: Team, open_page: Any) -> None:
    _page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    dialog.locator(".choice--custom").click()
    date = dialog.get_by_label("Date", exact=True)
    expect(dialog.locator(".custom .error")).to_have_count(0)
    date.fill(local_day(3).isoformat())
    expect(dialog.locator("#schedule-date-error")).to_contain_text("That’s 3 days from now.")
    expect(date).to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text(
        "Three fields need your attention before this can be scheduled."
    )
    expect(dialog.get_by_label("a [2]")).to_be_focused()
    date.fill(local_day(20).isoformat())
    expect(dialog.get_by_role("alert")).to_have_count(0)
    expect(dialog.locator("#schedule-date-error")).to_have_count(0)
    expect(dialog.locator("#schedule-custom")).to_contain_text("at 9:00 AM")
    expect(date).not_to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    expect(dialog.locator(".error")).to_have_count(1)
    dialog.get_by_label("el [3]").fill("sábado 28")
    expect(dialog.locator(".error, [aria-invalid]")).to_have_count(0)
    assert not FollowUp.objects.exists()


def test_what_is_chosen_after_all_is_no_longer_called_wrong(team: Team, open_page: Any) -> None:
    _page, dialog = open_dialog(open_page, team)
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog.locator(".error")).to_have_text(["Choose a template.", "Choose when to send it."])
    choose_template(dialog)
    expect(dialog.locator(".error")).to_have_text(["Choose when to send it."])
    dialog.get_by_text("Tomorrow 9:00 AM").click()
    expect(dialog.locator(".error, .picker[aria-invalid]")).to_have_count(0)
    expect(dialog.get_by_role("alert")).to_have_count(0)


def test_a_note_of_501_characters_turns_the_counter_and_is_refused(team: Team, open_page: Any) -> None:
    _page, dialog = open_dialog(open_page, team)
    choose_template(dialog)
    note = dialog.get_by_label("Note")
    note.fill("🏡" * 500)
    expect(dialog.get_by_text("500/500")).not_to_have_class("over")
    note.fill("x" * 501)
    expect(dialog.get_by_text("501/500")).to_have_class("over")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog.get_by_text("Shorten the note to 500 characters: it has 501.")).to_be_visible()
    expect(note).to_have_value("x" * 501)


def test_escape_closes_and_the_focus_returns(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    expect(dialog.get_by_label("Search approved templates")).to_be_focused()
    expect(dialog.get_by_text("No approved template matches.")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="More actions")).to_be_focused()


def test_among_very_many_templates_one_is_searched_for_on_the_server_and_kept(
    team: Team, open_page: Any
) -> None:
    for number in range(40):
        factories.TemplateFactory(channel=team.channel, name=f"t_{number:02}")
    page, dialog = open_dialog(open_page, team)
    expect(dialog.locator(".option")).to_have_count(30)
    search = dialog.get_by_label("Search approved templates")
    search.fill("visit_r")
    expect(dialog.locator(".option")).to_have_count(1)
    search.press("Enter")
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    expect(dialog.locator(".bubble")).to_contain_text("Casa EC-204")
    dialog.locator("summary").click()
    search.fill("t_39")
    # What is chosen stays chosen until another is.
    expect(dialog.locator(".option .name")).to_have_text(["visit_reminder", "t_39"])
    expect(dialog.locator("#template-chosen-name")).to_have_text("visit_reminder")
    # The draft brings back one that the list does not begin with.
    page.reload()
    page.get_by_role("button", name="More actions").click()
    page.locator("#more").get_by_role("link", name="Follow-up").click()
    expect(dialog.locator("#template-chosen-name")).to_have_text("visit_reminder")
    expect(dialog.get_by_label("a [2]")).to_have_value("Casa EC-204")


def test_templates_are_found_without_accents_and_chosen_by_keyboard(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    page.keyboard.type("UNICA")
    expect(dialog.locator(".option:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("textbox", name="Zone")).to_be_visible()
    expect(dialog.locator("summary")).to_be_focused()
    expect(dialog.locator(".option")).to_have_count(2)
    expect(dialog.locator(".option:visible")).to_have_count(0)
    page.keyboard.press("Enter")
    dialog.get_by_label("Search approved templates").fill("nothing like it")
    expect(dialog.get_by_text("No approved template matches.")).to_be_visible()
    assert not FollowUp.objects.exists()


def test_arrow_keys_choose_without_closing_the_list(team: Team, open_page: Any) -> None:
    page, dialog = open_dialog(open_page, team)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(dialog.get_by_role("textbox", name="Zone")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_label("a [2]")).to_be_visible()
    expect(dialog.locator(".option:visible")).to_have_count(2)


def test_what_is_chosen_in_the_moment_the_dialog_opens_counts(team: Team, open_page: Any) -> None:
    page = open_page(team.agent, reverse("conversations:conversation", args=[team.conversation.pk]))
    page.evaluate(
        """addEventListener("focusin", ({target}) => {
             const dialog = target.closest("dialog");
             if (dialog) queueMicrotask(() => dialog.querySelector(".option input").click());
           }, {once: true, capture: true})"""
    )
    page.evaluate("document.querySelector('.menu a[href*=schedule]').click()")
    expect(page.get_by_role("dialog").get_by_role("textbox", name="Zone")).to_be_visible()


def test_without_javascript_the_same_form_works_as_a_page(team: Team, open_page: Any) -> None:
    page = open_page(
        team.agent,
        reverse("followups:schedule", args=[team.conversation.pk]),
        java_script_enabled=False,
    )
    page.locator(".option", has_text="visit_reminder").click()
    page.get_by_role("button", name="Use this template").click()
    page.get_by_label("a [2]").fill("Casa EC-204")
    page.get_by_label("el [3]").fill("sábado 28")
    page.get_by_text("In 2 days 10:00 AM").click()
    page.get_by_role("button", name="Schedule", exact=True).last.click()
    expect(page.locator(".toast")).to_contain_text("visit_reminder goes to María Jiménez on")
    assert page.url.endswith(reverse("conversations:conversation", args=[team.conversation.pk]))
    assert FollowUp.objects.count() == 1
