"""The supervisor with toy programs: real processes and real signals, milliseconds each."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from trochai.supervisor import is_free

ROOT = Path(__file__).resolve().parent.parent

WELL_BEHAVED = """
    import signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
    print("hello", flush=True)
    while True: time.sleep(0.05)
"""
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("hello", flush=True)
    while True: time.sleep(0.05)
"""
WITH_A_CHILD = """
    import signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child", child.pid, flush=True)
    while True: time.sleep(0.05)
"""


class Run:
    """A supervisor in a process of its own, over toy programs given as Python source."""

    def __init__(self, programs: dict[str, str], grace: float, folder: Path) -> None:
        self.log = folder / "out.txt"
        listed = [(name, textwrap.dedent(source)) for name, source in programs.items()]
        script = textwrap.dedent(f"""
            import sys
            from trochai.supervisor import Program, Supervisor
            programs = [
                Program(name, [sys.executable, "-c", source], needs_others=name == "worker")
                for name, source in {listed!r}
            ]
            ready = lambda: print("all ready", flush=True)
            sys.exit(Supervisor(programs, out=sys.stdout, grace={grace}, on_ready=ready).run())
        """)
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", script], stdout=out, stderr=out, cwd=ROOT, start_new_session=True
            )

    def output(self) -> str:
        return self.log.read_text()

    def until(self, *texts: str) -> str:
        wait_for(lambda: all(text in self.output() for text in texts), self.output)
        return self.output()

    def children(self) -> list[int]:
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in pids.split()]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 10) -> int:
        return self.process.wait(seconds)


def wait_for(condition: Callable[[], object], describe: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(grace: float = 10, **programs: str) -> Run:
        runs.append(Run(programs, grace, tmp_path))
        return runs[-1]

    yield begin
    for run in runs:
        leftovers = [run.process.pid, *run.children()] if run.process.poll() is None else []
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_lets_every_program_finish_those_first_that_need_the_others(start, number):
    run = start(web=WELL_BEHAVED, worker=WELL_BEHAVED)
    run.until("web    | hello", "worker | hello", "all ready")
    children = run.children()

    run.signal(number)

    assert run.wait() == 0
    output = run.output()
    assert output.index("worker | bye") < output.index("web    | bye")
    assert not any(is_running(pid) for pid in children)


def test_a_program_that_is_killed_stops_the_others_and_is_named(start):
    run = start(web=WELL_BEHAVED, worker=WELL_BEHAVED)
    run.until("web    | hello", "worker | hello")
    web, worker = run.children()

    os.kill(worker, signal.SIGKILL)

    assert run.wait() == 1
    assert "worker was killed (SIGKILL). Stopping everything." in run.output()
    assert "web    | bye" in run.output()
    assert not is_running(web)


def test_a_program_that_ends_by_itself_stops_the_others_with_its_last_words(start):
    run = start(web=WELL_BEHAVED, beat="raise SystemExit('no schedule')")

    assert run.wait() == 1
    assert "beat ended unexpectedly (exit status 1)" in run.output()
    assert "beat | no schedule" in run.output()


def test_a_program_that_ignores_the_request_is_killed_with_its_children(start):
    run = start(grace=0.3, worker=WITH_A_CHILD)
    grandchild = int(run.until("child ").split("child ")[1].split()[0])

    run.signal(signal.SIGINT)

    assert run.wait() == 0
    assert "worker did not stop in time and was killed" in run.output()
    wait_for(lambda: not is_running(grandchild), lambda: grandchild)


def test_a_second_ctrl_c_does_not_wait(start):
    run = start(grace=60, worker=STUBBORN, beat=STUBBORN)
    run.until("worker | hello", "beat   | hello")
    children = run.children()
    run.signal(signal.SIGINT)
    run.until("Stopping")

    run.signal(signal.SIGINT)

    assert run.wait() == 0
    assert not any(is_running(pid) for pid in children)


def test_programs_end_even_if_the_supervisor_is_killed(start):
    run = start(web=WELL_BEHAVED, worker=WELL_BEHAVED)
    run.until("web    | hello", "worker | hello")
    children = run.children()

    run.signal(signal.SIGKILL)

    run.wait()
    wait_for(lambda: not any(is_running(pid) for pid in children), lambda: children)


def test_a_closed_output_stops_everything(start):
    """``dev.py up | head``: nobody reads any longer."""
    programs = [("noisy", "import time\nwhile True: print('x', flush=True); time.sleep(0.01)")]
    script = textwrap.dedent(f"""
        import sys
        from trochai.supervisor import Program, Supervisor
        programs = [Program(name, [sys.executable, "-c", source]) for name, source in {programs!r}]
        sys.exit(Supervisor(programs, out=sys.stdout).run())
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(10)


def test_a_port_is_free_until_somebody_listens_on_it():
    with socket.socket() as server:
        port = free_port()
        server.bind(("127.0.0.1", port))
        server.listen()
        assert not is_free(port)
    assert is_free(port)
