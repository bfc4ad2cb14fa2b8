"""Which failed sign-ins django-axes counts together: those to one account from one address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address that the outermost of the trusted proxies saw.

    Each proxy appends its caller to ``X-Forwarded-For``; anybody can forge what comes before that.
    """
    direct: str = request.META.get("REMOTE_ADDR", "")
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if not 0 < settings.TRUSTED_PROXIES <= len(hops):
        return direct
    try:
        return str(ipaddress.ip_address(hops[-settings.TRUSTED_PROXIES].strip()))
    except ValueError:
        return direct


def account(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the email as accounts are looked up: another spelling gives no further attempts."""
    typed = (credentials or request.POST).get(settings.AXES_USERNAME_FORM_FIELD)
    # No account's email is longer, and the column of the failures takes no more.
    return str(typed or "").strip().lower()[:254]
