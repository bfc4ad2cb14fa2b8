"""Sending a template now, in a real browser."""

from __future__ import annotations

import pytest

from conversations.tasks import send_replies
from tests import factories
from tests.browser.workers import in_a_worker

expect = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements").expect

pytestmark = pytest.mark.browser


def test_where_the_window_is_closed_a_template_is_sent_and_its_bubble_comes(team, open_page, meta):
    factories.TemplateFactory(channel=team.channel, name="payment_reminder")
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    page.get_by_role("link", name="Send template").click()
    dialog = page.get_by_role("dialog", name="Send a template")
    dialog.get_by_text("visit_reminder").click()
    dialog.get_by_label("a [2]").fill("Casa EC-310")
    dialog.get_by_label("el [3]").fill("lunes 30")
    expect(dialog.locator(".preview")).to_contain_text("su visita a Casa EC-310 el lunes 30")
    expect(dialog.locator(".summary")).to_contain_text("Will be sent to María Jiménez")
    dialog.get_by_role("button", name="Send now").click()
    expect(dialog).to_have_count(0)
    bubble = page.locator(".bubble--template")
    expect(bubble).to_contain_text("su visita a Casa EC-310")
    in_a_worker(send_replies)
    expect(bubble.get_by_label("Sent")).to_be_visible()
    assert len(meta.requests) == 1


def test_scheduling_it_instead_keeps_what_was_chosen_and_typed(team, open_page):
    factories.TemplateFactory(channel=team.channel, name="payment_reminder")
    page = open_page(team.agent, f"/inbox/{team.conversation.pk}/")
    page.get_by_role("button", name="More actions").click()
    page.locator("#more").get_by_role("link", name="Send template").click()
    dialog = page.get_by_role("dialog", name="Send a template")
    dialog.get_by_text("visit_reminder").click()
    dialog.get_by_label("a [2]").fill("Casa EC-310")
    dialog.get_by_role("link", name="Schedule it instead").click()
    later = page.get_by_role("dialog", name="Schedule a follow-up")
    expect(later.get_by_label("a [2]")).to_have_value("Casa EC-310")
    expect(page.get_by_role("dialog")).to_have_count(1)
    later.get_by_text("Tomorrow 9:00 AM").click()
    expect(later.locator(".summary")).to_contain_text("9:00 AM")
