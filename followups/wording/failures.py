"""Why follow-ups fail, and the one table of what is said about it: in the bell, the table, the drawer.

A row stores a kind, a code of Meta's or a cause, and values; words are made of them when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.models import FailureKind, FollowUpAttempt
from templates_app.models import Template
from trochai.whatsapp.cloud_api.failures import SENTENCES as THEIRS
from trochai.whatsapp.cloud_api.failures import Cause as TheirCause
from trochai.whatsapp.cloud_api.failures import Failure


class Cause(StrEnum):
    """What keeps a follow-up from arriving apart from WhatsApp's errors. Stored, so never renamed."""

    MISSED = "missed"  # values: hours, a number
    OPTED_OUT = "opted_out"
    NOT_APPROVED = "not_approved"  # values: status, the template's at Meta
    CHANGED = "changed"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    UNREAD = "unread"
    NOT_DELIVERED = "not_delivered"


SENTENCES: Mapping[str, Promise | str] = {
    **THEIRS,
    Cause.MISSED: gettext_lazy("Missed: it could not be sent within %(hours)g hours of its time."),
    Cause.OPTED_OUT: gettext_lazy("The contact no longer wants messages."),
    Cause.NOT_APPROVED: gettext_lazy(
        "The template is no longer approved by WhatsApp (%(status)s). Schedule one with another template."
    ),
    Cause.CHANGED: gettext_lazy(
        "The template has changed since: its values no longer fit. Schedule another one in its place."
    ),
    Cause.BROKEN: gettext_lazy(
        "It could not be prepared for sending: something in it is broken. Schedule another one in its place."
    ),
    Cause.UNKNOWN: gettext_lazy("Delivery unknown: it may have reached the contact."),
    Cause.UNREAD: gettext_lazy(
        "Delivery unknown: it may have reached the contact. "
        "What WhatsApp reported could not be read for an hour."
    ),
    Cause.NOT_DELIVERED: gettext_lazy("WhatsApp could not deliver it."),
}


class Words(NamedTuple):
    """What a kind of failure is called and what to do about it; between the two stands its reason."""

    title: Promise
    advice: Promise | str = ""


WORDS: Mapping[str, Words] = {
    FailureKind.TEMPORARY: Words(
        gettext_lazy("Not sent after 3 retries."), gettext_lazy("It’s usually safe to retry it now.")
    ),
    FailureKind.CHANNEL: Words(
        gettext_lazy("Not sent after 3 retries."), gettext_lazy("Retry it once the channel works again.")
    ),
    FailureKind.PERMANENT: Words(gettext_lazy("Not sent.")),
    FailureKind.UNKNOWN: Words(
        gettext_lazy("Not confirmed."), gettext_lazy("Look at the chat on a phone before you retry it.")
    ),
    FailureKind.MISSED: Words(gettext_lazy("Not sent."), gettext_lazy("Retry it if it still makes sense.")),
    FailureKind.RECHECK: Words(gettext_lazy("Not sent.")),
    FailureKind.UNDELIVERED: Words(gettext_lazy("Sent, but not delivered.")),
}


class Explanation(NamedTuple):
    """A failure as people are told about it."""

    title: str
    reason: str
    advice: str

    @property
    def text(self) -> str:
        return " ".join(filter(None, self))


def explain(kind: str, failure: Failure) -> Explanation:
    """Return the words about a failure in the reader's language; ``reason`` names Meta's code."""
    words = WORDS[kind]
    return Explanation(str(words.title), with_code(failure), str(words.advice))


def reason_for(failure: Failure) -> str:
    """Return why something failed, in a sentence or two."""
    if "status" in failure.values:
        label = Template(status=failure.values["status"]).status_label
        failure = Failure(failure.code, failure.cause, {**failure.values, "status": label})
    return failure.words(SENTENCES)


def with_code(failure: Failure) -> str:
    """Return the reason, and Meta's code where there is one: Rate limit hit (error 130429)."""
    words = reason_for(failure).rstrip(".")
    if failure.code is None:
        return f"{words}."
    return _("%(reason)s (error %(code)d).") % {"reason": words, "code": failure.code}


def headline(failure: Failure) -> str:
    """Return what happened, without what to do about it: the reason's first sentence, without a full stop."""
    return reason_for(failure).partition(". ")[0].rstrip(".")


def attempt_failure(attempt: FollowUpAttempt) -> Failure:
    """Return how the call failed; Meta's whole text is kept for operators, and people see its beginning."""
    if attempt.cause == TheirCause.REFUSED:
        return Failure.reported(attempt.code, attempt.details)
    return Failure(attempt.code, attempt.cause, {"details": attempt.details, "text": attempt.details})
