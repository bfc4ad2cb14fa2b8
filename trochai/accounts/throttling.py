"""How many wrong passwords are let through before somebody has to wait.

Counted in the cache, where each count ends with its window: nothing grows, and while the cache is away
everybody may try. A try is counted before its password is looked at, so that many at once are no more than
one after the other, and taken back if it was right.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from hashlib import blake2b

import redis
import structlog
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase

from trochai.client_address import client_address

logger = structlog.get_logger(__name__)

COOKIE = "device"
# Seconds. A browser is known for a year, by the last accounts that signed in there.
KNOWN_FOR = 365 * 24 * 3600
MOST_KNOWN = 10
# Who has IPv6 has at least so much of it.
IPV6_NETWORK = 64


@dataclass(frozen=True)
class Limit:
    """So many failures are let through in a window of so many seconds."""

    name: str
    failures: int
    window: int


# Whoever guesses one person's password from one place; the team behind the same router goes on.
PAIR = Limit("pair", 10, 15 * 60)
# Whoever guesses it from many places. Devices on which the account has signed in are not counted, so that
# nobody can shut its owner out.
ACCOUNT = Limit("account", 30, 3600)
# Whoever tries many accounts.
ADDRESS = Limit("address", 50, 3600)


class Try:
    """One try to sign in with ``email``."""

    def __init__(self, request: HttpRequest, email: str) -> None:
        account, address = _digest(_spelled(email)), _digest(_network(client_address(request)))
        self._counters = {PAIR: f"{account}-{address}", ADDRESS: address}
        if account not in known_accounts(request):
            self._counters[ACCOUNT] = account
        self._counters = {limit: f"sign-in-{limit.name}-{key}" for limit, key in self._counters.items()}

    def begin(self) -> int | None:
        """Count it; or return how many minutes to wait first, at most."""
        try:
            reached = self._reached()
        except redis.RedisError as error:
            logger.warning("sign_in_not_counted", error=type(error).__name__)
            return None
        return max((limit.window // 60 for limit in reached), default=None)

    def was_right(self) -> None:
        """Take it back; what went wrong before with this account from here is forgiven."""
        # ValueError: a window has just ended.
        with contextlib.suppress(redis.RedisError, ValueError):
            cache.delete(self._counters.pop(PAIR))
            for key in self._counters.values():
                cache.decr(key)

    def _reached(self) -> list[Limit]:
        """Return the limits that are reached; count the try if there are none."""
        counts = cache.get_many(self._counters.values())
        reached = [limit for limit, key in self._counters.items() if counts.get(key, 0) >= limit.failures]
        # Of many at once only as many as are left get through.
        return reached or [
            limit for limit, key in self._counters.items() if _count(key, limit.window) > limit.failures
        ]


def _count(key: str, window: int) -> int:
    cache.add(key, 0, timeout=window)
    try:
        return cache.incr(key)
    except ValueError:  # it ended in between
        return 1


def known_accounts(request: HttpRequest) -> list[str]:
    """Return which accounts have signed in with this browser, the last one first."""
    try:
        known = signing.loads(request.COOKIES.get(COOKIE, ""), salt=COOKIE, max_age=KNOWN_FOR)
    except signing.BadSignature:
        return []
    return list(known)


def remember_device(request: HttpRequest, response: HttpResponseBase, email: str) -> None:
    """Know this browser when the account signs in again."""
    account = _digest(_spelled(email))
    known = [account, *(each for each in known_accounts(request) if each != account)]
    response.set_cookie(
        COOKIE,
        signing.dumps(known[:MOST_KNOWN], salt=COOKIE),
        max_age=KNOWN_FOR,
        path=str(settings.LOGIN_URL),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _spelled(email: str) -> str:
    """Return the email as accounts are looked up: another spelling gives no further tries."""
    return email.strip().lower()


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))


def _digest(text: str) -> str:
    """Nobody who reads the cache or a cookie learns who signs in."""
    return blake2b(text.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16).hexdigest()
