"""Open pages hear of everything by their streams: two members in Chromium, nginx, real processes."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import Settings

from conversations.models import Attachment, Conversation, Upload
from followups.models import FollowUp, Status
from tests import factories
from tests.chromium import PATIENCE, launched
from tests.conftest import signed_in
from tests.faults import rows
from tests.faults.installation import Installation, Process
from tests.faults.servers import Proxy, wait_until
from tests.ports import free_port
from trochai.accounts.models import Membership
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sandbox.callbacks import inbound
from trochai.whatsapp.sandbox.courier import deliver
from trochai.whatsapp.sandbox.media import FILES as SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

RECONNECTING = "#away"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@dataclass
class Office:
    """An installation as in docker-compose.yml, with a number, two members, and their browsers."""

    trochai: Installation
    channel: Channel
    members: list[Membership]
    browser: Browser
    proxy: Proxy
    live: Process
    metrics_port: int
    contexts: list[Any]

    def open(self, member: Membership, path: str) -> Page:
        """Open a page in a browser of the member's own."""
        context = self.browser.new_context(
            base_url=self.proxy.url, ignore_https_errors=True, viewport={"width": 1440, "height": 900}
        )
        self.contexts.append(context)
        session = signed_in(member).cookies["sessionid"].value
        cookie = {"name": "sessionid", "value": session, "url": self.proxy.url}
        context.add_cookies([cookie])
        return self.open_tab(context, path)

    def open_tab(self, context: Any, path: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(path)
        return page

    def receive(self, text: str) -> None:
        """Have Meta report one message of the contact's."""
        account = self.trochai.cloud.accounts[self.channel.phone_number_id]
        said = {"sender": "+50688990011", "name": "Lucía Vargas", "text": text, "at": time.time()}
        assert deliver(account, [inbound(message_id=f"wamid.{uuid.uuid4().hex}", **said)])

    def streams(self) -> int:
        text = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text
        return int(float(text.partition("\ntrochai_live_streams ")[2].split()[0]))


@pytest.fixture
def office(installation: Installation, browser: Browser, settings: Settings) -> Iterator[Office]:
    # Sessions that are made here are for the processes.
    settings.SECRET_KEY = installation.environment["SECRET_KEY"]
    channel = rows.make_channel()
    organization = channel.organization
    members = [organization.memberships.get(), factories.MembershipFactory(organization=organization)]
    port = free_port()
    proxy = Proxy(installation.web_port, installation.live_port)
    stored = {"MEDIA_ROOT": str(proxy.files), "MEDIA_ACCEL_LOCATION": "/stored/"}
    installation.environment |= {"TRUSTED_PROXIES": "1", **stored}
    settings.MEDIA_ROOT = proxy.files
    installation.web(processes=2)
    installation.workers_of_production()
    installation.environment |= {"METRICS_PORT": str(port)}
    live = installation.live()
    proxy.start()
    installation.post_webhooks_of(channel)
    # Seconds after a message was sent.
    installation.cloud.webhooks[channel.phone_number_id] = [(0.3, "sent"), (0.6, "delivered"), (0.9, "read")]
    contexts: list[Any] = []
    yield Office(installation, channel, members, browser, proxy, live, port, contexts)
    for context in contexts:
        context.close()
    proxy.remove()


def send(trochai: Installation) -> None:
    """Have the only follow-up sent, which may have to wait for some seconds after a reply to its contact."""

    def is_sent() -> bool:
        trochai.tick()
        time.sleep(0.5)
        return FollowUp.objects.get().status == Status.SENT

    wait_until(is_sent, "it is sent")


def test_what_happens_shows_in_every_open_page(office):
    from playwright.sync_api import expect

    daniela, andres = (office.open(member, "/inbox/") for member in office.members)
    wait_until(lambda: office.streams() == 2, "both are told")
    office.receive("¿Sigue disponible?")
    for page in (daniela, andres):
        expect(page.locator("#list")).to_contain_text("¿Sigue disponible?")
        expect(page).to_have_title("(1) Inbox · Trochai")

    conversation = Conversation.objects.get()
    daniela.goto(f"/inbox/{conversation.pk}/")
    andres.goto(f"/inbox/{conversation.pk}/")
    wait_until(lambda: office.streams() == 2, "both are told again")
    daniela.fill("#reply", "Sí, con gusto")
    daniela.press("#reply", "Enter")
    expect(andres.locator(".thread")).to_contain_text("Sí, con gusto")
    # Accepted, delivered and read, as the Cloud API reports one after the other.
    for page in (daniela, andres):
        expect(page.locator(".thread").get_by_role("img", name="Read")).to_be_visible()

    # A day passes, and only a template may be sent.
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    for page in (daniela, andres):
        page.reload()
        expect(page.get_by_role("heading", name="The 24-hour window is closed")).to_be_visible()
    wait_until(lambda: office.streams() == 2, "both are told once more")
    daniela.get_by_role("link", name="Send template").click()
    fill(daniela.get_by_role("dialog", name="Send a template"))
    daniela.get_by_role("button", name="Send now").click()
    for page in (daniela, andres):
        expect(page.locator(".thread .bubble--template")).to_contain_text("Lucía")
        expect(page.locator(".thread .bubble--template").get_by_role("img", name="Read")).to_be_visible()

    # The contact answers, and may be answered again.
    office.receive("Sí, el sábado")
    for page in (daniela, andres):
        expect(page.locator("#reply")).to_be_visible()

    table = office.open_tab(andres.context, "/followups/")
    daniela.get_by_role("button", name="More actions").click()
    daniela.locator("#more").get_by_role("link", name="Follow-up").click()
    dialog = daniela.get_by_role("dialog", name="Schedule a follow-up")
    fill(dialog)
    dialog.get_by_text("Tomorrow 9:00 AM").click()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    for page in (daniela, andres):
        expect(page.locator("#follow-up-banner")).to_contain_text("Follow-up scheduled")
        expect(page.locator(".thread")).to_contain_text(" scheduled ")
    expect(table.locator("tbody tr")).to_contain_text("Pending")

    # Its time comes.
    now = timezone.now()
    FollowUp.objects.update(scheduled_for=now, next_attempt_at=now)
    send(office.trochai)
    expect(table.locator("tbody tr").get_by_role("img", name="Read")).to_be_visible()
    for page in (daniela, andres):
        expect(page.locator(".thread .bubble--template")).to_have_count(2)
        expect(page.locator(".thread .bubble--template").last.get_by_role("img", name="Read")).to_be_visible()
        expect(page.locator("#follow-up-banner")).to_have_count(0)
    expect(daniela.locator("#bell-count")).to_contain_text("1")
    office.receive("Muchas gracias")
    for page in (daniela, andres):
        expect(page.locator(".thread")).to_contain_text("Muchas gracias")
    # It came back to whoever scheduled it.
    conversation.refresh_from_db()
    assert conversation.assignee == office.members[0].user


def fill(dialog: Locator) -> None:
    """Give each value that the dialog asks for and does not know."""
    dialog.locator("#template-fields input").first.wait_for()
    for field in dialog.locator("#template-fields input").all():
        if not field.input_value():
            field.fill("Casa EC-204")


def test_one_stream_for_all_tabs_of_a_browser_and_none_for_who_has_left(office):
    from playwright.sync_api import expect

    first = office.open(office.members[0], "/inbox/")
    second = office.open_tab(first.context, "/followups/")
    third = office.open_tab(first.context, "/templates/")
    wait_until(lambda: office.streams() == 1, "one is told")
    office.receive("Hola")
    for page in (first, second, third):
        expect(page.locator("#inbox-count")).to_contain_text("1")
    # The one that held it goes: another takes over.
    first.close()
    wait_until(lambda: office.streams() == 1, "another tab is told")
    office.receive("¿Me pueden llamar?")
    expect(third.locator("#inbox-count")).to_contain_text("1")

    second.get_by_role("button", name="Your account").click()
    second.get_by_role("button", name="Sign out").click()
    expect(second).to_have_title("Sign in · Trochai")
    # The other tab, which nobody has touched.
    expect(third).to_have_title("Sign in · Trochai")
    assert office.streams() == 0


def test_a_process_that_restarts_is_noticed_and_what_came_meanwhile_is_shown(office):
    from playwright.sync_api import expect

    page = office.open(office.members[0], "/inbox/")
    wait_until(lambda: office.streams() == 1, "it is told")
    expect(page.locator(RECONNECTING)).to_be_hidden()
    office.live.kill()
    office.receive("Mientras no estabas")
    # It asks by itself meanwhile, and says that it has lost the connection.
    expect(page.locator("#list")).to_contain_text("Mientras no estabas")
    expect(page.locator(RECONNECTING)).to_be_visible()
    live = office.trochai.live()
    expect(page.locator(RECONNECTING)).to_be_hidden(timeout=30_000)
    office.receive("Ya volviste")
    expect(page.locator("#list")).to_contain_text("Ya volviste")

    # A deploy: it is asked to stop, and does not wait for its streams to end by themselves.
    assert live.stop(within=10) == 0
    office.trochai.live()
    wait_until(lambda: office.streams() == 1, "the browser has come back")
    expect(page.locator(RECONNECTING)).to_be_hidden(timeout=30_000)

    office.trochai.redis.kill()
    expect(page.locator(RECONNECTING)).to_be_visible(timeout=30_000)
    office.trochai.redis.start()
    expect(page.locator(RECONNECTING)).to_be_hidden(timeout=90_000)


def test_files_come_from_nginx_to_those_who_may_see_them_and_are_taken_in_through_it(office):
    channel = office.channel
    conversation = factories.ConversationFactory(organization=channel.organization, channel=channel)
    message = factories.MessageFactory(conversation=conversation, direction="in", kind="video")
    video = SAMPLES["video"].make()
    attachment = Attachment(message=message, state="ready", mime_type="video/mp4")
    attachment.file.save("", ContentFile(video))
    address = f"/inbox/files/{attachment.pk}/"
    page = office.open(office.members[0], f"/inbox/{conversation.pk}/")
    stranger = office.open(factories.MembershipFactory(), "/inbox/")

    whole = page.request.get(address)
    assert whole.body() == video
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    part = page.request.get(address, headers={"Range": "bytes=2-5"})
    assert (part.status, part.body()) == (206, video[2:6])
    assert stranger.request.get(address).status == 404
    assert page.request.get(f"/stored/{attachment.file.name}").status == 404

    token = json.loads(page.locator("body").get_attribute("hx-headers"))["X-CSRFToken"]
    headers = {"X-CSRFToken": token, "Referer": office.proxy.url}
    plan = {"name": "plano.pdf", "mimeType": "application/pdf", "buffer": b"x" * 3_000_000}
    for name, status in (("files", 200), ("reply", 413)):
        address = f"/inbox/{conversation.pk}/{name}/"
        assert page.request.post(address, multipart={"file": plan}, headers=headers).status == status
    assert Upload.objects.get().size == 3_000_000
