"""The inbox in a real browser."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.utils import timezone

from conversations.models import Conversation
from conversations.pages import listing
from tests import factories
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Failure

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1440, 1100, 768, 720, 390])
def test_the_name_and_more_actions_are_in_sight_at_every_width(team, open_page, width):
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/", width=width)
    name = page.get_by_role("heading", name=team.conversation.contact.display_name)
    assert name.evaluate("element => element.clientWidth") > 100
    more = page.get_by_role("button", name="More actions")
    more.click()
    box = more.bounding_box()
    assert box["x"] + box["width"] <= width
    # The select stands in the toolbar or, where that is narrow, in the menu; never in both.
    expect(page.get_by_label("Assigned to").filter(visible=True)).to_have_count(1)


def look_for_news(page):
    """Have the frame ask now, not only after some seconds."""
    page.evaluate("htmx.trigger(document.body, 'notifications:changed')")


def test_the_frame_follows_what_happens_and_says_when_the_server_is_away(team, open_page):
    page = open_page(team.agent, "/templates/", allowed=["ERR_FAILED", "htmx:"])
    expect(page).to_have_title("Templates · Trochai")
    team.conversation.unread_count = 2
    team.conversation.save()
    look_for_news(page)
    expect(page).to_have_title("(1) Templates · Trochai")
    expect(page.locator("#inbox-count")).to_contain_text("1")
    channels.stop(team.channel.pk, failure=Failure(190), now=timezone.now())
    look_for_news(page)
    expect(page.locator("#channel")).to_contain_text("WhatsApp stopped")
    away = page.locator("#away")
    expect(away).to_be_hidden()
    page.route("**/bell/*", lambda route: route.abort())
    look_for_news(page)
    expect(away).to_have_text("Reconnecting…")
    page.unroute("**/bell/*")
    look_for_news(page)
    expect(away).to_be_hidden()


def test_a_server_that_stays_away_is_said_above_the_page_and_nothing_is_sent_meanwhile(team, open_page):
    team.conversation.last_inbound_at = timezone.now()
    team.conversation.save()
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/", allowed=["ERR_FAILED", "htmx:"])
    page.clock.install()
    page.reload()
    foot, bar, send = page.locator("#away"), page.locator("#lost"), page.locator("#send")
    page.fill("#reply", "Un momento")
    page.route("**/bell/*", lambda route: route.abort())
    page.route("**/poll/*", lambda route: route.abort())
    page.clock.fast_forward(1000)
    expect(foot).to_be_visible()
    expect(bar).to_be_hidden()
    page.clock.fast_forward(11_000)
    expect(bar).to_contain_text(re.compile(r"Last updated at \d+:\d\d [AP]M"))
    expect(send).to_be_disabled()
    page.unroute("**/bell/*")
    page.unroute("**/poll/*")
    bar.get_by_role("button", name="Try now").click()
    page.clock.fast_forward(1000)
    expect(bar).to_be_hidden()
    expect(foot).to_be_hidden()
    expect(send).to_be_enabled()
    expect(page.locator("#reply")).to_have_value("Un momento")


def test_my_day_stays_open_while_it_changes_and_leads_to_the_conversation(team, open_page):
    now = timezone.now()
    given = {"organization": team.organization, "conversation": team.conversation, "template": team.template}
    given = {**given, "created_by": team.agent.user, "scheduled_for": now}
    factories.FollowUpFactory(**given)
    page = open_page(team.agent, "/inbox/")
    line = page.locator("#my-day-line")
    expect(line).to_have_text("Today: 1 of your follow-ups goes out")
    line.click()
    factories.FollowUpFactory(**given)
    page.evaluate("htmx.trigger(document.body, 'inbox:changed')")
    expect(line).to_have_text("Today: 2 of your follow-ups go out")
    page.locator("#my-day-parts a").first.click()
    expect(page.locator("#toolbar, .toolbar").first).to_contain_text(team.conversation.contact.display_name)
    expect(page.locator("#my-day-parts a").first).to_be_visible()


def test_a_pill_counts_what_comes_in_while_the_reader_is_further_up(team, open_page):
    for n in range(30):
        factories.MessageFactory(conversation=team.conversation, text=f"Línea {n}")
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    thread, pill = page.locator(".thread"), page.locator(".to-latest")
    count = pill.locator("[data-one]")
    expect(pill).to_be_hidden()
    thread.evaluate("box => { box.scrollTop = 0; }")
    expect(pill).to_be_visible()
    expect(page.get_by_role("button", name="Go to the latest messages")).to_be_visible()
    factories.MessageFactory(conversation=team.conversation, text="¿Están ahí?", direction="in")
    expect(count).to_have_text("1 new message")
    factories.MessageFactory(conversation=team.conversation, text="Con gusto", direction="out")
    factories.MessageFactory(conversation=team.conversation, text="¿Hola?", direction="in")
    expect(count).to_have_text("2 new messages")
    assert thread.evaluate("box => box.scrollTop") == 0
    pill.click()
    expect(pill).to_be_hidden()
    expect(page.get_by_text("¿Hola?").last).to_be_in_viewport()
    thread.evaluate("box => { box.scrollTop = 0; }")
    expect(count).to_have_text("")


def test_what_comes_in_further_down_stays_unread_until_the_reader_is_there(team, open_page):
    for n in range(30):
        factories.MessageFactory(conversation=team.conversation, text=f"Línea {n}")
    conversation = Conversation.objects.filter(pk=team.conversation.pk)
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    thread, pill = page.locator(".thread"), page.locator(".to-latest")
    thread.evaluate("box => { box.scrollTop = 0; }")
    expect(pill).to_be_visible()
    conversation.update(unread_count=1)
    factories.MessageFactory(conversation=team.conversation, text="¿Están ahí?", direction="in")
    expect(pill.locator("[data-one]")).to_have_text("1 new message")
    badge = page.locator(f"#row-{team.conversation.pk} .count")
    expect(badge).to_have_text("1 unread")
    assert conversation.get().unread_count == 1
    pill.click()
    expect(badge).to_be_hidden()
    assert conversation.get().unread_count == 0


def test_a_message_that_can_be_sent_no_more_can_be_copied(team, open_page):
    failed = factories.MessageFactory(
        conversation=team.conversation, text="Le espero *mañana*", delivery="failed", error_code=131047
    )
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    bubble = page.locator(f"#message-{failed.pk}")
    expect(bubble.get_by_role("button", name="Try again")).to_be_hidden()
    bubble.get_by_role("button", name="Copy text").click()
    expect(bubble.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "Le espero *mañana*"


def test_rows_do_not_change_places_under_a_moving_pointer(team, open_page):
    now = timezone.now()
    Conversation.objects.filter(pk=team.conversation.pk).update(last_message_at=now - dt.timedelta(minutes=1))
    contact = factories.ContactFactory(organization=team.organization, name="Tom Becker")
    below = factories.ConversationFactory(
        organization=team.organization,
        channel=team.channel,
        contact=contact,
        last_message_at=now - dt.timedelta(hours=1),
    )
    page = open_page(team.agent, "/inbox/")
    names = page.locator("#rows .name")
    first = page.locator(f"#row-{team.conversation.pk}")
    first.hover()
    below.last_message_at, below.unread_count, below.preview = now, 1, "¿Hola?"
    below.save()
    new = factories.ContactFactory(organization=team.organization, name="Olga Nueva")
    factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=new, last_message_at=now
    )
    # What has changed shows where it stands; who moves up waits.
    expect(page.locator(f"#row-{below.pk} .count")).to_have_text("1 unread")
    expect(names).to_have_text(["María Jiménez", "Tom Becker"])
    page.get_by_role("heading", name="No conversation open").hover()
    expect(names).to_have_text(["Olga Nueva", "Tom Becker", "María Jiménez"])


def test_a_pointer_that_rests_on_the_list_holds_nothing_up(team, open_page):
    page = open_page(team.agent, "/inbox/")
    page.locator(f"#row-{team.conversation.pk}").hover()
    factories.ConversationFactory(
        organization=team.organization, channel=team.channel, last_message_at=timezone.now()
    )
    expect(page.locator("#rows .name")).to_have_count(2)


def test_older_conversations_come_in_while_somebody_scrolls_and_none_is_lost_when_new_ones_come(
    team, open_page
):
    now = timezone.now()
    for n in range(75):
        contact = factories.ContactFactory(organization=team.organization, name=f"Contact {n:02}")
        factories.ConversationFactory(
            organization=team.organization,
            channel=team.channel,
            contact=contact,
            last_message_at=now - dt.timedelta(hours=n + 1),
        )
    team.conversation.last_message_at = now
    team.conversation.save()
    page = open_page(team.agent, "/inbox/")
    names = page.locator("#rows .name")
    expect(names).to_have_count(30)
    names.last.scroll_into_view_if_needed()
    page.mouse.move(300, 500)
    page.mouse.wheel(0, 3000)
    expect(names).to_have_count(60)
    page.mouse.wheel(0, 5000)
    expect(names).to_have_count(76)
    everybody = sorted(names.all_text_contents())
    reading = page.get_by_text("Contact 50")
    reading.scroll_into_view_if_needed()
    before = reading.bounding_box()["y"]
    # One that stood among the older ones, and one that is new here.
    Conversation.objects.filter(contact__name="Contact 70").update(last_message_at=now, preview="Otra vez")
    factories.ConversationFactory(organization=team.organization, channel=team.channel, last_message_at=now)
    expect(names).to_have_count(77)
    expect(page.get_by_text("Contact 70")).to_have_count(1)
    expect(names.nth(2)).to_have_text("María Jiménez")
    assert sorted(set(names.all_text_contents())) == sorted(set(everybody))
    assert abs(reading.bounding_box()["y"] - before) < 3
    page.get_by_role("link", name="Unread").click()
    expect(page.get_by_text("All read")).to_be_visible()


def test_a_page_keeps_so_many_rows_and_those_that_follow_are_a_click_away(team, open_page, monkeypatch):
    monkeypatch.setattr(listing, "MOST_ROWS", 60)
    now = timezone.now()
    for n in range(75):
        contact = factories.ContactFactory(organization=team.organization, name=f"Contact {n:02}")
        at = now - dt.timedelta(hours=n + 1)
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact, last_message_at=at
        )
    team.conversation.last_message_at = now
    team.conversation.save()
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    names = page.locator("#rows .name")
    names.last.scroll_into_view_if_needed()
    expect(names).to_have_count(60)
    expect(names.last).to_have_text("Contact 58")
    page.locator(".rows").evaluate("box => { box.scrollTop = 0; }")
    # Three push three off the newest, and as many go at the far end.
    for n in range(3):
        contact = factories.ContactFactory(organization=team.organization, name=f"New {n}")
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact, last_message_at=now
        )
    expect(page.get_by_text("New 2")).to_be_visible()
    expect(names.last).to_have_text("Contact 55")
    expect(names).to_have_count(60)
    page.get_by_role("link", name="Older, on a page of their own").click()
    expect(names.first).to_have_text("Contact 56")
    expect(page.get_by_role("log")).to_be_visible()
    page.get_by_role("link", name="Newest").click()
    expect(names.first).to_have_text("New 2")


def test_earlier_messages_come_in_while_somebody_scrolls_and_what_is_read_stays_in_place(team, open_page):
    now = timezone.now()
    for n in range(90):
        factories.MessageFactory(
            conversation=team.conversation, text=f"Línea {n:02}", at=now - dt.timedelta(minutes=n)
        )
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    bubbles = page.locator(".thread .bubble")
    expect(bubbles).to_have_count(40)
    page.locator(".thread").evaluate("box => { box.scrollTop = 0; }")
    expect(bubbles).to_have_count(80)
    expect(page.get_by_text("Línea 39")).to_be_in_viewport()
    page.locator(".thread").evaluate("box => { box.scrollTop = 0; }")
    expect(bubbles).to_have_count(90)


def test_a_line_stands_above_what_was_new_until_the_conversation_is_left(team, open_page):
    for text in ("Uno", "Dos", "Tres"):
        factories.MessageFactory(conversation=team.conversation, text=text, direction="in")
    team.conversation.unread_count = 2
    team.conversation.save()
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    line = page.locator(".unread-line")
    expect(line).to_have_text("2 new messages")
    expect(page.locator(".thread")).to_contain_text(re.compile("Uno.*2 new messages.*Dos", re.DOTALL))
    factories.MessageFactory(conversation=team.conversation, text="Cuatro", direction="in")
    expect(page.get_by_text("Cuatro").last).to_be_visible()
    expect(line).to_have_text("2 new messages")
    page.get_by_role("link", name="Mine").click()
    expect(page.get_by_text("Nothing is yours")).to_be_visible()
    expect(line).to_have_text("2 new messages")
    page.get_by_role("link", name="All").click()
    other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    page.locator(f"#row-{other.pk}").click()
    expect(page).to_have_url(re.compile(f"/inbox/{other.pk}/"))
    page.locator(f"#row-{team.conversation.pk}").click()
    expect(page.get_by_text("Cuatro").last).to_be_visible()
    expect(line).to_have_count(0)


def test_messages_and_composer_are_equally_wide_on_a_wide_screen(team, open_page):
    team.conversation.last_inbound_at = timezone.now()
    team.conversation.save()
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/", width=2560)
    places = (".messages", f"#composer-{team.conversation.pk}")
    messages, composer = (page.locator(each).bounding_box() for each in places)
    assert abs(messages["x"] - composer["x"]) <= 1
    assert abs(messages["width"] - composer["width"]) <= 1


def test_a_long_name_leaves_the_account_button_whole(team, open_page):
    team.viewer.user.name = "Luis Fernando Mora Montealegre"
    team.viewer.user.save()
    page = open_page(team.viewer, "/inbox/")
    button = page.get_by_role("button", name="Your account")
    chevron, sidebar = (each.bounding_box() for each in (button.locator("svg"), page.locator(".sidebar")))
    assert chevron["x"] + chevron["width"] <= sidebar["x"] + sidebar["width"]


def test_without_a_script_all_templates_stand_above_the_button_that_takes_one(team, open_page):
    for number in range(9):
        factories.TemplateFactory(channel=team.channel, name=f"another_{number}")
    page = open_page(team.agent, f"/followups/schedule/{team.conversation.pk}/", java_script_enabled=False)
    options = page.locator(".option")
    expect(options).to_have_count(10)
    last, button = (
        options.last.bounding_box(),
        page.get_by_role("button", name="Use this template").bounding_box(),
    )
    assert last["y"] + last["height"] <= button["y"]


def test_the_search_says_what_it_reads_and_all_of_it_is_in_sight(team, open_page):
    page = open_page(team.agent, "/inbox/")
    search = page.get_by_placeholder("Name, number or message")
    shown = search.evaluate(
        """(each) => {
          const { font, paddingInlineEnd, paddingInlineStart } = getComputedStyle(each);
          const canvas = document.createElement("canvas").getContext("2d");
          canvas.font = font;
          const room = each.clientWidth - parseFloat(paddingInlineStart) - parseFloat(paddingInlineEnd);
          return [canvas.measureText(each.placeholder).width <= room, each.getBoundingClientRect().right
            - parseFloat(paddingInlineEnd)];
        }"""
    )
    key = page.locator(".search kbd").bounding_box()
    assert shown[0], "the words have room"
    assert shown[1] <= key["x"], "and end before the key that leads there"
