"""Rows that one statement changes many others by: the inside of its VALUES."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any


def values_of(rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return the placeholders of ``rows``, which all have one length, and what stands in their places."""
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    return ", ".join([row] * len(rows)), list(chain.from_iterable(rows))
