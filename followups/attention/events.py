"""Has what a change concerns looked at, once it is committed: by a worker, never by whoever changes it.

It costs the change no query. What is lost on the way to a worker is found by the nightly look.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from followups.attention.looking import CHUNK, Concerned
from followups.attention.tasks import look, look_at_days
from trochai.waking import Waker

waker = Waker(moment=1)


class _Gathered:
    """Follow-ups that are looked at together: published by the waker as if it were one task.

    A file of thousands is scheduled row by row, and would have as many tasks.
    """

    def __init__(self, what: Concerned) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._pks: set[int] = set()

    def add(self, pks: Iterable[int]) -> None:
        with self._lock:
            self._pks.update(pks)

    def apply_async(self, _arguments: tuple[()], **options: Any) -> None:
        with self._lock:
            pks, self._pks = sorted(self._pks), set()
        for start in range(0, len(pks), CHUNK):
            look.apply_async((self._what, pks[start : start + CHUNK]), **options)


_changed = _Gathered(Concerned.FOLLOW_UPS)
_retried = _Gathered(Concerned.RETRIES)


def follow_ups_changed(pks: Iterable[int]) -> None:
    """Have these rows looked at."""
    _gather(_changed, list(pks))


def retry_planned(pk: int) -> None:
    """Have this row looked at where it may be quiet by the time at which it is tried again."""
    _gather(_retried, [pk])


def _gather(gathered: _Gathered, pks: Sequence[int]) -> None:
    def tell() -> None:
        gathered.add(pks)
        waker.wake(gathered)

    if pks:
        transaction.on_commit(tell)


def has_changed(what: Concerned, pk: int) -> None:
    """Have all that waits of this one looked at."""
    transaction.on_commit(lambda: waker.wake(look, what, (pk,)))


def limit_has_changed(organization_id: int) -> None:
    """Have the days looked at that this organization has ahead."""
    transaction.on_commit(lambda: waker.wake(look_at_days, organization_id))
