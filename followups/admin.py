"""For operators. Follow-ups are there to look at: their status has one writer, ``followups.lifecycle``."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from followups.models import FollowUp, FollowUpAttempt, FollowUpChange, Hold, Preset, Series
from trochai.ui.admin import ReadOnly


class AttemptInline(ReadOnly, admin.TabularInline):
    model = FollowUpAttempt
    fields = ["requested_at", "finished_at", "outcome", "code", "cause", "details"]
    ordering = ["requested_at", "pk"]


class ChangeInline(ReadOnly, admin.TabularInline):
    model = FollowUpChange
    fields = ["at", "kind", "by", "values"]


@admin.register(FollowUp)
class FollowUpAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "pk",
        "organization",
        "status",
        "scheduled_for",
        "next_attempt_at",
        "failures",
        "failure_kind",
        "failure_code",
        "failure_cause",
        "deleted_at",
    ]
    list_filter = ["status", "failure_kind"]
    list_select_related = ["organization"]
    # Counting every row for "1 of 200,000" costs more than the page.
    show_full_result_count = False
    inlines = [AttemptInline, ChangeInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[FollowUp]:
        return super().get_queryset(request).select_related("organization")


@admin.register(Series)
class SeriesAdmin(ReadOnly, admin.ModelAdmin):
    """What is repeated; people begin and end it in conversations and on the Follow-ups page."""

    list_display = ["pk", "organization", "kind", "first_on", "time", "ends", "next_at", "end_cause"]
    list_filter = ["kind", "end_cause"]
    list_select_related = ["organization"]


@admin.register(Hold)
class HoldAdmin(ReadOnly, admin.ModelAdmin):
    """All there have been; ``manage.py hold`` begins and releases them."""

    list_display = [
        "since",
        "scope",
        "organization",
        "channel",
        "reason",
        "cause",
        "by",
        "released_at",
        "late",
    ]
    list_filter = ["scope", "cause", ("released_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "channel", "by"]


@admin.register(Preset)
class PresetAdmin(admin.ModelAdmin):
    list_display = ["name", "organization", "position", "kind", "number", "time"]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__name"]
    autocomplete_fields = ["organization"]
