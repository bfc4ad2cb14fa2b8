"""The sheet beside a conversation: who the contact is, and what the team keeps on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet, prefetch_related_objects
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from conversations.media.shown import ShownFile, shown
from conversations.models import (
    AttachmentState,
    Contact,
    Conversation,
    Direction,
    Identity,
    Message,
    MessageKind,
    OptOutSource,
)
from conversations.pages.local_time import MOST_TIMES, times_there
from templates_app.components import ASKS_NUMBER
from templates_app.models import Template
from trochai.accounts.access import MemberRequest
from trochai.paging import Count, count_of
from trochai.ui import formatting
from trochai.ui.formatting import isolated
from trochai.whatsapp import phone_numbers

# Each returns HTML, a section with an id, or nothing. Apps above add theirs in ``ready()``.
Section = Callable[[MemberRequest, Conversation, dt.datetime], str]
sections: list[Section] = []

MOST_NOTES = 20
FEW_FILES = 4
MOST_FILES = 100
# As the index ``message_file`` has them: what is looked at or saved, and no voice notes.
FILE_KINDS = ("image", "video", "document")


@dataclass(frozen=True)
class ContactSheet:
    """``notes`` and ``files`` are the newest, newest first; ``file_count`` is of all."""

    conversation: Conversation
    identity: Identity | None
    local_time: str
    since: str
    agreed: str
    opted_out: str
    asks_number_with: Template | None
    notes: list[Message]
    files: list[ShownFile]
    file_count: Count
    # What the apps above add.
    others: SafeString

    @property
    def user_id(self) -> str:
        """What somebody without a number is written to by."""
        shown_id = self.identity is not None and not self.conversation.contact.phone
        return self.identity.user_id if self.identity is not None and shown_id else ""

    @property
    def usual_zones(self) -> str:
        """Where somebody is of whom nothing else is noted."""
        zones = phone_numbers.zones(self.conversation.contact.phone)
        if len(zones) > MOST_TIMES:
            return _("Several, by the number")
        return _(" or ").join(zone.key for zone in zones) or self.conversation.organization.timezone

    @property
    def on_whatsapp(self) -> str:
        """What the contact is called there: the name, and the username if there is one."""
        names = [isolated(self.conversation.contact.profile_name)]
        if self.identity is not None and self.identity.username:
            names.append(f"@{isolated(self.identity.username)}")
        return " · ".join(filter(None, names))


def contact_sheet(request: MemberRequest, conversation: Conversation, now: dt.datetime) -> ContactSheet:
    """Return what the sheet shows. The number of database queries is fixed."""
    contact = conversation.contact
    identities = Identity.objects.filter(contact=contact, portfolio=conversation.channel.portfolio)
    identity = identities.filter(retired_at=None).order_by("-known_at", "-pk").first()
    return ContactSheet(
        conversation=conversation,
        identity=identity,
        local_time=_local_time(contact, now),
        since=_since(conversation, now),
        agreed=_agreed(conversation, now),
        opted_out=_opted_out(conversation, now),
        asks_number_with=None if contact.phone else _that_asks(conversation),
        notes=_notes(conversation),
        files=_files(conversation, FEW_FILES),
        file_count=count_of(_with_files(conversation), 99),
        others=format_html_join("", "{}", ([section(request, conversation, now)] for section in sections)),
    )


def all_files(conversation: Conversation) -> list[ShownFile]:
    """Return the newest ``MOST_FILES`` of the conversation's files that are here."""
    return _files(conversation, MOST_FILES)


def _notes(conversation: Conversation) -> list[Message]:
    internal = conversation.messages.filter(direction=Direction.NOTE, kind=MessageKind.INTERNAL)
    return list(internal.select_related("sent_by").order_by("-at", "-pk")[:MOST_NOTES])


def _with_files(conversation: Conversation) -> QuerySet[Message]:
    here = conversation.messages.filter(kind__in=FILE_KINDS, revoked_at=None)
    return here.filter(attachment__state=AttachmentState.READY)


def _files(conversation: Conversation, most: int) -> list[ShownFile]:
    messages = list(_with_files(conversation).order_by("-at", "-pk")[:most])
    prefetch_related_objects(messages, "attachment")
    return [file for message in messages if (file := shown(message)) is not None]


def _local_time(contact: Contact, now: dt.datetime) -> str:
    there = times_there(contact, now)
    return _("%(time)s, same as yours") % {"time": there} if there == formatting.clock_time(now) else there


def _since(conversation: Conversation, now: dt.datetime) -> str:
    """Since when the contact is known, and how."""
    contact = conversation.contact
    if contact.first_seen_at is not None:
        return _("Customer since %(month)s") % {"month": formatting.month(contact.first_seen_at, now)}
    return _("Added in %(month)s") % {"month": formatting.month(contact.created_at, now)}


def _agreed(conversation: Conversation, now: dt.datetime) -> str:
    """Who says that the contact agreed to get messages, and since when; nothing if nobody was asked."""
    contact = conversation.contact
    if contact.agreed_at is None:
        return ""
    day = formatting.day(contact.agreed_at, now)
    if contact.agreed_with is None:
        return _("Since %(day)s") % {"day": day}
    return _("Says %(member)s, %(day)s") % {"member": isolated(str(contact.agreed_with)), "day": day}


def _opted_out(conversation: Conversation, now: dt.datetime) -> str:
    """Since when the contact wants no more messages, and how that became known; nothing if they do."""
    contact = conversation.contact
    if contact.opted_out_at is None:
        return ""
    values = {"day": formatting.day(contact.opted_out_at, now), "by": ""}
    match contact.opt_out_source:
        case OptOutSource.WHATSAPP:
            return _("Switched off in WhatsApp, %(day)s") % values
        case OptOutSource.REFUSAL:
            return _("WhatsApp refused a message because of it, %(day)s") % values
        case OptOutSource.MEMBER if contact.opted_out_by is not None:
            return _("Noted by %(by)s, %(day)s") % {**values, "by": isolated(str(contact.opted_out_by))}
    return _("Since %(day)s") % values


def _that_asks(conversation: Conversation) -> Template | None:
    """Return a template whose button asks for the number, if one can be sent."""
    approved = Template.objects.for_channel(conversation.channel).approved()
    likely = approved.filter(components__icontains=ASKS_NUMBER)
    return next((each for each in likely if each.is_sendable and each.asks_for_number), None)
