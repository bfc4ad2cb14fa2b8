"""One conversation's messages as its page shows them, a window at a time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import ngettext

from conversations import notes, wording
from conversations.frozen import Frozen
from conversations.media import shown
from conversations.models import Delivery, Direction, Message, MessageKind
from conversations.pages import things
from conversations.pages.quotes import Quoted, quoted_in
from trochai.paging import Cursor, Page, PreparedPage, count_of, newest_first, page_of
from trochai.ui.drawn import Drawn
from trochai.whatsapp.json_reading import mapping, text

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from conversations.models import Conversation

PAGE_SIZE = 40
# A page left open grows with the conversation, up to this many messages.
LONGEST = 400
ORDER = newest_first("at")


class Said(NamedTuple):
    """All that the words of a message and their foot show: where nothing of it has changed, they are kept."""

    text: str
    language: str
    # Who of the team has written it.
    sender: str
    # Meta's Business Agent, or the WhatsApp app on a phone.
    is_agents: bool
    is_echo: bool
    is_edited: bool
    at: dt.datetime
    is_outbound: bool
    delivery: str


# A text may have 4,096 characters, and a few KB once it is drawn; most have few.
_SAID = Drawn("conversations/_said.html", most=2_000)


@dataclass(frozen=True)
class Bubble:
    """A message, with a separator above it on a new day and a gap where the speaker changes."""

    message: Message
    new_day: bool
    new_turn: bool
    quoted: Quoted | None = None

    @property
    def text(self) -> str:
        message = self.message
        if self.file is not None and message.text == self.file.name:
            return ""
        if self.thing is not None:
            # What was written with an order; all the rest is in what is shown of it.
            return text(mapping(message.content, message.kind).get("text"))
        return wording.beside_picture(self.message.shown_kind, self.message.text)

    @property
    def said(self) -> SafeString:
        message = self.message
        return _SAID.html(
            Said(
                text=self.text,
                language=message.language,
                sender=message.sent_by.first_name if message.sent_by else "",
                is_agents=message.is_echo and message.is_in_standby,
                is_echo=message.is_echo,
                is_edited=message.edited_at is not None and message.revoked_at is None,
                at=message.at,
                is_outbound=message.is_outbound,
                delivery=message.delivery,
            )
        )

    @cached_property
    def file(self) -> shown.ShownFile | None:
        return shown.shown(self.message)

    @property
    def ad(self) -> things.Ad | None:
        return things.ad_of(self.message)

    @cached_property
    def thing(self) -> things.Thing | None:
        return things.shown(self.message)

    @property
    def icon(self) -> str:
        """What stands before the words of what is neither words alone nor a file."""
        if self.message.revoked_at is not None or self.message.kind in wording.FILES:
            return ""
        return wording.PICTURES.get(self.message.shown_kind, "")

    @property
    def kind_in_words(self) -> str:
        return str(wording.KINDS[self.message.shown_kind])

    @property
    def note(self) -> notes.Note:
        return notes.shown(self.message)

    @property
    def css(self) -> str:
        """The classes of its element."""
        file = self.file
        states = {
            "failed": self.message.delivery == Delivery.FAILED,
            "revoked": self.message.revoked_at,
            "media": self._is_pictured,
            "sticker": file is not None and file.form == "sticker",
        }
        return " ".join(
            [
                f"bubble bubble--{self.message.direction}",
                *(f"bubble--{name}" for name, holds in states.items() if holds),
            ]
        )

    @property
    def _is_pictured(self) -> bool:
        """Whether what it shows reaches to the edges of its bubble."""
        file, thing = self.file, self.thing
        if file is not None:
            return file.is_pictured and file.form != "sticker"
        return thing is not None and thing.form == "place"

    @property
    def can_be_retried(self) -> bool:
        message = self.message
        return (
            message.delivery in {Delivery.FAILED, Delivery.UNKNOWN}
            and not message.is_echo
            and (message.kind == MessageKind.TEXT or self._has_file or Frozen.of(message) is not None)
        )

    @property
    def needs_window(self) -> bool:
        """Whether it can be sent again only while the 24-hour window is open."""
        return self.can_be_retried and (self.message.kind == MessageKind.TEXT or self._has_file)

    @property
    def _has_file(self) -> bool:
        return self.file is not None and self.file.is_ready


@dataclass(frozen=True)
class UnreadLine:
    """What was new when somebody opened the conversation: ``str()`` is kept by the page until it is left."""

    above: int  # the id of the message that it stands above
    count: int

    @classmethod
    def parse(cls, text: str) -> UnreadLine | None:
        match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,6})", text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.above}-{self.count}"

    @property
    def words(self) -> str:
        words = ngettext("%(n)d new message", "%(n)d new messages", self.count)
        return words % {"n": self.count}


@dataclass(frozen=True)
class Thread:
    """Messages, oldest first. ``earlier`` is the cursor of the page before them, if there is one."""

    bubbles: list[Bubble]
    first: Cursor | None
    earlier: Cursor | None

    def unread_line(self, count: int) -> UnreadLine | None:
        """Return the line above the last ``count`` that the contact has written, as far as they are here."""
        theirs = [each.message for each in self.bubbles if each.message.direction == Direction.INBOUND]
        return UnreadLine(theirs[-count:][0].pk, count) if theirs and count else None

    @property
    def is_in_standby(self) -> bool:
        """Whether Meta's Business Agent answers: nobody here has written since."""
        said = (each.message for each in reversed(self.bubbles) if not each.message.is_note)
        last = next(said, None)
        return last is not None and last.is_in_standby

    @property
    def is_sending(self) -> bool:
        """Whether a worker has yet to say what became of one of them."""
        return any(bubble.message.delivery == Delivery.SENDING for bubble in self.bubbles)


def latest(conversation: Conversation, *, since: Cursor | None = None) -> Thread:
    """Return the last page of messages, or all from the one at ``since`` on (at most ``LONGEST``)."""
    if since is None:
        return _thread(conversation, _LATEST.of(conversation=conversation.pk))
    newer = count_of(ORDER.reversed.beyond(conversation.messages.all(), since), LONGEST - 1)
    size = max(PAGE_SIZE, newer.value + 1)
    return _thread(conversation, page_of(_with_sender(conversation.pk), ORDER, size=size))


def before(conversation: Conversation, cursor: Cursor) -> Thread:
    """Return the page of messages that come before ``cursor``."""
    messages = _with_sender(conversation.pk)
    return _thread(conversation, page_of(messages, ORDER, size=PAGE_SIZE, after=cursor))


def _with_sender(conversation: int) -> QuerySet[Message]:
    return Message.objects.filter(conversation=conversation).select_related("sent_by")


_LATEST = PreparedPage(_with_sender, ORDER, size=PAGE_SIZE)


def _thread(conversation: Conversation, page: Page[Message]) -> Thread:
    messages = page.rows[::-1]
    files = [each for each in messages if each.kind in wording.FILES and each.revoked_at is None]
    prefetch_related_objects(files, "attachment")
    first = ORDER.after(messages[0]) if messages else None
    quoted = quoted_in(messages, conversation)
    return Thread(bubbles=list(_bubbles(messages, quoted)), first=first, earlier=page.following)


def _bubbles(messages: Iterable[Message], quoted: Mapping[int, Quoted]) -> Iterable[Bubble]:
    previous: Message | None = None
    for message in messages:
        new_day = previous is None or _day(previous) != _day(message)
        new_turn = (
            not new_day
            and previous is not None
            and (previous.direction, previous.kind == MessageKind.TEMPLATE, previous.sent_by_id)
            != (message.direction, message.kind == MessageKind.TEMPLATE, message.sent_by_id)
        )
        yield Bubble(message, new_day, new_turn or new_day, quoted.get(message.pk))
        previous = message


def _day(message: Message) -> dt.date:
    return timezone.localtime(message.at).date()
