from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from templates_app.models import Template


@admin.register(Template)
class TemplateAdmin(admin.ModelAdmin):
    """To look at: Meta is where templates are changed."""

    list_display = ["name", "language", "channel", "category", "status", "quality", "synced_at"]
    list_filter = ["status", "category", "language"]
    list_select_related = ["channel"]
    search_fields = ["name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        return False
