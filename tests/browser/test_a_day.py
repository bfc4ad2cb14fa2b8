"""A whole day: a customer who has the sandbox's phone, and two members who look at one conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from conversations.models import Contact
from conversations.tasks import send_replies, transfer_files
from followups.models import FollowUp
from tests import factories
from tests.browser.workers import in_a_worker
from tests.conftest import Team
from trochai.whatsapp.sandbox.media import FILES
from trochai.whatsapp.tasks import process_waiting_webhooks

pytestmark = pytest.mark.browser


@dataclass
class Day:
    """``phone``, ``andres`` and ``valeria`` are their browsers; ``work`` does what the workers have to do."""

    team: Team
    phone: Any
    andres: Any
    valeria: Any
    work: Callable[[], None]

    @property
    def both(self):
        return self.andres, self.valeria

    def seen(self, words, *, within=".thread"):
        """Both see the words by themselves."""
        self.work()
        for page in self.both:
            expect(page.locator(within)).to_contain_text(words)

    def says(self, words):
        field = self.phone.get_by_label("Write as María")
        field.fill(words)
        field.press("Enter")
        expect(field).to_have_value("")

    def answers(self, words):
        field = self.andres.get_by_label("Message to María")
        field.fill(words)
        field.press("Enter")
        expect(field).to_have_value("")


@pytest.fixture
def day(team, whatsapp, open_phone, open_page):
    def work():
        for _turn in range(2):
            assert whatsapp.wait_idle()
            in_a_worker(process_waiting_webhooks, transfer_files, send_replies)
        assert whatsapp.wait_idle()
        in_a_worker(process_waiting_webhooks)

    for member, name in ((team.agent, "Andrés Solano"), (team.other_agent, "Valeria Castro")):
        member.user.name = name
        member.user.save()
    inbox = reverse("conversations:inbox")
    pages = [open_page(each, inbox) for each in (team.agent, team.other_agent)]
    return Day(team, open_phone(), *pages, work)


def test_a_day(day):
    she_comes_into_both_lists(day)
    waiting = somebody_schedules_what_an_answer_cancels(day)
    the_team_sends_a_picture_a_document_and_a_voice_note(day)
    she_reacts_and_nothing_is_canceled(day, waiting)
    she_sends_hers_and_it_is_canceled(day, waiting)
    she_corrects_takes_back_and_quotes(day)
    a_note_reaches_a_colleague_and_no_phone(day)
    she_gets_another_number(day)
    she_opts_out_and_asks_for_messages_again(day)


def she_comes_into_both_lists(day):
    day.says("¿Sigue libre la casa?")
    day.work()
    for page in day.both:
        page.locator(".row", has_text="¿Sigue libre la casa?").click()
        expect(page.locator(".thread")).to_contain_text("¿Sigue libre la casa?")


def somebody_schedules_what_an_answer_cancels(day):
    waiting = factories.FollowUpFactory(
        organization=day.team.organization,
        conversation=Contact.objects.get(phone="+50688881234").conversations.get(),
        template=day.team.template,
        created_by=day.team.agent.user,
        cancel_on_reply=True,
    )
    for page in day.both:
        expect(page.locator(".banner", has_text="Follow-up scheduled")).to_be_visible()
    return waiting


def the_team_sends_a_picture_a_document_and_a_voice_note(day):
    day.answers("Sí. ¿Le funciona el sábado?")
    day.seen("¿Le funciona el sábado?")
    expect(day.phone.locator(".thread")).to_contain_text("¿Le funciona el sábado?")
    files = (
        ("casa.jpg", "image/jpeg", "photo"),
        ("Ficha.pdf", "application/pdf", "document"),
        ("nota.ogg", "audio/ogg", "voice"),
    )
    day.andres.get_by_label("Attach files").set_input_files(
        [{"name": name, "mimeType": kind, "buffer": FILES[file].make()} for name, kind, file in files]
    )
    tray = day.andres.get_by_role("list", name="Files to send")
    expect(tray.get_by_role("listitem")).to_have_count(3)
    expect(tray.locator("progress")).to_have_count(0)
    day.andres.get_by_role("button", name="Send", exact=True).click()
    # Written: there is something for the workers to do.
    expect(day.andres.locator(".thread")).to_contain_text("Ficha.pdf")
    day.seen("Ficha.pdf")
    for page in day.both:
        expect(page.locator(".thread .bubble--out img[alt=Photo]")).to_be_visible()
        expect(page.locator(".thread .bubble--out .voice")).to_be_visible()
    expect(day.phone.locator(".thread .bubble--in img")).to_be_visible()
    expect(day.phone.locator(".thread")).to_contain_text("Ficha.pdf")
    expect(day.phone.locator(".thread .bubble--in audio")).to_be_visible()


def she_reacts_and_nothing_is_canceled(day, waiting):
    day.phone.get_by_role("group", name="React").get_by_role("button", name="Heart").click()
    expect(day.phone.locator(".reaction")).to_be_visible()
    day.seen("❤", within=".reaction")
    assert FollowUp.objects.get(pk=waiting.pk).status == "pending"


def she_sends_hers_and_it_is_canceled(day, waiting):
    for name in ("picture", "voice message", "document"):
        day.phone.get_by_role("button", name=f"Send a {name}").click()
    expect(day.phone.locator(".thread .bubble--out")).to_have_count(4)
    day.seen("canceled: the contact replied")
    assert FollowUp.objects.get(pk=waiting.pk).status == "canceled"
    for page in day.both:
        expect(page.locator(".thread .bubble--in img[alt=Photo]")).to_be_visible()
        expect(page.locator(".thread .bubble--in .voice")).to_be_visible()
        expect(page.locator(".thread .bubble--in", has_text="Plano EC-204.pdf")).to_be_visible()


def she_corrects_takes_back_and_quotes(day):
    day.says("El doce a las 10")
    day.phone.get_by_role("button", name="Edit the last message").click()
    day.phone.get_by_label("What it says instead").fill("El sábado a las 10")
    day.phone.get_by_role("button", name="Save", exact=True).click()
    expect(day.phone.locator(".thread")).to_contain_text("El sábado a las 10")
    day.seen("Edited")
    for page in day.both:
        expect(page.locator(".thread")).to_contain_text("El sábado a las 10")
        expect(page.locator(".thread")).not_to_contain_text("El doce")
    day.says("Número equivocado, perdón")
    day.phone.get_by_role("button", name="Delete the last message").click()
    expect(day.phone.locator(".thread")).to_contain_text("You deleted this message")
    day.seen("Deleted by the contact")
    for page in day.both:
        expect(page.locator(".thread")).not_to_contain_text("Número equivocado")
    asked = day.phone.locator("[id^=message-]", has_text="¿Le funciona el sábado?")
    asked.get_by_title("Quote this message").click()
    day.says("Sí, perfecto")
    day.seen("Sí, perfecto")
    for page in day.both:
        quoting = page.locator(".bubble", has_text="Sí, perfecto")
        expect(quoting.locator(".quoted")).to_contain_text("¿Le funciona el sábado?")


def a_note_reaches_a_colleague_and_no_phone(day):
    day.andres.get_by_text("Note", exact=True).click()
    day.andres.get_by_label("Note for your team").fill("@Valeria ¿puede ir usted?")
    day.andres.keyboard.press("Control+Enter")
    day.seen("¿puede ir usted?")
    expect(day.valeria.locator("#bell-count")).to_contain_text("1")
    expect(day.phone.locator(".thread")).not_to_contain_text("¿puede ir usted?")


def she_gets_another_number(day):
    day.phone.get_by_role("button", name="Change number").click()
    day.phone.get_by_label("New number").fill("+506 8712 4490")
    day.phone.get_by_role("button", name="Take this number").click()
    expect(day.phone.locator(".row")).to_contain_text("+506 8712 4490")
    day.seen("+506 8712 4490", within=".toolbar")
    day.says("Este es mi número nuevo")
    day.seen("Este es mi número nuevo")


def she_opts_out_and_asks_for_messages_again(day):
    day.valeria.locator("#details-button").click()
    day.phone.get_by_role("button", name="Opt out of marketing").click()
    expect(day.phone.get_by_role("button", name="Opt in to marketing again")).to_be_visible()
    day.seen("Opted out", within=".toolbar")
    sheet = day.valeria.get_by_role("complementary", name="Contact")
    expect(sheet).to_contain_text("Switched off in WhatsApp")
    sheet.get_by_text("Undo…").click()
    sheet.get_by_role("button", name="asked for messages again").click()
    day.seen("Valeria Castro noted that messages are wanted again")
    for page in day.both:
        expect(page.locator(".toolbar")).not_to_contain_text("Opted out")
    assert not Contact.objects.get(phone="+50687124490").is_opted_out
