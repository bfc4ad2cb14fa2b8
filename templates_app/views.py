from __future__ import annotations

import structlog
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url

from templates_app.listing import Listing
from templates_app.sync import SyncResult, sync_channel
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.clock import database_now
from trochai.ui import toasts
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.models import Channel

log = structlog.get_logger(__name__)


@require_safe
@vary_on_headers("HX-Request")
def index(request: MemberRequest) -> HttpResponse:
    """The organization's templates as cards; search and filters swap the list alone."""
    table = Listing(request.membership.organization, request.GET)
    context = {"section": "templates", "table": table}
    if not request.htmx or request.htmx.history_restore_request:
        return render(request, "templates_app/index.html", context)
    response = render(request, "templates_app/_found.html", context)
    # Without the form's empty fields.
    return replace_url(response, _address(table))


@require_POST
@vary_on_headers("HX-Request")
def sync(request: MemberRequest) -> HttpResponse:
    """Fetch every channel's templates from Meta and say what has changed."""
    access.writer(request.membership)
    organization = request.membership.organization
    title, text, tone = _sync_all(list(Channel.objects.for_organization(organization)))
    table = Listing(organization, request.GET)
    response: HttpResponse
    if request.htmx:
        response = render(request, "templates_app/_page.html", {"table": table})
    else:
        response = redirect(_address(table))
    return toasts.say(request, response, title=title, text=text, tone=tone)


def _address(table: Listing) -> str:
    return f"{reverse('templates:index')}?{table.query}".rstrip("?")


def _sync_all(channels: list[Channel]) -> tuple[str, str, str]:
    """Return the toast's title, text and tone. One channel's failure doesn't stop the others."""
    if not channels:
        return _("Nothing to sync"), _("No WhatsApp number is connected yet."), "error"
    results, problems = [], []
    for channel in channels:
        try:
            results.append(sync_channel(channel, database_now()))
        except WhatsAppError as error:
            log.warning("templates_sync_failed", channel=channel.pk, code=error.code, cause=error.cause)
            problems.append(f"{channel.name}: {error.reason}" if len(channels) > 1 else error.reason)
    if problems:
        return _("Couldn’t sync the templates"), " ".join(problems), "error"
    return _("Templates synced"), _summary(results), "ok"


def _summary(results: list[SyncResult]) -> str:
    """2 added, 1 changed."""
    parts = [
        (_("%(n)d added"), sum(result.added for result in results)),
        (_("%(n)d changed"), sum(result.changed for result in results)),
        (_("%(n)d removed"), sum(result.removed for result in results)),
    ]
    words = ", ".join(text % {"n": number} for text, number in parts if number)
    return f"{words}." if words else _("Nothing has changed.")
