"""How many follow-ups of a conversation wait or are being sent, kept in it for the inbox list.

A count is changed by the transaction that changes the rows. Who decides about rows that wait or have failed
locks their conversations first, as what comes from the contact does; who settles rows that are being sent
locks the rows first. No row is both, so the two orders do not meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from conversations.models import Conversation
from followups.models import FollowUp

RECOUNT_CHUNK = 5_000


def lock(follow_ups: QuerySet[FollowUp]) -> None:
    """Lock the conversations of these rows until the transaction ends."""
    _lock(Conversation.objects.filter(pk__in=follow_ups.values("conversation")))


def lock_conversations(conversation_ids: Iterable[int]) -> None:
    """Lock these conversations until the transaction ends."""
    _lock(Conversation.objects.filter(pk__in=conversation_ids))


def add(conversation_ids: Iterable[int], *, by: int) -> None:
    """Add ``by`` to the counts of these conversations, as often as each is named."""
    named = Counter(conversation_ids)
    for times in sorted(set(named.values())):
        ids = [pk for pk, often in named.items() if often == times]
        rows = Conversation.objects.filter(pk__in=ids)
        rows.update(waiting_count=F("waiting_count") + by * times, is_only_started=False)


def recount() -> int:
    """Correct the counts that are wrong, as after an update in which the version before still wrote rows.

    Returns how many were.
    """
    corrected = 0
    first = 0
    while chunk := _ids_from(first):
        wrong = Conversation.objects.filter(pk__in=chunk).filter(~Q(waiting_count=_true_count()))
        ids = list(wrong.values_list("pk", flat=True))
        if ids:
            with transaction.atomic():
                _lock(Conversation.objects.filter(pk__in=ids))
                corrected += wrong.filter(pk__in=ids).update(waiting_count=_true_count())
        first = chunk[-1] + 1
    return corrected


def _lock(rows: QuerySet[Conversation]) -> None:
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _ids_from(first: int) -> list[int]:
    ids = Conversation.objects.filter(pk__gte=first).order_by("pk").values_list("pk", flat=True)
    return list(ids[:RECOUNT_CHUNK])


def _true_count() -> Coalesce:
    of_one = FollowUp.objects.unsettled().filter(conversation=OuterRef("pk")).order_by()
    return Coalesce(Subquery(of_one.values("conversation").annotate(rows=Count("pk")).values("rows")), 0)
