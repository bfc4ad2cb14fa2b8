"""What is said about bulk changes: what they do, why a row stays as it is, and how they ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from followups.models import BulkAction, BulkEnding, Status
from followups.wanted import Code
from trochai.paging import Count
from trochai.ui.formatting import day, isolated, noon


class MoveHow(StrEnum):
    """Where many are moved to, besides by days or to a date. Stored, so never renamed."""

    GOOD = "good"
    SPREAD = "spread"


class Refusal(StrEnum):
    """Why a row stays as it is, besides what ``followups.wanted.Code`` names. Stored, so never renamed."""

    NOT_IN_CHARGE = "not_in_charge"
    CHANGED = "changed"
    GONE = "gone"
    ERASED = "erased"
    SAME = "same"
    SKIPPED_TIME = "skipped_time"
    PAST = "past"
    TOO_SOON = "too_soon"
    TOO_LATE = "too_late"
    NOT_QUIET = "not_quiet"
    NEVER_GOOD = "never_good"
    HAS_ROOM = "has_room"
    NO_ROOM = "no_room"
    NO_VALUE = "no_value"
    WRONG_VALUE = "wrong_value"
    PENDING = Status.PENDING.value
    PROCESSING = Status.PROCESSING.value
    SENT = Status.SENT.value
    FAILED = Status.FAILED.value
    CANCELED = Status.CANCELED.value


REFUSALS: Mapping[str, Promise] = {
    Refusal.NOT_IN_CHARGE: gettext_lazy("Somebody else is in charge of it."),
    Refusal.CHANGED: gettext_lazy("It was changed in the meantime."),
    Refusal.GONE: gettext_lazy("It was deleted in the meantime."),
    Refusal.ERASED: gettext_lazy("Its contact has been erased."),
    Refusal.SAME: gettext_lazy("It is like that already."),
    Refusal.SKIPPED_TIME: gettext_lazy("The clocks go forward that day, so its time doesn’t exist."),
    Refusal.PAST: gettext_lazy("It would be in the past."),
    Refusal.TOO_SOON: gettext_lazy("It would be sooner than a date may be chosen."),
    Refusal.TOO_LATE: gettext_lazy("It would be later than a date may be chosen."),
    Refusal.NOT_QUIET: gettext_lazy("It is not due in quiet hours."),
    Refusal.NEVER_GOOD: gettext_lazy("No moment that may be chosen is good where the contact is."),
    Refusal.HAS_ROOM: gettext_lazy("Its day has no more than WhatsApp lets through."),
    Refusal.NO_ROOM: gettext_lazy("No day that may be chosen has room for it."),
    Refusal.NO_VALUE: gettext_lazy("A value is missing."),
    Refusal.WRONG_VALUE: gettext_lazy("A value doesn’t fit the template."),
    Refusal.PENDING: gettext_lazy("It is waiting to be sent."),
    Refusal.PROCESSING: gettext_lazy("It is already being sent."),
    Refusal.SENT: gettext_lazy("It has already been sent."),
    Refusal.FAILED: gettext_lazy("It has failed."),
    Refusal.CANCELED: gettext_lazy("It is canceled."),
    Code.OPTED_OUT: gettext_lazy("The contact doesn’t want messages any more."),
    Code.IN_DOUBT: gettext_lazy("The contact may have another number now."),
    Code.UNREACHABLE: gettext_lazy("The contact has no number that WhatsApp can write to."),
    Code.NOT_SENDABLE: gettext_lazy("The template can’t be sent from its WhatsApp number."),
}


class Verb(NamedTuple):
    """What an action is called; each with ``count``, a number as people write it, and ``n``, the number."""

    label: Promise
    icon: str
    # What the preview's columns are called.
    before: Promise
    after: Promise
    order: Promise  # also with what ``_values`` returns
    button: Promise
    running: Promise
    will: Promise
    done: Promise


VERBS: Mapping[str, Verb] = {
    BulkAction.MOVE: Verb(
        label=gettext_lazy("Move"),
        icon="calendar-arrow-down",
        before=gettext_lazy("Now"),
        after=gettext_lazy("New date"),
        order=ngettext_lazy("Move %(count)s follow-up %(how)s", "Move %(count)s follow-ups %(how)s", "n"),
        button=ngettext_lazy("Move %(count)s follow-up", "Move %(count)s follow-ups", "n"),
        running=ngettext_lazy(
            "Moving %(count)s follow-up %(how)s", "Moving %(count)s follow-ups %(how)s", "n"
        ),
        will=ngettext_lazy("%(count)s will move", "%(count)s will move", "n"),
        done=ngettext_lazy("%(count)s moved", "%(count)s moved", "n"),
    ),
    BulkAction.CANCEL: Verb(
        label=gettext_lazy("Cancel"),
        icon="calendar-x",
        before=gettext_lazy("Template"),
        after=gettext_lazy("Scheduled For"),
        order=ngettext_lazy("Cancel %(count)s follow-up", "Cancel %(count)s follow-ups", "n"),
        button=ngettext_lazy("Cancel %(count)s follow-up", "Cancel %(count)s follow-ups", "n"),
        running=ngettext_lazy("Canceling %(count)s follow-up", "Canceling %(count)s follow-ups", "n"),
        will=ngettext_lazy("%(count)s will be canceled", "%(count)s will be canceled", "n"),
        done=ngettext_lazy("%(count)s canceled", "%(count)s canceled", "n"),
    ),
    BulkAction.HAND_OVER: Verb(
        label=gettext_lazy("Hand over"),
        icon="user-round-check",
        before=gettext_lazy("In charge now"),
        after=gettext_lazy("From now on"),
        order=ngettext_lazy(
            "Hand %(count)s follow-up over to %(name)s", "Hand %(count)s follow-ups over to %(name)s", "n"
        ),
        button=ngettext_lazy("Hand over %(count)s follow-up", "Hand over %(count)s follow-ups", "n"),
        running=ngettext_lazy(
            "Handing %(count)s follow-up over to %(name)s",
            "Handing %(count)s follow-ups over to %(name)s",
            "n",
        ),
        will=ngettext_lazy("%(count)s will be handed over", "%(count)s will be handed over", "n"),
        done=ngettext_lazy("%(count)s handed over", "%(count)s handed over", "n"),
    ),
    BulkAction.TEMPLATE: Verb(
        label=gettext_lazy("Change template"),
        icon="layout-template",
        before=gettext_lazy("Template now"),
        after=gettext_lazy("New message"),
        order=ngettext_lazy(
            "Send %(count)s follow-up with %(name)s", "Send %(count)s follow-ups with %(name)s", "n"
        ),
        button=ngettext_lazy("Change %(count)s follow-up", "Change %(count)s follow-ups", "n"),
        running=ngettext_lazy(
            "Changing %(count)s follow-up to %(name)s", "Changing %(count)s follow-ups to %(name)s", "n"
        ),
        will=ngettext_lazy("%(count)s will change", "%(count)s will change", "n"),
        done=ngettext_lazy("%(count)s changed", "%(count)s changed", "n"),
    ),
    BulkAction.DELETE: Verb(
        label=gettext_lazy("Delete"),
        icon="trash-2",
        before=gettext_lazy("Template"),
        after=gettext_lazy("Scheduled For"),
        order=ngettext_lazy("Delete %(count)s follow-up", "Delete %(count)s follow-ups", "n"),
        button=ngettext_lazy("Delete %(count)s follow-up", "Delete %(count)s follow-ups", "n"),
        running=ngettext_lazy("Deleting %(count)s follow-up", "Deleting %(count)s follow-ups", "n"),
        will=ngettext_lazy("%(count)s will be deleted", "%(count)s will be deleted", "n"),
        done=ngettext_lazy("%(count)s deleted", "%(count)s deleted", "n"),
    ),
}
ENDINGS: Mapping[str, Promise] = {
    BulkEnding.STOPPED: gettext_lazy("Stopped before the end: what had changed by then stays."),
    BulkEnding.FORBIDDEN: gettext_lazy(
        "Stopped: whoever began it may no longer do it, or the person or template that was chosen is gone."
    ),
    BulkEnding.BROKEN: gettext_lazy(
        "Given up after several errors, which are in the log of whoever operates Trochai."
    ),
}


def refusal(code: str) -> str:
    """Return why a row stays as it is, as a sentence."""
    return str(REFUSALS[code])


def counted(words: Promise, count: Count, values: Mapping[str, Any] | None = None) -> str:
    """Return one of a verb's words for so many; ``values`` are the change's, where the words name them."""
    return str(words % {"n": count.value, "count": str(count), **_values(values or {})})


def result(action: str, changed: int, refused: int) -> str:
    """Return how many were changed and how many were not: 2,138 moved, 2 refused."""
    words = counted(VERBS[action].done, Count(changed))
    if not refused:
        return words
    left = ngettext("%(count)s refused", "%(count)s refused", refused) % {"count": str(Count(refused))}
    return _("%(changed)s, %(refused)s") % {"changed": words, "refused": left}


def _values(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what the sentences of an action name, in the current time zone."""
    if "date" in values:
        moment = noon(dt.date.fromisoformat(values["date"]))
        return {"how": _("to %(day)s") % {"day": day(moment, moment)}}
    match values.get("how"):
        case MoveHow.GOOD:
            return {"how": _("to the next good moment")}
        case MoveHow.SPREAD:
            return {"how": _("to days with room")}
    if "days" in values:
        days = values["days"]
        later = ngettext("%(n)d day later", "%(n)d days later", days)
        earlier = ngettext("%(n)d day earlier", "%(n)d days earlier", -days)
        return {"how": (later if days > 0 else earlier) % {"n": abs(days)}}
    return {"name": isolated(values["name"])} if "name" in values else {}
