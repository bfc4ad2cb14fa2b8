"""What the columns of a file become: guessed from their headings and what stands in them (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from followups.imports import moments
from followups.imports.problems import TIME
from followups.wanted import Field
from templates_app.parameters import Parameter
from trochai.search import fold

# Of how many of a column's first cells most have to look like something.
LOOKED_AT = 50
VALUE = "value:"


class Role(StrEnum):
    """What a column becomes; a value's is ``VALUE`` and its key. Stored, so never renamed."""

    NONE = ""
    PHONE = "phone"
    DATE = "date"
    TIME = "time"
    TEMPLATE = "template"
    LANGUAGE = "language"
    NAME = "name"
    NOTE = "note"


# Headings in English and Spanish, folded. Those of the export are among them.
NAMES: dict[Role, Collection[str]] = {
    Role.PHONE: {
        *("phone", "phone number", "number", "mobile", "cell", "whatsapp", "whatsapp number", "telefono"),
        *("tel", "celular", "movil", "numero", "numero de telefono", "numero de whatsapp"),
    },
    Role.DATE: {
        *("date", "day", "scheduled for", "send on", "send date", "when", "fecha", "dia", "fecha de envio"),
        *("programado para", "cuando"),
    },
    Role.TIME: {"time", "hour", "send at", "hora", "hora de envio"},
    Role.TEMPLATE: {"template", "template name", "plantilla", "nombre de la plantilla"},
    Role.LANGUAGE: {"language", "lang", "idioma", "lengua"},
    Role.NAME: {
        *("name", "contact", "contact name", "full name", "customer", "client", "nombre", "contacto"),
        *("nombre completo", "cliente", "nombre del contacto", "nombre del cliente"),
    },
    Role.NOTE: {"note", "notes", "comment", "comments", "nota", "notas", "comentario", "observaciones"},
}
# Beside which columns the problems with a field stand: the first of them that there is.
_BESIDE: dict[str, Sequence[Role]] = {
    Field.TEMPLATE: [Role.TEMPLATE],
    Field.MOMENT: [Role.DATE],
    TIME: [Role.TIME, Role.DATE],
    Field.NOTE: [Role.NOTE],
}
# What the export writes and an import has no use for.
NOT_TAKEN = {"created by", "status", "reason", "former values"}
_PHONE = re.compile(r"\+?[\d\s().\-]{7,20}", re.ASCII)


def guess(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    parameters: Sequence[Parameter],
    *,
    greeted_by: str | None = None,
) -> list[str]:
    """Return what each column becomes, no two the same thing; ``rows`` are the first of the file.

    ``parameters`` are those of the template, or of all that rows may name; ``greeted_by`` is the key of the
    value that is the contact's name.
    """
    folded, width = [fold(heading) for heading in headings], range(len(headings))
    taken: dict[int, str] = {}
    wanted: list[tuple[str, Callable[[int], bool]]] = [
        *((VALUE + each.key, _named(folded, _names(each))) for each in parameters),
        *((role, _named(folded, names)) for role, names in NAMES.items()),
        (Role.PHONE, lambda column: _most(rows, column, _is_phone)),
        (Role.DATE, lambda column: _most(rows, column, moments.looks_like_date)),
    ]
    for role, fits in wanted:
        fitting = (column for column in width if column not in taken and fits(column))
        if role not in taken.values() and (column := next(fitting, None)) is not None:
            taken[column] = role
    _give_the_rest(folded, parameters, taken, greeted_by)
    return [taken.get(column, Role.NONE) for column in width]


def column_of(field: str, roles: Sequence[str]) -> int:
    """Return the column beside whose cell a problem with ``field`` stands; for the whole row the number's."""
    wanted: Sequence[str]
    if field.startswith(f"{Field.PARAMETERS}."):
        wanted = [VALUE + field.removeprefix(f"{Field.PARAMETERS}."), Role.TEMPLATE]
    else:
        wanted = _BESIDE.get(field, [])
    return next((roles.index(role) for role in [*wanted, Role.PHONE] if role in roles), 0)


def _give_the_rest(
    headings: Sequence[str], parameters: Sequence[Parameter], taken: dict[int, str], greeted_by: str | None
) -> None:
    """Give the values that no heading names to the columns that are left, both in their order."""
    left = [each for each in parameters if VALUE + each.key not in taken.values()]
    names = [column for column, role in taken.items() if role == Role.NAME]
    if names and any(each.key == greeted_by for each in left):
        taken[names[0]] = f"{VALUE}{greeted_by}"
        left = [each for each in left if each.key != greeted_by]
    free = [
        column for column, heading in enumerate(headings) if column not in taken and heading not in NOT_TAKEN
    ]
    for column, parameter in zip(free, left, strict=False):
        taken[column] = VALUE + parameter.key


def _named(headings: Sequence[str], names: Collection[str]) -> Callable[[int], bool]:
    return lambda column: headings[column] in names


def _names(parameter: Parameter) -> set[str]:
    """Return the headings, folded, that name the value."""
    names = {parameter.key, parameter.label, parameter.title, parameter.name.replace("_", " ")}
    if parameter.name.isdigit():
        names |= {f"value {parameter.name}", f"valor {parameter.name}", f"{{{{{parameter.name}}}}}"}
    return {fold(name) for name in names} - {""}


def _most(rows: Sequence[Sequence[str]], column: int, looks: Callable[[str], bool]) -> bool:
    cells = [row[column] for row in rows[:LOOKED_AT] if row[column]]
    return bool(cells) and sum(map(looks, cells)) * 2 > len(cells)


def _is_phone(cell: str) -> bool:
    digits = sum(letter.isdigit() for letter in cell)
    return digits >= 7 and _PHONE.fullmatch(cell) is not None and not moments.looks_like_date(cell)
