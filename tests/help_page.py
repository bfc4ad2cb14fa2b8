"""The product's help page, sentence by sentence, and how its tests read and press what a person would."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from followups.models import FollowUp
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import Membership

# Every sentence, table row and bullet, in the page's order; headings stand as comments.
HELP_PAGE = (
    "Schedule template messages to be automatically sent to your contacts at a future date and time.",
    # Scheduled Follow-ups
    (
        "Scheduled follow-ups allow you to schedule WhatsApp template messages to be automatically sent to "
        "your contacts at a future date and time."
    ),
    (
        "This is useful for reminders, visit follow-ups, appointment confirmations, or any planned "
        "communication."
    ),
    # Scheduling a follow-up
    "You can schedule a follow-up directly from a conversation in the inbox:",
    "Open the conversation of the contact you want to send the follow-up to.",
    "In the toolbar, click the More actions button (three horizontal dots icon).",
    "Select Follow-up from the dropdown menu.",
    # Select a template
    "A dialog opens where you must choose an approved WhatsApp template.",
    "If the template has parameters (variables), fill in the values for each one.",
    # Choose date and time
    "Select when to send the follow-up.",
    "You can use one of the quick options or choose a custom date:",
    "| Tomorrow 9:00 AM | Schedules the send for tomorrow morning |",
    "| In 2 days 10:00 AM | Schedules for the day after tomorrow mid-morning |",
    "| In 1 week 9:00 AM | Schedules for 7 days from now |",
    "For a custom date, use the date and time pickers.",
    "Optionally, add a note (maximum 500 characters) explaining the reason for the follow-up.",
    "This note is internal and only visible to your team.",
    "Click Schedule to confirm.",
    "You'll see a confirmation message indicating the follow-up was scheduled successfully.",
    "The scheduled date must be between 5 and 90 days in the future.",
    "You cannot schedule follow-ups for the next few hours.",
    # Follow-ups page
    "The follow-ups page is available in the sidebar under Follow-ups (calendar with clock icon).",
    "Here you can view and manage all scheduled follow-ups for your organization.",
    # Follow-ups table
    "The table shows the following information for each follow-up:",
    "| Contact | Name and phone number of the target contact |",
    "| Template | Name of the WhatsApp template that will be sent |",
    "| Scheduled For | Date and time when the message will be sent |",
    "| Created By | Team member who scheduled the follow-up |",
    "| Status | Current status of the follow-up |",
    "| Note | Optional internal note (shown truncated, hover to see full text) |",
    "| Actions | Action buttons based on status |",
    # Filter by status
    "Use the tabs at the top to filter follow-ups by status:",
    "- All --- Shows all follow-ups",
    "- Pending --- Follow-ups waiting to be sent",
    "- Sent --- Successfully sent follow-ups",
    "- Failed --- Follow-ups that could not be sent",
    "- Canceled --- Manually canceled follow-ups",
    # Follow-up statuses
    "| Pending | Scheduled and waiting for the send date |",
    "| Processing | Currently being sent (transient state) |",
    "| Sent | Successfully sent to the contact via WhatsApp |",
    "| Failed | Could not be sent after several retries |",
    "| Canceled | Manually canceled by a team member |",
    # Available actions
    "Available actions depend on the follow-up's status:",
    "- Pending: You can cancel the follow-up before it's sent",
    "- Failed: You can retry the send (rescheduled for 5 minutes in the future)",
    "- All statuses: You can click View to open the associated conversation",
    "Only admins can delete canceled or failed follow-ups.",
    "Agents can cancel and retry their own follow-ups.",
    # Automatic retries
    (
        "When a follow-up fails due to a temporary error (such as WhatsApp API rate limits), Trochai "
        "automatically retries with incremental intervals:"
    ),
    "- 1st retry: 5 minutes later",
    "- 2nd retry: 15 minutes later",
    "- 3rd retry: 60 minutes later",
    (
        "If the send fails after 3 retries, the follow-up is marked as Failed and you can retry it manually "
        "from the table."
    ),
    # Automatic processing
    "Scheduled follow-ups are processed automatically every minute.",
    "When the scheduled date and time arrives:",
    "- The system sends the template message to the contact via WhatsApp",
    "- The message is recorded in the conversation history",
    "- The conversation's last message date is updated",
    "- A notification is sent to the follow-up creator",
    # Related pages
    "- Conversations --- conversation management",
    "- Templates --- create and manage WhatsApp templates",
    "- 24-Hour Window --- follow-ups use templates, so they don't require an open window",
)

HTMX = {"HX-Request": "true"}
INDEX = "/followups/"


def read(member: Membership, path: str = INDEX, *, client: Client | None = None, **options: Any) -> str:
    """Return the page that this member sees at ``path``."""
    answer = (client or signed_in(member)).get(path, **options)
    assert answer.status_code == 200
    return html_of(answer)


def words(html: str) -> str:
    """Return what people read: no tags, no ornaments, white space folded."""
    html = re.sub(r'<(\w+)[^>]*aria-hidden="true"[^>]*>.*?</\1>', " ", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def only(pattern: str, html: str) -> str:
    """Return the one place in ``html`` that fits the pattern: its group, or all of it."""
    places = re.findall(pattern, html, re.S)
    assert len(places) == 1, f"{len(places)} places fit {pattern}"
    return places[0]


# The follow-ups table ------------------------------------------------------------------------------


def row(html: str, follow_up: FollowUp) -> str:
    return only(rf'<tr [^>]*id="followup-{follow_up.pk}".*?</tr>', html)


def cells(html: str, follow_up: FollowUp) -> dict[str, str]:
    """Return the HTML of the follow-up's cells by column heading, in order; the one to tick it has none."""
    headings = re.findall(r'role="columnheader"[^>]*>([^<]+)<', html)
    found = [match[0] for match in re.finditer(r"<(th|td)\b.*?</\1>", row(html, follow_up), re.S)]
    found = [each for each in found if not each.startswith('<td class="check"')]
    return dict(zip(headings, found, strict=True))


def cell(member: Membership, follow_up: FollowUp, heading: str) -> str:
    """Return what this member reads in one cell."""
    return words(cells(read(member), follow_up)[heading])


def actions(member: Membership, follow_up: FollowUp) -> list[str]:
    """Return the names of the buttons that this member finds in the follow-up's row, but for its menu."""
    shown = re.sub(
        r'<button[^>]*popovertarget="more-.*?</div>',
        "",
        cells(read(member), follow_up)["Actions"],
        flags=re.S,
    )
    buttons = re.findall(r"<(?:a|button)\b[^>]*>", shown)
    return [only(r'aria-label="(\w+) ', button) for button in buttons]


def press(member: Membership, action: str, follow_up: FollowUp) -> str:
    """Press a button of the follow-up's row, confirm if it asks, and return the page that follows."""
    client = signed_in(member)
    shown = cells(read(member, client=client), follow_up)["Actions"]
    url = only(rf'(?:href|action)="([^"?]+/{action.lower()}/)', shown)
    answer = client.post(url, follow=True)
    assert answer.status_code == 200
    return html_of(answer)


def tabs(html: str) -> dict[str, str]:
    """Return the addresses of the tabs by name, in order."""
    bar = only(r'<nav class="tabs" id="followups-tabs".*?</nav>', html)
    return {name: url for url, name in re.findall(r'<a href="([^"]+)"[^>]*>(\w+) <span>', bar)}
