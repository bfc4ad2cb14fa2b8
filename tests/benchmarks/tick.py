"""``tick``: what an empty tick and a claim cost, in tables of 10 thousand, 1 million and 5 million rows.

``python -m tests.benchmarks.tick [--rows 10000 1000000 5000000]``. All tables are filled first (5 million
rows take some 10 GB) and then measured in turn, so that a slow minute of the machine affects all of them.
``--plans`` prints what PostgreSQL did in the largest.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import time
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.measure import print_table
from tests.benchmarks.tick_run import ONE_OF_HUNDRED, ONE_OF_MANY, Statement


def in_database(database: processes.Database, *command: str) -> str:
    """Run a module on the database and return what it prints."""
    environment = {**database.environment(), "DJANGO_SETTINGS_MODULE": "trochai.settings"}
    return subprocess.run(
        processes.python(*command),
        cwd=processes.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def show(results: dict[int, dict[str, Any]]) -> dict[int, dict[str, float]]:
    """Print the medians in milliseconds, each beside its ratio to the smallest table; return them."""
    medians = {
        rows: {name: 1000 * statistics.median(case["seconds"]) for name, case in cases.items()}
        for rows, cases in results.items()
    }
    smallest = medians[min(medians)]
    print_table(
        ["ms", *(f"{rows:,} rows" for rows in medians)],
        (
            [name, *(f"{of[name]:.2f} ({of[name] / smallest[name]:.2f})" for of in medians.values())]
            for name in smallest
        ),
    )
    for rows, of in medians.items():
        print(f"{rows:,} rows: 1 of 10,000 against 1 of 100: {of[ONE_OF_MANY] / of[ONE_OF_HUNDRED]:.2f}")
    return medians


def kind_of(statement: Statement) -> str:
    words = statement.sql.split()
    return "SELECT FOR UPDATE" if words[0] != "UPDATE" and "UPDATE" in words else words[0]


def by_kind(case: dict[str, Any]) -> dict[str, list[Statement]]:
    statements = sorted((Statement(**row) for row in case["statements"]), key=kind_of)
    return {kind: list(group) for kind, group in itertools.groupby(statements, kind_of)}


def show_plans(results: dict[int, dict[str, Any]], *, whole: bool) -> None:
    """Print what the statements of each kind did: was anything sorted, was the whole table read?"""
    smallest, largest = results[min(results)], results[max(results)]
    rows = []
    for name, case in largest.items():
        small = by_kind(smallest[name])
        for kind, statements in by_kind(case).items():
            sorted_rows = max(statement.sorted_rows for statement in statements)
            scans = any(statement.scans_all for statement in statements)
            blocks = [sum(of.blocks for of in group) for group in (small.get(kind, []), statements)]
            figures = [f"{sorted_rows} rows" if sorted_rows else "no", "yes" if scans else "no"]
            rows.append([name, f"{len(statements)} {kind}", *map(str, blocks), *figures])
            if whole:
                print(*(f"\n{name}\n{statement.sql}\n{statement.plan}" for statement in statements))
    blocks_in = [f"blocks in {rows:,} rows" for rows in (min(results), max(results))]
    print_table(["", "statements", *blocks_in, "sort", "whole table"], rows)


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=50, help="in each round")
    parser.add_argument("--plans", action="store_true")
    options = parser.parse_args()
    results: dict[int, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        databases = {rows: stack.enter_context(processes.Database()) for rows in sorted(options.rows)}
        for rows, database in databases.items():
            begun = time.monotonic()
            in_database(database, "tests.benchmarks.table", "--rows", str(rows))
            print(f"filled {rows:,} rows in {time.monotonic() - begun:.0f} s", flush=True)
        for _round in range(options.rounds):
            for rows, database in databases.items():
                output = in_database(database, "tests.benchmarks.tick_run", "--repeat", str(options.repeat))
                for name, case in json.loads(output.splitlines()[-1]).items():
                    seen = results.setdefault(rows, {}).setdefault(name, {"seconds": []})
                    seen["seconds"] += case["seconds"]
                    seen["statements"] = case["statements"]
    show(results)
    show_plans(results, whole=options.plans)


if __name__ == "__main__":
    main()
