"""Trochai's settings, with Django's default connections in place of a pool."""

from __future__ import annotations

from trochai.settings import *  # noqa: F403
from trochai.settings import DATABASES

DATABASES["default"]["OPTIONS"].pop("pool", None)
