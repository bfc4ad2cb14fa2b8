from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    """To look at, when somebody says that the bell never rang."""

    list_display = ["created_at", "recipient", "organization", "kind", "title", "read_at"]
    list_filter = ["kind"]
    list_select_related = ["recipient", "organization"]
    search_fields = ["recipient__email", "values__contact", "values__template"]
    date_hierarchy = "created_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Notification | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Notification | None = None) -> bool:
        return False
