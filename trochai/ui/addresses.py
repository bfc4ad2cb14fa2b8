"""Addresses on this site, and those that come from outside: only a path on this site is one to go back to."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails


@lru_cache(maxsize=20_000)
def url(name: str, *arguments: int | str) -> str:
    """``reverse``, kept: a list asks for the same few hundred again with each poll."""
    return reverse(name, args=arguments)


def local_path(address: str | None) -> str:
    """Return ``address`` if it is a path on this site (with its query), and nothing for anything else."""
    if not address or not address.startswith("/"):
        return ""
    try:
        urlsplit(address)
    except ValueError:  # what looks like a host is none
        return ""
    return address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


def path_before(request: HttpRequest) -> str:
    """Return the path and query of the page that a form was sent from; empty for another site or none."""
    try:
        before = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # no address at all
        return ""
    is_ours = before.netloc == request.get_host()
    return local_path(before._replace(scheme="", netloc="").geturl()) if is_ours else ""


def path_on_screen(details: HtmxDetails) -> str:
    """Return the path and query of the page that htmx asks from; empty without htmx or for another site."""
    try:
        return local_path(details.current_url_abs_path)
    except ValueError:  # no address at all
        return ""
