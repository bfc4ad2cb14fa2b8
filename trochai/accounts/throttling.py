"""Which failed sign-ins django-axes counts together: those to one account from one address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def account(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the email as accounts are looked up: another spelling gives no further attempts."""
    typed = (credentials or request.POST).get(settings.AXES_USERNAME_FORM_FIELD)
    # No account's email is longer, and the column of the failures takes no more.
    return str(typed or "").strip().lower()[:254]
