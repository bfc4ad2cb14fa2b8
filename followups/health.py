"""What an operator's monitor asks: can the whole work, and what waits?"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from followups.sending import ticks
from followups.sending.backlog import BacklogCollector, broker_depths
from trochai.clock import database_now


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database and the broker answer and the beat job runs, else 503; says which does not.

    ``beat`` holds the seconds since the last tick, or null where none has run yet: a new installation
    is ready before its first minute is over. Whoever asks first after ticks have stopped tells the admins.
    """
    state: dict[str, object] = {
        "database": _database_answers(),
        "broker": broker_depths() is not None,
        "beat": None,
    }
    is_silent = False
    if state["database"] and (at := ticks.last()) is not None:
        now = database_now()
        state["beat"] = round((now - at).total_seconds())
        is_silent = ticks.announce_silence(now=now) is not None
    ready = bool(state["database"] and state["broker"] and not is_silent)
    return JsonResponse({"ready": ready, **state}, status=200 if ready else 503)


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """What waits, for Prometheus, and what this web process uses.

    Needs ``Authorization: Bearer <METRICS_TOKEN>``: 403 without it. With no token set there is nothing
    here (404), except with ``DEBUG``. Each worker counts what it did itself, at ``METRICS_PORT``.
    """
    if not settings.METRICS_TOKEN and not settings.DEBUG:
        raise Http404
    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not constant_time_compare(given, expected):
        raise PermissionDenied
    try:
        now = database_now()  # by which ticks are stamped
    except DatabaseError:
        now = timezone.now()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(BacklogCollector(now=now))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = encode(registry)
    _notice_silence(now)
    return HttpResponse(body, content_type=content_type)


def _notice_silence(now: dt.datetime) -> None:
    with suppress(DatabaseError):  # the metrics say so themselves
        ticks.announce_silence(now=now)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
