"""How many follow-ups may wait for one contact: more would annoy, and no page should have to draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from conversations.models import Contact
from followups.models import FollowUp

if TYPE_CHECKING:
    from conversations.models import Conversation


def count_waiting(conversation: Conversation) -> int:
    """Count what waits for the conversation's contact, on any channel, up to one beyond the ceiling.

    Locks the contact until the transaction ends, so that two who come at once do not both get the last
    place. On SQLite the transaction itself is the lock.
    """
    Contact.objects.select_for_update(no_key=True).get(pk=conversation.contact_id)
    rows = FollowUp.objects.visible().unsettled().filter(conversation__contact_id=conversation.contact_id)
    return len(rows.values_list("pk")[: settings.FOLLOWUPS_MAX_WAITING + 1])
