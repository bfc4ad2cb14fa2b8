"""A tour of the product along its help page: each test quotes its sentence and does what it says.

What lies around each sentence (every role, every error, every edge of a day) is left to the tests of the
module itself.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from conversations.models import Message
from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from followups.wording.failures import headline
from tests import factories
from tests.conftest import signed_in
from tests.help_page import (
    HELP_PAGE,
    HTMX,
    INDEX,
    actions,
    cell,
    cells,
    only,
    press,
    read,
    row,
    tabs,
    words,
)
from tests.html import html_of
from tests.meta import accepted
from trochai.celery import app
from trochai.ui.template_tags import icon
from trochai.whatsapp.models import Channel

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
RATE_LIMIT = 130429


@pytest.fixture
def friday(time_machine):
    """The clock stands at NOW. Tests that send let it run: PostgreSQL has its own."""
    time_machine.move_to(NOW, tick=False)
    return time_machine


def inbox(team) -> str:
    return reverse("conversations:conversation", args=[team.conversation.pk])


def dialog(team) -> str:
    return reverse("followups:schedule", args=[team.conversation.pk])


def make(team, **given) -> FollowUp:
    """A follow-up of the agent's, pending unless ``given`` says otherwise."""
    given = {"conversation": team.conversation, "created_by": team.agent.user, **given}
    return factories.FollowUpFactory(organization=team.organization, template=team.template, **given)


def fill_in(team, **changes) -> dict:
    """What a browser posts for the dialog with a template, its values and a date; ``changes`` win."""
    html = read(team.agent, dialog(team))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    values = {"p-body-1": "María", "p-body-2": "Casa EC-204", "p-body-3": "sábado 28"}
    return {**hidden, "template": team.template.pk, **values, "when": "in_1_week_9", "note": "", **changes}


def at(team, moment: dt.datetime) -> dict[str, str]:
    """Return what the date and time pickers send for this moment."""
    local = moment.astimezone(team.organization.zone)
    return {"when": "custom", "date": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}"}


def schedule(team, **changes) -> FollowUp:
    """Schedule through the dialog, as the agent."""
    answer = signed_in(team.agent).post(dialog(team), fill_in(team, **changes))
    assert answer.status_code == 302
    return FollowUp.objects.latest("pk")


def refused(team, **changes) -> str:
    """Try to schedule through the dialog; return what it answers, having made nothing."""
    answer = signed_in(team.agent).post(dialog(team), fill_in(team, **changes))
    assert answer.status_code == 422
    assert not FollowUp.objects.exists()
    return html_of(answer)


def tick() -> None:
    """Do what beat starts every minute."""
    send_due_follow_ups(wake_others=False)


def come_due(follow_up: FollowUp) -> FollowUp:
    """Make it due by moving the row rather than the clock, because PostgreSQL has its own clock."""
    due_at = timezone.now() - dt.timedelta(seconds=1)
    FollowUp.objects.filter(pk=follow_up.pk).update(scheduled_for=due_at, next_attempt_at=due_at)
    Channel.objects.filter(pk=follow_up.channel_id).update(next_slot_at=None)
    return follow_up


def hit_the_rate_limit(meta, follow_up: FollowUp, *, times: int) -> FollowUp:
    """Have Meta refuse it that many times in a row, each time as soon as it is due."""
    for _time in range(times):
        meta.answer(RATE_LIMIT)
        come_due(follow_up)
        tick()
    return FollowUp.objects.get(pk=follow_up.pk)


def until_next_attempt(follow_up: FollowUp) -> dt.timedelta:
    """Return how long after its last failure the follow-up will be tried again."""
    return follow_up.next_attempt_at - follow_up.attempts.latest("requested_at").finished_at


# Scheduled Follow-ups ------------------------------------------------------------------------------


def test_nothing_is_sent_before_its_time_and_then_it_goes_by_itself(team, meta):
    """
    Schedule template messages to be automatically sent to your contacts at a future date and time.
    """
    follow_up = schedule(team)
    tick()
    assert meta.requests == []
    come_due(follow_up)
    tick()
    assert len(meta.requests) == 1


def test_what_the_contact_gets_is_the_template_with_the_values_filled_in(team, meta):
    """
    Scheduled follow-ups allow you to schedule WhatsApp template messages to be automatically sent to your
    contacts at a future date and time.
    """
    come_due(schedule(team, **{"p-body-2": "Casa HE-118"}))
    tick()
    (request,) = meta.requests
    assert request["to"] == team.conversation.contact.phone
    assert request["template"]["name"] == "visit_reminder"
    values = [each["text"] for each in request["template"]["components"][0]["parameters"]]
    assert values == ["María", "Casa HE-118", "sábado 28"]


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("payment_reminder", "UTILITY"),
        ("after_your_visit", "UTILITY"),
        ("appointment_confirmation", "UTILITY"),
        ("new_listing", "MARKETING"),
    ],
)
def test_any_approved_template_serves(team, name, category):
    """
    This is useful for reminders, visit follow-ups, appointment confirmations, or any planned communication.
    """
    template = factories.TemplateFactory(channel=team.channel, name=name, category=category)
    assert schedule(team, template=template.pk).template == template


# Scheduling a follow-up ----------------------------------------------------------------------------


def test_links_lead_from_the_inbox_to_the_dialog(team):
    """You can schedule a follow-up directly from a conversation in the inbox:"""
    client = signed_in(team.agent)
    opened = only(r'class="row[^"]*" id="row-\d+" href="([^"]+)"', read(team.agent, "/inbox/", client=client))
    menu = only(r'<div class="menu" popover id="more">.*?</div>', read(team.agent, opened, client=client))
    link = only(r'href="([^"]+)"[^>]*>[^>]*<svg.*?Follow-up</a>', menu)
    assert "Schedule a follow-up" in words(read(team.agent, link, client=client))


def test_the_list_opens_the_contacts_conversation(team):
    """Open the conversation of the contact you want to send the follow-up to."""
    entry = only(r'<a class="row.*?</a>', read(team.agent, "/inbox/"))
    assert "María Jiménez" in words(entry)
    assert inbox(team) in entry
    assert only(r"<h1[^>]*>([^<]+)</h1>", read(team.agent, inbox(team)).split('class="toolbar"')[1]) == (
        "María Jiménez"
    )


def test_the_toolbar_has_more_actions(team):
    """In the toolbar, click the More actions button (three horizontal dots icon)."""
    toolbar = only(r'<header class="toolbar".*?</header>', read(team.agent, inbox(team)))
    button, picture = re.search(
        r'(<button[^>]*aria-label="More actions"[^>]*>)(.*?)</button>', toolbar
    ).groups()
    assert picture == icon("ellipsis")
    assert 'popovertarget="more"' in button


def test_its_menu_has_follow_up_for_those_who_may_schedule(team):
    """Select Follow-up from the dropdown menu."""
    menu = only(r'<div class="menu" popover id="more">.*?</div>', read(team.agent, inbox(team)))
    assert words(only(rf'<a href="{dialog(team)}".*?</a>', menu)) == "Follow-up"
    assert "Follow-up</a>" not in read(team.viewer, inbox(team))
    assert signed_in(team.viewer).get(dialog(team)).status_code == 403


# Select a template ---------------------------------------------------------------------------------


def test_a_dialog_offers_approved_templates_and_insists_on_one(team):
    """A dialog opens where you must choose an approved WhatsApp template."""
    factories.TemplateFactory(channel=team.channel, name="welcome")
    for status in ("PENDING", "REJECTED", "PAUSED", "DISABLED"):
        factories.TemplateFactory(channel=team.channel, name=status.lower(), status=status)
    html = read(team.agent, dialog(team), headers=HTMX)
    assert html.startswith("<dialog")
    assert re.findall(r'class="option".*?class="name">(\w+)<', html) == ["visit_reminder", "welcome"]
    assert "Choose a template." in refused(team, template="")


def test_each_parameter_has_a_field_that_must_be_filled_in(team):
    """If the template has parameters (variables), fill in the values for each one."""
    fields = re.findall(r'<input type="text" name="(p-[^"]+)"', read(team.agent, dialog(team)))
    assert fields == ["p-body-1", "p-body-2", "p-body-3"]
    for field in fields:
        assert "Fill this in." in refused(team, **{field: " "})


# Choose date and time ------------------------------------------------------------------------------


def test_a_follow_up_without_a_time_is_not_scheduled(team):
    """Select when to send the follow-up."""
    assert "Choose when to send it." in refused(team, when="")


def test_the_choices_for_when(team):
    """You can use one of the quick options or choose a custom date:"""
    choices = re.findall(
        r'<input type="radio" name="when"[^>]*><b>([^<]+)</b>', read(team.agent, dialog(team))
    )
    assert choices == ["Tomorrow 9:00 AM", "In 2 days 10:00 AM", "In 1 week 9:00 AM", "Custom date"]


def test_tomorrow(team, friday):
    """| Tomorrow 9:00 AM | Schedules the send for tomorrow morning |"""
    follow_up = schedule(team, when="tomorrow_9")
    assert cell(team.agent, follow_up, "Scheduled For") == "Sat 21 Nov, 9:00 AM tomorrow"


def test_in_2_days(team, friday):
    """| In 2 days 10:00 AM | Schedules for the day after tomorrow mid-morning |"""
    follow_up = schedule(team, when="in_2_days_10")
    assert cell(team.agent, follow_up, "Scheduled For") == "Sun 22 Nov, 10:00 AM in 2 days"


def test_in_1_week(team, friday):
    """| In 1 week 9:00 AM | Schedules for 7 days from now |"""
    follow_up = schedule(team, when="in_1_week_9")
    assert cell(team.agent, follow_up, "Scheduled For") == "Fri 27 Nov, 9:00 AM in 7 days"


def test_the_pickers_set_a_custom_date(team, friday):
    """For a custom date, use the date and time pickers."""
    html = read(team.agent, dialog(team))
    assert 'type="date"' in only(r'<input[^>]*name="date"[^>]*>', html)
    assert 'type="time"' in only(r'<input[^>]*name="time"[^>]*>', html)
    follow_up = schedule(team, when="custom", date="2026-12-04", time="16:30")
    assert cell(team.agent, follow_up, "Scheduled For") == "Fri 4 Dec, 4:30 PM in 14 days"


@pytest.mark.parametrize("length", [0, 1, 500])
def test_a_note_may_be_left_out_or_have_500_characters(team, length):
    """Optionally, add a note (maximum 500 characters) explaining the reason for the follow-up."""
    assert schedule(team, note="ñ" * length).note == "ñ" * length


def test_a_note_of_501_characters_is_refused(team):
    """Optionally, add a note (maximum 500 characters) explaining the reason for the follow-up."""
    html = refused(team, note="ñ" * 501)
    assert "Shorten the note to 500 characters: it has 501." in html
    assert "ñ" * 501 in html, "nothing that was typed is lost"


def test_the_note_stays_in_the_team(team, stranger, meta):
    """This note is internal and only visible to your team."""
    assert "Only your team sees this" in words(read(team.agent, dialog(team)))
    follow_up = come_due(schedule(team, note="Traen al perrito"))
    tick()
    assert len(meta.requests) == 1
    assert "perrito" not in json.dumps(meta.requests)
    assert "perrito" not in str(list(Message.objects.values()))
    assert "perrito" not in read(team.agent, inbox(team))
    for member in (team.admin, team.other_agent, team.viewer):
        assert "Traen al perrito" in cell(member, follow_up, "Note")
    assert "perrito" not in read(stranger.admin)
    elsewhere = reverse("followups:detail", args=[follow_up.pk])
    assert signed_in(stranger.admin).get(elsewhere).status_code == 404


def test_only_schedule_schedules(team):
    """Click Schedule to confirm."""
    html = read(team.agent, dialog(team), headers=HTMX)
    assert (
        words(only(r'<button class="btn btn--primary" type="submit"[^>]*>.*?</button>', html)) == "Schedule"
    )
    check = reverse("followups:check", args=[team.conversation.pk])
    signed_in(team.agent).post(check, fill_in(team), headers=HTMX)
    assert not FollowUp.objects.exists()
    assert schedule(team).status == Status.PENDING


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["dialog", "page"])
def test_a_message_confirms_what_will_be_sent_and_when(team, friday, headers):
    """You'll see a confirmation message indicating the follow-up was scheduled successfully."""
    answer = signed_in(team.agent).post(dialog(team), fill_in(team), headers=headers, follow=True)
    if headers:
        toast = json.loads(answer["HX-Trigger"])["toast"]
        said = f"{toast['title']} {toast['text']}"
    else:
        said = words(only(r'<div class="toasts" id="toasts".*?<template', html_of(answer)))
    assert "Follow-up scheduled visit_reminder goes to María Jiménez on Fri 27 Nov at 9:00 AM." in said


@pytest.mark.parametrize("ahead", [5 * DAY, 5 * DAY + MINUTE, 90 * DAY - MINUTE, 90 * DAY], ids=str)
def test_a_custom_date_within_the_window_is_taken(team, friday, ahead):
    """The scheduled date must be between 5 and 90 days in the future."""
    assert schedule(team, **at(team, NOW + ahead)).scheduled_for == NOW + ahead


@pytest.mark.parametrize("ahead", [-DAY, 5 * DAY - MINUTE, 90 * DAY + MINUTE, 400 * DAY], ids=str)
def test_a_custom_date_outside_the_window_is_refused(team, friday, ahead):
    """The scheduled date must be between 5 and 90 days in the future."""
    said = "Choose a time from Wed 25 Nov, 9:15 AM to Thu 18 Feb 2027, 9:15 AM."
    assert said in refused(team, **at(team, NOW + ahead))


@pytest.mark.parametrize("ahead", [MINUTE, HOUR, 3 * HOUR, 12 * HOUR, DAY], ids=str)
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["dialog", "page"])
def test_no_custom_date_is_in_the_next_few_hours(team, friday, ahead, headers):
    """You cannot schedule follow-ups for the next few hours."""
    data = fill_in(team, **at(team, NOW + ahead))
    for path in (dialog(team), reverse("followups:check", args=[team.conversation.pk])):
        answer = signed_in(team.agent).post(path, data, headers=headers)
        assert "Choose a time from Wed 25 Nov, 9:15 AM" in html_of(answer)
    assert not FollowUp.objects.exists()


@pytest.mark.parametrize("option", ["tomorrow_9", "in_2_days_10", "in_1_week_9"])
def test_no_quick_option_is_in_the_next_few_hours_even_just_before_midnight(team, friday, option):
    """You cannot schedule follow-ups for the next few hours."""
    friday.move_to(NOW.replace(hour=5, minute=59) + DAY, tick=False)  # 11:59 PM in Costa Rica
    soon = (timezone.now() + HOUR).isoformat()
    assert "now means" in refused(team, when=option, **{f"shown_{option}": soon})
    assert schedule(team, when=option).scheduled_for > timezone.now() + 9 * HOUR


def test_neither_a_made_up_option_nor_a_setting_nor_the_operators_admin_opens_another_way(team):
    """You cannot schedule follow-ups for the next few hours."""
    assert "Choose one of the times below" in refused(team, when="in_1_hour")
    team.organization.min_days = 0
    with pytest.raises(ValidationError, match="min_days"):
        team.organization.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        team.organization.save()
    operator = factories.MembershipFactory(user__is_staff=True, user__is_superuser=True)
    assert signed_in(operator).get("/admin/followups/followup/add/").status_code == 403


# Follow-ups page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inbox/", INDEX, "/templates/", "/notifications/"])
def test_the_sidebar_has_follow_ups_on_every_page(team, path):
    """The follow-ups page is available in the sidebar under Follow-ups (calendar with clock icon)."""
    entry = only(rf'<a href="{INDEX}"[^>]*>.*?</a>', only(r"<nav.*?Main.*?</nav>", read(team.viewer, path)))
    assert words(entry) == "Follow-ups"
    assert icon("calendar-clock") in entry


def test_the_page_is_the_whole_organizations_and_no_one_elses(team, stranger):
    """Here you can view and manage all scheduled follow-ups for your organization."""
    mine, colleagues = make(team), make(team, created_by=team.other_agent.user)
    theirs = make(stranger)
    html = read(team.admin)
    assert row(html, mine)
    assert row(html, colleagues)
    assert f'id="followup-{theirs.pk}"' not in html
    press(team.admin, "Cancel", colleagues)
    assert cell(team.admin, colleagues, "Status").startswith("Canceled")


# Follow-ups table ----------------------------------------------------------------------------------


def test_the_columns_in_their_order(team):
    """The table shows the following information for each follow-up:"""
    follow_up = make(team)
    shown = cells(read(team.agent), follow_up)
    assert list(shown) == ["Contact", "Template", "Scheduled For", "Created By", "Status", "Note", "Actions"]


def test_contact_column(team):
    """| Contact | Name and phone number of the target contact |"""
    contact = team.conversation.contact
    contact.phone = "+50688881234"
    contact.save()
    assert cell(team.agent, make(team), "Contact") == "María Jiménez +506 8888 1234"


def test_template_column(team):
    """| Template | Name of the WhatsApp template that will be sent |"""
    assert cell(team.agent, make(team), "Template") == "visit_reminder Spanish"


def test_scheduled_for_column(team, friday):
    """| Scheduled For | Date and time when the message will be sent |"""
    follow_up = make(team, scheduled_for=dt.datetime(2026, 12, 1, 20, 30, tzinfo=dt.UTC))
    assert cell(team.agent, follow_up, "Scheduled For") == "Tue 1 Dec, 2:30 PM in 11 days"


def test_created_by_column(team):
    """| Created By | Team member who scheduled the follow-up |"""
    assert cell(team.viewer, schedule(team), "Created By") == team.agent.user.name


def test_status_column(team):
    """| Status | Current status of the follow-up |"""
    follow_up = make(team)
    assert cell(team.agent, follow_up, "Status") == "Pending"
    press(team.agent, "Cancel", follow_up)
    assert cell(team.agent, follow_up, "Status").startswith("Canceled")


def test_note_column(team):
    """| Note | Optional internal note (shown truncated, hover to see full text) |"""
    note = "They land on the 24th. Send the new listing, and ask about parking for two cars."
    noted, without = make(team, note=note), make(team)
    html = cells(read(team.agent), noted)["Note"]
    button, short = re.search(r"(<button[^>]*>)(.*?)</button>", html).groups()
    assert " truncate" in button
    assert f'popovertarget="note-{noted.pk}"' in button
    assert "data-hint" in button, "what opens it on hover and focus: see tests/browser"
    assert short == only(rf'popover id="note-{noted.pk}"[^>]*>(.*?)</div>', html) == note
    assert cell(team.agent, without, "Note") == ""


def test_actions_column(team):
    """| Actions | Action buttons based on status |"""
    pending, failed = make(team), make(team, status="failed")
    assert actions(team.agent, pending) == ["Cancel", "View"]
    assert actions(team.agent, failed) == ["Retry", "View"]


# Filter by status ----------------------------------------------------------------------------------


@pytest.fixture
def one_of_each(team) -> dict[str, FollowUp]:
    return {status.value: make(team, status=status) for status in Status}


def under(tab: str, team, rows: dict[str, FollowUp]) -> set[str]:
    """Open the tab of this name and return the statuses of the rows shown there."""
    client = signed_in(team.viewer)
    html = read(team.viewer, tabs(read(team.viewer, client=client))[tab].replace("&amp;", "&"), client=client)
    assert only(r'<a href="[^"]*" aria-current="page">(\w+) <span>', html) == tab
    return {status for status, follow_up in rows.items() if f'id="followup-{follow_up.pk}"' in html}


def test_the_tabs_in_their_order_above_the_table(team, one_of_each):
    """Use the tabs at the top to filter follow-ups by status:"""
    html = read(team.viewer)
    assert list(tabs(html)) == ["All", "Pending", "Sent", "Failed", "Canceled"]
    assert html.index('id="followups-tabs"') < html.index("<table")


def test_all_tab(team, one_of_each):
    """- All --- Shows all follow-ups"""
    assert under("All", team, one_of_each) == {"pending", "processing", "sent", "failed", "canceled"}


def test_pending_tab(team, one_of_each):
    """- Pending --- Follow-ups waiting to be sent"""
    assert under("Pending", team, one_of_each) == {"pending", "processing"}


def test_sent_tab(team, one_of_each):
    """- Sent --- Successfully sent follow-ups"""
    assert under("Sent", team, one_of_each) == {"sent"}


def test_failed_tab(team, one_of_each):
    """- Failed --- Follow-ups that could not be sent"""
    assert under("Failed", team, one_of_each) == {"failed"}


def test_canceled_tab(team, one_of_each):
    """- Canceled --- Manually canceled follow-ups"""
    assert under("Canceled", team, one_of_each) == {"canceled"}


# Follow-up statuses --------------------------------------------------------------------------------


def test_pending_waits_for_its_date(team, meta):
    """| Pending | Scheduled and waiting for the send date |"""
    follow_up = schedule(team)
    tick()
    assert cell(team.viewer, follow_up, "Status") == "Pending"
    assert meta.requests == []


@pytest.mark.django_db(transaction=True)
def test_processing_shows_while_meta_is_being_called_and_no_longer(team, meta):
    """| Processing | Currently being sent (transient state) |"""
    follow_up = come_due(make(team))
    seen = []

    def look_meanwhile(_request):
        close_old_connections()
        try:
            seen.append(cell(team.viewer, follow_up, "Status"))
        finally:
            connection.close()
        return 200, accepted("wamid.MEANWHILE")

    meta.answer(look_meanwhile)
    tick()
    assert seen == ["Processing"]
    assert cell(team.viewer, follow_up, "Status") == "Sent"


def test_sent_means_that_whatsapp_has_taken_it(team, meta):
    """| Sent | Successfully sent to the contact via WhatsApp |"""
    follow_up = come_due(make(team))
    tick()
    assert [request["to"] for request in meta.requests] == [team.conversation.contact.phone]
    assert cell(team.viewer, follow_up, "Status") == "Sent"


def test_failed_after_several_retries_says_why(team, meta):
    """| Failed | Could not be sent after several retries |"""
    follow_up = hit_the_rate_limit(meta, make(team), times=4)
    what_happened = headline(follow_up.failure)
    assert "rate limit" in what_happened
    assert cell(team.viewer, follow_up, "Status") == f"Failed {what_happened}"
    assert len(meta.requests) == 4


def test_canceled_says_by_whom(team, friday):
    """| Canceled | Manually canceled by a team member |"""
    follow_up = make(team)
    press(team.admin, "Cancel", follow_up)
    first_name = team.admin.user.first_name
    assert cell(team.viewer, follow_up, "Status") == f"Canceled by {first_name}, 20 Nov"


# Available actions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("admin", [["Cancel", "View"], ["View"], ["View"], ["Retry", "View", "Delete"], ["View", "Delete"]]),
        ("agent", [["Cancel", "View"], ["View"], ["View"], ["Retry", "View"], ["View"]]),
        ("viewer", [["View"], ["View"], ["View"], ["View"], ["View"]]),
    ],
)
def test_the_buttons_of_every_status(team, one_of_each, role, expected):
    """Available actions depend on the follow-up's status:"""
    assert list(one_of_each) == ["pending", "processing", "sent", "failed", "canceled"]
    assert [actions(team.member(role), follow_up) for follow_up in one_of_each.values()] == expected


def test_a_pending_follow_up_can_be_canceled_and_is_then_not_sent(team, meta):
    """- Pending: You can cancel the follow-up before it's sent"""
    follow_up = make(team)
    question = words(read(team.agent, reverse("followups:cancel", args=[follow_up.pk])))
    assert "Cancel this follow-up? María Jiménez won’t get visit_reminder" in question
    assert "María Jiménez won’t get visit_reminder." in words(press(team.agent, "Cancel", follow_up))
    tick()
    assert meta.requests == []


def test_a_failed_follow_up_can_be_retried_in_5_minutes(team, friday):
    """- Failed: You can retry the send (rescheduled for 5 minutes in the future)"""
    follow_up = make(team, status="failed")
    assert "María Jiménez will get visit_reminder at 9:20 AM." in words(press(team.agent, "Retry", follow_up))
    assert cell(team.agent, follow_up, "Scheduled For") == "Fri 20 Nov, 9:20 AM in 5 minutes"
    assert cell(team.agent, follow_up, "Status") == "Pending"


@pytest.mark.parametrize("status", list(Status))
def test_view_opens_the_conversation(team, status):
    """- All statuses: You can click View to open the associated conversation"""
    follow_up = make(team, status=status)
    shown = cells(read(team.viewer), follow_up)["Actions"]
    assert only(r'href="([^"]+)"[^>]*>View</a>', shown) == inbox(team)
    assert "<title>María Jiménez" in read(team.viewer, inbox(team))


@pytest.mark.parametrize("status", ["canceled", "failed"])
def test_only_admins_delete(team, status):
    """Only admins can delete canceled or failed follow-ups."""
    follow_up = make(team, status=status)
    for member in (team.agent, team.viewer):
        assert "Delete" not in actions(member, follow_up)
        answer = signed_in(member).post(reverse("followups:delete", args=[follow_up.pk]))
        assert answer.status_code == 403
    assert f'id="followup-{follow_up.pk}"' not in press(team.admin, "Delete", follow_up)


@pytest.mark.parametrize("status", ["pending", "processing", "sent"])
def test_nothing_else_is_deleted_not_even_by_admins(team, status):
    """Only admins can delete canceled or failed follow-ups."""
    follow_up = make(team, status=status)
    assert "Delete" not in actions(team.admin, follow_up)
    answer = signed_in(team.admin).post(reverse("followups:delete", args=[follow_up.pk]))
    assert answer.status_code == 409
    assert row(read(team.admin), follow_up)


@pytest.mark.parametrize(("status", "action"), [("pending", "Cancel"), ("failed", "Retry")])
def test_agents_act_on_what_they_scheduled_themselves(team, status, action):
    """Agents can cancel and retry their own follow-ups."""
    own, colleagues = make(team, status=status), make(team, status=status, created_by=team.other_agent.user)
    assert actions(team.agent, colleagues) == ["View"]
    url = reverse(f"followups:{action.lower()}", args=[colleagues.pk])
    assert signed_in(team.agent).post(url).status_code == 403
    assert FollowUp.objects.get(pk=colleagues.pk).status == status
    press(team.agent, action, own)
    assert FollowUp.objects.get(pk=own.pk).status != status


# Automatic retries ---------------------------------------------------------------------------------


def test_a_rate_limit_is_followed_by_a_retry_without_anybodys_help(team, meta):
    """
    When a follow-up fails due to a temporary error (such as WhatsApp API rate limits), Trochai
    automatically retries with incremental intervals:
    """
    follow_up = hit_the_rate_limit(meta, make(team), times=1)
    assert cell(team.agent, follow_up, "Status").startswith("Pending Retry 1 of 3 at ")
    come_due(follow_up)
    tick()
    assert cell(team.agent, follow_up, "Status") == "Sent"


def test_first_retry(team, meta):
    """- 1st retry: 5 minutes later"""
    assert until_next_attempt(hit_the_rate_limit(meta, make(team), times=1)) == 5 * MINUTE


def test_second_retry(team, meta):
    """- 2nd retry: 15 minutes later"""
    assert until_next_attempt(hit_the_rate_limit(meta, make(team), times=2)) == 15 * MINUTE


def test_third_retry(team, meta):
    """- 3rd retry: 60 minutes later"""
    assert until_next_attempt(hit_the_rate_limit(meta, make(team), times=3)) == 60 * MINUTE


def test_after_three_retries_it_is_failed_and_a_person_may_retry_it(team, meta):
    """
    If the send fails after 3 retries, the follow-up is marked as Failed and you can retry it manually from
    the table.
    """
    follow_up = hit_the_rate_limit(meta, make(team), times=4)
    tick()
    assert len(meta.requests) == 4, "nothing retries it any more"
    assert cell(team.agent, follow_up, "Status").startswith("Failed")
    before = timezone.now()
    press(team.agent, "Retry", follow_up)
    follow_up.refresh_from_db()
    assert before + 5 * MINUTE <= follow_up.scheduled_for <= timezone.now() + 5 * MINUTE
    come_due(follow_up)
    tick()
    assert cell(team.agent, follow_up, "Status") == "Sent"


# Automatic processing ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_beat_starts_the_job_every_minute():
    """Scheduled follow-ups are processed automatically every minute."""
    entry = PeriodicTask.objects.get(task="followups.tasks.send_due_follow_ups")
    when = entry.crontab
    every = (when.minute, when.hour, when.day_of_month, when.month_of_year, when.day_of_week)
    assert every == ("*", "*", "*", "*", "*")
    assert entry.enabled
    assert not entry.one_off
    app.loader.import_default_modules()
    assert entry.task in app.tasks


def test_the_first_run_at_or_after_that_time_sends_it(team, meta):
    """When the scheduled date and time arrives:"""
    early, due = make(team, scheduled_for=timezone.now() + MINUTE), come_due(make(team))
    tick()
    assert cell(team.agent, early, "Status") == "Pending"
    assert cell(team.agent, due, "Status") == "Sent"


def test_meta_is_handed_the_template_message(team, meta):
    """- The system sends the template message to the contact via WhatsApp"""
    come_due(make(team))
    tick()
    (request,) = meta.requests
    assert (request["messaging_product"], request["type"]) == ("whatsapp", "template")
    assert request["to"] == team.conversation.contact.phone
    assert request["template"]["language"]["code"] == "es"


def test_the_conversation_shows_the_message_as_the_contact_got_it(team, meta):
    """- The message is recorded in the conversation history"""
    come_due(make(team))
    tick()
    thread = words(only(r'<div class="messages" id="messages".*', read(team.viewer, inbox(team))))
    assert "Sent by follow-up · visit_reminder" in thread
    assert "Hola María, le recordamos su visita a Casa EC-204 el sábado 28." in thread


def test_the_conversation_moves_to_the_top_of_the_inbox(team, meta):
    """- The conversation's last message date is updated"""
    newer = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    order = [f"row-{newer.pk}", f"row-{team.conversation.pk}"]
    assert re.findall(r'id="(row-\d+)"', read(team.agent, "/inbox/")) == order
    come_due(make(team))
    before = timezone.now()
    tick()
    team.conversation.refresh_from_db()
    assert before <= team.conversation.last_message_at <= timezone.now()
    assert re.findall(r'id="(row-\d+)"', read(team.agent, "/inbox/")) == order[::-1]


def test_the_creators_bell_rings(team, meta):
    """- A notification is sent to the follow-up creator"""
    come_due(make(team))
    tick()
    assert "1 new" in words(read(team.agent, "/notifications/bell/"))
    assert "Follow-up sent to María Jiménez: visit_reminder" in words(read(team.agent, "/notifications/"))
    for member in (team.other_agent, team.admin, team.viewer):
        assert "new" not in words(read(member, "/notifications/bell/"))


# Related pages -------------------------------------------------------------------------------------


def test_conversations_are_managed_in_the_inbox(team):
    """- Conversations --- conversation management"""
    url = reverse("conversations:update", args=[team.conversation.pk])
    signed_in(team.agent).post(url, {"status": "in_progress", "assignee": team.other_agent.user_id})
    html = read(team.viewer, inbox(team))
    assert words(only(r'<header class="toolbar".*?</header>', html)).endswith(
        f"In progress {team.other_agent.user.name}"
    )


def test_templates_are_created_at_whatsapp_and_managed_here(team):
    """- Templates --- create and manage WhatsApp templates"""
    assert "visit_reminder" in words(only(r'<ul class="cards">.*?</ul>', read(team.agent, "/templates/")))
    assert reverse("templates:sync") in read(team.agent, "/templates/")
    team.template.delete()
    assert "Create them in WhatsApp Manager" in words(read(team.agent, "/templates/"))


def test_a_closed_window_keeps_nobody_from_scheduling_nor_a_follow_up_from_leaving(team, meta):
    """- 24-Hour Window --- follow-ups use templates, so they don't require an open window"""
    page = read(team.agent, inbox(team))
    assert "The 24-hour window is closed" in page
    assert 'class="composer"' not in page
    follow_up = come_due(schedule(team))
    tick()
    assert meta.requests[0]["type"] == "template"
    assert cell(team.agent, follow_up, "Status") == "Sent"


# The page itself -----------------------------------------------------------------------------------


def test_every_sentence_of_the_help_page_is_quoted_above_in_its_order():
    tests = [value for name, value in vars(sys.modules[__name__]).items() if name.startswith("test_")]
    quoted = " ".join(" ".join((test.__doc__ or "").split()) for test in tests)
    position, missing = 0, []
    for sentence in HELP_PAGE:
        found = quoted.find(sentence, position)
        if found < 0:
            missing.append(sentence)
        else:
            position = found + len(sentence)
    assert missing == []
