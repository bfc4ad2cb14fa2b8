"""Files in a real browser: attached, seen, sent, and those of a contact heard and seen."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from conversations.models import Attachment, Conversation, Message
from conversations.tasks import send_replies, transfer_files
from tests import factories
from tests.browser.workers import in_a_worker
from trochai.whatsapp.sandbox.media import FILES

pytestmark = pytest.mark.browser


@pytest.fixture
def page(team, sandbox, open_page):
    Conversation.objects.filter(pk=team.conversation.pk).update(last_inbound_at=timezone.now())
    return open_page(team.agent, f"/inbox/{team.conversation.pk}/")


def chosen(page, *files):
    page.get_by_label("Attach files").set_input_files(
        [{"name": name, "mimeType": "text/html", "buffer": data} for name, data in files]
    )


def test_files_are_uploaded_at_once_and_sent_with_the_message(team, page, sandbox):
    chosen(page, ("casa.jpg", FILES["photo"].make()), ("Ficha.pdf", FILES["document"].make()))
    tray = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    expect(tray).to_have_count(2)
    expect(tray.nth(0)).to_contain_text("casa.jpg")
    expect(tray.locator("progress")).to_have_count(0)
    expect(tray.locator("img")).to_have_count(1)
    # Not under anything else.
    page.locator(".attach").click(trial=True)
    page.get_by_label("Message to").fill("Aquí van")
    page.get_by_role("button", name="Send", exact=True).click()
    messages = page.get_by_role("log")
    expect(messages.locator(".bubble")).to_have_count(2)
    expect(tray).to_have_count(0)
    expect(messages.get_by_role("img", name="Photo")).to_be_visible()
    in_a_worker(transfer_files, send_replies)
    assert [call.body["type"] for call in sandbox.calls] == ["image", "document"]
    expect(messages.get_by_role("img", name="Sent", exact=True)).to_have_count(2)


def test_a_picture_alone_is_sent_with_enter(team, page):
    chosen(page, ("casa.jpg", FILES["photo"].make()))
    expect(page.locator(".tray img")).to_be_visible()
    page.get_by_label("Message to").press("Enter")
    expect(page.get_by_role("log").get_by_role("img", name="Photo")).to_be_visible()


def test_what_is_not_taken_says_why_and_can_be_removed(team, page):
    chosen(page, ("virus.exe", b"MZ"), ("casa.jpg", FILES["photo"].make()))
    tray = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    expect(tray.filter(has_text="virus.exe")).to_contain_text("WhatsApp doesn’t take .exe.")
    page.get_by_role("button", name="Remove virus.exe").click()
    expect(tray).to_have_count(1)
    page.get_by_role("button", name="Remove casa.jpg").click()
    expect(tray).to_have_count(0)
    page.get_by_label("Message to").press("Enter")
    expect(page.get_by_role("log").locator(".bubble")).to_have_count(0)


def test_a_pasted_and_a_dropped_picture_are_attached(team, page):
    for type_, target in (("paste", "#reply"), ("drop", ".thread")):
        page.evaluate(
            """([type, target, bytes]) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], `${type}.jpg`));
              const init = { bubbles: true, cancelable: true };
              const event = type === "paste"
                ? new ClipboardEvent(type, { ...init, clipboardData: data })
                : new DragEvent(type, { ...init, dataTransfer: data });
              document.querySelector(target).dispatchEvent(event);
            }""",
            [type_, target, list(FILES["photo"].make())],
        )
    expect(page.locator(".tray img")).to_have_count(2)


def test_what_a_contact_sends_comes_in_while_one_looks(team, page, rows_are_told):
    for minutes, name in enumerate(("photo", "voice", "video")):
        file = FILES[name]
        message = factories.MessageFactory(
            conversation=team.conversation,
            direction="in",
            kind=file.kind,
            content={file.kind: file.content()},
            text="",
            at=timezone.now() + dt.timedelta(seconds=minutes),
        )
        Attachment.objects.create(message=message, media_id=file.media_id, due_at=timezone.now())
    messages = page.get_by_role("log")
    expect(messages).to_contain_text("Photo is being fetched")
    in_a_worker(transfer_files)
    expect(messages.get_by_role("img", name="Photo")).to_be_visible()
    expect(messages).not_to_contain_text("is being fetched")
    for tag in ("audio", "video"):
        player = messages.locator(tag)
        player.evaluate("each => each.play()")
        page.wait_for_function("tag => document.querySelector(tag).currentTime > 0.2", arg=tag)
    assert Message.objects.count() == 3


def test_a_session_that_has_ended_leaves_no_other_page_in_the_tray(team, page):
    page.context.clear_cookies()
    chosen(page, ("casa.jpg", FILES["photo"].make()))
    tray = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    expect(tray).to_contain_text("Not uploaded. Attach it again.")
    expect(tray).to_have_count(1)


def test_nothing_is_sent_while_a_file_is_still_coming_whatever_switches_send_on(team, page):
    held = []

    def hold(route):
        held.append(route)

    page.route("**/files/", hold)
    chosen(page, ("casa.jpg", FILES["photo"].make()))
    page.get_by_label("Message to").fill("Aquí va")
    send = page.get_by_role("button", name="Send", exact=True)
    expect(send).to_be_disabled()
    # The connection comes back, and with it what needs the server.
    for event in ("live:off", "live:on"):
        page.evaluate("event => document.dispatchEvent(new Event(event))", event)
    page.evaluate("document.getElementById('send').click()")
    page.get_by_label("Message to").press("Enter")
    expect(page.locator(".tray progress")).to_be_visible()
    held[0].continue_()
    expect(page.locator(".tray img")).to_be_visible()
    send.click()
    expect(page.get_by_role("log").locator(".bubble")).to_have_count(1)
    message = Message.objects.get()
    assert (message.kind, message.text) == ("image", "Aquí va")
