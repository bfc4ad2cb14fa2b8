"""Why a message was not sent, as it is stored; the sentence about it is made when somebody reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trochai.whatsapp.cloud_api.codes import CODES

# As much of Meta's own words as people are shown.
SHOWN_DETAILS = 280


class Cause(StrEnum):
    """What went wrong where Meta gave no code of which we know what it means. Stored, so never renamed."""

    REFUSED = "refused"
    UNEXPLAINED = "unexplained"
    TOO_FAST = "too_fast"
    BUSY = "busy"
    NOT_REACHED = "not_reached"
    UNREADABLE = "unreadable"
    NO_ANSWER = "no_answer"
    OUTCOME_UNREADABLE = "outcome_unreadable"
    BROKE_OFF = "broke_off"
    NOT_CONNECTED = "not_connected"
    NO_SLOT = "no_slot"
    NO_TEMPLATE = "no_template"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    REFERENCE_TOO_LONG = "reference_too_long"
    NO_NUMBER = "no_number"
    # From before words were made when they are read: the sentence as it was stored.
    AS_TOLD = "as_told"


SENTENCES: Mapping[str, Promise | str] = {
    Cause.REFUSED: _("WhatsApp refused the message: %(details)s"),
    Cause.UNEXPLAINED: _("WhatsApp refused the message without saying why."),
    Cause.TOO_FAST: CODES[130429].reason,
    Cause.BUSY: CODES[131016].reason,
    Cause.NOT_REACHED: _("WhatsApp could not be reached. Try again later."),
    Cause.UNREADABLE: _("WhatsApp’s answer could not be read. Try again later."),
    Cause.NO_ANSWER: _("WhatsApp did not answer: the message may have reached the contact."),
    Cause.OUTCOME_UNREADABLE: _(
        "WhatsApp’s answer could not be read: the message may have reached the contact."
    ),
    Cause.BROKE_OFF: _("Something unexpected happened during the call."),
    Cause.NOT_CONNECTED: _("The WhatsApp channel is not connected. An admin needs to enter its token."),
    Cause.NO_SLOT: _("Too many messages right now. Try again in a moment."),
    Cause.NO_TEMPLATE: _("The template has no name or language."),
    Cause.EMPTY: _("The message is empty."),
    Cause.TOO_LONG: _("The message is longer than 4,096 characters. Shorten it."),
    Cause.REFERENCE_TOO_LONG: _("The message’s reference is too long."),
    Cause.NO_NUMBER: _("The contact has no valid phone number. It must begin with + and the country code."),
    Cause.AS_TOLD: "%(text)s",
}


@dataclass(frozen=True)
class Failure:
    """``code`` is Meta's, ``cause`` ours; ``values`` fill in the sentence, as JSON can hold them.

    Three columns of a row keep it: ``<name>_code``, ``<name>_cause``, ``<name>_values``.
    """

    code: int | None = None
    cause: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def reported(cls, code: object, details: str = "") -> Failure:
        """Return what Meta reports; its own words are kept where the code says nothing to us."""
        number = code_of(code)
        if number in CODES:
            return cls(number)
        if not details:
            return cls(number, Cause.UNEXPLAINED)
        shown = details if len(details) <= SHOWN_DETAILS else f"{details[: SHOWN_DETAILS - 1]}…"
        return cls(number, Cause.REFUSED, {"details": shown})

    @classmethod
    def of(cls, row: object, name: str) -> Failure:
        """Read the columns of ``row``."""
        return cls(*(getattr(row, f"{name}_{part}") for part in ("code", "cause", "values")))

    def columns(self, name: str) -> dict[str, Any]:
        """Return the columns that keep it, for an update."""
        return {f"{name}_code": self.code, f"{name}_cause": self.cause, f"{name}_values": dict(self.values)}

    def __bool__(self) -> bool:
        return self.code is not None or bool(self.cause)

    def words(self, sentences: Mapping[str, Promise | str] = SENTENCES) -> str:
        """Return one sentence or two in the reader's language; empty where nothing went wrong.

        ``sentences`` has those for the causes of an app above as well.
        """
        if self.code in CODES:
            return str(CODES[self.code].reason)
        if not self:
            return ""
        return str(sentences.get(self.cause) or sentences[Cause.UNEXPLAINED]) % self.values


def code_of(value: object) -> int | None:
    """Return an error code as a number; Meta also writes it as a string."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        code = int(value)
    except ValueError:
        return None
    # The columns that keep it are 32-bit integers.
    return code if 0 <= code < 2**31 else None
