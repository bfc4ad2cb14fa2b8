"""What a message answers, shown above its words and leading there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _

from conversations import recording, wording
from conversations.models import Message
from trochai.paging import Cursor
from trochai.ui import marks
from trochai.whatsapp.json_reading import mapping, text

if TYPE_CHECKING:
    from conversations.models import Conversation


@dataclass(frozen=True)
class Quoted:
    """``address`` is where the quoted message stands: further up, or on a page of its own."""

    who: str
    icon: str
    words: str
    address: str


def quoted_in(messages: Collection[Message], conversation: Conversation) -> Mapping[int, Quoted]:
    """Return what the messages of a thread quote, by their ids; of what was said elsewhere nothing."""
    ids = {message.pk: quoted_id for message in messages if (quoted_id := _quoted_id(message))}
    if not ids:
        return {}
    said = Message.objects.filter(
        channel=conversation.channel_id, conversation=conversation, whatsapp_id__in=set(ids.values())
    )
    by_id = {each.whatsapp_id: each for each in said.select_related("sent_by")}
    here = {message.pk for message in messages}
    return {
        pk: _quoted(by_id[quoted_id], conversation, is_here=by_id[quoted_id].pk in here)
        for pk, quoted_id in ids.items()
        if quoted_id in by_id
    }


def _quoted_id(message: Message) -> str:
    if message.is_note or message.revoked_at is not None:
        return ""
    quoted_id = text(mapping(message.content, "context").get("id"))
    return quoted_id if len(quoted_id) <= 255 else ""


def _quoted(message: Message, conversation: Conversation, *, is_here: bool) -> Quoted:
    if message.is_outbound:
        who = message.sent_by.first_name if message.sent_by else _("You")
    else:
        who = conversation.contact.first_name or conversation.contact.display_name
    address = f"#message-{message.pk}"
    if not is_here:
        # The page that ends with it.
        cursor = Cursor((message.at, message.pk + 1))
        address = f"{reverse('conversations:conversation', args=[conversation.pk])}?to={cursor}{address}"
    return Quoted(
        who=who,
        icon=wording.icon_of(message.shown_kind),
        words=wording.in_words(message.shown_kind, marks.plain(recording.one_line(message.text))),
        address=address,
    )
