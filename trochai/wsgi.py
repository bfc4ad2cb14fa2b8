"""The WSGI application, for gunicorn and other servers."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from trochai.preflight import refuse_unsafe

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")
# Who waits for a page wants to know soon that there is none.
os.environ.setdefault("DATABASE_PATIENCE", "2")

application = get_wsgi_application()
refuse_unsafe()
