"""Message templates as Meta has reviewed them, one row for each name and language of a channel."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from templates_app import components as parts
from templates_app import parameters, rendering
from trochai.search import fold
from trochai.whatsapp.cloud_api.failures import Failure

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from templates_app.parameters import Problem
    from trochai.accounts.models import Organization
    from trochai.whatsapp.models import Channel


class TemplateStatus(models.TextChoices):
    """Meta's statuses. Only APPROVED can be sent; a status not listed here is kept as it came."""

    APPROVED = "APPROVED", _("Approved")
    PENDING = "PENDING", _("In review")
    REJECTED = "REJECTED", _("Rejected")
    PAUSED = "PAUSED", _("Paused")
    DISABLED = "DISABLED", _("Disabled")
    IN_APPEAL = "IN_APPEAL", _("In appeal")
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED", _("Limit exceeded")
    PENDING_DELETION = "PENDING_DELETION", _("Being deleted")
    DELETED = "DELETED", _("Deleted")
    ARCHIVED = "ARCHIVED", _("Archived")


class Category(models.TextChoices):
    MARKETING = "MARKETING", _("Marketing")
    UTILITY = "UTILITY", _("Utility")
    AUTHENTICATION = "AUTHENTICATION", _("Authentication")


def category_label(category: str) -> str:
    try:
        return str(Category(category).label)
    except ValueError:
        return category.replace("_", " ").capitalize()


# The tone of a status badge where it isn't plain grey.
_BADGES: dict[str, str] = {
    TemplateStatus.APPROVED: "approved",
    TemplateStatus.PENDING: "in_review",
    TemplateStatus.IN_APPEAL: "in_review",
    TemplateStatus.REJECTED: "rejected",
    TemplateStatus.PAUSED: "paused",
    TemplateStatus.DISABLED: "rejected",
    TemplateStatus.LIMIT_EXCEEDED: "warn",
}
_REASONS = {
    "ABUSIVE_CONTENT": _("WhatsApp found abusive content in it."),
    "INCORRECT_CATEGORY": _("It doesn’t fit the category that was chosen for it."),
    "INVALID_FORMAT": _("Its format isn’t valid: check the variables and their examples."),
    "PROMOTIONAL": _("It promotes something, which its category doesn’t allow."),
    "SCAM": _("WhatsApp took it for a scam."),
    "TAG_CONTENT_MISMATCH": _("Its text doesn’t fit its category or language."),
}
_QUALITIES = {
    "GREEN": ("ok", _("High quality")),
    "YELLOW": ("warn", _("Medium quality")),
    "RED": ("bad", _("Low quality")),
}


class TemplateQuerySet(models.QuerySet["Template"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(channel__organization=organization)

    def for_channel(self, channel: Channel) -> Self:
        return self.filter(channel=channel)

    def approved(self) -> Self:
        return self.filter(status=TemplateStatus.APPROVED)

    def search(self, words: str) -> Self:
        """Those with all these words in their name or text, ignoring case and accents."""
        found = self
        for word in fold(words).split():
            found = found.filter(search_text__contains=word)
        return found

    def known_to_meta(self) -> Self:
        """Leave out those that Meta has deleted; follow-ups may still refer to them."""
        return self.exclude(status=TemplateStatus.DELETED)


class Reading(NamedTuple):
    """What was read from a template's columns: its parts, what has to be filled in, and of what kinds."""

    parts: parts.Components
    parameters: tuple[parameters.Parameter, ...]
    shape: list[str]


@lru_cache(maxsize=1_000)
def _reading_of(components: str, parameter_format: str, _language: str | None) -> Reading:
    """``components``: Meta's JSON. A page of follow-ups looks at the same few templates each time.

    What has to be filled in is named in the active language.
    """
    read = parts.read(json.loads(components), parameter_format)
    found = parameters.parameters_of(read, parameter_format)
    return Reading(read, found, [parameter.shape for parameter in found])


class Known(NamedTuple):
    """What was read, and the values of the columns that it was read from."""

    source: Any
    format: str
    reading: Reading


class Template(models.Model):
    """One template in one language. Never deleted: follow-ups and history refer to it."""

    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.CASCADE, related_name="templates")
    meta_id = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=512)
    language = models.CharField(max_length=15)
    category = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=32)
    # GREEN, YELLOW, RED or UNKNOWN
    quality = models.CharField(max_length=16, default="UNKNOWN")
    parameter_format = models.CharField(max_length=16, default="POSITIONAL")
    # Meta's own list of components: HEADER, BODY, FOOTER, BUTTONS.
    components = models.JSONField(default=list)
    rejected_reason = models.CharField(max_length=500, blank=True)
    # When Meta last reported on this template, by listing it or by webhook.
    synced_at = models.DateTimeField(default=timezone.now)
    # As of when the last webhook about it spoke, by Meta's clock: what comes later may be older.
    told_at = models.DateTimeField(null=True, blank=True)
    # Meta has announced that it gets another category, and when.
    announced_category = models.CharField(max_length=32, blank=True, default="", db_default="")
    category_changes_at = models.DateTimeField(null=True, blank=True)
    # Name and text, folded: what the templates page and the dialog's picker search in.
    search_text = models.TextField(blank=True, editable=False)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name", "language", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "name", "language"], name="template_once_per_language")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.prepare_search()
        super().save(*args, **kwargs)

    def prepare_search(self) -> None:
        """Write ``search_text``; for rows that are written in bulk."""
        self.search_text = fold(f"{self.name} {self.name.replace('_', ' ')} {self.outline.text}")

    @property
    def is_approved(self) -> bool:
        return self.status == TemplateStatus.APPROVED

    @property
    def parts(self) -> parts.Components:
        """Meta's JSON, made safe to work with."""
        return self._reading().parts

    @property
    def parameters(self) -> tuple[parameters.Parameter, ...]:
        """What has to be filled in before this template can be sent."""
        return self._reading().parameters

    def _reading(self) -> Reading:
        """Read the JSON again only if it has changed: a burst looks at it for every message."""
        known: Known | None = self.__dict__.get("_known_reading")
        if known is None or known.source is not self.components or known.format != self.parameter_format:
            reading = _reading_of(json.dumps(self.components), self.parameter_format, get_language())
            known = self._known_reading = Known(self.components, self.parameter_format, reading)
        return known.reading

    @property
    def shape(self) -> list[str]:
        """Which parameters the template has. Values that were frozen fit while this stays the same."""
        return list(self._reading().shape)

    def fits(self, shape: list[str]) -> bool:
        """Whether values that were given for ``shape`` can still be sent with it."""
        return self.is_sendable and self._reading().shape == shape

    @property
    def is_sendable(self) -> bool:
        """Whether Trochai can fill every part of it (carousels and the like it cannot, yet)."""
        return self.parts.is_supported

    @property
    def asks_for_number(self) -> bool:
        """Whether it has the button with which somebody shares a number that WhatsApp hides."""
        return any(button.kind == parts.ASKS_NUMBER for button in self.parts.buttons)

    def can_be_sent_on(self, channel: Channel) -> bool:
        """Whether it is approved for this channel, and Trochai can fill it in."""
        return self.is_approved and self.is_sendable and self.channel_id == channel.pk

    def problems_with(self, values: Mapping[str, Any], *, until: dt.datetime | None = None) -> list[Problem]:
        """Return what Meta would refuse in ``values``, by parameter key, if they were sent with it.

        ``until``: when they are sent, if that is known; a link must work until then.
        """
        return parameters.problems_with(self.parts, self.parameter_format, values, until=until)

    def render(self, values: dict[str, Any]) -> rendering.RenderedTemplate:
        """Return the message as the contact will see it, with ``values`` by parameter key."""
        return rendering.render(self.parts, self.parameter_format, values)

    @property
    def outline(self) -> rendering.RenderedTemplate:
        """The message with its placeholders, marked, in the values' places."""
        return self.render({each.key: f"{{{{{each.name}}}}}" for each in self.parameters if each.name})

    @property
    def status_label(self) -> str:
        try:
            return str(TemplateStatus(self.status).label)
        except ValueError:
            return self.status.replace("_", " ").capitalize()

    @property
    def category_label(self) -> str:
        return category_label(self.category)

    @property
    def is_for_now(self) -> bool:
        """Whether it holds a code that is worth nothing a few minutes later."""
        return self.category == Category.AUTHENTICATION

    @property
    def announced_category_label(self) -> str:
        """The category that Meta has announced; empty while it stays as it is."""
        if self.announced_category in {"", self.category}:
            return ""
        return category_label(self.announced_category)

    @property
    def badge(self) -> str:
        """The status badge's tone (a CSS modifier)."""
        return _BADGES.get(self.status, "plain")

    @property
    def reason(self) -> str:
        """Why Meta rejected it, in plain words where its code is known; empty unless it did."""
        if self.status != TemplateStatus.REJECTED or not self.rejected_reason:
            return ""
        return str(_REASONS.get(self.rejected_reason, self.rejected_reason))

    @property
    def quality_tone(self) -> str:
        return _QUALITIES[self.quality][0] if self.quality in _QUALITIES else "none"

    @property
    def quality_label(self) -> str:
        return str(_QUALITIES[self.quality][1] if self.quality in _QUALITIES else _("Not rated yet"))


class RequestedSync(models.Model):
    """The last sync that somebody asked for on a channel, and what came of it; by the database's clock."""

    channel = models.OneToOneField(
        "whatsapp.Channel", on_delete=models.CASCADE, primary_key=True, related_name="requested_sync"
    )
    asked_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    failure_code = models.IntegerField(null=True)
    failure_cause = models.CharField(max_length=32, blank=True)
    failure_values = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"sync of {self.channel_id}"

    @property
    def failure(self) -> Failure:
        return Failure.of(self, "failure")
