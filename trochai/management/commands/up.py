"""``manage.py up``: Trochai on this machine, complete, with nothing to install or configure."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from trochai import queues, statistics
from trochai.accounts.models import User
from trochai.supervisor import Program, Supervisor, is_free

WELCOME = """
  Trochai is running:  http://127.0.0.1:{port}

  Sign in as           admin@demo.trochai.test    sees and may do everything
                       agent@demo.trochai.test    schedules, cancels and retries their own
                       agent2@demo.trochai.test   another agent
                       viewer@demo.trochai.test   may only look
  Password             demo-trochai
{phones}
  What to try          Open a conversation, then More actions (the three dots) > Follow-up.
{watch}
  {messages}
  Log                  {log}; what matters of it follows here
  Stop                 Ctrl-C. Your data stays in {var_dir}
"""
WATCH = """\
                       Watch http://127.0.0.1:{port}/followups/?status=pending
                       The first rows fall due within two minutes: one of them meets a rate limit and
                       is retried, one is refused. Then look at the bell."""
WATCH_AGAIN = """\
                       The demo's own follow-ups have fallen due: delete {var_dir} to see them again."""
PATIENCE_SECONDS = 3
# In a container this may well be root, and it is for trying.
AS_ROOT = "ignore:You're running the worker with superuser privileges"
CELERY = (sys.executable, "-W", AS_ROOT, "-m", "celery", "--app", "trochai", "--quiet")
# The workers have nothing to tell each other.
ALONE = ("--without-mingle", "--without-gossip", "--without-heartbeat")
TO_SANDBOX = "Messages             go to the local WhatsApp sandbox; nothing leaves this machine."
PHONES = """\
  Customers’ phones    http://127.0.0.1:{port}/     write and answer as a customer
"""
TO_API = "Messages             go to {url}: these are real."


class Command(BaseCommand):
    help = "Run web, worker, beat and the WhatsApp sandbox together, with demo data, until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("“up” is for trying and developing. For production see docs/operations.md.")
        settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
        with (settings.VAR_DIR / "up.lock").open("a+") as lock:
            _claim_data(lock)
            programs = _programs()
            _refuse_taken_ports(programs)
            is_new = self._prepare_data()
            os.environ |= {"PYTHONUNBUFFERED": "1", "LOG_FILE": str(_empty_log())}
            welcome = partial(self._welcome, is_new=is_new)
            if Supervisor(programs, out=sys.stdout, on_ready=welcome).run():
                raise CommandError("Trochai has stopped; the lines above say why.")

    def _prepare_data(self) -> bool:
        """Return whether the demo data is new."""
        self.stdout.write("Preparing the database …")
        call_command("migrate", interactive=False, verbosity=0)
        # What a killed run left in the broker is stale: the queue is in the database. Before anything is
        # written, as that has workers told of it.
        for folder in (settings.VAR_DIR / "broker").glob("*/"):
            shutil.rmtree(folder)
            folder.mkdir()
        is_new = not User.objects.exists()
        call_command("seed_demo")
        statistics.take()
        connections.close_all()
        return is_new

    def _welcome(self, *, is_new: bool) -> None:
        to_sandbox = settings.WHATSAPP_API_URL == settings.SANDBOX_API_URL
        messages = TO_SANDBOX if to_sandbox else TO_API.format(url=settings.WHATSAPP_API_URL)
        places = {"port": settings.PORT, "var_dir": settings.VAR_DIR}
        phones = PHONES.format(port=settings.SANDBOX_PORT) if to_sandbox else ""
        watch = (WATCH if is_new else WATCH_AGAIN).format(**places)
        self.stdout.write(
            WELCOME.format(
                messages=messages, phones=phones, watch=watch, log=os.environ["LOG_FILE"], **places
            )
        )
        # Nothing may follow for a while.
        self.stdout.flush()


def _empty_log() -> Path:
    path: Path = settings.VAR_DIR / "trochai.log"
    path.write_text("")
    return path


def _claim_data(lock: TextIO) -> None:
    """Keep a second copy off the same data: two beats and two sandboxes would confuse each other.

    The kernel frees the lock when this process ends, however it ends.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise CommandError(
            f"Trochai already runs on this data: {lock.read().strip()}. "
            "A second copy needs its own PORT and its own VAR_DIR."
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}, http://127.0.0.1:{settings.PORT}")
    lock.flush()


def _programs() -> list[Program]:
    """Return what to run. The workers stop before the sandbox, so that they can finish their calls."""
    gunicorn = [sys.executable, "-m", "gunicorn", "trochai.wsgi", "--bind", f"127.0.0.1:{settings.PORT}"]
    programs = [
        Program(
            "web",
            [
                *gunicorn,
                "--worker-class",
                "gthread",
                "--threads",
                "8",
                "--no-control-socket",
                "--log-level",
                "warning",
            ],
            port=settings.PORT,
        ),
        _worker("worker", queues.SENDING, queues.HOUSEKEEPING, queues.MEDIA),
        _worker("interactive", queues.INTERACTIVE, queues.WEBHOOKS),
        Program("beat", [*CELERY, "beat", "--loglevel", "INFO"], needs_others=True),
    ]
    if settings.WHATSAPP_API_URL == settings.SANDBOX_API_URL:
        sandbox = [sys.executable, str(settings.BASE_DIR / "manage.py"), "whatsapp_sandbox"]
        programs.insert(0, Program("sandbox", sandbox, port=settings.SANDBOX_PORT))
    return programs


def _worker(name: str, *names: str) -> Program:
    options = ["--pool", "threads", "--concurrency", "4", "--loglevel", "INFO", "--queues", ",".join(names)]
    return Program(name, [*CELERY, "worker", "--hostname", f"{name}@%h", *options, *ALONE], needs_others=True)


def _refuse_taken_ports(programs: list[Program]) -> None:
    for program in programs:
        if program.port and not _becomes_free(program.port):
            raise CommandError(
                f"Port {program.port} ({program.name}) is taken by another program. "
                f"Stop that one, or choose another: PORT={settings.PORT + 100} python3 dev.py up"
            )


def _becomes_free(port: int) -> bool:
    """Wait a little for the programs of a killed run to end, then say whether the port is free."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
