"""What somebody has typed is not lost: drafts on the device, and a question before they are dropped."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from followups.models import FollowUp
from tests import factories
from tests.browser.test_schedule_dialog import choose_template

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def other(team):
    """Another conversation; in both the person has written a moment ago."""
    contact = factories.ContactFactory(organization=team.organization, name="Tom Becker")
    other = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )
    for conversation in (team.conversation, other):
        conversation.last_inbound_at = timezone.now()
        conversation.save()
    return other


@pytest.fixture
def two_templates(team):
    factories.TemplateFactory(channel=team.channel, name="second_one")


def path_of(conversation):
    return f"/inbox/{conversation.pk}/"


def open_dialog(page):
    page.get_by_role("button", name="More actions").click()
    page.locator("#more").get_by_role("link", name="Follow-up").click()
    return page.get_by_role("dialog", name="Schedule a follow-up")


def fill(dialog):
    choose_template(dialog)
    dialog.get_by_label("a [2]").fill("Casa EC-204")
    dialog.get_by_label("Note").fill("Traen al perrito")


def expect_filled(dialog):
    expect(dialog.get_by_label("Note")).to_have_value("Traen al perrito")
    expect(dialog.get_by_label("a [2]")).to_have_value("Casa EC-204")
    expect(dialog.locator(".bubble")).to_contain_text("Casa EC-204")


def test_a_half_written_message_waits_in_its_conversation(team, other, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    box = page.locator("#reply")
    box.fill("Buenos días, le confirmo")
    page.locator(f"#row-{other.pk}").click()
    expect(page.get_by_role("heading", name="Tom Becker")).to_be_visible()
    expect(box).to_have_value("")
    page.locator(f"#row-{team.conversation.pk}").click()
    expect(box).to_have_value("Buenos días, le confirmo")
    page.reload()
    expect(box).to_have_value("Buenos días, le confirmo")
    box.press("Escape")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".bubble--out")).to_contain_text("Buenos días, le confirmo")
    expect(box).to_have_value("")
    page.reload()
    expect(box).to_have_value("")


def test_what_was_chosen_from_a_list_comes_back_with_the_rest(team, two_templates, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    dialog = open_dialog(page)
    fill(dialog)
    dialog.get_by_role("checkbox", name="Repeat", exact=True).check()
    dialog.get_by_label("How it ends").select_option("count")
    page.reload()
    page.locator("#follow-up-draft").get_by_role("link", name="Go on").click()
    expect_filled(dialog)
    expect(dialog.get_by_label("How it ends")).to_have_value("count")


@pytest.mark.parametrize("leave", ["Escape", "Cancel"])
def test_the_dialog_asks_before_it_drops_what_was_entered(team, two_templates, open_page, leave):
    page = open_page(team.agent, path_of(team.conversation))
    dialog = open_dialog(page)
    fill(dialog)

    def go() -> None:
        if leave == "Escape":
            page.keyboard.press("Escape")
        else:
            dialog.get_by_role("button", name=leave, exact=True).click()

    go()
    question = page.get_by_role("dialog", name="Drop what you entered?")
    expect(question.get_by_role("button", name="Keep editing")).to_be_focused()
    question.get_by_role("button", name="Keep editing").click()
    expect(question).to_have_count(0)
    expect_filled(dialog)
    go()
    question.get_by_role("button", name="Drop it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(open_dialog(page).get_by_label("Note")).to_have_value("")


def test_a_dialog_in_which_nothing_was_entered_just_closes(team, two_templates, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    dialog = open_dialog(page)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_session_that_ends_in_the_middle_loses_nothing(team, two_templates, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    dialog = open_dialog(page)
    fill(dialog)
    dialog.get_by_text("Tomorrow 9:00 AM").click()
    dialog.get_by_label("el [3]").fill("sábado 28")
    Session.objects.all().delete()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.get_by_label("Email").fill(team.agent.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#follow-up-draft").get_by_role("link", name="Go on").click()
    expect_filled(dialog)
    expect(dialog.get_by_label("el [3]")).to_have_value("sábado 28")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator("#follow-up-banner")).to_contain_text("visit_reminder")
    expect(page.locator("#follow-up-draft")).to_be_hidden()
    assert FollowUp.objects.get().note == "Traen al perrito"


def test_the_values_of_each_template_are_kept_apart(team, two_templates, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    dialog = open_dialog(page)
    fill(dialog)
    dialog.locator(".picker summary").click()
    dialog.locator(".option", has_text="second_one").click()
    expect(dialog.get_by_label("a [2]")).to_have_value("")
    dialog.locator(".picker summary").click()
    dialog.locator(".option", has_text="visit_reminder").click()
    expect_filled(dialog)


def test_the_list_shows_its_writer_what_is_half_written_elsewhere(team, other, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    row = page.locator(f"#row-{team.conversation.pk}")
    page.locator("#reply").fill("Mañana le confirmo\nla hora")
    expect(row).not_to_contain_text("Draft:")  # it stands in the composer
    page.get_by_role("link", name="Tom Becker").click()
    expect(row.locator(".preview")).to_have_text("Draft: Mañana le confirmo la hora", use_inner_text=True)
    # Also where the row is drawn anew.
    factories.MessageFactory(conversation=team.conversation, text="¿Hola?")
    team.conversation.preview, team.conversation.unread_count = "¿Hola?", 1
    team.conversation.save()
    expect(row.locator(".count")).to_be_visible()
    expect(row.locator(".preview")).to_have_text("Draft: Mañana le confirmo la hora", use_inner_text=True)
    row.click()
    expect(row.locator(".preview")).to_have_text("¿Hola?", use_inner_text=True)
    page.locator("#reply").fill("")
    page.get_by_role("link", name="Tom Becker").click()
    expect(page.locator("#panel")).to_contain_text("Tom Becker")
    expect(row.locator(".preview")).to_have_text("¿Hola?", use_inner_text=True)


def test_a_message_that_was_sent_with_enter_is_no_draft(team, other, open_page):
    """The form is replaced while somebody is in its field: for the browser a change of what was typed."""
    page = open_page(team.agent, path_of(team.conversation))
    box = page.locator("#reply")
    box.fill("Buenos días")
    box.press("Enter")
    expect(page.locator(".bubble--out")).to_contain_text("Buenos días")
    expect(box).to_have_value("")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('draft/'))") == []
    box.press_sequentially("Y otra")
    page.reload()
    expect(box).to_have_value("Y otra")


def test_who_signs_out_leaves_nothing_on_the_device(team, other, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    page.locator("#reply").fill("Buenos días")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('draft/'))") == []


def test_another_member_does_not_see_it(team, other, open_page):
    page = open_page(team.agent, path_of(team.conversation))
    page.locator("#reply").fill("Buenos días")
    page.context.clear_cookies()
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(team.admin.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(path_of(team.conversation))
    expect(page.locator("#reply")).to_have_value("")


def test_what_was_scheduled_although_the_answer_was_lost_is_not_scheduled_again(
    team, two_templates, open_page
):
    page = open_page(team.agent, path_of(team.conversation), allowed=["ERR_FAILED", "htmx:"])
    dialog = open_dialog(page)
    fill(dialog)
    dialog.get_by_label("el [3]").fill("sábado 28")
    dialog.get_by_text("In 1 week 9:00 AM").click()

    def lose(route):
        route.fetch()
        route.abort()

    page.route(f"**/schedule/{team.conversation.pk}/", lose)
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Couldn’t reach the server")
    assert FollowUp.objects.count() == 1
    page.unroute(f"**/schedule/{team.conversation.pk}/")
    page.reload()
    page.locator("#follow-up-draft").get_by_role("link", name="Go on").click()
    expect_filled(dialog)
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(dialog).to_have_count(0)
    assert FollowUp.objects.count() == 1


def test_where_nothing_may_be_stored_typing_and_asking_work_all_the_same(team, two_templates, open_page):
    page = open_page(team.agent, "/inbox/")
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, "
        "{get() { throw new DOMException('denied', 'SecurityError'); }});"
    )
    page.goto(path_of(team.conversation))
    dialog = open_dialog(page)
    fill(dialog)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep editing").click()
    expect_filled(dialog)
