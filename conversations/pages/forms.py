from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from conversations.models import Conversation, ConversationStatus
from trochai.accounts.models import Role, User

# WhatsApp Cloud API, "Text messages": the longest body.
TEXT_LENGTH = 4096


class MessageField(forms.CharField):
    """Browsers send a line break as two characters; WhatsApp counts one."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.replace("\r\n", "\n")
        return super().to_python(value)


class ReplyForm(forms.Form):
    text = MessageField(
        max_length=TEXT_LENGTH,
        error_messages={
            "required": _("Write a message first."),
            "max_length": _("WhatsApp takes at most %(limit_value)d characters; this has %(show_value)d."),
        },
    )
    # The same form sent twice makes one message.
    uuid = forms.UUIDField(required=False)


class TriageForm(forms.Form):
    """Status and assignee; either may be missing and is then left unchanged."""

    status = forms.ChoiceField(choices=ConversationStatus, required=False)

    def __init__(self, conversation: Conversation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"] = forms.ModelChoiceField(assignable(conversation), required=False)


def assignable(conversation: Conversation) -> QuerySet[User]:
    """Return who can be assigned, by name: neither viewers nor people who have left."""
    return (
        User.objects.filter(
            is_active=True,
            memberships__organization=conversation.organization_id,
            memberships__role__in=[Role.ADMIN, Role.AGENT],
        )
        .only("name", "email")
        .order_by("name", "pk")
    )
