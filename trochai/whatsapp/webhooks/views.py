"""The webhook that Meta calls. Public: a GET must know the verify token, a POST the app secret."""

from __future__ import annotations

import hmac
import uuid as uuids

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, UnreadablePostError
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from trochai.waking import Waker
from trochai.whatsapp.models import Channel
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries
from trochai.whatsapp.webhooks.parsing import is_signed

logger = structlog.get_logger(__name__)

# A flood would otherwise wake workers more often than there is anything to do for them.
waker = Waker(moment=0.1)

# Bytes. Meta posts up to 3 MB.
MAX_BODY = 4 * 1024 * 1024


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def webhook(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    secret = "verify_token" if request.method == "GET" else "app_secret"
    channel = get_object_or_404(Channel.objects.only(secret), uuid=uuid)
    return _verify(request, channel) if request.method == "GET" else _receive(request, channel)


def _verify(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Meta asks once, when the webhook's address is entered there."""
    token = request.GET.get("hub.verify_token", "").encode(errors="replace")
    known = channel.verify_token.encode()
    if request.GET.get("hub.mode") != "subscribe" or not known or not hmac.compare_digest(token, known):
        return HttpResponseForbidden()
    return HttpResponse(request.GET.get("hub.challenge", ""), content_type="text/plain; charset=utf-8")


def _receive(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Store the body, then answer; a worker reads it later."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            return HttpResponse(status=413)
        if length <= 0:
            # WSGI shows what is sent in chunks as empty, and somebody may have a signature of nothing.
            return HttpResponse(status=411)
        body = request.body
    except RequestDataTooBig:
        return HttpResponse(status=413)
    except (ValueError, UnreadablePostError):
        return HttpResponse(status=400)
    if not is_signed(body, request.headers.get("X-Hub-Signature-256", ""), channel.app_secret):
        logger.warning("webhook with a wrong signature", channel=channel.pk)
        return HttpResponseForbidden()
    deliveries.store(channel, body, now=Now())
    transaction.on_commit(lambda: waker.wake(process_waiting_webhooks))
    return HttpResponse()
