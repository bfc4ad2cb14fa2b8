"""What the sandbox's page shows of phones and messages, ready for its templates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trochai.ui.formatting import isolated
from trochai.whatsapp import phone_numbers
from trochai.whatsapp.sandbox import media
from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.phones import Line, Message, Phone
from trochai.whatsapp.sandbox.uploads import Uploads

PHONES = "/phones/"
LONGEST_FIRST_NAME = 40
# What a browser may show of a file that somebody uploaded; anything else is only named.
SHOWN = {
    "image/jpeg": "picture",
    "image/png": "picture",
    "image/webp": "picture",
    "audio/ogg": "player",
    "audio/mpeg": "player",
    "audio/mp4": "player",
    "audio/aac": "player",
    "audio/amr": "player",
    "video/mp4": "video",
}
EMOJI: Mapping[str, Promise] = {
    "👍": gettext_lazy("Thumbs up"),
    "❤️": gettext_lazy("Heart"),
    "😂": gettext_lazy("Laughing"),
    "😮": gettext_lazy("Surprised"),
    "🙏": gettext_lazy("Thank you"),
}
# By the ending of the magic number whose error it is.
FAILURES: Mapping[str, Promise] = {
    "1026": gettext_lazy("131026 Not on WhatsApp"),
    "3026": gettext_lazy("131026 Not on WhatsApp, told later"),
    "1047": gettext_lazy("131047 Window closed"),
    "1049": gettext_lazy("131049 Marketing limit"),
    "3049": gettext_lazy("131049 Marketing limit, told later"),
    "1050": gettext_lazy("131050 Opted out"),
    "1429": gettext_lazy("130429 Rate limit"),
    "1000": gettext_lazy("131000 Something went wrong"),
}
EVENTS: Mapping[str, tuple[str, Promise]] = {
    "moved": ("phone-forwarded", gettext_lazy("This phone has a new number:")),
    "stop": ("bell-off", gettext_lazy("Opted out of marketing")),
    "resume": ("bell", gettext_lazy("Opted in to marketing again")),
}
KINDS: Mapping[str, tuple[str, Promise]] = {
    "image": ("camera", gettext_lazy("Picture")),
    "video": ("video", gettext_lazy("Video")),
    "audio": ("mic", gettext_lazy("Voice message")),
    "document": ("file-text", gettext_lazy("Document")),
    "sticker": ("sticker", gettext_lazy("Sticker")),
    "location": ("map-pin", gettext_lazy("Location")),
    "contacts": ("contact", gettext_lazy("Contact card")),
}
OTHER = ("message-square", gettext_lazy("Message"))


@dataclass(frozen=True)
class Quote:
    who: str
    words: str
    icon: str


@dataclass(frozen=True)
class Bubble:
    """A message with what stands around it. ``form`` is how its file is shown, ``label`` what it is."""

    message: Message
    at: dt.datetime
    is_new_day: bool
    is_new_turn: bool
    form: str
    icon: str
    label: str
    size: tuple[int, int] | None
    lines: list[str]
    quote: Quote | None
    may_react: bool


@dataclass(frozen=True)
class PhoneView:
    """A phone, and what its person is called: in full, and shortly."""

    phone: Phone
    name: str
    first: str
    number: str
    at: dt.datetime
    address: str


def phone_view(phone: Phone) -> PhoneView:
    number = phone_numbers.international(f"+{phone.number}") if phone.number else phone.user_id
    name = phone.name.strip()
    first = isolated(name.split()[0][:LONGEST_FIRST_NAME]) if name else number
    return PhoneView(phone, name or number, first, number, _moment(phone.last_at), f"{PHONES}{phone.pk}/")


@dataclass(frozen=True)
class LineView:
    at: dt.datetime
    what: str
    status: int


def line_views(lines: list[Line]) -> list[LineView]:
    return [LineView(_moment(line.at), line.what, line.status) for line in lines]


def bubbles(phone: Phone, account: Account, uploads: Uploads) -> Iterator[Bubble]:
    """Yield what has arrived on the phone and what its person wrote."""
    shown = [message for message in phone.messages.values() if message.has_arrived]
    newest = next((each.id for each in reversed(shown) if not each.is_mine), None)
    before: Message | None = None
    for message in shown:
        at = _moment(message.at)
        is_new_day = before is None or _day(at) != _day(_moment(before.at))
        form, icon, label = _form(message, uploads)
        yield Bubble(
            message=message,
            at=at,
            is_new_day=is_new_day,
            is_new_turn=before is None or before.is_mine != message.is_mine,
            form=form,
            icon=icon,
            label=label,
            size=_size(message, uploads),
            lines=message.text.split("\n"),
            quote=_quote(message, phone, account),
            may_react=message.id == newest,
        )
        before = message


def _form(message: Message, uploads: Uploads) -> tuple[str, str, str]:
    if message.is_deleted or message.kind in {"text", "button"}:
        return "", "", ""
    if message.template:
        icon, label = KINDS.get(message.template.header_kind, OTHER)
        return "", icon, str(label)
    if message.kind == "event":
        icon, label = EVENTS.get(message.name, OTHER)
        number = phone_numbers.international(f"+{message.text}") if message.text else ""
        return "event", icon, " ".join(filter(None, (str(label), number)))
    icon, label = KINDS.get(message.kind, OTHER)
    if message.kind == "location":
        return "place", icon, str(label)
    mime_type = mime_type_of(message.media_id, uploads)
    form = "sticker" if message.kind == "sticker" else SHOWN.get(mime_type, "item")
    return (form if mime_type else "item"), icon, str(label)


def mime_type_of(media_id: str, uploads: Uploads) -> str:
    """Return the type of a file that is here, without its parameters; nothing for others."""
    if media_id in media.BY_ID:
        return media.BY_ID[media_id].mime_type.partition(";")[0]
    file = uploads.get(media_id)
    return file.mime_type if file else ""


def _size(message: Message, uploads: Uploads) -> tuple[int, int] | None:
    """Return the size of a picture, which keeps its place on the page until it is there."""
    if message.media_id in media.BY_ID:
        return media.SIZE if message.kind == "image" else None
    file = uploads.get(message.media_id)
    return file.size if file else None


def _quote(message: Message, phone: Phone, account: Account) -> Quote | None:
    if not message.quoted:
        return None
    quoted = phone.messages.get(message.quoted)
    if quoted is None:
        return Quote("", _("A message that is no longer here"), "")
    words = quoted.template.body if quoted.template else quoted.text
    icon, label = KINDS.get(quoted.kind, ("", ""))
    return Quote(_("You") if quoted.is_mine else account.name, words or str(label), icon)


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def _day(moment: dt.datetime) -> dt.date:
    return timezone.localtime(moment).date()
