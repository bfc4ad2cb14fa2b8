"""What saves work if it is there, in a Redis that nobody waits for; without one, in files under ``var/``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import caches
from redis import Redis

from trochai import news

logger = structlog.get_logger(__name__)

# Seconds. A cache that does not answer is left alone for a while: senders do not wait for it each time.
PAUSE = 30.0


class Hints:
    """The cache, left alone for a while after it has not answered."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def read(self, names: Iterable[str]) -> dict[str, Any] | None:
        """Return those that are there; None if nobody knows."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            return dict(caches["hints"].get_many(names))
        except Exception as error:
            self._be_silent(error)
            return None

    def write(self, values: Mapping[str, Any], *, seconds: float) -> None:
        """Keep them for so long, if the cache answers."""
        if not values or time.monotonic() < self._silent_until:
            return
        try:
            caches["hints"].set_many(dict(values), seconds)
        except Exception as error:
            self._be_silent(error)

    def publish(self, told: news.News) -> None:
        """Tell the streams of open pages, where there is a Redis that they listen to."""
        if not settings.REDIS_URL or time.monotonic() < self._silent_until:
            return
        try:
            self._redis.publish(news.channel(settings.REDIS_URL), told.dump())
        except Exception as error:
            self._be_silent(error)

    @cached_property
    def _redis(self) -> Redis:
        return Redis.from_url(settings.REDIS_URL, **settings.IMPATIENT_REDIS)

    def _be_silent(self, error: Exception) -> None:
        self._silent_until = time.monotonic() + PAUSE
        logger.warning("hints_not_reached", error=type(error).__name__)


hints = Hints()
