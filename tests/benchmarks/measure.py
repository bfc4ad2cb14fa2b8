"""What to run and what to measure; ``measured(database, Plan(...))`` does it in a separate process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

from tests.benchmarks import processes

TROCHAI, TASK_A_ROW, PROCRASTINATE = "trochai", "task-a-row", "procrastinate"


@dataclass(frozen=True)
class Plan:
    """What to run; ``stub_rate`` and ``composer`` in messages a second, 0 for none."""

    design: str = TROCHAI
    workers: int = 1
    stub_rate: int = 0
    composer: float = 0
    # Whether a bulk change moves all that waits for another day meanwhile.
    moving: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """``seconds`` until all is recorded; CPU seconds; MB; the stub's calls (see ``stub.Stub.calls``)."""

    count: int
    seconds: float
    worker_cpu: list[float]
    worker_memory: list[float]
    postgres_cpu: float | None
    redis_cpu: float | None
    stub_cpu: float
    recorded: dict[str, int]
    most_connections: int
    calls: list[tuple[float, str, str, bool]]
    # Seconds that each message of the composer took, and whether it was sent.
    composer: list[tuple[float, bool]]
    # What ``tests.benchmarks.bulk.move`` says of the bulk change; nothing if there was none.
    moved: dict[str, float]

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def a_message(self, cpu_seconds: float) -> float:
        """Return CPU milliseconds per message."""
        return 1000 * cpu_seconds / self.count

    @property
    def follow_up_calls(self) -> list[tuple[float, str]]:
        """When each follow-up's call was accepted, and its recipient, who must get only one."""
        return [
            (at, to) for at, to, reference, accepted in self.calls if accepted and not _composed(reference)
        ]

    @property
    def doubled(self) -> int:
        return len(self.follow_up_calls) - len({to for _at, to in self.follow_up_calls})

    @property
    def refused(self) -> int:
        return sum(not accepted for *_call, accepted in self.calls)

    @property
    def refused_follow_ups(self) -> int:
        return sum(not accepted and not _composed(reference) for _at, _to, reference, accepted in self.calls)

    @property
    def most_in_a_second(self) -> int:
        """Return the most calls that the stub saw in any second, including refused ones."""
        moments, most, begin = [at for at, *_call in self.calls], 0, 0
        for end, at in enumerate(moments):
            while moments[begin] <= at - 1:
                begin += 1
            most = max(most, end - begin + 1)
        return most

    @property
    def seconds_of_refusals(self) -> list[float]:
        """Return when calls were refused, in seconds since the first call."""
        return [at - self.calls[0][0] for at, *_call, accepted in self.calls if not accepted]

    def times_ideal(self, per_second: int) -> float:
        """Return the time from the first follow-up's call to the last, divided by what the line allows.

        The composer's messages in between used the line as well.
        """
        first, last = self.follow_up_calls[0][0], self.follow_up_calls[-1][0]
        accepted = sum(first <= at <= last for at, *_call, accepted in self.calls if accepted)
        return (last - first) / ((accepted - 1) / per_second)


def _composed(reference: str) -> bool:
    return reference.startswith("message:")


def measured(database: processes.Database | processes.Embedded, plan: Plan) -> Result:
    """Run ``plan`` on ``database``, which holds what is due; end the benchmark if anything is wrong."""
    command = processes.python("tests.benchmarks.run", json.dumps(asdict(plan)))
    environment = {**database.environment(), **plan.environment}
    environment["DJANGO_SETTINGS_MODULE"] = (
        "trochai.settings" if plan.design == TROCHAI else "tests.benchmarks.plain_settings"
    )
    with subprocess.Popen(
        command, cwd=processes.ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            output, _errors = process.communicate()
        except BaseException:
            process.terminate()  # it stops the workers that it has started
            raise
    if process.returncode:
        sys.exit(f"A run failed: {plan}")
    result = Result(**json.loads(output.splitlines()[-1]))
    expected = result.count - result.refused_follow_ups
    wrong = {what: number for what, number in result.recorded.items() if number != expected}
    if wrong or result.doubled:
        sys.exit(f"Not all is right: of {expected}, {wrong} recorded, {result.doubled} doubled ({plan})")
    return result


def filled(database: processes.Database | processes.Embedded, **options: int) -> None:
    """Migrate the database and fill it (``tests.benchmarks.rows``)."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    subprocess.run(
        processes.python("tests.benchmarks.rows", *words),
        cwd=processes.ROOT,
        env={**database.environment(), "DJANGO_SETTINGS_MODULE": "trochai.settings"},
        check=True,
    )


def median_of(results: list[Result], figure: Callable[[Result], float]) -> float:
    return statistics.median(figure(result) for result in results)


def print_table(header: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table, for docs/performance.md."""
    print()
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(cells)} |")
    print()
