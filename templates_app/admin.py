from __future__ import annotations

from django.contrib import admin

from templates_app.models import Template
from trochai.ui.admin import ReadOnly


@admin.register(Template)
class TemplateAdmin(ReadOnly, admin.ModelAdmin):
    """To look at: Meta is where templates are changed."""

    list_display = ["name", "language", "channel", "category", "status", "quality", "synced_at"]
    list_filter = ["status", "category", "language"]
    list_select_related = ["channel"]
    search_fields = ["name"]
