"""Words that were said in a conversation, beyond its last message.

On PostgreSQL found by an index of words, each by how it begins; elsewhere by LIKE, which reads all that the
organization's contacts and people have written, and knows no accents. Template messages say the same to
everybody: they are not searched, and a burst of them does not pay for the index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, TextField, Value

from conversations.models import Direction, Message, MessageKind
from trochai.search import fold, is_short
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.accounts.models import Organization

# Of so many messages the conversations are found: whoever searches for a very common word is told.
MOST = 1000
SPOKEN = Q(direction=Direction.INBOUND) | Q(kind=MessageKind.TEXT)
# The letters of Latin scripts with and without their accents, as migration 0019 has them in its index.
LETTERS = (
    "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿĀāĂăĄąĆ"
    "ćĈĉĊċČčĎďĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮįİĴĵĶķĹĺĻļĽľŃńŅņŇňŌōŎŏŐő"
    "ŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽž"
)
PLAIN = (
    "aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyyaaaaaac"
    "cccccccddeeeeeeeeeegggggggghhiiiiiiiiijjkkllllllnnnnnnoooooo"
    "rrrrrrssssssssttttuuuuuuuuuuuuwwyyyzzzzzz"
)


class _Words(Func):
    """The words of a text: of the longest one that somebody can write, without case and accents."""

    template = f"to_tsvector('simple', translate(lower(left(%(expressions)s, 4096)), '{LETTERS}', '{PLAIN}'))"
    output_field = TextField()


class _Begin(Func):
    template = "to_tsquery('simple', %(expressions)s)"
    output_field = TextField()


class _AllIn(Func):
    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()


def conversations_with(organization: Organization, text: str) -> tuple[set[int], bool]:
    """Return the ids of conversations in which one message has all words of ``text``.

    True: there are more than were looked at. Fewer than three letters find nothing.
    """
    said = saying(text)
    if said is None:
        return set(), False
    channels = Channel.objects.for_organization(organization)
    rows = Message.objects.filter(SPOKEN, said, channel__in=channels.values("pk"))
    found = list(rows.order_by().values_list("conversation_id", flat=True)[:MOST])
    return set(found), len(found) == MOST


def saying(text: str) -> Q | _AllIn | None:
    """Return the condition of a message that has all words of ``text``; None for what is too short."""
    words = re.findall(r"\w+", fold(text))
    if is_short(text) or not words:
        return None
    if connection.vendor == "postgresql":
        beginnings = " & ".join(f"'{word}':*" for word in words)
        return _AllIn(_Words(F("text")), _Begin(Value(beginnings)))
    said = Q()
    for word in text.split():
        said &= Q(text__icontains=word)
    return said
