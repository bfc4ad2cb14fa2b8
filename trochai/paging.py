"""Pages of a list, found by where the last one ended (keyset pagination), and counts that stop at a cap.

Nothing here uses OFFSET or reads a whole list, so the last page costs what the first one costs.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, Self, TypeVar
from urllib.parse import quote, unquote

from django.db import connections
from django.db.models import F, IntegerField, Model, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce

from trochai.prepared import Prepared

K = TypeVar("K")
M = TypeVar("M", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
LAST_ID = 2**63 - 1
# What fits into the small round count beside an icon: beyond it stands 99+.
BADGE_CAP = 99
# Longer than any cursor that ``Cursor`` writes for a name and a language.
LONGEST = 2000


@dataclass(frozen=True)
class Cursor:
    """Right behind the row with these values in an order's columns; ``str()`` is safe in an address."""

    key: tuple[dt.datetime | int | str, ...]

    def __str__(self) -> str:
        return "-".join(map(_written, self.key))


@dataclass(frozen=True)
class Order:
    """The columns that a list is sorted by, with their types, the last of them unique.

    They all run in one direction, so that a place in the list is one comparison of whole rows:
    ``(a, b) < (x, y)`` enters an index right at the place, also amid thousands of ties.
    """

    columns: Mapping[str, type[dt.datetime] | type[int] | type[str]]
    descending: bool = False
    # Few rows are sorted, and these few have an index of their own: PostgreSQL would rather walk the list in
    # its order until it has met enough of them.
    of_few: bool = False

    @property
    def reversed(self) -> Order:
        return replace(self, descending=not self.descending)

    def parse(self, text: str) -> Cursor | None:
        """Return the cursor that ``str()`` made ``text`` from in such an order, or None for anything else."""
        parts = text.split("-") if len(text) <= LONGEST else []
        if len(parts) != len(self.columns):
            return None
        try:
            return Cursor(tuple(map(_read, parts, self.columns.values())))
        except ValueError:
            return None

    def after(self, row: Model) -> Cursor:
        return Cursor(tuple(getattr(row, name) for name in self.columns))

    def sort(self, rows: Rows) -> Rows:
        names = [Coalesce(name, name) if self.of_few else F(name) for name in self.columns]
        return rows.order_by(*(name.desc() if self.descending else name.asc() for name in names))

    def beyond(self, rows: Rows, cursor: Cursor | None) -> Rows:
        """Return those of ``rows`` that come after ``cursor``, sorted; without a cursor, all of them."""
        if cursor is not None:
            compare = TupleLessThan if self.descending else TupleGreaterThan
            rows = rows.filter(compare(Tuple(*self.columns), cursor.key))
            if not connections[rows.db].features.supports_tuple_lookups:
                # There it is written out with OR, which enters no index.
                first, side = next(iter(self.columns)), "lte" if self.descending else "gte"
                rows = rows.filter(**{f"{first}__{side}": cursor.key[0]})
        return self.sort(rows)


def newest_first(moment: str) -> Order:
    """Return the order of rows by the column ``moment``, the id deciding between those of one moment."""
    return Order({moment: dt.datetime, "pk": int}, descending=True)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows in order; ``previous`` and ``following`` are there when there are more on that side."""

    rows: list[M]
    previous: Cursor | None
    following: Cursor | None

    @property
    def is_whole(self) -> bool:
        return self.previous is None and self.following is None


def page_of(
    rows: QuerySet[M],
    order: Order,
    *,
    size: int,
    after: Cursor | None = None,
    before: Cursor | None = None,
    joined: Callable[[QuerySet[M]], QuerySet[M]] | None = None,
) -> Page[M]:
    """Return the page of ``rows`` after or before a cursor; where nothing is left, the first page.

    ``joined`` adds what else is shown of each row, to those of the page alone: PostgreSQL would prepare to
    join all that are in the list.
    """

    def read(order: Order, cursor: Cursor | None) -> list[M]:
        return list(_rows_of(rows, order, size=size, after=cursor, joined=joined))

    if before is not None:
        found = read(order.reversed, before)
        if len(found) >= size:
            shown = found[size - 1 :: -1]
            previous = order.after(shown[0]) if len(found) > size else None
            return Page(shown, previous, order.after(shown[-1]))
        # Fewer than a page come before it: the first page, filled up.
        after = None
    found = read(order, after)
    if after is not None and not found:
        return page_of(rows, order, size=size, joined=joined)
    page = _first_page(found, order, size=size)
    return replace(page, previous=order.after(found[0])) if after is not None else page


def _rows_of(
    rows: QuerySet[M],
    order: Order,
    *,
    size: int,
    after: Cursor | None = None,
    joined: Callable[[QuerySet[M]], QuerySet[M]] | None = None,
) -> QuerySet[M]:
    """Return the query of a page's rows and one more."""
    found = order.beyond(rows, after)[: size + 1]
    if joined is None:
        return found
    return order.sort(joined(rows.model._default_manager.filter(pk__in=found.values("pk"))))


def _first_page(found: Sequence[M], order: Order, *, size: int) -> Page[M]:
    shown = list(found[:size])
    return Page(shown, None, order.after(shown[-1]) if len(found) > size else None)


class PreparedPage(Generic[M]):
    """The first page of rows that are found by ids and texts alone, compiled once (``trochai.prepared``).

    ``rows`` is called with these; for the other parameters see ``page_of``.
    """

    def __init__(
        self,
        rows: Callable[..., QuerySet[M]],
        order: Order,
        *,
        size: int,
        joined: Callable[[QuerySet[M]], QuerySet[M]] | None = None,
    ) -> None:
        self._order, self._size = order, size
        self._query = Prepared(lambda **given: _rows_of(rows(**given), order, size=size, joined=joined))

    def of(self, **given: int | str) -> Page[M]:
        return _first_page(self._query.rows(**given), self._order, size=self._size)


def chunks_of(
    rows: QuerySet[M], order: Order, *, size: int, joined: Callable[[QuerySet[M]], QuerySet[M]]
) -> Iterator[list[M]]:
    """Yield all of ``rows`` in order, ``size`` at a time, by a query each; ``joined`` as in ``page_of``.

    Nothing is kept between two of them: a row that changes its place meanwhile may be met twice, or not.
    """
    cursor = None
    while True:
        found = order.beyond(rows, cursor)[:size]
        chunk = list(order.sort(joined(rows.model._default_manager.filter(pk__in=found.values("pk")))))
        if chunk:
            yield chunk
        if len(chunk) < size:
            return
        cursor = order.after(chunk[-1])


@dataclass(frozen=True)
class Count:
    """A number of rows, counted no further than a cap: 9,999, 10,000, 10,000+."""

    value: int
    is_capped: bool = False

    @classmethod
    def capped(cls, number: int, cap: int) -> Self:
        return cls(min(number, cap), is_capped=number > cap)

    def __str__(self) -> str:
        return f"{self.value:,}+" if self.is_capped else f"{self.value:,}"

    def __bool__(self) -> bool:
        return self.value > 0


def count_of(rows: QuerySet[Any], cap: int) -> Count:
    """Count ``rows``, reading at most one more than ``cap``."""
    return Count.capped(rows.order_by().values("pk")[: cap + 1].count(), cap)


class _CountOf(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class _DistinctOf(Subquery):
    """How many values a column has in the rows; below zero where there are more rows: so many at least."""

    template = (
        "(SELECT COUNT(DISTINCT counted.%(column)s) * CASE WHEN COUNT(*) > %(cap)s THEN -1 ELSE 1 END"
        " FROM (%(subquery)s) counted)"
    )
    output_field = IntegerField()


def counted_to(rows: QuerySet[Any], cap: int) -> Subquery:
    """Return an expression for how many ``rows`` there are, up to one more than ``cap``."""
    return _CountOf(rows.order_by().values("pk")[: cap + 1])


class Once(NamedTuple):
    """The column by whose values rows count, each once; no more rows are read than ``cap``."""

    column: str
    cap: int


def counts_of(
    lists: Mapping[K, QuerySet[Any]], cap: int, *, of: QuerySet[Any], once: Mapping[K, Once] | None = None
) -> dict[K, Count]:
    """Count several lists in one query, each up to ``cap``; ``of`` is the one row that all belong to.

    ``once`` names the lists in which several rows may be about one thing. Where such a list meets its cap,
    its count is what was found until then.
    """
    kinds = once or {}
    counted = [
        _DistinctOf(rows.order_by().values(kinds[key].column)[: kinds[key].cap + 1], **kinds[key]._asdict())
        if key in kinds
        else counted_to(rows, cap)
        for key, rows in lists.items()
    ]
    numbers = of.values_list(*counted).get()
    return {
        key: Count(abs(number), is_capped=number < 0) if key in kinds else Count.capped(number, cap)
        for key, number in zip(lists, numbers, strict=True)
    }


class PreparedCounts(Generic[K]):
    """``counts_of`` for lists that are found by ids alone, compiled once (``trochai.prepared``).

    ``lists`` is called with the ids and returns the one row that all belong to, and the lists that have
    these names.
    """

    def __init__(
        self,
        names: Sequence[K],
        lists: Callable[..., tuple[QuerySet[Any], Iterable[QuerySet[Any]]]],
        cap: int,
    ) -> None:
        self._names, self._lists, self._cap = names, lists, cap
        self._query = Prepared(self._counted)

    def of(self, **ids: int) -> dict[K, Count]:
        ((*numbers,),) = self._query.rows(**ids)
        return {
            name: Count.capped(number, self._cap) for name, number in zip(self._names, numbers, strict=True)
        }

    def _counted(self, **ids: int) -> QuerySet[Any]:
        row, lists = self._lists(**ids)
        return row.values_list(*(counted_to(rows, self._cap) for rows in lists))


def _written(value: dt.datetime | int | str) -> str:
    if isinstance(value, dt.datetime):
        return str((value - EPOCH) // MICROSECOND)
    return quote(str(value), safe="").replace("-", "%2D")


def _read(text: str, kind: type) -> dt.datetime | int | str:
    """Return the value that was written as ``text``; raises ``ValueError`` for anything else."""
    if kind is str:
        value = unquote(text, errors="strict")
        if "\0" in value:  # which PostgreSQL takes in no text
            raise ValueError(text)
        return value
    if not re.fullmatch(r"\d{1,17}" if kind is dt.datetime else r"\d{1,19}", text, re.ASCII):
        raise ValueError(text)
    number = int(text)
    if number > LAST_ID:
        raise ValueError(text)
    return EPOCH + number * MICROSECOND if kind is dt.datetime else number
