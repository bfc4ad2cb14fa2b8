#!/usr/bin/env python3
"""Prove that each lock is complete and consistent, with the pip of Python 3.11 and with the newest one.

python3 .ci/check_locks.py [folder]     the locks of this folder instead of requirements/

Locks are installed without resolving anything, so pip does not notice a package that a lock lacks; this does.
Every locked package must have a wheel for this platform: a source distribution would be built with whatever
build tools are the newest, which no lock can pin.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Each lock holds all of the one before it; those after the first are named after an extra.
LOCKS = ("base", *PROJECT["project"]["optional-dependencies"])
PIPS = ("pip==23.2.1", "pip")
LOCKED = ("--no-deps", "--require-hashes", "--requirement")

# Without the settings of this machine's pip, which may name further indexes and folders.
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
ALONE["PIP_CONFIG_FILE"] = os.devnull

# Prints the import names that fail.
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error, sep=": ")
"""


class Faulty(Exception):
    """A lock cannot be installed as it is, or does not hold all that is needed."""


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).resolve() if arguments else ROOT / "requirements"
    locks = [folder / f"{name}.txt" for name in LOCKS]
    try:
        refuse_gaps(locks)
        with ThreadPoolExecutor() as pool:
            for version in pool.map(partial(check, locks), PIPS):
                print(f"{', '.join(LOCKS)}: complete and consistent with {version}")
    except Faulty as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def refuse_gaps(locks: list[Path]) -> None:
    """Raise ``Faulty`` unless each lock has every package of the one before it, at the same version."""
    for smaller, larger in pairwise(locks):
        if missing := pins(smaller) - pins(larger):
            raise Faulty(f"{larger.name} lacks what {smaller.name} has: {', '.join(sorted(missing))}")


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[\w.-]+==[^\s;]+", lock.read_text(encoding="utf-8"), re.MULTILINE))


def check(locks: list[Path], wanted_pip: str) -> str:
    """Return the version of the pip that installed all ``locks``. Raises ``Faulty``.

    The last lock holds all others, so its wheels are downloaded once, and one environment grows from lock
    to lock.
    """
    with tempfile.TemporaryDirectory(prefix="locks-") as name:
        folder = Path(name)
        tool, target = environment(folder / "tool"), environment(folder / "target")
        run([sys.executable, "-m", "pip", "--python", tool, "install", "--quiet", wanted_pip])
        version = run([tool, "-m", "pip", "--version"]).partition(" from ")[0]
        wheels = str(folder / "wheels")
        print(f"{version}: downloading {locks[-1].name} …", flush=True)
        download = [tool, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", wheels]
        run([*download, *LOCKED, str(locks[-1])], version)
        for lock in locks:
            print(f"{version}: installing {lock.name} …", flush=True)
            what = f"{version}, {lock.name}"
            pip = [tool, "-m", "pip", "--python", target]
            install = [*pip, "install", "--quiet", "--no-index"]
            run([*install, "--no-compile", "--find-links", wheels, *LOCKED, str(lock)], what, ALONE)
            run([*pip, "check"], what, ALONE)
            # pip check knows no extras: only the resolver can tell whether kombu[redis] is complete.
            run([*install, "--dry-run", *declared(lock.stem)], what, ALONE)
            if failed := run([target, "-c", IMPORT, *sorted(imports(lock.stem))], what):
                raise Faulty(f"{what}: the code imports what the lock does not provide:\n{failed}")
    return version


def environment(folder: Path) -> str:
    """Make a virtual environment that holds nothing, and return its Python."""
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    return str(folder / "bin" / "python")


def run(command: list[str], what: str = "check_locks", env: dict[str, str] | None = None) -> str:
    """Return what ``command`` prints. Raises ``Faulty`` with its output if it fails."""
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Faulty(f"{what}: “{' '.join(command[1:8])} …” failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def declared(name: str) -> list[str]:
    """Return the requirements in pyproject.toml of which this lock is made."""
    extras = LOCKS[1 : LOCKS.index(name) + 1]
    optional = PROJECT["project"]["optional-dependencies"]
    return [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in optional[extra])]


def imports(name: str) -> set[str]:
    """Return the top-level packages of others that the code which runs with this lock imports.

    With the smallest lock the product runs, with the others the tests too. What ``find_spec`` asks for is no
    dependency; what ``importorskip`` asks for comes with the largest lock.
    """
    listed = subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True).splitlines()
    product = PROJECT["tool"]["importlinter"]["root_packages"]
    trees = [
        ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path)
        for path in listed
        if name != LOCKS[0] or path.split("/")[0] in product
    ]
    optional = {"find_spec"} if name == LOCKS[-1] else {"find_spec", "importorskip"}
    ours = {path.split("/")[0].removesuffix(".py") for path in listed}
    found = {module.split(".")[0] for module in imported(trees)}
    asked_for = {module.split(".")[0] for module in asked(trees, optional)}
    return found - asked_for - ours - sys.stdlib_module_names


def imported(trees: Iterable[ast.Module]) -> Iterator[str]:
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def asked(trees: Iterable[ast.Module], functions: set[str]) -> Iterator[str]:
    """Yield the first argument of each call of one of ``functions``."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in functions:
            yield str(ast.literal_eval(node.args[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
