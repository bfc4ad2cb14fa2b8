"""Chromium for tests: they are skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds. What should happen at once may take a while on a busy machine.
PATIENCE = 15_000
# Playwright's synchronous API runs an event loop in this thread; Django would refuse every query in it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@contextmanager
def launched() -> Iterator[Browser]:
    """Run one; its event loop ends with it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the browser requirements")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (found on the PATH, or named by CHROMIUM)")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
