"""What people decide about a follow-up, and how two versions of it differ (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from followups.repeating import RepeatKind, Rule

if TYPE_CHECKING:
    from followups.models import FollowUp
    from followups.repeating import Repeat

# Names of columns, and in the history stored ones: never renamed.
DECIDED = ("template_id", "parameters", "scheduled_for", "note", "cancel_on_reply")


def contents_of(follow_up: FollowUp) -> dict[str, Any]:
    return {name: getattr(follow_up, name) for name in DECIDED}


def repeat_of(follow_up: FollowUp) -> dict[str, Any] | None:
    """Return what the history keeps of how it is repeated; nothing if it is not, or no longer."""
    series = follow_up.series
    return None if series is None or not series.is_live else as_kept(series.repeat, series.rule)


def as_kept(repeat: Repeat | None, rule: Rule | None) -> dict[str, Any] | None:
    if repeat is None or rule is None:
        return None
    return {
        "kind": rule.kind,
        "first_on": rule.first_on.isoformat(),
        "count": rule.count,
        "until": rule.until and rule.until.isoformat(),
        "ends_on_failure": repeat.ends_on_failure,
        "ends_on_reply": repeat.ends_on_reply,
    }


def rule_kept(kept: Mapping[str, Any]) -> Rule:
    """Return the rule that the history has kept: its days, without the hour."""
    until = kept["until"] and dt.date.fromisoformat(kept["until"])
    first_on = dt.date.fromisoformat(kept["first_on"])
    return Rule(RepeatKind(kept["kind"]), first_on, dt.time(), kept["count"], until)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``from`` and ``to``: what differs, as JSON. Of the values only those that do.

    With another template all values come along: the same key means another place.
    """
    changed = [name for name in before if before[name] != after[name]]
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
