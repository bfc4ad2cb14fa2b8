"""The list's search: whose name, number or username it is, or what the note says.

Contacts are searched first: there are far fewer of them than follow-ups, and they hardly ever change, so a
row on its way to being sent writes no index of words. The follow-ups of up to ``HITS_CAP`` conversations are
looked up; beyond it the words are so frequent that walking the list in its order meets enough of them soon.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connections
from django.db.models import Q

from conversations.models import Contact, Conversation, ConversationQuerySet
from followups.models import FollowUp, FollowUpQuerySet
from trochai.accounts.models import Organization
from trochai.search import fold_numbers, lookup

HITS_CAP = 1000
COUNT_CAP = 10_000
# Of what is met by walking the list nobody waits for more than this.
FREQUENT_CAP = 100


@dataclass(frozen=True)
class Found:
    """Rows, still unsorted, how far they may be counted, and whether they are few of very many."""

    rows: FollowUpQuerySet
    count_cap: int = COUNT_CAP
    are_few: bool = False


def whose(text: str, *, organization: Organization) -> ConversationQuerySet:
    """Return the conversations in whose contact's name, number or username ``text`` is found."""
    rows, folded = Conversation.objects.for_organization(organization), fold_numbers(text)
    if not folded:
        return rows
    if connections[rows.db].vendor == "sqlite":
        # All names are read there, one after the other and not each from its conversation. Whose they are,
        # the conversations say.
        return rows.filter(contact__in=Contact.objects.filter(**{f"search_text__{lookup(folded)}": folded}))
    return rows.filter(**{f"contact__search_text__{lookup(folded)}": folded})


def search(rows: FollowUpQuerySet, text: str, *, organization: Organization) -> Found:
    """Return those of the organization's ``rows`` that ``text`` is found in, at most two queries later."""
    folded = fold_numbers(text)
    if not folded:
        return Found(rows)
    how = lookup(folded)
    theirs = whose(text, organization=organization)
    conversations = list(theirs.values_list("pk", flat=True)[: HITS_CAP + 1])
    notes: list[int] = []
    if how == "contains":  # a row's text begins with its contact, who is found already
        noted = rows.exclude(note="").filter(search_text__contains=folded)
        notes = list(noted.values_list("pk", flat=True)[: HITS_CAP + 1])
    if max(len(conversations), len(notes)) > HITS_CAP:
        return Found(rows.filter(**{f"search_text__{how}": folded}), count_cap=FREQUENT_CAP)
    of_these = Q(conversation__in=conversations)
    if connections[rows.db].vendor == "sqlite":
        # It would rather read all rows of the organization than look up those of many conversations.
        of_these = Q(pk__in=FollowUp.objects.filter(of_these).order_by().values("pk"))
    return Found(rows.filter(of_these | Q(pk__in=notes)), are_few=True)
