"""Who opens a stream, by the cookie of their session, as the pages themselves know them."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.db import connections
from django.http import HttpRequest

from trochai.accounts.middleware import memberships_of, working_in
from trochai.accounts.models import User
from trochai.live.streams import Reader

_sessions = import_module(settings.SESSION_ENGINE)


def session_key(cookies: str) -> str:
    """Return the key that a ``Cookie`` header carries, if any."""
    try:
        morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def reader_of(key: str) -> Reader | None:
    """Return who has the session, for the organization they work in; None if nobody may read anything.

    Blocks: to be called in a thread, which keeps no connection to the database.
    """
    try:
        request = HttpRequest()
        request.session = _sessions.SessionStore(key)
        user = get_user(request)
        if not isinstance(user, User):
            return None
        memberships = memberships_of(user)
        membership = working_in(memberships, request.session)
        if membership is None:
            return None
        return Reader(user.pk, membership.organization_id)
    finally:
        connections.close_all()
