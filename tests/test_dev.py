"""``dev.py``, the one command that a newcomer knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parent.parent / "dev.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEV), *arguments], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_asked_for_help_it_helps(option):
    answer = run(option)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "dev.py up" in answer.stdout


def test_what_it_does_not_know_is_a_mistake():
    answer = run("frobnicate")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "dev.py up" in answer.stderr
