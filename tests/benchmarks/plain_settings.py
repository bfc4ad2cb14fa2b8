"""Trochai's settings with what Django does by default in place of a connection pool."""

from __future__ import annotations

from trochai.settings import *  # noqa: F403
from trochai.settings import DATABASES

DATABASES["default"]["OPTIONS"].pop("pool", None)
