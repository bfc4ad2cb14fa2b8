"""What a load balancer and an operator's monitor ask: is this process alive, and can the whole work?"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from followups import ticks
from trochai.celery import app

# Seconds that a broker may take to answer.
PATIENCE = 2.0


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers; asks nobody else, so that a slow database restarts no web process."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database and the broker answer and the beat job runs, else 503; says which does not.

    ``beat`` holds the seconds since the last tick, or null where none has run yet: a new installation
    is ready before its first minute is over.
    """
    state: dict[str, object] = {"database": _database_answers(), "broker": _broker_answers(), "beat": None}
    is_ticking = True
    if state["database"] and (at := ticks.last()) is not None:
        now = timezone.now()
        state["beat"] = round((now - at).total_seconds())
        is_ticking = ticks.silent_since(now=now) is None
    ready = bool(state["database"] and state["broker"] and is_ticking)
    return JsonResponse({"ready": ready, **state}, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_answers() -> bool:
    try:
        with app.connection_for_read(connect_timeout=PATIENCE) as broker:
            broker.channel()  # Redis is connected to, and pinged, only here
    except Exception:  # each transport has errors of its own
        return False
    return True
