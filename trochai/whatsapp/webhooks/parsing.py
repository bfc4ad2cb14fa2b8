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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from trochai.whatsapp.cloud_api.errors import DETAILS_LENGTH
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.json_reading import first, mapping, mappings, text, text_or_number
from trochai.whatsapp.webhooks.message_text import text_of

MAX_ID = 255
MAX_REFERENCE = 512
MAX_NAME = 200
MAX_USERNAME = 64
MAX_DEPTH = 20
MESSAGE_STATUSES = frozenset({"sent", "delivered", "read", "played", "failed"})

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)
_PHONE = re.compile(r"\+?([1-9][0-9]{4,14})", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)
# No WhatsApp message is older.
_EARLIEST = dt.datetime(2009, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class InboundMessage:
    """A customer wrote, or did something to a message. ``from_phone`` is E.164, or empty if Meta hides it.

    ``about`` is the id of the message that is edited, revoked or reacted to. An edit has the new text and
    content.
    """

    id: str
    from_phone: str
    from_user_id: str
    profile_name: str
    at: dt.datetime
    kind: str
    text: str
    content: dict[str, Any]
    about: str = ""
    in_group: bool = False
    # The sender's own number, given because a template asked for it.
    given_phone: str = ""
    # Where the sender is found from now on, in a system message that says so.
    moved_to_phone: str = ""
    moved_to_user_id: str = ""
    # The sender's id at all portfolios that Meta has linked, and the name that the sender shows.
    parent_user_id: str = ""
    username: str = ""


@dataclass(frozen=True)
class MessageEcho:
    """A colleague wrote to a customer from the WhatsApp Business app, with the same number."""

    id: str
    to_phone: str
    to_user_id: str
    at: dt.datetime
    kind: str
    text: str
    content: dict[str, Any]


@dataclass(frozen=True)
class AccountEvent:
    """Meta says something of the account, or of one of its numbers; ``details`` are what came with it."""

    event: str
    details: dict[str, Any]
    # As Meta shows it to people.
    number: str = ""


@dataclass(frozen=True)
class MessageStatus:
    """What became of a sent message; ``reference`` is the ``biz_opaque_callback_data`` of its request."""

    id: str
    status: str
    at: dt.datetime
    reference: str
    failure: Failure
    # What Meta bills: billable, type, category, pricing_model.
    pricing: dict[str, Any] = field(default_factory=dict)
    # The recipient, by all names that Meta tells.
    phone: str = ""
    user_id: str = ""
    parent_user_id: str = ""
    username: str = ""


@dataclass(frozen=True)
class TemplateEvent:
    """Meta says something of a template; ``at`` is by Meta's clock."""

    meta_id: str
    name: str
    language: str
    at: dt.datetime


@dataclass(frozen=True)
class TemplateStatusUpdate(TemplateEvent):
    status: str
    reason: str


@dataclass(frozen=True)
class TemplateEdit(TemplateEvent):
    """Its text has been changed."""


@dataclass(frozen=True)
class TemplateQuality(TemplateEvent):
    score: str


@dataclass(frozen=True)
class TemplateCategory(TemplateEvent):
    """``announced`` is the category that it gets at ``changes_at``; empty where it has changed already."""

    category: str
    announced: str = ""
    changes_at: dt.datetime | None = None


@dataclass(frozen=True)
class MarketingPreference:
    phone: str
    user_id: str
    opted_out: bool
    at: dt.datetime


Event = (
    InboundMessage
    | MessageEcho
    | AccountEvent
    | MessageStatus
    | TemplateStatusUpdate
    | TemplateEdit
    | TemplateQuality
    | TemplateCategory
    | MarketingPreference
)


@dataclass(frozen=True)
class Address:
    """Whom an event concerns: a number, or where there is none a WhatsApp Business account."""

    phone_number_id: str
    waba_id: str


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


def events(payload: Any, *, received_at: dt.datetime) -> Iterator[tuple[Address, Event]]:
    """Yield the facts in a posted body with whom they concern, in their order."""
    for entry in mappings(mapping(payload).get("entry")):
        account = Address("", text_or_number(entry.get("id"))[:MAX_ID])
        for change in mappings(entry.get("changes")):
            value, name = mapping(change, "value"), text(change.get("field"))
            number = text_or_number(mapping(value, "metadata").get("phone_number_id"))[:MAX_ID]
            address = replace(account, phone_number_id=number)
            if name in _OF_A_NUMBER:
                found = _OF_A_NUMBER[name](value, received_at) if number else iter(())
            elif name == "user_preferences":
                found = _preferences(value, received_at)
            else:
                address, at = account, _moment(entry.get("time"), received_at)
                of_account = _OF_AN_ACCOUNT.get(name)
                found = of_account(value) if of_account else _template_event(name, value, at)
            yield from ((address, event) for event in found)


def fields(payload: Any) -> Iterator[str]:
    """Yield the fields under which a posted body says something."""
    for entry in mappings(mapping(payload).get("entry")):
        for change in mappings(entry.get("changes")):
            yield text_or_number(change.get("field"))[:64]


def unknown_fields(payload: Any) -> Iterator[str]:
    """Yield the fields of a posted body that ``events`` knows nothing of."""
    return (name for name in fields(payload) if name not in KNOWN_FIELDS)


def _messages(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    messages = mappings(value.get("messages"))
    contacts = _Contacts(mappings(value.get("contacts")), of_one_message=len(messages) == 1)
    for message in messages:
        inbound = _inbound(message, contacts, received_at)
        if inbound is not None:
            yield inbound
    statuses = mappings(value.get("statuses"))
    recipients = _Contacts(
        mappings(value.get("contacts")), of_one_message=len(statuses) == 1 and not messages
    )
    for status in statuses:
        known = _status(status, recipients, received_at)
        if known is not None:
            yield known


def _calls(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    """Yield the calls that customers began; that they ended is no news."""
    calls = mappings(value.get("calls"))
    contacts = _Contacts(mappings(value.get("contacts")), of_one_message=len(calls) == 1)
    for call in calls:
        began = text(call.get("direction")) == "USER_INITIATED" and text(call.get("event")) == "connect"
        known = _inbound({**call, "type": "call"}, contacts, received_at) if began else None
        if known is not None:
            yield known


def _echoes(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    for message in mappings(value.get("message_echoes")):
        message_id, recipient = text_or_number(message.get("id")), text_or_number(message.get("to"))
        phone, user_id = _phone(recipient), _user_id(message.get("to_user_id")) or _user_id(recipient)
        if message_id and len(message_id) <= MAX_ID and (phone or user_id):
            kind, words, content = _content_of(message)
            at = _moment(message.get("timestamp"), received_at)
            yield MessageEcho(message_id, phone, user_id, at, kind, words, content)


def _standby(value: dict[str, Any], received_at: dt.datetime) -> Iterator[Event]:
    """Yield what is said while Meta's Business Agent answers: the person's messages, and the agent's.

    Source: "Standby webhooks" in Meta's reference (August 2026).
    """
    for event in chain(_messages(value, received_at), _echoes(value, received_at)):
        if isinstance(event, InboundMessage | MessageEcho):
            yield replace(event, content={**event.content, STANDBY: True})
        else:
            yield event


# The fields that are about one number, and what they say.
_OF_A_NUMBER: Mapping[str, Callable[[dict[str, Any], dt.datetime], Iterator[Event]]] = {
    "messages": _messages,
    "calls": _calls,
    "smb_message_echoes": _echoes,
    "standby": _standby,
}
KNOWN_FIELDS = frozenset(_OF_A_NUMBER) | {
    "user_preferences",
    "account_update",
    "phone_number_quality_update",
    "business_capability_update",
    "message_template_status_update",
    "message_template_quality_update",
    "message_template_components_update",
    "template_category_update",
}


def _inbound(message: dict[str, Any], contacts: _Contacts, received_at: dt.datetime) -> InboundMessage | None:
    message_id, sender = text_or_number(message.get("id")), text_or_number(message.get("from"))
    system = mapping(message, "system")
    phone, user_id = _phone(sender), _user_id(message.get("from_user_id")) or _user_id(sender)
    user_id = user_id or _user_id(system.get("previous_user_id"))
    contact = contacts.who(sender, user_id)
    user_id = user_id or _user_id(contact.get("user_id"))
    if not message_id or len(message_id) > MAX_ID or not (phone or user_id):
        return None
    kind, words, content = _content_of(message)
    about = ""
    if kind in _ABOUT:
        change = mapping(message, kind)
        about = text_or_number(change.get(_ABOUT[kind]))[:MAX_ID]
        if kind == "edit":
            _inner, words, content = _content_of(mapping(change, "message"))
    return InboundMessage(
        id=message_id,
        from_phone=phone,
        from_user_id=user_id,
        profile_name=text_or_number(mapping(contact, "profile").get("name")).strip()[:MAX_NAME],
        at=_moment(message.get("timestamp"), received_at),
        kind=kind,
        text=words,
        content=content,
        about=about,
        in_group=bool(text_or_number(message.get("group_id"))),
        given_phone=_given_phone(message),
        parent_user_id=_user_id(message.get("from_parent_user_id"))
        or _user_id(contact.get("parent_user_id")),
        username=_username(contact),
        **_moved(system),
    )


def _given_phone(message: dict[str, Any]) -> str:
    """Return the number on the sender's own card, sent because we have asked for it."""
    if not text(message.get("origin")).startswith("contact_request"):
        return ""
    phone = first(first(message.get("contacts")).get("phones"))
    written = text_or_number(phone.get("wa_id")) or text_or_number(phone.get("phone"))
    return _phone(re.sub(r"[\s().-]", "", written))


def _moved(system: dict[str, Any]) -> dict[str, str]:
    """Return where a person is found who has another number, or another user id."""
    if text(system.get("type")) not in {"user_changed_number", "user_changed_user_id"}:
        return {}
    number = text_or_number(system.get("wa_id")) or text_or_number(system.get("new_wa_id"))
    return {"moved_to_phone": _phone(number), "moved_to_user_id": _user_id(system.get("user_id"))}


# Meta has no name for this event but its field's.
CAPABILITY = "BUSINESS_CAPABILITY_UPDATE"
# What the content of a message has that was said while Meta's Business Agent answered.
STANDBY = "standby"
# Where each kind that is about another message names that one.
_ABOUT = {"edit": "original_message_id", "revoke": "original_message_id", "reaction": "message_id"}


def _content_of(message: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return kind, words and what is kept of a message."""
    kind = text_or_number(message.get("type"))[:32] or "unsupported"
    content = {key: message[key] for key in (kind, "context", "errors", "referral") if key in message}
    return kind, text_of(kind, content.get(kind)), content


class _Contacts:
    """The people that an update describes, by number and by user id; the first of several counts.

    ``of_one_message``: nothing but one message is in the update, so its only contact has written it.
    """

    def __init__(self, contacts: list[dict[str, Any]], *, of_one_message: bool) -> None:
        self._contacts = contacts
        self._only = contacts[0] if of_one_message and len(contacts) == 1 else {}
        self._by_number: dict[str, int] = {}
        self._by_user_id: dict[str, int] = {}
        for place, contact in enumerate(contacts):
            self._by_number.setdefault(text_or_number(contact.get("wa_id")), place)
            self._by_user_id.setdefault(_user_id(contact.get("user_id")), place)

    def who(self, sender: str, user_id: str) -> dict[str, Any]:
        """Return who wrote, or nothing."""
        places = (self._by_number.get(sender) if sender else None, self._by_user_id.get(user_id))
        known = [place for place in places[: 2 if user_id else 1] if place is not None]
        if known:
            return self._contacts[min(known)]
        # Meta may spell the number in another way there than here.
        return self._only


def _username(contact: dict[str, Any]) -> str:
    return text(mapping(contact, "profile").get("username")).strip().removeprefix("@")[:MAX_USERNAME]


def _status(status: dict[str, Any], contacts: _Contacts, received_at: dt.datetime) -> MessageStatus | None:
    message_id, name = text_or_number(status.get("id")), text_or_number(status.get("status")).lower()
    if not message_id or len(message_id) > MAX_ID or name not in MESSAGE_STATUSES:
        return None
    recipient, user_id = text_or_number(status.get("recipient_id")), _user_id(status.get("recipient_user_id"))
    contact = contacts.who(recipient, user_id)
    parent = _first_id(status.get("recipient_parent_user_id"), contact.get("parent_user_id"))
    return MessageStatus(
        id=message_id,
        status=name,
        at=_moment(status.get("timestamp"), received_at),
        reference=text_or_number(status.get("biz_opaque_callback_data"))[:MAX_REFERENCE],
        failure=_failure(status) if name == "failed" else Failure(),
        pricing=_pricing(mapping(status, "pricing")),
        phone=_phone(recipient) or _phone(text_or_number(contact.get("wa_id"))),
        user_id=user_id or _first_id(recipient, contact.get("user_id")),
        parent_user_id=parent,
        username=_username(contact),
    )


def _pricing(pricing: dict[str, Any]) -> dict[str, Any]:
    known = {key: text(pricing.get(key))[:64] for key in ("type", "category", "pricing_model")}
    billable = {"billable": pricing["billable"]} if isinstance(pricing.get("billable"), bool) else {}
    return billable | {key: value for key, value in known.items() if value}


def _failure(status: dict[str, Any]) -> Failure:
    error = first(status.get("errors"))
    details = text_or_number(mapping(error, "error_data").get("details")) or text_or_number(
        error.get("message")
    )
    details = (details or text_or_number(error.get("title")))[:DETAILS_LENGTH]
    return Failure.reported(error.get("code"), details)


def _template_event(name_of_field: str, value: dict[str, Any], at: dt.datetime) -> Iterator[Event]:
    meta_id = text_or_number(value.get("message_template_id"))
    name = text_or_number(value.get("message_template_name"))
    # Meta's own example says en-US here and en_US everywhere else.
    language = text_or_number(value.get("message_template_language")).replace("-", "_")
    if not meta_id and not (name and language):
        return
    known = (meta_id, name, language, at)
    match name_of_field:
        case "message_template_status_update" if event := text_or_number(value.get("event")).upper()[:32]:
            yield TemplateStatusUpdate(*known, event, _template_reason(value))
        case "message_template_components_update":
            yield TemplateEdit(*known)
        case "message_template_quality_update" if score := _upper(value.get("new_quality_score")):
            yield TemplateQuality(*known, score[:16])
        case "template_category_update" if category := _upper(value.get("new_category")):
            announced = _upper(value.get("correct_category"))
            if announced in {"", category}:
                yield TemplateCategory(*known, category)
            else:
                changes_at = _seconds(value.get("category_update_timestamp"))
                yield TemplateCategory(*known, category, announced, changes_at)


def _upper(value: object) -> str:
    return text_or_number(value).upper()[:32]


def _template_reason(value: dict[str, Any]) -> str:
    reason = text_or_number(value.get("reason"))
    if reason.upper() == "NONE":
        reason = ""
    explained = text_or_number(mapping(value, "rejection_info").get("reason"))
    other = text_or_number(mapping(value, "other_info").get("description"))
    return (explained or reason or other)[:500]


def _account_event(value: dict[str, Any]) -> Iterator[Event]:
    event = text_or_number(value.get("event")).upper()[:64]
    if event:
        yield AccountEvent(event, {key: item for key, item in value.items() if key.endswith("_info")})


def _quality(value: dict[str, Any]) -> Iterator[Event]:
    """Source: "phone_number_quality_update webhook reference" (May 2026)."""
    event = text_or_number(value.get("event")).upper()[:64]
    if event:
        number = text_or_number(value.get("display_phone_number"))[:64]
        yield AccountEvent(event, _limits(value), number)


def _capability(value: dict[str, Any]) -> Iterator[Event]:
    """Source: "business_capability_update webhook reference": how much the business may do by now."""
    limits = _limits(value)
    if limits:
        yield AccountEvent(CAPABILITY, limits)


def _limits(value: dict[str, Any]) -> dict[str, Any]:
    named = {
        key: text_or_number(item)[:64]
        for key, item in value.items()
        if key.startswith("max_") or key.endswith("_limit")
    }
    told = {key: item for key, item in named.items() if item}
    return {"limits": told} if told else {}


# The fields that are about an account, and what they say.
_OF_AN_ACCOUNT: Mapping[str, Callable[[dict[str, Any]], Iterator[Event]]] = {
    "account_update": _account_event,
    "phone_number_quality_update": _quality,
    "business_capability_update": _capability,
}


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
    moment = _seconds(value)
    is_true = moment is not None and _EARLIEST <= moment <= received_at + dt.timedelta(days=1)
    return moment if moment is not None and is_true else received_at


def _seconds(value: object) -> dt.datetime | None:
    seconds = text_or_number(value)
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        return None
    return dt.datetime.fromtimestamp(int(seconds), tz=dt.UTC)


def _phone(value: str) -> str:
    match = _PHONE.fullmatch(value)
    return f"+{match[1]}" if match else ""


def _user_id(value: object) -> str:
    return value if isinstance(value, str) and _USER_ID.fullmatch(value) else ""


def _first_id(*values: object) -> str:
    return next(filter(None, map(_user_id, values)), "")


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
