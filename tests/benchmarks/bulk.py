"""``bulk``: how much a bulk change of very many rows slows a burst, and that neither loses or doubles a row.

``python -m tests.benchmarks.bulk``: the same burst alone and while all that waits for another day is moved by
three days, in turn. Each run counts every row afterwards, on both sides.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid

import django

from tests.benchmarks import processes
from tests.benchmarks.measure import Plan, Result, filled, measured, median_of, print_table

HEADER = [
    "",
    "burst, seconds",
    "worker CPU ms a message",
    "PostgreSQL CPU, seconds",
    "rows moved",
    "in seconds",
]


def move() -> dict[str, float]:
    """Move all that waits as a worker does; end with an error unless each row was moved once."""
    from django.utils import timezone

    from followups import tasks
    from followups.bulk import job
    from followups.bulk.selection import Selection
    from followups.models import BulkAction, BulkChange, FollowUp, FollowUpChange
    from followups.pages.listing import Filters, Tab
    from trochai.accounts.models import Membership

    now, by = timezone.now(), Membership.objects.get()
    waiting = FollowUp.objects.filter(scheduled_for__gt=now)
    newest = waiting.order_by("-pk").values_list("pk", flat=True)[0]
    last = waiting.order_by("-scheduled_for").values_list("scheduled_for", flat=True)[0]
    count, begun = waiting.count(), time.monotonic()
    selection = Selection(now, filters=Filters(tab=Tab.PENDING, by=str(by.user_id)), newest=newest)
    job.begin(selection, BulkAction.MOVE, {"days": 3}, submission=uuid.uuid4(), by=by, now=now)
    tasks.change_many()
    seconds = time.monotonic() - begun
    change, recorded = BulkChange.objects.get(), FollowUpChange.objects.filter(kind="moved")
    moved = waiting.filter(scheduled_for__gt=last).count()
    rows_told = recorded.order_by().values("follow_up").distinct().count()
    if not count == change.changed == moved == recorded.count() == rows_told:
        sys.exit(f"Not all is right: of {count}, {change.changed} changed, {moved} moved, {rows_told} told")
    return {"rows": count, "seconds": seconds}


def row(name: str, results: list[Result]) -> list[str]:
    moved = [result.moved for result in results if result.moved]
    return [
        name,
        f"{median_of(results, lambda result: result.seconds):.1f}",
        f"{median_of(results, lambda result: result.a_message(sum(result.worker_cpu))):.2f}",
        f"{median_of(results, lambda result: result.postgres_cpu or 0):.1f}",
        f"{moved[0]['rows']:,.0f}" if moved else "–",
        f"{sorted(each['seconds'] for each in moved)[len(moved) // 2]:.0f}" if moved else "–",
    ]


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="follow-ups that are due")
    parser.add_argument("--waiting", type=int, default=99_000, help="follow-ups that are moved")
    parser.add_argument("--rate", type=int, default=80, help="messages a second of the channel; 0: no limit")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--move", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.move:
        django.setup()
        print(json.dumps(move()), flush=True)
        return
    plans = {"alone": Plan(), "while all that waits is moved": Plan(moving=True)}
    results: dict[str, list[Result]] = {name: [] for name in plans}
    with processes.Database() as template:
        sizes = {"count": options.count, "waiting": options.waiting}
        filled(template, messages_per_second=options.rate, **sizes)
        for number in range(options.repeat):
            for name, plan in list(plans.items())[:: -1 if number % 2 else 1]:
                with template.clone() as database:
                    results[name].append(measured(database, plan))
                print(" | ".join(row(name, results[name][-1:])), flush=True)
    print_table(HEADER, (row(name, found) for name, found in results.items()))
    alone, moving = (median_of(found, lambda result: result.seconds) for found in results.values())
    print(f"The burst took {moving / alone - 1:+.1%} longer.")


if __name__ == "__main__":
    main()
