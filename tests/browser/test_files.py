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
    messages.locator("video").evaluate("each => each.play()")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    assert Message.objects.count() == 3


@pytest.fixture
def voice(team):
    """A voice message of seven seconds in the thread."""
    file = FILES["voice"]
    message = factories.MessageFactory(
        conversation=team.conversation,
        direction="in",
        kind="audio",
        content={"audio": file.content()},
        text="",
    )
    Attachment.objects.create(message=message, media_id=file.media_id, due_at=timezone.now())


def test_a_voice_message_plays_while_others_come_in_and_ends_as_it_began(team, page, voice):
    in_a_worker(transfer_files)
    player = page.locator(".voice--player")
    expect(player.locator("audio")).to_be_hidden()
    expect(player.locator(".length")).to_have_text("0:07")
    player.get_by_role("button", name="Play: Voice message 0:07").click()
    page.wait_for_function("() => document.querySelector('audio').currentTime > 0.3")
    expect(player.locator("rect.on").first).to_be_visible()
    # A message comes in, a tick moves: whoever listens is not interrupted.
    factories.MessageFactory(conversation=team.conversation, direction="in", text="¿Me escuchó?")
    expect(page.get_by_role("log")).to_contain_text("¿Me escuchó?")
    before = player.locator("audio").evaluate("audio => audio.currentTime")
    page.wait_for_function("at => document.querySelector('audio').currentTime > at", arg=before)
    player.get_by_role("button", name="Pause").click()
    expect(player.get_by_role("button", name="Play: Voice message 0:07")).to_be_visible()
    player.get_by_role("slider").fill("0.9")
    expect(player.locator(".length")).to_have_text("0:06 / 0:07")
    player.get_by_role("button", name="Play: Voice message 0:07").click()
    expect(player.locator(".length")).to_have_text("0:07")
    expect(player.locator("rect.on")).to_have_count(0)


def test_its_speed_is_remembered(team, page, voice):
    in_a_worker(transfer_files)
    speed = page.locator(".voice--player .speed")
    expect(speed).to_have_accessible_name("Speed: 1×")
    speed.click()
    expect(speed).to_have_accessible_name("Speed: 1.5×")
    page.reload()
    expect(speed).to_have_accessible_name("Speed: 1.5×")
    page.locator(".voice--player .play").click()
    page.wait_for_function("() => document.querySelector('audio').playbackRate === 1.5")


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
