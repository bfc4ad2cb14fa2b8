"""``burst``: many follow-ups due at one instant, no limit on the channel, on PostgreSQL and Redis.

``python -m tests.benchmarks.burst`` with one worker process, with one for ``MANY`` busy numbers, and with
two; ``--compare`` does the same work with one Celery task per row and, where it can be imported, one
procrastinate job per row; ``--repeat 3`` takes the median. Each run has a fresh copy of one database, and
rounds go forwards and backwards in turn.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable

from tests.benchmarks import processes
from tests.benchmarks.measure import (
    PROCRASTINATE,
    TASK_A_ROW,
    Plan,
    Result,
    filled,
    measured,
    median_of,
    print_table,
)

MANY = 60
ONE, TWO = "Trochai, 1 worker", "Trochai, 2 workers"
OF_MANY = f"the same, {MANY} numbers"
PLANS = {ONE: Plan(workers=1), OF_MANY: Plan(workers=1), TWO: Plan(workers=2)}
OTHERS = {
    "one task a row, 64 threads": Plan(TASK_A_ROW),
    "the same, connections kept": Plan(TASK_A_ROW, environment={"BENCHMARK_KEEP_CONNECTIONS": "1"}),
    "procrastinate, 64 threads": Plan(PROCRASTINATE),
}


def plans(*, compare: bool) -> dict[str, Plan]:
    if not compare:
        return PLANS
    if importlib.util.find_spec("procrastinate"):
        return {**PLANS, **OTHERS}
    print("procrastinate is not installed: without it")
    return {
        **PLANS,
        **{name: plan for name, plan in OTHERS.items() if plan.design != PROCRASTINATE},
    }


HEADER = [
    "",
    "seconds",
    "a second",
    "CPU ms a message: workers",
    "PostgreSQL",
    "Redis",
    "stub",
    "MB a worker",
    "connections",
    "doubled",
]


def row(name: str, results: list[Result]) -> list[str]:
    figures: dict[str, Callable[[Result], float]] = {
        "{:.1f}": lambda result: result.seconds,
        "{:.0f}": lambda result: result.rate,
    }
    spent: list[Callable[[Result], float]] = [
        lambda result: sum(result.worker_cpu),
        lambda result: result.postgres_cpu or 0,
        lambda result: result.redis_cpu or 0,
        lambda result: result.stub_cpu,
    ]
    return [
        name,
        *(form.format(median_of(results, figure)) for form, figure in figures.items()),
        *(f"{median_of(results, lambda result, of=of: result.a_message(of(result))):.2f}" for of in spent),
        f"{median_of(results, lambda result: max(result.worker_memory)):.0f}",
        str(max(result.most_connections for result in results)),
        str(sum(result.doubled for result in results)),
    ]


def compared(results: dict[str, list[Result]], one: str, other: str) -> str:
    """Say how many times as fast, and with what fraction of the CPU time."""

    def of_all(result: Result) -> float:
        return sum(result.worker_cpu) + (result.postgres_cpu or 0) + (result.redis_cpu or 0)

    times = median_of(results[one], lambda result: result.rate) / median_of(
        results[other], lambda result: result.rate
    )
    workers, everything = (
        median_of(results[other], figure) / median_of(results[one], figure)
        for figure in (lambda result: sum(result.worker_cpu), of_all)
    )
    return (
        f"{one} against {other}: {times:.1f} times as fast; CPU a message: workers 1/{workers:.1f}, "
        f"with PostgreSQL and Redis 1/{everything:.1f}"
    )


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    chosen = plans(compare=options.compare)
    results: dict[str, list[Result]] = {name: [] for name in chosen}
    with processes.Database() as of_one, processes.Database() as of_many:
        filled(of_one, count=options.count)
        filled(of_many, count=options.count, channels=MANY)
        for turn in range(options.repeat):
            for name in list(chosen) if turn % 2 == 0 else reversed(chosen):
                with (of_many if name == OF_MANY else of_one).clone() as database:
                    result = measured(database, chosen[name])
                results[name].append(result)
                each = ", ".join(f"{cpu:.1f}" for cpu in result.worker_cpu)
                print(
                    f"{name}: {result.seconds:.1f} s ({result.rate:.0f}/s), CPU s by worker: {each}",
                    flush=True,
                )
    print(f"\n{options.count} due at one instant, median of {options.repeat}")
    print_table(HEADER, [row(name, of_one) for name, of_one in results.items()])
    for other in OTHERS.keys() & results.keys():
        print(compared(results, ONE, other))
        print(compared(results, TWO, other))


if __name__ == "__main__":
    main()
