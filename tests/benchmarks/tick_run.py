"""Measures ticks and claims in the database that the environment names, and prints the seconds as JSON.

Run by ``tests.benchmarks.tick``. What is claimed is handed back, and the lines are freed, before the next.
Commits do not wait for the disk meanwhile: that would cost the same at any size, and hide what does not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import django
import redis
from django.conf import settings
from django.db import connection, transaction

from tests.benchmarks import table

EMPTY, HUNDRED = "empty tick", "claim 100 due"
ONE_OF_HUNDRED, ONE_OF_MANY = "claim 1 of 100 due", "claim 1 of 10,000 due"
WARM_UP = 5


@dataclass(frozen=True)
class Statement:
    """One statement of a claim as PostgreSQL carried it out: ``EXPLAIN (ANALYZE, BUFFERS)``."""

    sql: str
    plan: str

    @property
    def sorted_rows(self) -> int:
        """Return the most rows that went through a sort: 0 where nothing is sorted."""
        sorts = re.findall(
            r"^\s*(?:->\s+)?(?:Incremental )?Sort\b.*?rows=(\d+) loops", self.plan, re.MULTILINE
        )
        return max(map(int, sorts), default=0)

    @property
    def scans_all(self) -> bool:
        return "Seq Scan on followups_followup" in self.plan

    @property
    def blocks(self) -> int:
        """Return the blocks of 8 kB that it looked at."""
        first = re.search(r"Buffers: shared( hit=(\d+))?( read=(\d+))?", self.plan)
        return int(first[2] or 0) + int(first[4] or 0) if first else 0


def tick(limit: int) -> Any:
    from followups import lifecycle
    from trochai.clock import database_now

    now = database_now()
    lifecycle.tidy_up(now=now)
    return lifecycle.claim(limit=limit, now=now)


def claim(limit: int) -> Any:
    from followups import lifecycle
    from trochai.clock import database_now

    return lifecycle.claim(limit=limit, now=database_now())


def undo(claimed: Any) -> None:
    from followups import lifecycle
    from trochai.whatsapp.models import Channel

    lifecycle.hand_back([row.pk for row in claimed.rows], token=claimed.token)
    Channel.objects.filter(next_slot_at__isnull=False).update(next_slot_at=None)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


def times(work: Callable[[int], Any], limit: int, *, expected: int, repeat: int) -> list[float]:
    """Return the seconds of ``repeat`` runs of ``work``, each of which claims ``expected`` rows."""
    seconds = []
    for turn in range(WARM_UP + repeat):
        begun = time.perf_counter()
        claimed = work(limit)
        if turn >= WARM_UP:
            seconds.append(time.perf_counter() - begun)
        assert len(claimed.rows) == expected, f"claimed {len(claimed.rows)}, not {expected}"
        undo(claimed)
    return seconds


@contextlib.contextmanager
def explained() -> Iterator[list[Statement]]:
    """Explain each statement on follow-ups just before it is executed, and undo what that did."""
    statements: list[Statement] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.match(r"\s*(SELECT|UPDATE|WITH)\b", sql) and "followups_followup" in sql and not many:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
                statements.append(Statement(sql, "\n".join(line for (line,) in cursor.fetchall())))
                transaction.set_rollback(True)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield statements


def explain_once(work: Callable[[int], Any], limit: int) -> list[dict[str, str]]:
    with explained() as statements:
        claimed = work(limit)
    undo(claimed)
    return [asdict(statement) for statement in statements]


@dataclass(frozen=True)
class Case:
    """``due`` rows at one instant on ``lines`` numbers, of which ``in_flight`` are already being sent."""

    name: str
    limit: int
    expected: int
    due: int = 0
    lines: int = 1
    in_flight: int = 0


def run(repeat: int) -> dict[str, Any]:
    """Return for each case the seconds of each repetition, and the statements with their plans."""
    batch = settings.FOLLOWUPS_BATCH_SIZE
    result = {}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    for case in (
        Case(EMPTY, batch, 0),
        Case(HUNDRED, batch, 100, due=100, lines=table.LINES),
        Case(ONE_OF_HUNDRED, 1, 1, due=100),
        Case(ONE_OF_MANY, 1, 1, due=10_000),
        Case("claim 100 of 10,000 due", 100, 100, due=10_000),
        Case("the same, 1,000 in flight", 100, 100, due=10_000, in_flight=1000),
    ):
        table.add_due(case.due, lines=case.lines)
        table.begin(case.in_flight)
        work = claim if case.due else tick
        seconds = times(work, case.limit, expected=case.expected, repeat=repeat)
        result[case.name] = {"seconds": seconds, "statements": explain_once(work, case.limit)}
        table.remove_due()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=50)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")
    django.setup()
    print(json.dumps(run(options.repeat)))


if __name__ == "__main__":
    main()
