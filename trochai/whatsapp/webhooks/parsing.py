"""What Meta posts to the webhook: whether it is genuine, and what it says (pure).

Source: WhatsApp Cloud API, "Webhooks". The parser takes nothing for granted: it leaves out what
it does not know or cannot read, and one bad part does not spoil the others.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trochai.whatsapp.cloud_api.errors import DETAILS_LENGTH
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.json_reading import first, mapping, mappings, text_or_number
from trochai.whatsapp.webhooks.message_text import text_of

MAX_ID = 255
MAX_REFERENCE = 512
MAX_NAME = 200
MAX_DEPTH = 20
MESSAGE_STATUSES = frozenset({"sent", "delivered", "read", "played", "failed"})

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)
_PHONE = re.compile(r"\+?([1-9][0-9]{4,14})", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)
# No WhatsApp message is older.
_EARLIEST = dt.datetime(2009, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class InboundMessage:
    """A customer wrote. ``from_phone`` is E.164 with its plus sign, or empty if Meta hides it."""

    id: str
    from_phone: str
    from_user_id: str
    profile_name: str
    at: dt.datetime
    kind: str
    text: str
    content: dict[str, Any]


@dataclass(frozen=True)
class MessageStatus:
    """What became of a sent message; ``reference`` is the ``biz_opaque_callback_data`` of its request."""

    id: str
    status: str
    at: dt.datetime
    reference: str
    failure: Failure


@dataclass(frozen=True)
class TemplateStatusUpdate:
    meta_id: str
    name: str
    language: str
    status: str
    reason: str


@dataclass(frozen=True)
class TemplateQuality:
    meta_id: str
    name: str
    language: str
    score: str


@dataclass(frozen=True)
class TemplateCategory:
    meta_id: str
    name: str
    language: str
    category: str


@dataclass(frozen=True)
class MarketingPreference:
    phone: str
    user_id: str
    opted_out: bool
    at: dt.datetime


Event = (
    InboundMessage
    | MessageStatus
    | TemplateStatusUpdate
    | TemplateQuality
    | TemplateCategory
    | MarketingPreference
)


def is_signed(body: bytes, header: str, app_secret: str) -> bool:
    """Return whether ``X-Hub-Signature-256`` is the HMAC of the raw bytes; an empty secret never matches."""
    match = _SIGNATURE.fullmatch(header)
    if match is None or not app_secret:
        return False
    expected = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, match[1].lower())


def decode(body: bytes) -> Any:
    """Return the posted JSON, without what no database accepts. Raises ``ValueError``."""
    try:
        return _clean(json.loads(body))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def events(payload: Any, *, phone_number_id: str, waba_id: str, received_at: dt.datetime) -> Iterator[Event]:
    """Yield the facts in a posted body that concern this number, in their order."""
    for entry in mappings(mapping(payload).get("entry")):
        own_account = text_or_number(entry.get("id")) == waba_id
        for change in mappings(entry.get("changes")):
            value = mapping(change, "value")
            number = text_or_number(mapping(value, "metadata").get("phone_number_id"))
            own = number == phone_number_id if number else own_account
            field = change.get("field")
            if field == "messages" and number == phone_number_id:
                yield from _messages(value, received_at)
            elif field == "user_preferences" and own:
                yield from _preferences(value, received_at)
            elif own_account:
                yield from _template_event(field, value)


def _messages(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    contacts = _Contacts(mappings(value.get("contacts")))
    for message in mappings(value.get("messages")):
        inbound = _inbound(message, contacts, received_at)
        if inbound is not None:
            yield inbound
    for status in mappings(value.get("statuses")):
        known = _status(status, received_at)
        if known is not None:
            yield known


def _inbound(message: dict[str, Any], contacts: _Contacts, received_at: dt.datetime) -> InboundMessage | None:
    message_id, sender = text_or_number(message.get("id")), text_or_number(message.get("from"))
    phone, user_id = _phone(sender), _user_id(message.get("from_user_id"))
    contact = contacts.who(sender, user_id)
    user_id = user_id or _user_id(contact.get("user_id"))
    if not message_id or len(message_id) > MAX_ID or not (phone or user_id):
        return None
    kind = text_or_number(message.get("type"))[:32] or "unsupported"
    content = {key: message[key] for key in (kind, "context", "errors") if key in message}
    return InboundMessage(
        id=message_id,
        from_phone=phone,
        from_user_id=user_id,
        profile_name=text_or_number(mapping(contact, "profile").get("name")).strip()[:MAX_NAME],
        at=_moment(message.get("timestamp"), received_at),
        kind=kind,
        text=text_of(kind, content.get(kind)),
        content=content,
    )


class _Contacts:
    """The people that an update describes, by number and by user id; the first of several counts."""

    def __init__(self, contacts: list[dict[str, Any]]) -> None:
        self._contacts = contacts
        self._by_number: dict[str, int] = {}
        self._by_user_id: dict[str, int] = {}
        for place, contact in enumerate(contacts):
            self._by_number.setdefault(text_or_number(contact.get("wa_id")), place)
            self._by_user_id.setdefault(_user_id(contact.get("user_id")), place)

    def who(self, sender: str, user_id: str) -> dict[str, Any]:
        """Return who wrote, or nothing."""
        places = (self._by_number.get(sender) if sender else None, self._by_user_id.get(user_id))
        known = [place for place in places[: 2 if user_id else 1] if place is not None]
        return self._contacts[min(known)] if known else {}


def _status(status: dict[str, Any], received_at: dt.datetime) -> MessageStatus | None:
    message_id, name = text_or_number(status.get("id")), text_or_number(status.get("status")).lower()
    if not message_id or len(message_id) > MAX_ID or name not in MESSAGE_STATUSES:
        return None
    return MessageStatus(
        id=message_id,
        status=name,
        at=_moment(status.get("timestamp"), received_at),
        reference=text_or_number(status.get("biz_opaque_callback_data"))[:MAX_REFERENCE],
        failure=_failure(status) if name == "failed" else Failure(),
    )


def _failure(status: dict[str, Any]) -> Failure:
    error = first(status.get("errors"))
    details = text_or_number(mapping(error, "error_data").get("details")) or text_or_number(
        error.get("message")
    )
    details = (details or text_or_number(error.get("title")))[:DETAILS_LENGTH]
    return Failure.reported(error.get("code"), details)


def _template_event(field: object, value: dict[str, Any]) -> Iterator[Event]:
    meta_id = text_or_number(value.get("message_template_id"))
    name = text_or_number(value.get("message_template_name"))
    # Meta's own example says en-US here and en_US everywhere else.
    language = text_or_number(value.get("message_template_language")).replace("-", "_")
    if not meta_id and not (name and language):
        return
    match field:
        case "message_template_status_update" if event := text_or_number(value.get("event")).upper()[:32]:
            yield TemplateStatusUpdate(meta_id, name, language, event, _template_reason(value))
        case "message_template_quality_update" if score := text_or_number(
            value.get("new_quality_score")
        ).upper():
            yield TemplateQuality(meta_id, name, language, score[:16])
        case "template_category_update" if category := text_or_number(value.get("new_category")).upper():
            yield TemplateCategory(meta_id, name, language, category[:32])


def _template_reason(value: dict[str, Any]) -> str:
    reason = text_or_number(value.get("reason"))
    if reason.upper() == "NONE":
        reason = ""
    explained = text_or_number(mapping(value, "rejection_info").get("reason"))
    other = text_or_number(mapping(value, "other_info").get("description"))
    return (explained or reason or other)[:500]


def _preferences(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    for preference in mappings(value.get("user_preferences")):
        phone, user_id = _phone(text_or_number(preference.get("wa_id"))), _user_id(preference.get("user_id"))
        choice = text_or_number(preference.get("value")).lower()
        about_marketing = preference.get("category", "marketing_messages") == "marketing_messages"
        if about_marketing and choice in {"stop", "resume"} and (phone or user_id):
            at = _moment(preference.get("timestamp"), received_at)
            yield MarketingPreference(phone, user_id, opted_out=choice == "stop", at=at)


def _moment(value: object, received_at: dt.datetime) -> dt.datetime:
    """Read unix seconds (a string or a number); what cannot be true counts as just received."""
    seconds = text_or_number(value)
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        return received_at
    moment = dt.datetime.fromtimestamp(int(seconds), tz=dt.UTC)
    return moment if _EARLIEST <= moment <= received_at + dt.timedelta(days=1) else received_at


def _phone(value: str) -> str:
    match = _PHONE.fullmatch(value)
    return f"+{match[1]}" if match else ""


def _user_id(value: object) -> str:
    return value if isinstance(value, str) and _USER_ID.fullmatch(value) else ""


def _clean(value: Any, depth: int = 0) -> Any:
    """Drop what PostgreSQL refuses: NUL characters, lone surrogates, NaN and infinity."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) or value is None:
        return value
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {_clean(key): _clean(item, depth + 1) for key, item in value.items()}
    return [_clean(item, depth + 1) for item in value]
