from __future__ import annotations

import uuid
import zoneinfo
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from conversations.media.uploads import MOST_FILES
from conversations.models import Contact, Conversation, ConversationStatus, SavedReply, Tag
from trochai.accounts.models import Role, User
from trochai.search import fold
from trochai.ui.formatting import plain

# WhatsApp Cloud API, "Text messages": the longest body.
TEXT_LENGTH = 4096


class MessageField(forms.CharField):
    """Browsers send a line break as two characters; WhatsApp counts one."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.replace("\r\n", "\n")
        return super().to_python(value)


class UUIDsField(forms.Field):
    """The values of all fields of its name, each a UUID."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[uuid.UUID]:
        given = list(value or [])
        try:
            found = [uuid.UUID(each) for each in given]
        except (ValueError, AttributeError):
            raise forms.ValidationError(_("A file is no longer here. Attach it again.")) from None
        if len(found) > MOST_FILES or len(set(found)) != len(found):
            raise forms.ValidationError(_("Send at most %(most)d files at once.") % {"most": MOST_FILES})
        return found


class ReplyForm(forms.Form):
    text = MessageField(
        required=False,
        max_length=TEXT_LENGTH,
        error_messages={
            "required": _("Write a message first."),
            "max_length": _("WhatsApp takes at most %(limit_value)d characters; this has %(show_value)d."),
        },
    )
    # The same form sent twice makes one message.
    uuid = forms.UUIDField(required=False)
    # With files the text may be empty.
    attached = UUIDsField(required=False)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not said.get("text") and not said.get("attached") and "text" not in self.errors:
            self.add_error("text", self.fields["text"].error_messages["required"])
        return said


class NoteForm(forms.Form):
    text = MessageField(
        max_length=TEXT_LENGTH,
        error_messages={
            "required": _("Write a note first."),
            "max_length": _("A note has at most %(limit_value)d characters; this has %(show_value)d."),
        },
    )
    # The same form sent twice makes one note.
    uuid = forms.UUIDField(required=False)


class TriageForm(forms.Form):
    """Status and assignee; either may be missing and is then left unchanged."""

    status = forms.ChoiceField(choices=ConversationStatus, required=False)

    def __init__(self, conversation: Conversation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"] = forms.ModelChoiceField(assignable(conversation), required=False)


class ContactForm(forms.Form):
    """What the team calls somebody, and where they are; without a name the number stands there."""

    name = forms.CharField(required=False, max_length=200)
    timezone = forms.CharField(required=False, max_length=64)

    def clean_name(self) -> str:
        return " ".join(plain(self.cleaned_data["name"]).split())

    def clean_timezone(self) -> str:
        """Take a zone's name as people write it: Europe/Madrid, new york."""
        typed = fold(self.cleaned_data["timezone"]).replace(" ", "_")
        if not typed:
            return ""
        known = sorted(zoneinfo.available_timezones())
        for name in known:
            if name.lower() == typed:
                return name
        cities = [name for name in known if name.lower().rpartition("/")[2] == typed]
        # What is of a continent comes before the zones' older names (Cuba, Mexico/General).
        if not cities:
            raise forms.ValidationError(_("Enter a time zone, such as Europe/Madrid or New York."))
        return cities[0]


class EraseForm(forms.Form):
    """Asks for the contact's name, so that nobody erases the wrong one."""

    typed = forms.CharField(
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "dir": "auto"})
    )

    def __init__(self, contact: Contact, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = contact.display_name

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if fold(plain(typed)) != fold(plain(self._name)):
            raise forms.ValidationError(_("That is not the name."))
        return typed


class TagForm(forms.Form):
    """Tags to put on a conversation and to take off it: only those of its organization."""

    def __init__(self, conversation: Conversation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = Tag.objects.for_organization(conversation.organization)
        for name in ("add", "remove"):
            self.fields[name] = forms.ModelMultipleChoiceField(tags, required=False)


class ManagedTagForm(forms.ModelForm):
    class Meta:
        model = Tag
        fields = ["name", "tone", "place"]
        widgets = {
            "name": forms.TextInput(attrs={"class": "input", "autocomplete": "off", "dir": "auto"}),
            "tone": forms.Select(attrs={"class": "input select"}),
            "place": forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"}),
        }

    def clean_name(self) -> str:
        return _one_line(self.cleaned_data["name"])


class ManagedReplyForm(forms.ModelForm):
    class Meta:
        model = SavedReply
        fields = ["name", "text"]
        widgets = {
            "name": forms.TextInput(attrs={"class": "input", "autocomplete": "off", "dir": "auto"}),
            "text": forms.Textarea(attrs={"class": "input", "rows": 2, "dir": "auto"}),
        }
        field_classes = {"text": MessageField}

    def clean_name(self) -> str:
        return _one_line(self.cleaned_data["name"])


def _one_line(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise forms.ValidationError(_("Enter a name."))
    return name


class NamedFormSet(forms.BaseModelFormSet):
    """All rows of an organization, each with a name of its own, and room for some more."""

    def clean(self) -> None:
        """Names differ, in more than capitals: the database would refuse them one by one."""
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            if not form.is_valid() or form.cleaned_data.get("DELETE"):
                continue
            name = form.cleaned_data.get("name", "").lower()
            if name in seen:
                form.add_error("name", _("Another one has this name."))
            seen |= {name} - {""}


ManagedTags = forms.modelformset_factory(
    Tag, form=ManagedTagForm, formset=NamedFormSet, can_delete=True, extra=3, max_num=100, validate_max=True
)
ManagedReplies = forms.modelformset_factory(
    SavedReply,
    form=ManagedReplyForm,
    formset=NamedFormSet,
    can_delete=True,
    extra=1,
    max_num=100,
    validate_max=True,
)


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
