"""What this process hears by Redis, for all of its streams over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from trochai import news
from trochai.news import News

logger = structlog.get_logger(__name__)

# Seconds. A Redis that says nothing is asked whether it is there; one that does not answer is left.
ASK_EVERY = 5.0
AGAIN = 1.0


class Feed:
    """Listens until it is canceled; ``hear`` gets all news, ``lost`` is called when the connection ends.

    ``is_connected``: nothing can be missed now.
    """

    def __init__(self, *, hear: Callable[[News], None], lost: Callable[[], None]) -> None:
        self._hear, self._lost = hear, lost
        self.is_connected = False

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.warning("live_news_not_reached", error=type(error).__name__)
            except Exception:
                logger.exception("live_news_failed")
            finally:
                if self.is_connected:
                    self.is_connected = False
                    self._lost()
            await asyncio.sleep(AGAIN)

    async def _listen(self) -> None:
        # Silence is no fault here.
        redis = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=AGAIN, socket_timeout=None)
        async with redis, redis.pubsub() as listener:
            await listener.subscribe(news.channel(settings.REDIS_URL))
            asked = False
            while True:
                message = await listener.get_message(timeout=ASK_EVERY)
                if message is None:
                    if asked:
                        raise RedisError("no answer")
                    asked = True
                    await listener.ping()
                    continue
                asked = False
                if message["type"] == "subscribe":
                    self.is_connected = True
                    logger.info("live_news_heard")
                elif message["type"] == "message":
                    self._take(message["data"])

    def _take(self, data: bytes) -> None:
        try:
            told = News.load(data)
        except ValueError:
            logger.warning("live_news_not_understood")
        else:
            self._hear(told)
