"""For operators: look, correct a contact's name or number. History and delivery are never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import consent, identity
from conversations.models import NO_NUMBER, Contact, Conversation, Message, OptOutSource
from conversations.signals import contact_changed, contact_located
from trochai.accounts.models import User
from trochai.ui.admin import ReadOnly
from trochai.whatsapp import phone_numbers


class ContactForm(forms.ModelForm):
    # As people write it, which is longer than how it is kept.
    phone = forms.CharField(max_length=40, required=False)

    class Meta:
        model = Contact
        fields = ["organization", "name", "phone", "timezone"]

    def clean_phone(self) -> str:
        typed = self.cleaned_data["phone"]
        try:
            return phone_numbers.normalized(typed) if typed else ""
        except ValueError:
            raise ValidationError(NO_NUMBER) from None


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):
    form = ContactForm
    list_display = ["__str__", "phone", "organization", "opted_out_at", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "phone", "user_ids"]
    autocomplete_fields = ["organization"]
    readonly_fields = ["user_ids", "opted_out_at", "in_doubt_since", "created_at"]
    actions = ["opt_out", "opt_in"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Contact | None = None) -> list[str]:
        # What a contact wrote belongs to the organization to which it was written.
        return [*self.readonly_fields, "organization"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "phone" in form.changed_data:
            identity.trust(obj)
        if change and {"name", "phone"} & set(form.changed_data):
            contact_changed.send(sender=Contact, contact=obj)
        if change and "timezone" in form.changed_data:
            contact_located.send(sender=Contact, contact=obj)

    @admin.action(description=_("Wants no more messages"))
    def opt_out(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        now = timezone.now()
        by = request.user if isinstance(request.user, User) else None
        with transaction.atomic():
            done = sum(
                consent.opt_out(contact, at=now, source=OptOutSource.MEMBER, by=by, now=now)
                for contact in queryset
            )
        self.message_user(request, _("%(count)d contacts get no more messages.") % {"count": done})

    @admin.action(description=_("Wants messages again"))
    def opt_in(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        for contact in queryset:
            consent.opt_in(contact, at=timezone.now())
        self.message_user(request, _("%(count)d contacts get messages again.") % {"count": len(queryset)})


@admin.register(Conversation)
class ConversationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["contact", "organization", "channel", "status", "assignee", "last_message_at"]
    list_select_related = ["contact", "organization", "channel", "assignee"]
    list_filter = ["status"]
    search_fields = ["contact__name", "contact__phone"]
    show_full_result_count = False


@admin.register(Message)
class MessageAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["at", "conversation", "direction", "kind", "delivery", "error_code", "whatsapp_id"]
    list_select_related = ["conversation__contact"]
    list_filter = ["direction", "delivery"]
    search_fields = ["whatsapp_id", "uuid"]
    show_full_result_count = False
