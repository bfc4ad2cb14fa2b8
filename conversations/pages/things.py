"""What a message holds that is neither words nor a file: a place, people, an order, a form's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from trochai.whatsapp import phone_numbers
from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.webhooks import message_text
from trochai.whatsapp.webhooks.message_text import Article, Place

if TYPE_CHECKING:
    from conversations.models import Message

KINDS = frozenset({"location", "contacts", "order", "interactive"})
WEB_ADDRESS = URLValidator(schemes=["http", "https"])
# As many as are shown of one message.
MOST = message_text.MOST_LINES


@dataclass(frozen=True)
class KnownPerson:
    """Somebody on a contact card; ``phone`` is E.164 where the number could be written to."""

    name: str
    phone: str
    shown: str

    @property
    def copied(self) -> str:
        return "\n".join(filter(None, (self.name, self.shown)))


@dataclass(frozen=True)
class Thing:
    """``form`` says which of the others there is: place, people, order, answers."""

    form: str
    place: Place | None = None
    people: Sequence[KnownPerson] = ()
    articles: Sequence[Article] = ()
    answers: Sequence[tuple[str, str]] = ()

    @property
    def address(self) -> str:
        """Where a map opens (RFC 5870); empty where no degrees were told, or what is none."""
        place = self.place
        if place is None or not (_is_degrees(place.latitude, 90) and _is_degrees(place.longitude, 180)):
            return ""
        return f"geo:{place.latitude},{place.longitude}"

    @property
    def copied(self) -> str:
        """The place in words."""
        place = self.place
        if place is None:
            return ""
        degrees = f"{place.latitude}, {place.longitude}" if self.address else ""
        return "\n".join(filter(None, (place.name, place.address, degrees)))


@dataclass(frozen=True)
class Ad:
    """The ad or post from which somebody began to write; ``url`` only where it can be opened."""

    title: str
    body: str
    url: str
    is_post: bool


def ad_of(message: Message) -> Ad | None:
    """Return what the message's referral says, if it says anything."""
    told = mapping(message.content, "referral")
    headline, body, address = (text(told.get(key)).strip() for key in ("headline", "body", "source_url"))
    if message.revoked_at is not None or not (headline or body or address):
        return None
    url = address if _can_be_opened(address) else ""
    return Ad(headline or body or address, body if headline else "", url, told.get("source_type") == "post")


def shown(message: Message) -> Thing | None:
    """Return what the message holds, if it is one of these and has anything in it."""
    if message.kind not in KINDS or message.revoked_at is not None:
        return None
    node = message.content.get(message.kind)
    match message.kind:
        case "location":
            thing = Thing("place", place=message_text.place_of(node))
            return thing if thing.copied else None
        case "contacts":
            people = [_known(person) for person in islice(message_text.people_of(node), MOST)]
            return Thing("people", people=people) if people else None
        case "order":
            articles = list(islice(message_text.articles_of(node), MOST))
            return Thing("order", articles=articles) if articles else None
        case "interactive":
            answers = message_text.answers_of(node)[:MOST]
            return Thing("answers", answers=answers) if answers else None
    return None


def _can_be_opened(address: str) -> bool:
    try:
        WEB_ADDRESS(address)
    except ValidationError:
        return False
    return True


def _known(person: message_text.Person) -> KnownPerson:
    written = next(iter(person.phones), "")
    try:
        phone = phone_numbers.normalized(written)
    except ValueError:
        return KnownPerson(person.name, "", written or next(iter(person.emails), ""))
    return KnownPerson(person.name, phone, phone_numbers.international(phone))


def _is_degrees(told: str, most: int) -> bool:
    try:
        return told.isascii() and abs(Decimal(told)) <= most
    except InvalidOperation:
        return False
