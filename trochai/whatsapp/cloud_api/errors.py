"""What can go wrong when a message is handed to Meta: four kinds of exception.

``classify`` turns an answer of Meta's into one of them, by the table in ``trochai.whatsapp.cloud_api.codes``.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trochai.whatsapp.cloud_api.codes import ANNOUNCED_LIMITS, CODES, Act, Meaning
from trochai.whatsapp.cloud_api.failures import Cause, Failure, code_of
from trochai.whatsapp.json_reading import decode, mapping, mappings

# Width of the column that keeps them.
DETAILS_LENGTH = 1000

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
UNAVAILABLE = 503
# For a 429 that does not say how long to wait.
DEFAULT_SLOW_DOWN = dt.timedelta(seconds=5)
FULL_USAGE_SLOW_DOWN = dt.timedelta(minutes=1)
# A header may say anything; a wait of more than a day is not believed.
LONGEST_HINT = dt.timedelta(days=1)


@dataclass(eq=False)
class WhatsAppError(Exception):
    """A message was not accepted, or it is not known whether it was.

    ``code`` is Meta's error code, or None where the answer carried none; ``cause`` then says what
    happened. ``details`` is Meta's own text, for operators. None of them holds a token.
    """

    code: int | None = None
    cause: Cause | None = None
    details: str = ""
    http_status: int | None = None

    def __post_init__(self) -> None:
        # Exceptions are copied and pickled by their args.
        self.args = (self.code, self.cause)

    def __str__(self) -> str:
        """For logs, which carry no sentences."""
        return str(self.cause if self.code is None else self.code)

    @property
    def failure(self) -> Failure:
        """What is stored of it."""
        return Failure(self.code, self.cause) if self.cause else Failure.reported(self.code, self.details)

    @property
    def reason(self) -> str:
        """One sentence or two for people, in the language of whoever reads it."""
        return self.failure.words()


@dataclass(eq=False)
class TemporaryError(WhatsAppError):
    """The message was surely not accepted, and trying again later may work.

    ``slow_down`` is how long the whole channel should wait before its next message, where Meta
    said that the channel as such is too fast.
    """

    slow_down: dt.timedelta | None = field(default=None, kw_only=True)


@dataclass(eq=False)
class PermanentError(WhatsAppError):
    """The message was surely not accepted, and trying it again unchanged is useless.

    ``retry_after`` is how long a person must wait before a manual retry may work (131049: a day).
    ``template_unusable`` says that the template should be synced again; ``opted_out`` that the
    contact wants no more marketing messages.
    """

    retry_after: dt.timedelta | None = field(default=None, kw_only=True)
    template_unusable: bool = field(default=False, kw_only=True)
    opted_out: bool = field(default=False, kw_only=True)


@dataclass(eq=False)
class ChannelError(WhatsAppError):
    """The token, the number or the account cannot be used: the whole channel stops."""


@dataclass(eq=False)
class OutcomeUnknown(WhatsAppError):
    """Nobody knows whether Meta accepted the message. It must not be sent again automatically."""


def classify(
    http_status: int, body: bytes | dict[str, Any] | None, headers: Mapping[str, str] | None = None
) -> WhatsAppError:
    """Return the error that an answer means; for any answer that brought no message id.

    Meta's code decides, not the HTTP status; without a code the status has to do.
    """
    headers = {name.lower(): value for name, value in (headers or {}).items()}
    envelope = mapping(decode(body) if isinstance(body, bytes) else body, "error")
    code = code_of(envelope.get("code"))
    details = _details(envelope)
    error: WhatsAppError
    if code is None:
        error = _without_code(http_status, headers)
    elif code in CODES:
        error = _known(code, CODES[code], headers)
    elif http_status >= SERVER_ERROR:
        error = TemporaryError(code)
    else:
        error = PermanentError(code)
    error.http_status = http_status
    error.details = details or error.details
    return error


def stops_channel(code: int | None) -> bool:
    """Whether nothing more can be sent on a channel that met ``code``."""
    return code in CODES and CODES[code].act is Act.CHANNEL


def opts_out(code: int | None) -> bool:
    """Whether ``code`` says that the contact wants no more messages."""
    return code in CODES and CODES[code].opted_out


def manual_retry_delay(code: int | None) -> dt.timedelta | None:
    """Return how long a person must wait before trying again what failed with ``code``, if at all."""
    return CODES[code].retry_after if code in CODES else None


def _known(code: int, meaning: Meaning, headers: Mapping[str, str]) -> WhatsAppError:
    match meaning.act:
        case Act.CHANNEL:
            return ChannelError(code)
        case Act.MESSAGE | Act.TEMPLATE:
            unusable = meaning.act is Act.TEMPLATE or meaning.template_changed
            return PermanentError(code, template_unusable=unusable, opted_out=meaning.opted_out)
        case _ if meaning.retry_after:
            return PermanentError(code, retry_after=meaning.retry_after)
    hints = [meaning.slow_down]
    if code in ANNOUNCED_LIMITS:
        hints += [_retry_after(headers), _regain_access(headers), _full_usage(headers)]
    return TemporaryError(code, slow_down=_longest(hints))


def _without_code(http_status: int, headers: Mapping[str, str]) -> WhatsAppError:
    """Return the error of an answer without Meta's envelope: may the message have got through?"""
    if http_status == TOO_MANY_REQUESTS:
        wait = _longest([_retry_after(headers), _regain_access(headers)]) or DEFAULT_SLOW_DOWN
        return TemporaryError(cause=Cause.TOO_FAST, slow_down=wait)
    if http_status == UNAVAILABLE:
        return TemporaryError(cause=Cause.BUSY, slow_down=_retry_after(headers))
    if 400 <= http_status < SERVER_ERROR:
        return PermanentError(cause=Cause.UNEXPLAINED, details=f"HTTP {http_status} without an error code")
    return OutcomeUnknown(
        cause=Cause.OUTCOME_UNREADABLE,
        details=f"HTTP {http_status} without an error code or a message id",
    )


def _details(envelope: Mapping[str, Any]) -> str:
    data = envelope.get("error_data")
    parts = [envelope.get("message"), data if isinstance(data, str) else mapping(data).get("details")]
    if envelope.get("error_subcode"):
        parts.append(f"subcode {envelope['error_subcode']}")
    if envelope.get("fbtrace_id"):
        parts.append(f"trace {envelope['fbtrace_id']}")
    text = " · ".join(part for part in parts if isinstance(part, str) and part)
    return text.replace("\x00", "").encode(errors="replace").decode()[:DETAILS_LENGTH]


def used_up(headers: Mapping[str, str]) -> dt.timedelta | None:
    """Return how long to wait where an answer's usage headers say that a limit is used up, else None.

    Source: Graph API, "Rate limits": the headers come with every answer, also with one that succeeded.
    """
    return _longest([_regain_access(headers), _full_usage(headers)])


def _longest(hints: Iterable[dt.timedelta | None]) -> dt.timedelta | None:
    return max((hint for hint in hints if hint), default=None)


def _retry_after(headers: Mapping[str, str]) -> dt.timedelta | None:
    """Read ``Retry-After``: seconds, or a date (measured against the answer's own ``Date``)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(dt.timedelta(seconds=int(value[:9])), LONGEST_HINT)
    try:
        until = email.utils.parsedate_to_datetime(value)
        answered = email.utils.parsedate_to_datetime(headers.get("date", ""))
        return min(max(until - answered, dt.timedelta()), LONGEST_HINT)
    except (ValueError, TypeError):
        return None


def _regain_access(headers: Mapping[str, str]) -> dt.timedelta | None:
    """Read ``X-Business-Use-Case-Usage``: the longest wait, in minutes, that concerns messages."""
    accounts = mapping(decode(headers.get("x-business-use-case-usage", "")))
    minutes = [
        _number(usage.get("estimated_time_to_regain_access"))
        for usages in accounts.values()
        for usage in mappings(usages)
        if usage.get("type") != "whatsapp_business_management"
    ]
    longest = max(minutes, default=0.0)
    return min(dt.timedelta(minutes=min(longest, 1440)), LONGEST_HINT) if longest > 0 else None


def _full_usage(headers: Mapping[str, str]) -> dt.timedelta | None:
    """Read ``X-App-Usage``, in percent: it names no time, so a used-up limit waits a minute."""
    usage = mapping(decode(headers.get("x-app-usage", "")))
    return FULL_USAGE_SLOW_DOWN if any(_number(value) >= 100 for value in usage.values()) else None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0
