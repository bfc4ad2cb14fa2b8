"""What two versions of a follow-up differ in, in words: label, before, after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from followups.contents import rule_kept
from followups.wording import repeats
from trochai.ui.formatting import day_time

if TYPE_CHECKING:
    from templates_app.models import Template


class Line(NamedTuple):
    label: str
    before: str
    after: str


def lines(
    values: Mapping[str, Any], templates: Mapping[int, Template], *, own: int, now: dt.datetime
) -> list[Line]:
    """Return a line for each that differs; ``values`` as ``followups.contents.difference`` makes them,
    or the names of who was in charge.

    ``templates`` by id, of all that they name; ``own`` is the one that the values are of where none is named.
    """
    before, after = values.get("from", {}), values.get("to", {})
    found = []
    for name in before:
        match name:
            case "template_id":
                names = (templates[side[name]].name for side in (before, after))
                found.append(Line(_("Template"), *names))
            case "parameters":
                found += _values(before, after, templates, own)
            case "scheduled_for":
                moments = (dt.datetime.fromisoformat(side[name]) for side in (before, after))
                found.append(Line(_("When"), *(day_time(timezone.localtime(each), now) for each in moments)))
            case "note":
                found.append(Line(_("Note"), before[name], after[name]))
            case "cancel_on_reply":
                found.append(Line(_("Only if no answer"), _said(before[name]), _said(after[name])))
            case "repeat":
                found += _repeat(before[name], after[name], now)
            case "in_charge":
                found.append(Line(_("In charge"), before[name], after[name]))
    return found


def _repeat(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, now: dt.datetime
) -> list[Line]:
    """Return how it is repeated, and what ends it where it is before and after."""
    today = timezone.localdate(now)
    how = [repeats.sentence(rule_kept(each), today) if each else _said(False) for each in (before, after)]
    found = [Line(_("Repeat"), *how)]
    if before and after:
        found += (
            Line(str(label), _said(before[key]), _said(after[key])) for key, label in repeats.ENDINGS.items()
        )
    return [line for line in found if line.before != line.after]  # another first day may be the same in words


def _said(is_so: bool) -> str:
    return _("Yes") if is_so else _("No")


def _values(
    before: Mapping[str, Any], after: Mapping[str, Any], templates: Mapping[int, Template], own: int
) -> Iterator[Line]:
    """Yield the values, each under its place's name; of two templates first those of the one before."""
    if "template_id" in before:
        for key, value in before["parameters"].items():
            yield Line(_label(templates[before["template_id"]], key), value, "")
        for key, value in after["parameters"].items():
            yield Line(_label(templates[after["template_id"]], key), "", value)
    else:
        for key, value in before["parameters"].items():
            yield Line(_label(templates[own], key), value, after["parameters"][key])


def _label(template: Template, key: str) -> str:
    """Return what the place is called, or its key where the template has it no longer."""
    return next((each.label for each in template.parameters if each.key == key), key)
