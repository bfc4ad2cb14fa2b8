"""Run several programs as one: all start, all stop, and none is left behind.

Each program runs in its own session, so that Ctrl-C reaches only the supervisor, which then asks the
programs to stop: first those that need others, then the rest.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

COLORS = (36, 35, 33, 32, 34)
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
# Looked up here because nothing may be imported or loaded between fork and exec. Linux only.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


@dataclass(frozen=True)
class Program:
    """A command to run.

    ``port`` is what it listens on at 127.0.0.1 once it is ready. A program that ``needs_others`` to
    finish its work is stopped before them.
    """

    name: str
    command: Sequence[str]
    port: int | None = None
    needs_others: bool = False


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM to this child if the supervisor is killed without a chance to stop it."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Starts ``programs`` and keeps them together.

    ``grace`` is how many seconds the programs have to finish once they have been asked to stop; what
    still runs then is killed together with its children. ``on_ready`` is called once, when every
    port answers.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        out: TextIO,
        grace: float = 15,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.programs = programs
        self.out = out
        self.grace = grace
        self.on_ready = on_ready
        self.running: list[tuple[Program, subprocess.Popen[bytes]]] = []
        self.readers: list[threading.Thread] = []
        self.stops_asked = 0
        self.out_is_gone = False
        self._width = max(len(program.name) for program in programs)
        self._lock = threading.Lock()

    def run(self) -> int:
        """Run until asked to stop (returns 0) or until a program ends by itself (returns 1)."""
        previous = {
            number: signal.signal(number, self._ask_to_stop)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            self._start_all()
            return self._watch()
        finally:
            self._stop_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def say(self, text: str, name: str = "") -> None:
        """Write one line, prefixed with the name of the program that said it."""
        label = f"{name:<{self._width}} | "
        if self.out.isatty() and "NO_COLOR" not in os.environ:
            names = [program.name for program in self.programs]
            color = COLORS[names.index(name) % len(COLORS)] if name else 1
            label = f"\033[{color}m{label}\033[0m"
        with self._lock:
            try:
                self.out.write(f"{label}{text}\n")
                self.out.flush()
            except (OSError, ValueError):
                self.out_is_gone = True

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stops_asked += 1

    def _start_all(self) -> None:
        # Readers start after all the forks: forking while threads are running may hang.
        for program in self.programs:
            child = subprocess.Popen(  # noqa: S603  (our own commands)
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (no threads yet, and it only calls prctl)
            )
            self.running.append((program, child))
        for program, child in self.running:
            reader = threading.Thread(target=self._relay, args=(program, child), daemon=True)
            reader.start()
            self.readers.append(reader)

    def _relay(self, program: Program, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None  # noqa: S101  (for mypy: Popen was given a pipe)
        for line in child.stdout:
            self.say(line.decode(errors="replace").rstrip(), program.name)

    def _watch(self) -> int:
        waiting_for = [program.port for program in self.programs if program.port]
        told = False
        while not self.stops_asked and not self.out_is_gone:
            for program, child in self.running:
                if (code := child.poll()) is not None:
                    self.say(f"{program.name} {_how_it_ended(code)}. Stopping everything.")
                    return 1
            waiting_for = [port for port in waiting_for if not answers(port)]
            if not waiting_for and not told:
                told = True
                self.on_ready()
            time.sleep(POLL_SECONDS)
        self.say("Stopping … (Ctrl-C again stops at once)")
        return 0

    def _stop_all(self) -> None:
        asked_before = self.stops_asked
        deadline = time.monotonic() + self.grace
        for needs_others in (True, False):
            group = [
                (program, child) for program, child in self.running if program.needs_others == needs_others
            ]
            for _program, child in group:
                child.terminate()
            # The second group always gets a moment, even if the first one used up the time.
            limit = max(deadline, time.monotonic() + 1)
            while (
                any(child.poll() is None for _program, child in group)
                and time.monotonic() < limit
                and self.stops_asked == asked_before
            ):
                time.sleep(POLL_SECONDS / 5)
            for program, child in group:
                self._kill_what_is_left(program, child)
        for reader in self.readers:
            reader.join(timeout=1)

    def _kill_what_is_left(self, program: Program, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            self.say(f"{program.name} did not stop in time and was killed.")
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended unexpectedly (exit status {code})"


def answers(port: int) -> bool:
    """Tell whether something listens on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
