"""Trochai as it runs in production: real worker, beat and web processes on PostgreSQL and Redis."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import requests
from kombu import Connection

from followups.tasks import send_due_follow_ups
from tests.faults.cloud import Cloud
from tests.faults.servers import Postgres, Redis, kill, wait_until
from tests.ports import free_port
from trochai.queues import HOUSEKEEPING, INTERACTIVE, SENDING, WEBHOOKS
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.tasks import process_waiting_webhooks

ROOT = Path(__file__).resolve().parents[2]
# Seconds that a call may take: few, so that silence is soon noticed.
READ_TIMEOUT = 2


def ready(workers: list[Process]) -> list[Process]:
    """Wait until they take tasks."""
    for worker in workers:
        wait_until(lambda worker=worker: worker.said(" ready."), "the worker is ready")
    return workers


class Process:
    """One program of the installation, with its log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.log = folder / f"{name}.txt"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def said(self, text: str) -> bool:
        assert self.is_running, self.log.read_text()[-3000:]
        return text in self.log.read_text()

    def kill(self) -> None:
        kill(self._process)

    def suspend(self) -> None:
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self, *, within: float) -> int:
        """SIGTERM; return the exit status. Fails if it takes longer than ``within`` seconds."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within)


class Installation:
    """Starts the programs on one database; ``remove`` kills whatever is left of them."""

    def __init__(
        self, *, postgres: Postgres, redis: Redis, cloud: Cloud, database: str, keys: list[str], folder: Path
    ) -> None:
        self.postgres = postgres
        self.redis = redis
        self.cloud = cloud
        self.database = database
        self.web_port = free_port()
        self.live_port = free_port()
        self._folder = folder
        self._processes: list[Process] = []
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "DATABASE_URL": postgres.url(database),
            "REDIS_URL": redis.url,
            "WHATSAPP_API_URL": cloud.url,
            "WHATSAPP_READ_TIMEOUT": str(READ_TIMEOUT),
            "VAR_DIR": str(folder),
            "DEBUG": "0",
            "SECRET_KEY": "only-for-processes-that-live-as-long-as-one-test-does",
            "FIELD_ENCRYPTION_KEYS": ",".join(keys),
            "ALLOWED_HOSTS": "127.0.0.1",
            # The Cloud API is on this machine.
            "SILENCED_SYSTEM_CHECKS": "trochai.E003",
            "SECURE_SSL_REDIRECT": "0",
        }

    def worker(self, *queues: str, clock_off_by: float = 0) -> Process:
        """Start a worker of these queues, or of all; ``clock_off_by`` is in seconds."""
        program = ["celery", "--app", "trochai", "worker", "--pool", "threads", "--concurrency", "4"]
        name = f"worker{len(self._processes)}"
        program += ["--hostname", f"{name}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        program += ["--queues", ",".join(queues)] if queues else []
        if clock_off_by:
            program = ["tests.faults.shifted_clock", str(clock_off_by), *program]
        return self._start(name, program)

    def workers(self, count: int) -> list[Process]:
        """Start workers and wait until they take tasks."""
        return ready([self.worker() for _n in range(count)])

    def workers_of_production(self) -> list[Process]:
        """One of each kind, as in docker-compose.yml."""
        kinds = [(SENDING, HOUSEKEEPING), (INTERACTIVE,), (WEBHOOKS,)]
        return ready([self.worker(*queues) for queues in kinds])

    def beat(self) -> Process:
        name = f"beat{len(self._processes)}"
        return self._start(name, ["celery", "--app", "trochai", "beat", "--loglevel", "INFO"])

    def web(self, *, processes: int = 1) -> Process:
        """Start the web server and wait until it answers."""
        command = ["gunicorn", "trochai.wsgi", "--bind", f"127.0.0.1:{self.web_port}"]
        options = ["--worker-class", "gthread", "--workers", str(processes), "--threads", "8"]
        name = f"web{len(self._processes)}"
        web = self._start(name, [*command, *options, "--no-control-socket"])
        wait_until(lambda: self._is_served(self.web_port), "the web server answers")
        return web

    def live(self) -> Process:
        """Start the process that holds the streams of open pages, and wait until it answers."""
        command = ["gunicorn", "trochai.live.asgi", "--bind", f"127.0.0.1:{self.live_port}"]
        options = ["--worker-class", "trochai.live.worker.Worker", "--no-control-socket"]
        live = self._start(f"live{len(self._processes)}", [*command, *options])
        wait_until(lambda: self._is_served(self.live_port), "the streams' server answers")
        return live

    @staticmethod
    def _is_served(port: int) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200
        return False

    def post_webhooks_of(self, channel: Channel) -> None:
        """Tell the Cloud API where this number's webhooks go."""
        self.cloud.accounts[channel.phone_number_id] = Account(
            phone_number_id=channel.phone_number_id,
            waba_id=channel.waba_id,
            app_secret=channel.app_secret,
            webhook_url=f"http://127.0.0.1:{self.web_port}/webhooks/whatsapp/{channel.uuid}/",
        )

    def tick(self) -> None:
        """Publish the minute's tasks now, instead of at the next full minute."""
        with Connection(self.redis.url) as broker:
            for task in (process_waiting_webhooks, send_due_follow_ups):
                task.apply_async(connection=broker, retry=False)

    def logs(self) -> str:
        return "\n".join(
            f"--- {process.log.name}\n{process.log.read_text()[-4000:]}" for process in self._processes
        )

    def remove(self) -> None:
        for process in self._processes:
            if process.is_running:
                process.kill()

    def _start(self, name: str, command: list[str]) -> Process:
        process = Process(name, command, self.environment, self._folder)
        self._processes.append(process)
        return process
