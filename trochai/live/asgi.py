"""The application that holds the streams of open pages, for gunicorn with ``trochai.live.worker.Worker``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import django

from trochai.preflight import refuse_unsafe

if TYPE_CHECKING:
    from trochai.live.application import Live

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")
# As for a page (trochai.wsgi).
os.environ.setdefault("DATABASE_PATIENCE", "2")


def _made() -> Live:
    django.setup()
    # What needs models can be imported only then.
    from trochai.live.application import Live

    return Live()


application = _made()
refuse_unsafe()
