"""What is said about a conversation itself: in the bell of whom it is given to, and in its thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
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


@bell.words_for(Kind.ASSIGNED, icon="user-round")
def assigned(values: Mapping[str, Any]) -> bell.Words:
    """Values: contact, by (a member's name)."""
    names = {name: isolated(value) for name, value in values.items()}
    return bell.Words(_("Assigned to you"), _("%(by)s gave you the conversation with %(contact)s") % names)


@notes.words_for(Kind.ASSIGNED, icon="user-round")
def assigned_line(values: Mapping[str, Any]) -> notes.Words:
    """Values: by (a member's name), to (another's, or nothing)."""
    names = {name: isolated(value) for name, value in values.items()}
    if not values["to"]:
        return notes.Words(_("%(by)s gave it to nobody in particular") % names)
    if values["to"] == values["by"]:
        return notes.Words(_("%(by)s took it") % names)
    return notes.Words(_("%(by)s assigned it to %(to)s") % names)


def announce_assigned(conversation: Conversation, *, to: User | None, by: User, now: dt.datetime) -> None:
    """Tell whom it was given to, unless that person took it, and say it in the thread."""
    url = reverse("conversations:conversation", args=[conversation.pk])
    names = {"by": str(by), "to": str(to or "")}
    notes.write(conversation, kind=Kind.ASSIGNED, values=names, url=url, at=now)
    if to is not None and to != by:
        contact = conversation.contact
        notify(
            organization=conversation.organization,
            recipients=[to],
            kind=Kind.ASSIGNED,
            values={"contact": contact.name or contact.display_phone, "by": str(by)},
            url=url,
            now=now,
        )
