"""Inserts many rows at once, as a burst does three times for each group of messages.

For ``bulk_create`` psycopg writes each column as an array, and looks through and escapes its texts one by one
in Python; JSON is full of what must be escaped. COPY needs no arrays, and no statement to parse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Field, Model

Row = TypeVar("Row", bound=Model)

_IDS = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"


def insert_all(rows: Iterable[Row]) -> list[Row]:
    """Insert new rows of one model in the order given, and return them with their ids.

    What ``bulk_create`` does without options, for values that are no expressions. Raises ``IntegrityError``.
    """
    new = list(rows)
    if not new:
        return []
    model = type(new[0])
    # Itself: what stands for that of a thread is looked through for each value.
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return model._default_manager.bulk_create(new)
    meta = model._meta
    fields: list[Field[Any, Any]] = [field for field in meta.local_concrete_fields if not field.generated]
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(str(field.column)) for field in fields)
    with connection.cursor() as cursor:
        if meta.auto_field is not None:
            cursor.execute(_IDS, [quoted(meta.db_table), str(meta.auto_field.column), len(new)])
            for row, (pk,) in zip(new, cursor.fetchall(), strict=True):
                row.pk = pk
        statement = f"COPY {quoted(meta.db_table)} ({columns}) FROM STDIN"
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            for row in new:
                values = ((field, field.pre_save(row, add=True)) for field in fields)
                copy.write_row([field.get_db_prep_save(value, connection) for field, value in values])
    for row in new:
        row._state.adding, row._state.db = False, connection.alias
    return new
