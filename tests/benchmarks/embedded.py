"""``embedded``: the same burst on SQLite with the broker in files, against PostgreSQL and Redis, one worker.

``python -m tests.benchmarks.embedded [--repeat 3]`` runs both in turn and prints the ratio of their rates.
"""

from __future__ import annotations

import argparse

from tests.benchmarks import processes
from tests.benchmarks.measure import Plan, Result, filled, measured, median_of, print_table


def row(name: str, results: list[Result]) -> list[str]:
    cpu = median_of(results, lambda result: result.a_message(sum(result.worker_cpu)))
    memory = median_of(results, lambda result: max(result.worker_memory))
    return [name, f"{median_of(results, lambda result: result.rate):.0f}", f"{cpu:.2f}", f"{memory:.0f}"]


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    with processes.Embedded() as files, processes.Database() as server:
        templates = {"SQLite, files": files, "PostgreSQL, Redis": server}
        results: dict[str, list[Result]] = {name: [] for name in templates}
        for template in templates.values():
            filled(template, count=options.count)
        for turn in range(options.repeat):
            for name in list(templates) if turn % 2 == 0 else reversed(templates):
                with templates[name].clone() as database:
                    result = measured(database, Plan())
                results[name].append(result)
                print(f"{name}: {result.seconds:.1f} s ({result.rate:.0f}/s)", flush=True)
    rates = {name: median_of(of_one, lambda result: result.rate) for name, of_one in results.items()}
    print(f"\n{options.count} due at one instant, one worker, median of {options.repeat}")
    header = ["", "a second", "CPU ms a message, worker", "MB"]
    print_table(header, [row(name, of_one) for name, of_one in results.items()])
    embedded, production = rates.values()
    print(f"Embedded: {embedded / production:.2f} of PostgreSQL and Redis")


if __name__ == "__main__":
    main()
