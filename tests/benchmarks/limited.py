"""``limited``: how close to the channel's own limit a burst is sent, and whether Meta's is ever exceeded.

``python -m tests.benchmarks.limited``: the stub refuses with 130429 what is above 80 (1,000) in any second,
the channel's own limit is 75 (937). With one worker, with two, and with two while people write in the
composer, whose messages go over the same line. "Times ideal" is the time from the first accepted
follow-up to the last, divided by what the channel's own limit allows for all messages in between.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass

from tests.benchmarks import processes
from tests.benchmarks.measure import Plan, Result, filled, measured, print_table

# Seconds that the stub adds to every message.
LATENCY = 0.15


@dataclass(frozen=True)
class Line:
    """Messages per second: what the stub accepts, what the channel allows itself, what people write."""

    stub: int
    own: int
    composer: float


LINES = [Line(80, 75, 2), Line(1000, 937, 20)]


HEADER = [
    "limit",
    "",
    "seconds",
    "times ideal",
    "130429",
    "most in a second",
    "composer: wait ms (median, 95 %, most)",
]


def row(line: Line, name: str, result: Result) -> list[str]:
    return [
        f"{line.own}/s of {line.stub}/s",
        name,
        f"{result.seconds:.1f}",
        f"{result.times_ideal(line.own):.3f}",
        str(result.refused),
        str(result.most_in_a_second),
        composed(result),
    ]


def composed(result: Result) -> str:
    """Return how many messages people sent, and how long they waited for the line, in milliseconds."""
    if not result.composer:
        return "–"
    waits = sorted(1000 * (seconds - LATENCY) for seconds, _sent in result.composer)
    lost = sum(not sent for _seconds, sent in result.composer)
    late = waits[int(len(waits) * 0.95)]
    return f"{len(waits)} ({lost} not sent): {statistics.median(waits):.0f}, {late:.0f}, {waits[-1]:.0f}"


def main() -> None:
    processes.stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs=2, default=[20, 10], help="at 75 and at 937 a second")
    options = parser.parse_args()
    rows = []
    for line, seconds in zip(LINES, options.seconds, strict=True):
        plans = {
            "1 worker": Plan(workers=1, stub_rate=line.stub),
            "2 workers": Plan(workers=2, stub_rate=line.stub),
            "2 workers, people writing": Plan(workers=2, stub_rate=line.stub, composer=line.composer),
        }
        with processes.Database() as template:
            filled(template, count=round(line.own * seconds), messages_per_second=line.own, talking=400)
            for name, plan in plans.items():
                with template.clone() as database:
                    result = measured(database, plan)
                rows.append(row(line, name, result))
                print(" | ".join(rows[-1]), flush=True)
                if refusals := result.seconds_of_refusals:
                    print(f"refused between {refusals[0]:.2f} and {refusals[-1]:.2f} s after the first call")
    print_table(HEADER, rows)


if __name__ == "__main__":
    main()
