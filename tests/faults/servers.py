"""The tests' own PostgreSQL and Redis, on free ports, so that they may be killed.

``python -m tests.faults.servers COMMAND…`` runs a command with both, and stops them when it ends.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Poll until ``condition()`` is true; fail with ``what`` was waited for after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} seconds: {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that has ended and only waits to be reaped does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def kill(process: subprocess.Popen) -> None:
    """SIGKILL a process and its children, all at once; wait until none is left."""
    victims = [process.pid, *children(process.pid)]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)
    wait_until(lambda: not any(map(is_alive, victims)), "the killed processes are gone")


def postgresql_programs() -> Path | None:
    """Return the folder that holds ``initdb`` and ``postgres``; Debian's is not on the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def missing_programs() -> list[str]:
    found = {
        "postgresql": postgresql_programs(),
        "redis-server": shutil.which("redis-server"),
        "nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin"),
    }
    return [name for name, path in found.items() if path is None]


class Postgres:
    """A cluster in a temporary folder. Anybody on this machine may connect while the tests run."""

    user = "trochai"

    def __init__(self) -> None:
        programs = postgresql_programs()
        assert programs is not None
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="trochai-postgresql-"))
        # PostgreSQL refuses to run as root.
        self._run_as = "postgres" if os.geteuid() == 0 else None
        if self._run_as:
            owner = pwd.getpwnam(self._run_as)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        options = ["--username", self.user, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        self._run("initdb", "--pgdata", "data", "--no-sync", *options)

    def _options(self) -> dict[str, object]:
        as_user = {"user": self._run_as, "group": self._run_as, "extra_groups": []} if self._run_as else {}
        return {
            "cwd": self._folder,
            "stdin": subprocess.DEVNULL,
            "env": {"PATH": os.environ["PATH"]},
            **as_user,
        }

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            **self._options(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs; return when it takes connections."""
        if self._is_running:
            return
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # Processes are killed here, never the machine: what was written is still in its cache.
            "fsync": "off",
            "max_connections": "200",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", *arguments],
                **self._options(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, "PostgreSQL takes connections")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log.txt").read_text()[-2000:]
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL the postmaster and every backend."""
        assert self._process is not None
        kill(self._process)

    def url(self, database: str) -> str:
        return f"postgres://{self.user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def back_up(self, database: str) -> None:
        """As docs/operations.md says; one backup of each database is kept."""
        self._run("pg_dump", "--format", "custom", "--file", f"{database}.dump", self.url(database))

    def restore(self, database: str) -> None:
        options = ["--clean", "--if-exists", "--single-transaction", "--dbname", self.url(database)]
        self._run("pg_restore", *options, f"{database}.dump")

    def remove(self) -> None:
        if self._is_running:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """Holds everything in memory: killing it empties the queue."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs; return when it answers."""
        if self._is_running:
            return
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        arguments += ["--databases", "64"]  # one for each process of the suite
        self._process = subprocess.Popen(
            ["redis-server", *arguments, "--dir", tempfile.gettempdir()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, "Redis answers")

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis(port=self.port) as client:
            return bool(client.ping())
        return False

    def empty(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def kill(self) -> None:
        assert self._process is not None
        kill(self._process)

    def remove(self) -> None:
        if self._is_running:
            self.kill()


class Proxy:
    """nginx with the configuration of production, in front of what listens on this machine."""

    def __init__(self, web_port: int, live_port: int) -> None:
        self.port = free_port()
        self.plain_port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="trochai-nginx-"))
        # Where web keeps what nginx sends.
        self.files = self._folder / "files"
        self.files.mkdir()
        self._web_port = web_port
        self._live_port = live_port
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        certificate, key = _self_signed()
        (self._folder / "fullchain.pem").write_bytes(certificate)
        (self._folder / "privkey.pem").write_bytes(key)
        conf = (Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf").read_text()
        for old, new in (
            (" /tmp/", f" {self._folder}/"),
            ("web:8000", f"127.0.0.1:{self._web_port}"),
            ("live:8000", f"127.0.0.1:{self._live_port}"),
            ("listen 8443", f"listen 127.0.0.1:{self.port}"),
            ("listen 8080", f"listen 127.0.0.1:{self.plain_port}"),
            ("listen 127.0.0.1:8081", f"listen 127.0.0.1:{free_port()}"),
            ("/etc/nginx/certificates", str(self._folder)),
            ("alias /media/", f"alias {self.files}/"),
            ("/var/www/acme", str(self._folder / "acme")),
        ):
            assert old in conf, f"{old} is not in the configuration any more"
            conf = conf.replace(old, new)
        (self._folder / "nginx.conf").write_text(conf)
        challenge = self._folder / "acme" / ".well-known" / "acme-challenge"
        challenge.mkdir(parents=True)
        (challenge / "token").write_text("proof")
        # nginx's workers are another user where it is started by root.
        for path in (self._folder, *self._folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self._process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", self._folder / "nginx.conf", "-g", "daemon off;"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, "nginx answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "nginx has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            kill(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def _self_signed() -> tuple[bytes, bytes]:
    """Return a certificate for this machine and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, unencrypted)


def main(command: list[str]) -> int:
    if missing := missing_programs():
        print(f"Not installed: {', '.join(missing)}.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    postgres, redis_server = Postgres(), Redis()
    try:
        postgres.start()
        redis_server.start()
        addresses = {"DATABASE_URL": postgres.url("trochai"), "REDIS_URL": redis_server.url}
        return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode
    finally:
        redis_server.remove()
        postgres.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
