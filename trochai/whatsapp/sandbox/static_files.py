"""The product's own static files, for the sandbox's pages: their strict policy allows no other origin."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import SuspiciousFileOperation


def read(name: str) -> tuple[bytes, str] | None:
    """Return a static file and its type; nothing for what is none, or lies outside of their folders."""
    try:
        found = finders.find(name) if settings.WHITENOISE_USE_FINDERS else staticfiles_storage.path(name)
    except (SuspiciousFileOperation, ValueError):
        return None
    path = Path(found) if isinstance(found, str) else None
    if path is None or not path.is_file():
        return None
    return path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
