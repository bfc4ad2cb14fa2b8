"""Texts that an organization answers with again and again, with the contact's name filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conversations.models import SavedReply
from trochai.search import fold

if TYPE_CHECKING:
    from conversations.models import Contact
    from trochai.accounts.models import Organization

# Stands for the contact's first name.
NAME = "{name}"
MOST_SHOWN = 20


def found(organization: Organization, query: str) -> list[SavedReply]:
    """Return those with all these words in their name or text, ignoring case and accents."""
    words = fold(query).split()
    replies = SavedReply.objects.for_organization(organization)
    matching = (each for each in replies if all(word in fold(f"{each.name} {each.text}") for word in words))
    return [reply for reply, _n in zip(matching, range(MOST_SHOWN), strict=False)]


def filled(text: str, contact: Contact) -> str:
    """Return the text with the contact's first name; without one "Hola {name}," becomes "Hola,"."""
    if contact.first_name:
        return text.replace(NAME, contact.first_name)
    return re.sub(rf"[ \t]*{re.escape(NAME)}", "", text)
