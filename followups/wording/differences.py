"""What two versions of a follow-up differ in, in words: label, before, after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

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
                said = {True: _("Yes"), False: _("No")}
                found.append(Line(_("Only if no answer"), said[before[name]], said[after[name]]))
            case "in_charge":
                found.append(Line(_("In charge"), before[name], after[name]))
    return found


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
