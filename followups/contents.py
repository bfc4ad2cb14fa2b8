"""What people decide about a follow-up, and how two versions of it differ (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from followups.models import FollowUp

# Names of columns, and in the history stored ones: never renamed.
DECIDED = ("template_id", "parameters", "scheduled_for", "note", "cancel_on_reply")


def contents_of(follow_up: FollowUp) -> dict[str, Any]:
    return {name: getattr(follow_up, name) for name in DECIDED}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``from`` and ``to``: what differs, as JSON. Of the values only those that do.

    With another template all values come along: the same key means another place.
    """
    changed = [name for name in DECIDED if before[name] != after[name]]
    sides = {"from": before, "to": after}
    found = {side: {name: _stored(each[name]) for name in changed} for side, each in sides.items()}
    if "parameters" in changed and "template_id" not in changed:
        olds, news = before["parameters"], after["parameters"]
        keys = [key for key in {**olds, **news} if olds.get(key) != news.get(key)]
        for side in found.values():
            side["parameters"] = {key: side["parameters"].get(key, "") for key in keys}
    return found


def templates_named(differences: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return the ids of the templates between which these differences changed."""
    sides = [each.get(side, {}) for each in differences for side in ("from", "to")]
    return {side["template_id"] for side in sides if "template_id" in side}


def _stored(value: Any) -> Any:
    return value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else value
