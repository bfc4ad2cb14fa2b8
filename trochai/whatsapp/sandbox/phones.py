"""The phones of the people whom the sandbox plays: what arrived on each, and what its person did (pure).

Kept in memory and bounded (docs/decisions/0023-the-sandboxs-phones.md). What is handed out never changes.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from trochai.whatsapp.phone_numbers import digits

MOST_PHONES, MOST_MESSAGES, MOST_LINES = 200, 200, 50
MAX_NAME = 200

# The button with which a person shares the number.
ASKS_NUMBER = "request_contact_info"

# How far a message has got, in this order.
REACHED = ("sent", "delivered", "read")


@dataclass(frozen=True)
class Button:
    """``kind`` is Meta's type in lower case; ``payload`` is what a quick reply answers with."""

    kind: str
    text: str
    payload: str = ""
    address: str = ""

    @property
    def answers(self) -> bool:
        """Whether tapping it sends something to the business."""
        return self.kind in {"quick_reply", ASKS_NUMBER}


@dataclass(frozen=True)
class Template:
    """A template message with its values filled in."""

    language: str
    header: str
    header_kind: str
    body: str
    footer: str
    buttons: tuple[Button, ...]


@dataclass(frozen=True)
class Message:
    """One message on a phone, ``is_mine`` if its person wrote it; ``kind`` is Meta's, or "event".

    A message of the business that is no further than "sent" has not arrived yet.
    """

    id: str
    kind: str
    at: float
    is_mine: bool
    text: str = ""
    tick: str = "sent"
    template: Template | None = None
    media_id: str = ""
    name: str = ""
    quoted: str = ""
    reaction: str = ""
    is_edited: bool = False
    is_deleted: bool = False
    is_from_app: bool = False
    tapped: int | None = None
    reference: str = ""

    @property
    def has_arrived(self) -> bool:
        return self.is_mine or self.tick != "sent"

    @property
    def is_unread(self) -> bool:
        return not self.is_mine and self.tick == "delivered"


@dataclass(frozen=True)
class Phone:
    """One person's phone at one of the accounts. ``number`` has digits only, and may be unknown.

    ``fails_with`` is the ending of the magic number that its messages are treated as.
    """

    pk: int
    account: str
    number: str
    user_id: str
    name: str = ""
    is_on: bool = True
    shows_read: bool = True
    shares_number: bool = True
    fails_with: str = ""
    has_opted_out: bool = False
    last_at: float = 0
    messages: Mapping[str, Message] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def told_number(self) -> str:
        """The number as webhooks tell it: empty if this phone keeps it to itself."""
        return self.number if self.shares_number else ""

    @property
    def last_written(self) -> Message | None:
        """The newest message of its person that is not deleted."""
        mine = (
            each for each in reversed(list(self.messages.values())) if each.is_mine and each.kind != "event"
        )
        return next((each for each in mine if not each.is_deleted), None)

    @property
    def waiting(self) -> list[Message]:
        return [each for each in self.messages.values() if not each.has_arrived]

    @property
    def unread(self) -> int:
        return sum(each.is_unread for each in self.messages.values())


@dataclass(frozen=True)
class Line:
    """One change that was posted to the app: ``status`` is the app's answer, 0 if there was none."""

    at: float
    what: str
    status: int


class Phones:
    """All phones. Each method is one step that other threads see whole or not at all."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pks = itertools.count(1)
        # The one with the latest message is last.
        self._phones: OrderedDict[int, Phone] = OrderedDict()
        self._by_person: dict[tuple[str, str], int] = {}
        self._by_message: dict[str, int] = {}
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        # A page of an earlier run has another version, whatever has happened since.
        self._run = secrets.token_hex(4)
        self._changes = 0

    @property
    def version(self) -> str:
        """Another one after each change."""
        return f"{self._run}-{self._changes}"

    @property
    def lines(self) -> list[Line]:
        """What was posted to the app, newest first."""
        with self._lock:
            return list(reversed(self._lines))

    def all(self) -> list[Phone]:
        """Return the phones, the one with the latest message first."""
        with self._lock:
            return list(reversed(self._phones.values()))

    def get(self, pk: int) -> Phone | None:
        with self._lock:
            return self._phones.get(pk)

    def find(self, account: str, person: str) -> Phone | None:
        """Return the phone of a number or user id, if there is one."""
        with self._lock:
            return self._phones.get(self._by_person.get((account, _key(person)), 0))

    def of(self, account: str, person: str, *, at: float, name: str = "") -> Phone:
        """Return the phone of a number or user id, a new one if need be; a name that is given is kept."""
        with self._lock:
            phone = self.find(account, person)
            if phone is None:
                is_user_id = "." in person
                number = "" if is_user_id else digits(person)
                user_id = person if is_user_id else f"CR.{number}"
                phone = Phone(next(self._pks), account, number, user_id, last_at=at)
            if name and name != phone.name:
                phone = replace(phone, name=name[:MAX_NAME])
            if self._phones.get(phone.pk) != phone:
                self._put(phone)
            return phone

    def change(self, pk: int, **fields: Any) -> Phone:
        """Change what a phone is. Raises ``KeyError`` for one that is no longer kept."""
        with self._lock:
            old = self._phones[pk]
            self._forget_person(old)
            phone = replace(old, **fields)
            self._put(phone)
            return phone

    def add(self, pk: int, message: Message) -> None:
        """Add a message; the oldest one gives way. Nothing happens to a phone that is no longer kept."""
        with self._lock:
            phone = self._phones.get(pk)
            if phone is None:
                return
            messages = {**phone.messages, message.id: message}
            if len(messages) > MOST_MESSAGES:
                oldest = next(iter(messages))
                del messages[oldest]
                self._by_message.pop(oldest, None)
            self._by_message[message.id] = pk
            self._phones.move_to_end(pk)
            self._put(replace(phone, messages=MappingProxyType(messages), last_at=message.at))

    def message(self, message_id: str) -> Message | None:
        with self._lock:
            phone = self._phones.get(self._by_message.get(message_id, 0))
            return phone.messages[message_id] if phone else None

    def change_message(self, message_id: str, **fields: Any) -> None:
        """Change a message, if it is still kept."""
        with self._lock:
            phone = self._phones.get(self._by_message.get(message_id, 0))
            if phone:
                message = replace(phone.messages[message_id], **fields)
                messages = {**phone.messages, message_id: message}
                self._put(replace(phone, messages=MappingProxyType(messages)))

    def reach(self, message_id: str, status: str) -> bool:
        """Let a message of the business get as far as ``status``; return whether the app is told so.

        It gets nowhere while the phone is switched off. What is no longer kept behaves as on any phone.
        """
        with self._lock:
            phone = self._phones.get(self._by_message.get(message_id, 0))
            if phone is None or status not in REACHED[1:]:
                return True
            message = phone.messages[message_id]
            step = REACHED.index(status)
            if not phone.is_on or message.tick != REACHED[step - 1]:
                return False
            self.change_message(message_id, tick=status)
            return status != "read" or phone.shows_read

    def note(self, line: Line) -> None:
        """Remember what was posted to the app."""
        with self._lock:
            self._lines.append(line)
            self._changes += 1

    def _put(self, phone: Phone) -> None:
        self._phones[phone.pk] = phone
        for person in filter(None, (phone.number, phone.user_id)):
            self._by_person[phone.account, person] = phone.pk
        while len(self._phones) > MOST_PHONES:
            _pk, oldest = self._phones.popitem(last=False)
            self._forget_person(oldest)
            for message_id in oldest.messages:
                del self._by_message[message_id]
        self._changes += 1

    def _forget_person(self, phone: Phone) -> None:
        for person in (phone.number, phone.user_id):
            self._by_person.pop((phone.account, person), None)


def _key(person: str) -> str:
    return person if "." in person else digits(person)
