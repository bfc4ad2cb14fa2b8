"""Channels and webhook deliveries for operators. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models, transaction
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trochai.clock import database_now
from trochai.ui.admin import ReadOnly
from trochai.waking import waker
from trochai.whatsapp import channels
from trochai.whatsapp.fields import UnreadableSecret
from trochai.whatsapp.models import Channel, GroupMessages, UnknownNumber, WebhookDelivery
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries

SECRETS = ("access_token", "app_secret", "verify_token")
UNREADABLE = _(
    "What is stored here can’t be read with the present FIELD_ENCRYPTION_KEYS. Bring the old key back, or "
    "enter a new value."
)


class ChannelForm(ModelForm):
    class Meta:
        model = Channel
        fields = [
            "organization",
            "name",
            "display_phone_number",
            "phone_number_id",
            "waba_id",
            "messages_per_second",
            *SECRETS,
        ]
        widgets = {name: forms.PasswordInput(attrs={"autocomplete": "off"}) for name in SECRETS}
        help_texts = {
            "access_token": _("A system user’s token. Leave empty to keep the one that is stored."),
            "app_secret": _("Signs Meta’s webhooks. Leave empty to keep the one that is stored."),
            "verify_token": _(
                "Any text; enter the same one with the webhook’s address at Meta. Leave empty to keep it."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            self.fields[name].required = False
            self.initial.pop(name, None)
            self.fields[name].initial = None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in SECRETS:
            # The instance still holds what is stored, or the default of a new channel.
            stored = getattr(self.instance, name)
            if isinstance(stored, UnreadableSecret) and not cleaned.get(name):
                self.add_error(name, UNREADABLE)
            cleaned[name] = cleaned.get(name) or stored
        return cleaned


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    form = ChannelForm
    list_display = ["name", "organization", "display_phone_number", "stopped_at", "stop_reason"]
    list_select_related = ["organization"]
    search_fields = ["name", "display_phone_number", "phone_number_id"]
    autocomplete_fields = ["organization"]
    readonly_fields = [
        "webhook_path",
        "stopped_at",
        "stop_code",
        "stop_cause",
        "stop_reason",
        "templates_synced_at",
        "messaging_limit",
        "messaging_limit_at",
        "account_news",
        "group_messages_left_out",
    ]
    actions = ["resume"]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> list[str]:
        # Its conversations, templates and follow-ups belong to the organization as well.
        return [*self.readonly_fields, "organization"] if obj else list(self.readonly_fields)

    @admin.display(description=_("Messages to groups, which are left out"))
    def group_messages_left_out(self, channel: Channel) -> str:
        said = GroupMessages.objects.filter(channel=channel.pk).first()
        if said is None:
            return "0"
        words = {"n": said.count, "day": date_format(timezone.localtime(said.last_at), "j M Y")}
        return gettext("%(n)d, the last on %(day)s") % words

    @admin.display(description=_("Webhook address"))
    def webhook_path(self, channel: Channel) -> str:
        return reverse("whatsapp:webhook", args=[channel.uuid]) if channel.pk else "—"

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "access_token" in form.changed_data:
            channels.resume(obj.pk)

    @admin.action(description=_("Resume sending"))
    def resume(self, request: HttpRequest, queryset: models.QuerySet[Channel]) -> None:
        resumed = sum(channels.resume(pk) for pk in queryset.values_list("pk", flat=True))
        self.message_user(request, _("%(count)d channels resumed.") % {"count": resumed})


@admin.register(UnknownNumber)
class UnknownNumberAdmin(ReadOnly, admin.ModelAdmin):
    """Numbers that report to a channel's address and are not connected here."""

    list_display = ["phone_number_id", "waba_id", "channel", "count", "first_at", "last_at"]
    list_select_related = ["channel"]
    ordering = ["-last_at"]


class SetAside(admin.SimpleListFilter):
    title = _("set aside")
    parameter_name = "set_aside"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("Only those"))]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[WebhookDelivery]
    ) -> models.QuerySet[WebhookDelivery]:
        return queryset.filter(pk__in=deliveries.set_aside().values("pk")) if self.value() else queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, admin.ModelAdmin):
    """Read-only, and without the body: it holds customers' messages."""

    list_display = ["channel", "received_at", "processed_at", "failures", "error"]
    list_filter = [SetAside, "channel"]
    list_select_related = ["channel"]
    ordering = ["-pk"]
    actions = ["replay"]
    show_full_result_count = False
    fields = ["channel", "received_at", "processed_at", "failures", "error", "next_attempt_at"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("body")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("whatsapp.change_webhookdelivery")

    @admin.action(description=_("Process those set aside again"), permissions=["replay"])
    def replay(self, request: HttpRequest, rows: models.QuerySet[WebhookDelivery]) -> None:
        count = deliveries.replay(rows, now=database_now())
        transaction.on_commit(lambda: waker.wake(process_waiting_webhooks))
        self.message_user(request, _("%(n)d are processed again, in a moment.") % {"n": count})
