"""Queries that are asked all the time, compiled once.

Building a query of several parts and compiling it takes the ORM ten times as long as the database takes to
answer it, and comes to the same text each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

# What stands for a value while its query is compiled: found again among what would be sent, so it is no value
# that a query has otherwise.
_NUMBER = 2**62
_MOMENT = dt.datetime(1971, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
_TEXT = "in place of a text "

Value = int | dt.datetime | str


@dataclass(frozen=True)
class _Compiled:
    """The text, and what is sent with it: a value by its name, or one that is always the same.

    ``compiler`` knows what comes back; it is of the connection that it was compiled for.
    """

    queryset: QuerySet[Any, Any]
    compiler: SQLCompiler
    sql: str
    sent: Sequence[tuple[str, Any]]


class Prepared:
    """``build`` is called with ids, moments and texts by their names and returns a queryset.

    It is called once, with values that stand for those to come: it must not look at them, nor reckon with
    them. Raises ``ValueError`` where one is given that the query does not send as it is.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, **values: Value) -> list[Any]:
        """Return what the queryset holds: models with all that it joins, or values."""
        connection = connections[DEFAULT_DB_ALIAS]
        compiled = self._compiled.get(connection.vendor)
        if compiled is None:
            compiled = self._compiled[connection.vendor] = self._compile(connection, values)
        sent = tuple(_adapted(connection, values[name]) if name else value for name, value in compiled.sent)
        compiler, queryset = copy(compiled.compiler), compiled.queryset.all()
        compiler.connection = connection
        # All that follows is Django's: it asks the query for a compiler, and that for the text.
        vars(compiler)["as_sql"] = lambda *_options, **_named: (compiled.sql, sent)
        vars(queryset.query)["get_compiler"] = lambda *_options, **_named: compiler
        return list(queryset)

    def _compile(self, connection: Any, values: Mapping[str, Value]) -> _Compiled:
        stand_ins: dict[str, Value] = {
            name: _stand_in(value, n) for n, (name, value) in enumerate(values.items())
        }
        queryset = self._build(**stand_ins)
        compiler = queryset.query.get_compiler(connection=connection)
        sql, sent = compiler.as_sql()
        names = {_adapted(connection, stand_in): name for name, stand_in in stand_ins.items()}
        parts = [("", value) if not (name := names.get(value)) else (name, None) for value in sent]
        if missing := values.keys() - {name for name, _value in parts}:
            raise ValueError(f"not sent as they are: {', '.join(sorted(missing))}")
        return _Compiled(queryset, compiler, sql, parts)


def _stand_in(value: Value, n: int) -> Value:
    match value:
        case dt.datetime():
            return _MOMENT + dt.timedelta(days=n)
        case str():
            return f"{_TEXT}{n}"
    return _NUMBER + n


def _adapted(connection: Any, value: Value) -> Any:
    """Return a value as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, dt.datetime) else value
