"""Writes what was found where it differs from what is kept, and what somebody decides about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from followups.models import Attention, AttentionQuerySet
from trochai.changes import Kind, changed

if TYPE_CHECKING:
    from trochai.accounts.models import User

# What somebody is called, or how many more there are, is no reason to ask anew whether it goes out.
INCIDENTAL = frozenset({"contact", "name", "template", "due"})
BATCH = 500

# A follow-up's id and a cause.
Key = tuple[int, str]


class Found(NamedTuple):
    """What the rows of one cause have in common (``Attention.subject``), and what its words are made of."""

    subject: str
    values: dict[str, Any]


def write(
    found: Mapping[Key, Found],
    kept: Mapping[Key, Attention],
    organizations: Mapping[int, int],
    *,
    now: dt.datetime,
) -> None:
    """Have all of ``found`` kept, and of ``kept`` nothing else; ``organizations`` are by follow-up id.

    Open pages are told if anything is another than it was.
    """
    over = [each for key, each in kept.items() if key not in found]
    news = [
        _written(key, each, kept.get(key), organizations[key[0]], now)
        for key, each in found.items()
        if key not in kept or (kept[key].subject, kept[key].values) != each
    ]
    if over:
        Attention.objects.filter(pk__in=[each.pk for each in over]).delete()
    Attention.objects.bulk_create(
        news,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["follow_up", "cause"],
        update_fields=["subject", "values", "found_at", "kept_at", "kept_by"],
    )
    changed({each.organization_id for each in [*over, *news]}, [Kind.FOLLOW_UPS])


def keep(attention: AttentionQuerySet, *, by: User, now: dt.datetime) -> int:
    """Have these go out all the same: nobody is asked again while they stay as they are; return how many."""
    return attention.filter(kept_at__isnull=True).update(kept_at=now, kept_by=by)


def _written(
    key: Key, found: Found, kept: Attention | None, organization_id: int, now: dt.datetime
) -> Attention:
    """Return what is to be kept; what somebody has decided stays while it is about the same."""
    follow_up_id, cause = key
    written = Attention(
        organization_id=organization_id,
        follow_up_id=follow_up_id,
        cause=cause,
        subject=found.subject,
        values=found.values,
        found_at=now,
    )
    if kept is not None and (kept.subject, _told(kept.values)) == (found.subject, _told(found.values)):
        written.found_at, written.kept_at, written.kept_by_id = kept.found_at, kept.kept_at, kept.kept_by_id
    return written


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in INCIDENTAL}
