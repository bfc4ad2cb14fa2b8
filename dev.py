#!/usr/bin/env python3
"""Run, test or check Trochai. Needs Python 3.11 or newer with pip, and nothing else.

python3 dev.py up               everything on this machine, with demo data: http://127.0.0.1:8000
python3 dev.py test [...]       the test suite; what follows goes to pytest
python3 dev.py test --servers   the same on PostgreSQL and Redis, which it starts itself
python3 dev.py check            format, lint, types, layers, migrations, deployment, tests
python3 dev.py check --no-tests the same without the tests
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "installed.txt"
CHROMIUM = Path("/usr/bin/chromium")
# Each lock holds all of the one before it.
LOCKS = ("base", "dev", "browser")

ALL_CORES = ("-n", "auto", "--maxprocesses", "8")
# Pages look the same on either database, what is pure knows none, and the other two start their own servers.
ON_SERVERS = "not browser and not pure and not end_to_end and not faults"
PRODUCTION = {
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "ALLOWED_HOSTS": "trochai.example.com",
    "DATABASE_URL": "postgres://trochai@127.0.0.1/never_connected_to",
    "REDIS_URL": "redis://127.0.0.1/0",
    "WHATSAPP_API_URL": "https://graph.facebook.com",
    "METRICS_TOKEN": secrets.token_urlsafe(32),
}
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy", ".", ".ci/check_locks.py"],
    "import layers": ["lint-imports", "--no-logo"],
    "templates": ["djlint", "--lint", "--quiet", "templates"],
    "missing migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "deployment": ["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "static files": ["python", "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
    "compose file": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
}


def install(wanted: str) -> None:
    """Install the ``wanted`` lock into ``.venv``, or the larger one that is already there."""
    there, _, digest = STAMP.read_text().partition(" ") if STAMP.exists() else ("base", "", "")
    lock = max(wanted, there, key=LOCKS.index)
    path = ROOT / "requirements" / f"{lock}.txt"
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    if lock == there and digest == expected and (BIN / "python").exists():
        return
    count = path.read_text().count("==")
    print(f"Installing {path.relative_to(ROOT)}, {count} packages, into .venv …", flush=True)
    STAMP.unlink(missing_ok=True)
    pip = ["-m", "pip", "--disable-pip-version-check"]
    # The lock is complete: resolving an extra such as coverage[toml] again would look for newer versions.
    target = ["install", "--progress-bar", "off", "--no-deps", "--require-hashes", "--requirement", str(path)]
    probe = [sys.executable, *pip, "--python", sys.executable, "--version"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        run([sys.executable, "-m", "venv", str(VENV)])  # with its own pip, from ensurepip
        install_with([str(BIN / "python"), *pip, *target], count)
    else:
        run([sys.executable, "-m", "venv", "--without-pip", str(VENV)])
        install_with([sys.executable, *pip, "--python", str(BIN / "python"), *target], count)
    STAMP.write_text(f"{lock} {expected}")


def install_with(pip: list[str], count: int) -> None:
    """Run pip and say how far it is; exit with what it said if it fails."""
    said: list[str] = []
    done = 0
    with subprocess.Popen(
        pip, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        for line in running.stdout or ():
            said.append(line)
            if line.startswith("Collecting "):
                done += 1
                progress(f"  {done} of {count} downloaded")
            elif line.startswith("Installing collected packages"):
                progress("  unpacking …", ends=True)
    if running.returncode:
        sys.exit(f"{''.join(said)}dev.py: pip failed with status {running.returncode}.")


def progress(text: str, *, ends: bool = False) -> None:
    """Show ``text`` in place of the last one; where nobody watches, only what ends a stage."""
    if sys.stdout.isatty():
        print(f"\r{text:<40}", end="\n" if ends else "", flush=True)
    elif ends:
        print(text, flush=True)


def run(command: list[str]) -> None:
    """Run a step that the rest depends on; exit with a one-line message if it fails."""
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(f"dev.py: “{' '.join(command[:6])} …” failed with status {code}.")


def up() -> None:
    install("base")
    os.chdir(ROOT)
    os.execv(BIN / "python", [str(BIN / "python"), "manage.py", "up"])


def test(arguments: list[str]) -> int:
    """Run pytest on its own data: with ``arguments``, or the whole suite on all cores."""
    install("browser" if CHROMIUM.exists() else "dev")
    with tempfile.TemporaryDirectory(prefix="trochai-test-") as folder:
        environment = {"VAR_DIR": os.environ.get("VAR_DIR", folder)}
        if arguments[:1] == ["--servers"]:
            what = arguments[1:] or [*ALL_CORES, "-m", ON_SERVERS]
            command = ["python", "-m", "tests.faults.servers", str(BIN / "pytest"), *what]
            return step(command, environment)
        if arguments:
            return step(["pytest", *arguments], environment)
        failed = step(["pytest", *ALL_CORES, "-m", "not faults"], environment)
        # On their own, because they depend on exact timing.
        return step(["pytest", "tests/faults"], environment) or failed


def check(with_tests: bool) -> int:
    install("browser" if CHROMIUM.exists() else "dev")
    failed = []
    for name, command in CHECKS.items():
        print(f"— {name}: {' '.join(command)}", flush=True)
        if step(command, PRODUCTION if name in {"deployment", "static files"} else {"DEBUG": "1"}):
            failed.append(name)
    if with_tests and test([]):
        failed.append("tests")
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    elif not with_tests:
        print("All checks passed.")
    return 1 if failed else 0


def step(command: list[str], environment: dict[str, str]) -> int:
    command = [str(BIN / command[0]), *command[1:]]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  (an older Python must get as far as this message)
        return complain(f"Trochai needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    port = os.environ.get("PORT", "8000")
    if not (port.isdecimal() and 0 < int(port) < 65535):  # the sandbox uses the next one
        return complain(f"PORT must be a number from 1 to 65534, not “{port}”.")
    if arguments == ["up"]:
        up()
    if arguments[:1] == ["test"]:
        return test(arguments[1:])
    if arguments in (["check"], ["check", "--no-tests"]):
        return check(with_tests=len(arguments) == 1)
    usage = (__doc__ or "").strip()
    if arguments in (["--help"], ["-h"]):
        print(usage)
        return 0
    return complain(usage)


def complain(text: str) -> int:
    print(text, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
