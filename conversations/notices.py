"""What is said about a conversation itself: in the bell of whom it is given to, and in its thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from conversations import notes
from conversations.models import Conversation
from notifications import wording as bell
from notifications.notify import notify
from trochai.accounts.models import User
from trochai.ui.formatting import isolated


class Kind(StrEnum):
    """Stored, so never renamed."""

    ASSIGNED = "assigned"
    MENTIONED = "mentioned"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"


@bell.words_for(Kind.ASSIGNED, icon="user-round")
def assigned(values: Mapping[str, Any]) -> bell.Words:
    """Values: contact, by (a member's name)."""
    names = {name: isolated(value) for name, value in values.items()}
    return bell.Words(_("Assigned to you"), _("%(by)s gave you the conversation with %(contact)s") % names)


@bell.words_for(Kind.MENTIONED, icon="sticky-note")
def mentioned(values: Mapping[str, Any]) -> bell.Words:
    """Values: contact, by (a member's name)."""
    names = {name: isolated(value) for name, value in values.items()}
    return bell.Words(
        _("You were mentioned"), _("%(by)s named you in a note on the conversation with %(contact)s") % names
    )


@notes.words_for(Kind.ASSIGNED, icon="user-round")
def assigned_line(values: Mapping[str, Any]) -> notes.Words:
    """Values: by (a member's name), to (another's, or nothing)."""
    names = {name: isolated(value) for name, value in values.items()}
    if not values["to"]:
        return notes.Words(_("%(by)s gave it to nobody in particular") % names)
    if values["to"] == values["by"]:
        return notes.Words(_("%(by)s took it") % names)
    return notes.Words(_("%(by)s assigned it to %(to)s") % names)


@notes.words_for(Kind.OPTED_OUT, icon="bell-off")
def opted_out_line(values: Mapping[str, Any]) -> notes.Words:
    """Values: by (a member's name)."""
    return notes.Words(_("%(by)s noted that no more messages are wanted") % {"by": isolated(values["by"])})


@notes.words_for(Kind.OPTED_IN, icon="bell")
def opted_in_line(values: Mapping[str, Any]) -> notes.Words:
    """Values: by (a member's name)."""
    return notes.Words(_("%(by)s noted that messages are wanted again") % {"by": isolated(values["by"])})


def write_consent(conversation: Conversation, *, wants: bool, by: User, now: dt.datetime) -> None:
    """Say in the thread what a member has noted of the contact's wish."""
    conversation.show_in_list()
    kind = Kind.OPTED_IN if wants else Kind.OPTED_OUT
    notes.write(conversation, kind=kind, values={"by": str(by)}, url="", at=now)


def announce_assigned(conversation: Conversation, *, to: User | None, by: User, now: dt.datetime) -> None:
    """Tell whom it was given to, unless that person took it, and say it in the thread."""
    url = reverse("conversations:conversation", args=[conversation.pk])
    names = {"by": str(by), "to": str(to or "")}
    conversation.show_in_list()
    notes.write(conversation, kind=Kind.ASSIGNED, values=names, url=url, at=now)
    if to is not None and to != by:
        _tell(conversation, [to], kind=Kind.ASSIGNED, by=by, now=now)


def announce_mention(
    conversation: Conversation, people: Sequence[User], *, by: User, now: dt.datetime
) -> None:
    """Tell those whom a note names."""
    if people:
        _tell(conversation, people, kind=Kind.MENTIONED, by=by, now=now)


def _tell(
    conversation: Conversation, people: Sequence[User], *, kind: Kind, by: User, now: dt.datetime
) -> None:
    contact = conversation.contact
    notify(
        organization=conversation.organization,
        recipients=people,
        kind=kind,
        values={"contact": contact.name or contact.display_phone, "by": str(by)},
        url=reverse("conversations:conversation", args=[conversation.pk]),
        now=now,
    )
