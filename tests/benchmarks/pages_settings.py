"""Trochai's settings for production, with two pages to compare with and without a proxy in front."""

from __future__ import annotations

from trochai.settings import *  # noqa: F403
from trochai.settings import STORAGES

ROOT_URLCONF = "tests.benchmarks.pages_urls"
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_SECURE = False
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
