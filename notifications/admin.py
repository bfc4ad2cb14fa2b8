from __future__ import annotations

from django.contrib import admin

from notifications.models import Notification
from trochai.ui.admin import ReadOnly


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin):
    """To look at, when somebody says that the bell never rang."""

    list_display = ["created_at", "recipient", "organization", "kind", "title", "read_at"]
    list_filter = ["kind"]
    list_select_related = ["recipient", "organization"]
    search_fields = ["recipient__email", "values__contact", "values__template"]
    date_hierarchy = "created_at"
