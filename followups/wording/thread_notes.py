"""What is said in a conversation's thread about its follow-ups: what happened, why, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from conversations.notes import Words, words_for
from followups.models import CancelCause, FailureKind
from followups.wording import failures, repeats
from followups.wording.notices import Kind, by_and_when
from trochai.ui.formatting import isolated
from trochai.whatsapp.cloud_api.failures import Failure


class Said(StrEnum):
    """What is told in the thread alone. Stored, so never renamed."""

    SCHEDULED = "follow_up_scheduled"


@words_for(Said.SCHEDULED, icon="calendar-clock")
def scheduled(values: Mapping[str, Any]) -> Words:
    """Values: template, by (a member's name), at and made (when it is sent, when that was said; UTC, ISO)."""
    return Words(_("%(by)s scheduled %(template)s for %(when)s") % _dated(values), _("See it"))


@words_for(Kind.FOLLOW_UP_MOVED, icon="calendar-clock")
def moved(values: Mapping[str, Any]) -> Words:
    """Values: as for one that was scheduled."""
    return Words(_("%(by)s moved %(template)s to %(when)s") % _dated(values), _("See it"))


@words_for(Kind.FOLLOW_UP_EDITED, icon="pencil")
def edited(values: Mapping[str, Any]) -> Words:
    """Values: as for one that was scheduled."""
    return Words(_("%(by)s changed %(template)s for %(when)s") % _dated(values), _("See it"))


def _dated(values: Mapping[str, Any]) -> dict[str, str]:
    return {"template": values["template"], **by_and_when(values)}


@words_for(Kind.FOLLOW_UP_FAILED, icon="circle-alert", tone="bad")
def failed(values: Mapping[str, Any]) -> Words:
    """Values: template, kind (a FailureKind), failure (the fields of a Failure)."""
    explained = failures.explain(values["kind"], Failure(**values["failure"]))
    line = _("Follow-up %(template)s: %(reason)s") % {**values, "reason": explained.text}
    return Words(line, _("Decide") if values["kind"] == FailureKind.UNKNOWN else _("See and retry"))


@words_for(Kind.FOLLOW_UP_CANCELED, icon="circle-slash")
def canceled(values: Mapping[str, Any]) -> Words:
    """Values: template, cause (a CancelCause), by (a member's name, or nothing)."""
    match values["cause"]:
        case CancelCause.REPLY:
            return Words(
                _("Follow-up %(template)s canceled: the contact replied.") % values, _("See and restore")
            )
        case CancelCause.OPT_OUT:
            line = _("Follow-up %(template)s canceled: the contact no longer wants messages.") % values
        case _ if values["by"]:
            line = _("Follow-up %(template)s canceled by %(by)s.") % values
        case _:
            line = _("Follow-up %(template)s canceled.") % values
    return Words(line, _("See it"))


@words_for(Kind.SERIES_ENDED, icon="repeat")
def series_ended(values: Mapping[str, Any]) -> Words:
    """Values: template, cause (a SeriesEnd), by (a member's name, or nothing)."""
    cause = repeats.ended(values["cause"], isolated(values["by"]))
    return Words(
        _("%(template)s is not repeated any more: %(cause)s") % {**values, "cause": cause}, _("See it")
    )


@words_for(Kind.DATES_SKIPPED, icon="repeat", tone="bad")
def dates_skipped(values: Mapping[str, Any]) -> Words:
    """Values: template, dates (moments), count (of all of them), made (when that was said)."""
    dates = repeats.skipped(values["dates"], values["count"], values["made"])
    line = _("%(template)s left out %(dates)s: they had passed while the one before was waiting.")
    return Words(line % {**values, "dates": dates}, _("See it"))


@words_for(Kind.FOLLOW_UP_HELD, icon="circle-pause", tone="bad")
def held(values: Mapping[str, Any]) -> Words:
    """Values: template, reason (a HeldReason)."""
    line = _("Follow-up %(template)s is on hold: the number may be somebody else’s by now.") % values
    return Words(line, _("Decide"))
