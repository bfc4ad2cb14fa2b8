"""The locks, as far as they can be checked without an index; .ci/check_locks.py does the rest in CI."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_lock_that_lacks_a_package_of_the_smaller_one_is_named(tmp_path):
    shutil.copytree(ROOT / "requirements", tmp_path, dirs_exist_ok=True)
    dev = tmp_path / "dev.txt"
    lines = dev.read_text().splitlines(keepends=True)
    dev.write_text("".join(line for line in lines if not line.startswith("celery==")))

    command = [sys.executable, ".ci/check_locks.py", str(tmp_path)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 1
    assert "dev.txt lacks what base.txt has: celery==" in checked.stderr


def test_whatever_installs_a_lock_resolves_nothing():
    """Whether an extra is resolved once more depends on pip's version and on what came out meanwhile."""
    for path in ("dev.py", "Dockerfile", ".ci/check_locks.py"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert text.count("--require-hashes") == text.count("--no-deps") > 0, path
