"""The product in Chromium (tests/chromium.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db.models.signals import post_delete, post_save
from django.urls import reverse

from tests.chromium import PATIENCE, launched
from tests.conftest import Team, make_team, signed_in
from trochai import changes
from trochai.accounts.models import Membership, Organization
from trochai.whatsapp.sandbox import Account, Sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this package."""
    with launched() as browser:
        yield browser


@pytest.fixture(autouse=True)
def rows_are_told() -> Iterator[None]:
    """Let the tests' own rows be heard of as those of a worker are: here the open pages are what is tried."""

    def tell(**_signal: Any) -> None:
        changes.changed(Organization.objects.values_list("pk", flat=True))

    post_save.connect(tell)
    post_delete.connect(tell)
    yield
    post_save.disconnect(tell)
    post_delete.disconnect(tell)


@pytest.fixture
def team(transactional_db: None) -> Team:
    """As elsewhere, but committed, so that the live server sees it."""
    return make_team(name="Casa Verde Bienes Raíces")


@pytest.fixture
def open_page(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Return a function that opens ``path`` as a member.

    Any error in the console fails the test, but for those that contain one of the texts ``allowed``.
    """
    problems: list[str] = []
    contexts = []
    # A refused form is answered with 422, which Chromium reports as a failed load.
    expected = ["status of 422"]

    def listen(message: Any) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in expected):
            problems.append(message.text)

    def opened(
        membership: Membership, path: str, *, width: int = 1440, allowed: Iterable[str] = (), **options: Any
    ) -> Page:
        expected.extend(allowed)
        context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 500 else 844},
            base_url=live_server.url,
            locale="en-US",
            **options,
        )
        contexts.append(context)
        session = signed_in(membership).cookies[settings.SESSION_COOKIE_NAME].value
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", listen)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def whatsapp(team: Team, settings: Any, tmp_path: Any, live_server: Any) -> Iterator[Sandbox]:
    """WhatsApp as the sandbox plays it for the team's number: its webhooks go to the live server."""
    settings.MEDIA_ROOT = tmp_path
    channel = team.channel
    account = Account(
        channel.phone_number_id,
        channel.waba_id,
        token=channel.access_token,
        app_secret=channel.app_secret,
        webhook_url=live_server.url + reverse("whatsapp:webhook", args=[channel.uuid]),
        name=channel.name,
    )
    with Sandbox([account], pace=0) as running:
        settings.WHATSAPP_API_URL = running.url
        yield running


@pytest.fixture
def open_phone(browser: Browser, whatsapp: Sandbox) -> Iterator[Callable[..., Page]]:
    """Return a function that takes María's phone. Any error in the console fails the test."""
    problems: list[str] = []
    contexts = []

    def listen(message: Any) -> None:
        # A refused form is answered with 422, which Chromium reports as a failed load.
        if message.type in {"error", "warning"} and "status of 422" not in message.text:
            problems.append(message.text)

    def opened(*, width: int = 1440, **options: Any) -> Page:
        height = 900 if width > 500 else 844
        context = browser.new_context(
            viewport={"width": width, "height": height},
            base_url=whatsapp.url,
            locale="en-US",
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", listen)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto("/")
        page.get_by_role("button", name="New phone").click()
        page.get_by_label("Name", exact=True).fill("María Jiménez")
        page.get_by_label("Phone number").fill("+506 8888 1234")
        page.get_by_role("button", name="Take this phone").click()
        page.get_by_label("Write as María").wait_for()
        # Enter sends only once the page's scripts are there.
        page.wait_for_load_state()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
