"""The sheet about the contact in a real browser: opened by a key, changed in place, and live in another's."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from conversations.models import Contact, Conversation
from tests import factories

pytestmark = pytest.mark.browser


@pytest.fixture
def talk(team):
    Conversation.objects.filter(pk=team.conversation.pk).update(last_inbound_at=timezone.now())
    return f"/inbox/{team.conversation.pk}/"


def sheet_of(page):
    return page.get_by_role("complementary", name="Contact")


def test_a_key_opens_it_and_escape_closes_it_before_the_conversation(team, talk, open_page):
    page = open_page(team.agent, talk)
    page.keyboard.press("i")
    expect(sheet_of(page)).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?sheet=contact$"))
    page.reload()
    page.keyboard.press("Escape")
    expect(sheet_of(page)).to_have_count(0)
    expect(page.locator(".toolbar")).to_be_visible()


def test_opening_it_leaves_the_list_where_it_was(team, talk, open_page):
    now = timezone.now()
    for n in range(45):
        factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            last_message_at=now - dt.timedelta(hours=n + 1),
        )
    page = open_page(team.agent, talk)
    names = page.locator("#rows .name")
    expect(names).to_have_count(30)
    page.locator("#rows").hover()
    page.mouse.wheel(0, 5000)
    expect(names).to_have_count(46)
    page.mouse.wheel(0, 5000)
    place = page.locator("#rows").evaluate("rows => rows.scrollTop")
    assert place > 0
    page.keyboard.press("i")
    expect(sheet_of(page)).to_be_visible()
    expect(names).to_have_count(46)
    assert page.locator("#rows").evaluate("rows => rows.scrollTop") == place


def test_a_name_is_changed_in_place_and_shows_to_a_colleague(team, talk, open_page):
    mine, theirs = (open_page(each, f"{talk}?sheet=contact") for each in (team.agent, team.other_agent))
    name = sheet_of(mine).get_by_label("Name")
    name.fill("Doña María")
    name.press("Enter")
    expect(sheet_of(theirs).get_by_label("Name")).to_have_value("Doña María")
    expect(theirs.locator(".toolbar h1")).to_have_text("Doña María")
    assert Contact.objects.get(pk=team.conversation.contact_id).name == "Doña María"


def test_a_note_is_written_there_while_the_page_goes_on(team, talk, open_page):
    mine, theirs = (open_page(each, f"{talk}?sheet=contact") for each in (team.agent, team.other_agent))
    half = sheet_of(theirs).get_by_label("Add a note")
    half.fill("A medias")
    field = sheet_of(mine).get_by_label("Add a note")
    field.fill("Tienen un perro")
    sheet_of(mine).get_by_role("button", name="Add note").click()
    expect(field).to_have_value("")
    for page in (mine, theirs):
        expect(sheet_of(page).get_by_role("listitem").filter(has_text="Tienen un perro")).to_be_visible()
        expect(page.get_by_role("log")).to_contain_text("Tienen un perro")
    # Nobody's own is taken away.
    expect(half).to_have_value("A medias")


def test_an_opt_out_is_noted_and_undone(team, talk, open_page):
    page = open_page(team.agent, f"{talk}?sheet=contact")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="More about this contact").click()
    page.get_by_role("button", name="Wants no more messages…").click()
    sheet = sheet_of(page)
    expect(sheet).to_contain_text(f"Noted by {team.agent.user.name}")
    expect(page.get_by_role("log")).to_contain_text("noted that no more messages are wanted")
    sheet.get_by_text("Undo…").click()
    sheet.get_by_role("button", name="asked for messages again").click()
    expect(sheet.get_by_text("doesn’t want follow-ups")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("noted that messages are wanted again")


def test_an_admin_erases_a_contact_and_it_leaves_every_open_list(team, talk, open_page):
    mine, theirs = open_page(team.admin, f"{talk}?sheet=contact"), open_page(team.agent, "/inbox/")
    reading = open_page(team.other_agent, talk)
    expect(theirs.locator(f"#row-{team.conversation.pk}")).to_be_visible()
    mine.get_by_role("link", name="Erase contact…").click()
    question = mine.get_by_role("dialog")
    question.get_by_label("To go on, type").fill("maria jimenez")
    question.get_by_role("button", name="Erase for good").click()
    expect(mine.get_by_text("Contact erased")).to_be_visible()
    reading.wait_for_url("**/inbox/")
    for page in (mine, theirs, reading):
        expect(page.locator(f"#row-{team.conversation.pk}")).to_have_count(0)
