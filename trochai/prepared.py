"""Queries that are asked all the time, compiled once.

Building a query of several parts and compiling it takes the ORM ten times as long as the database takes to
answer it, and comes to the same text each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.models.sql import Query

# What stands for a value while its query is compiled: found again among what would be sent, so it is no value
# that a query has otherwise.
_NUMBER = 2**62
_MOMENT = dt.datetime(1971, 2, 3, 4, 5, 6, tzinfo=dt.UTC)

Value = int | dt.datetime


@dataclass(frozen=True)
class _Compiled:
    """The text; what is sent with it, a value by its name or one that is always the same; what comes."""

    sql: str
    sent: Sequence[tuple[str, Any]]
    query: Query
    converters: Mapping[int, tuple[Sequence[Callable[..., Any]], Any]]


class Prepared:
    """``build`` is called with ids and moments by their names and returns a ``values_list``.

    It is called once, with values that stand for those to come: it must not look at them, nor reckon with
    them. Raises ``ValueError`` where one is given that the query does not send as it is.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, **values: Value) -> list[tuple[Any, ...]]:
        connection = connections[DEFAULT_DB_ALIAS]
        compiled = self._compiled.get(connection.vendor)
        if compiled is None:
            compiled = self._compiled[connection.vendor] = self._compile(connection, values)
        sent = [_adapted(connection, values[name]) if name else value for name, value in compiled.sent]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, sent)
            found = cursor.fetchall()
        if not compiled.converters:
            return list(found)
        compiler = compiled.query.get_compiler(connection=connection)
        return list(map(tuple, compiler.apply_converters(found, compiled.converters)))

    def _compile(self, connection: Any, values: Mapping[str, Value]) -> _Compiled:
        stand_ins: dict[str, Value] = {
            name: _MOMENT + dt.timedelta(days=n) if isinstance(value, dt.datetime) else _NUMBER + n
            for n, (name, value) in enumerate(values.items())
        }
        query = self._build(**stand_ins).query
        compiler = query.get_compiler(connection=connection)
        sql, sent = compiler.as_sql()
        names = {_adapted(connection, stand_in): name for name, stand_in in stand_ins.items()}
        parts = [("", value) if not (name := names.get(value)) else (name, None) for value in sent]
        if missing := values.keys() - {name for name, _value in parts}:
            raise ValueError(f"not sent as they are: {', '.join(sorted(missing))}")
        converters = compiler.get_converters([selected[0] for selected in compiler.select])
        return _Compiled(sql, parts, query, converters)


def _adapted(connection: Any, value: Value) -> Any:
    """Return a value as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, dt.datetime) else value
