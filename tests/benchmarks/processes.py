"""What the benchmarks start and watch: their own databases, the stub, workers, and their CPU time.

``BENCHMARK_DATABASE_SERVER`` names a PostgreSQL on which databases may be created, and
``BENCHMARK_REDIS_URL`` an empty Redis database, which is emptied again after every run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import redis

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("BENCHMARK_DATABASE_SERVER", "postgres://127.0.0.1")
REDIS_URL = os.environ.get("BENCHMARK_REDIS_URL", "redis://127.0.0.1:6379/9")
# Seconds.
START = 60.0
STOP = 60.0

PLAIN = {
    "DEBUG": "0",
    "SECRET_KEY": "benchmark-" * 6,
    "ALLOWED_HOSTS": "localhost",
    # The stub is on this machine.
    "SILENCED_SYSTEM_CHECKS": "trochai.E003",
    "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
}


class Database:
    """A PostgreSQL database and Redis, for the time of a ``with`` block; ``clone`` copies the database."""

    def __init__(self, template: str = "") -> None:
        self.name = f"trochai_benchmark_{uuid.uuid4().hex[:8]}"
        self._template = template

    def __enter__(self) -> Database:
        if redis.Redis.from_url(REDIS_URL).dbsize():
            sys.exit(f"{REDIS_URL} is not empty. Name a Redis database to use with BENCHMARK_REDIS_URL.")
        template = f" TEMPLATE {self._template}" if self._template else ""
        _on_server(f"CREATE DATABASE {self.name}{template}")
        # So that writing the copy to disk is not part of what is measured next.
        _on_server("CHECKPOINT")
        return self

    def __exit__(self, *_exception: object) -> None:
        redis.Redis.from_url(REDIS_URL).flushdb()
        _on_server(f"DROP DATABASE {self.name} WITH (FORCE)")

    def clone(self) -> Database:
        # The tasks that filling it has asked for are none of the copy's.
        redis.Redis.from_url(REDIS_URL).flushdb()
        return Database(self.name)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **PLAIN,
            "DATABASE_URL": f"{SERVER}/{self.name}",
            "REDIS_URL": REDIS_URL,
        }


class Embedded:
    """The embedded defaults in a folder of their own: SQLite, and Celery's broker in files."""

    def __init__(self, template: Path | None = None) -> None:
        self._template = template

    def __enter__(self) -> Embedded:
        self._folder = tempfile.TemporaryDirectory(prefix="trochai_benchmark_")
        if self._template:
            shutil.copy(self._template, self.file)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._folder.cleanup()

    @property
    def file(self) -> Path:
        return Path(self._folder.name) / "db.sqlite3"

    def clone(self) -> Embedded:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Embedded(self.file)

    def environment(self) -> dict[str, str]:
        theirs = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
        }
        return {**theirs, **PLAIN, "VAR_DIR": self._folder.name}


def _on_server(statement: str) -> None:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def stop_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that nothing that it started is left behind."""
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit("stopped"))


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


@contextlib.contextmanager
def running(commands: list[list[str]], **environment: str) -> Iterator[list[int]]:
    """Run processes until the ``with`` block ends; yield their ids. SIGTERM ends them, SIGKILL if need be."""
    started = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True)
        for command in commands
    ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def stub(*, latency: float = 0.15, rate: int = 0) -> Iterator[tuple[int, str]]:
    """Run the stub until the ``with`` block ends; yield its process id and its URL."""
    command = python("tests.benchmarks.stub", "--latency", str(latency), "--rate", str(rate))
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        return bytes(response.read())


def wait_until(what: str, condition: Callable[[], bool], *, seconds: float, every: float = 0.1) -> None:
    """Poll until ``condition`` holds; end the benchmark if it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"After {seconds:.0f} s: not {what}.")
        time.sleep(every)


# CPU time and memory, from /proc -------------------------------------------------------------------


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    return sum(_times(pid)[:2])


def running_cpu(pid: int) -> float:
    """Return the CPU seconds that a process's living threads have used, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def server_running_cpu(backend: int) -> float:
    """Return the CPU seconds of ``backend``'s PostgreSQL server's living processes, to the nanosecond."""
    return _of_children(_parent(backend), running_cpu)


def server_cpu(backend: int) -> float:
    """Return the CPU seconds of all processes of ``backend``'s PostgreSQL server, including ended ones.

    The postmaster has waited for those that ended, so their time is counted in its own entry in /proc.
    """
    postmaster = _parent(backend)
    return sum(_times(postmaster)) + _of_children(postmaster, cpu)


def _of_children(parent: int, used: Callable[[int], float]) -> float:
    seconds = 0.0
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if path.name.isdigit() and _parent(int(path.name)) == parent:
                seconds += used(int(path.name))
    return seconds


def redis_cpu() -> float:
    """Return the CPU seconds of the whole Redis server."""
    used = redis.Redis.from_url(REDIS_URL).info("cpu")
    return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])


def peak_memory(pid: int) -> float:
    """Return the peak resident memory of a process, in MB."""
    return _megabytes(pid, "VmHWM:")


def memory(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    return _megabytes(pid, "VmRSS:")


def _megabytes(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _times(pid: int) -> list[float]:
    """Return user, system, waited-for children's user and system seconds."""
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in _stat(pid)[11:15]]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
