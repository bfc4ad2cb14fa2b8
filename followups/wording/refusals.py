"""Why a change of a follow-up is refused: what it is by now, or that it is too soon."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from followups.models import Status


class Refusal(StrEnum):
    """Codes of ``lifecycle.TransitionRefused``."""

    GONE = "gone"
    TOO_SOON = "too_soon"
    TOO_MANY = "too_many"
    CHANGED = "changed"
    PASSED = "passed"
    ON_HOLD = "on_hold"
    PENDING = Status.PENDING.value
    PROCESSING = Status.PROCESSING.value
    SENT = Status.SENT.value
    FAILED = Status.FAILED.value
    CANCELED = Status.CANCELED.value


REFUSALS: Mapping[Refusal, Promise] = {
    Refusal.GONE: _("This follow-up no longer exists."),
    Refusal.TOO_SOON: _("WhatsApp allows another try only 24 hours after it refused this one."),
    Refusal.TOO_MANY: _("Too many follow-ups are waiting for this contact. Cancel one of them first."),
    Refusal.CHANGED: _("It was changed in the meantime."),
    Refusal.PASSED: _("The time at which it would have been sent has passed."),
    Refusal.ON_HOLD: _("Sending is on hold. It waits until an admin releases it."),
    Refusal.PENDING: _("It is waiting to be sent."),
    Refusal.PROCESSING: _("It is already being sent."),
    Refusal.SENT: _("It has already been sent."),
    Refusal.FAILED: _("It has failed in the meantime."),
    Refusal.CANCELED: _("It is already canceled."),
}
