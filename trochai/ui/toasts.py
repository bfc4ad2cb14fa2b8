"""Toasts: short notices that something happened. htmx gets them in a header, others as Django messages."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django_htmx.http import trigger_client_event


@dataclass(frozen=True)
class Toast:
    """``tone`` is ok or error. ``url`` and ``link`` (its words) go together; ``posts``: a form."""

    title: str
    text: str = ""
    tone: str = "ok"
    url: str = ""
    link: str = ""
    posts: bool = False


def say(
    request: HttpRequest,
    response: HttpResponse,
    *,
    title: str,
    text: str = "",
    tone: str = "ok",
    url: str = "",
    link: str = "",
    posts: bool = False,
) -> HttpResponse:
    """Show a toast to the person who made ``request``, with this response or on the next page."""
    toast = Toast(title=title, text=text, tone=tone, url=url, link=link, posts=posts)
    if getattr(request, "htmx", False):
        return trigger_client_event(response, "toast", asdict(toast))
    messages.info(request, json.dumps(asdict(toast)))
    return response


def read(message: str) -> Toast:
    """Return the toast that ``say`` put into a message; a plain message becomes its title."""
    try:
        return Toast(**json.loads(message))
    except (TypeError, ValueError):
        return Toast(title=message)
