"""Holding what is sent, as two people see it: one presses, the other's page follows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from followups.models import FollowUp
from followups.tasks import release_holds
from tests import factories
from tests.browser.workers import in_a_worker

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.browser


def scheduled(team, **ago):
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=factories.ConversationFactory(organization=team.organization, channel=team.channel),
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=timezone.now() - dt.timedelta(**ago),
    )


def hold_sending(page, reason):
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Hold sending…").click()
    dialog = page.get_by_role("dialog", name="Hold sending")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Hold sending").click()
    expect(dialog).to_contain_text("Say why: everybody will ask.")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name="Hold sending").click()
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_colleague_sees_at_once_that_sending_is_on_hold_and_that_it_goes_on(team, open_page, width):
    late = scheduled(team, hours=9)
    admin, colleague = open_page(team.admin, "/followups/", width=width), open_page(team.agent, "/followups/")
    expect(colleague.locator("#channel")).to_contain_text("WhatsApp connected")

    hold_sending(admin, "Wrong price, checking with the bank")
    for page in (admin, colleague):
        expect(page.locator(".banner--hold")).to_contain_text("“Wrong price, checking with the bank”")
        expect(page.locator(".banner--hold")).to_contain_text("1 follow-up waits")
        expect(page.locator(f"#followup-{late.pk}")).to_contain_text("Waits for the release")
    expect(colleague.locator("#channel")).to_contain_text("Sending is on hold")
    expect(colleague.get_by_role("link", name="Release…")).to_have_count(0)

    admin.get_by_role("link", name="Release…").click()
    dialog = admin.get_by_role("dialog", name="Release it?")
    expect(dialog).to_contain_text("1 is later: what becomes of it?")
    dialog.get_by_role("button", name="Release").click()
    expect(dialog).to_contain_text("Choose what becomes of what is late.")
    dialog.get_by_label("Move them to tomorrow 9:00 AM").check()
    dialog.get_by_role("button", name="Release").click()
    expect(dialog).to_have_count(0)
    expect(admin.locator(".banner--hold")).to_contain_text("It is being released")

    in_a_worker(release_holds)
    for page in (admin, colleague):
        expect(page.locator(".banner--hold")).to_have_count(0)
        expect(page.locator(f"#followup-{late.pk}")).to_contain_text("9:00 AM")
        expect(page.locator(f"#followup-{late.pk}")).not_to_contain_text("Waits for the release")
    expect(colleague.locator("#channel")).to_contain_text("WhatsApp connected")
    assert FollowUp.objects.get(pk=late.pk).scheduled_for > timezone.now()


def test_an_open_conversation_says_that_its_follow_up_waits(team, open_page):
    row = scheduled(team, minutes=1)
    page = open_page(team.agent, f"/inbox/{row.conversation_id}/")
    expect(page.locator("#follow-up-banner")).to_contain_text("Follow-up scheduled")
    factories.HoldFactory(organization=team.organization, by=team.admin.user)
    expect(page.locator("#follow-up-banner")).to_contain_text("“Wrong price, checking with the bank”")


def test_another_reason_is_seen_by_everybody(team, open_page):
    factories.HoldFactory(organization=team.organization, by=team.admin.user)
    admin, colleague = open_page(team.admin, "/followups/"), open_page(team.viewer, "/followups/")
    admin.get_by_role("link", name="Edit reason").click()
    admin.get_by_role("dialog").get_by_label("Reason").fill("The bank has confirmed it")
    admin.get_by_role("dialog").get_by_role("button", name="Change reason").click()
    expect(colleague.locator(".banner--hold")).to_contain_text("“The bank has confirmed it”")
