"""The text that the follow-ups page searches: one folded column, found with one LIKE (pure)."""

from __future__ import annotations

import re

from conversations.models import Contact
from trochai import search

# What people write between and around the digits of a number: 8888 1234, 8888-1234, (506) 8888.1234
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s().\-]+(?=\d)|\((?=\d)")


def fold(text: str) -> str:
    """Return ``text`` folded, and without what separates digits.

    "jimenez" finds "Jiménez", and "8888 1234", "88881234" and "+506 8888" all find +506 8888 1234.
    """
    return _BETWEEN_DIGITS.sub("", search.fold(text))


def search_text(contact: Contact, note: str) -> str:
    """Return what a follow-up is found by: the contact's name, number or WhatsApp id, and the note."""
    # A line break keeps the end of one from running into the beginning of the next.
    return "\n".join(
        fold(part) for part in (contact.name, contact.phone, contact.whatsapp_user_id, note) if part
    )
