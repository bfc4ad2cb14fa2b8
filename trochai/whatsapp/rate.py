"""How fast a channel may send, over all workers and the composer together.

Each channel is a line of slots, one every ``1 / messages_per_second`` seconds (the "generic cell rate
algorithm"). Who wants to send reserves slots a moment ahead and sends when they come, so that messages
leave evenly: no second, wherever it begins, sees more than the rate and a twentieth (slots that nobody
took, for at most a twentieth of a second, may be used late). Meta counts up to a sixteenth more than
the channel's own limit (80 against 75), which leaves room for what the network bunches together.

The lines are kept in Redis and timed by its clock. Without Redis, or while it cannot be reached, they are
in ``Channel.next_slot_at`` and timed by the database's clock.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from redis.backoff import NoBackoff
from redis.retry import Retry

from trochai.clock import database_now
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = structlog.get_logger(__name__)

# Between two messages to one contact (WhatsApp Cloud API, "Throughput", pair rate limit).
PAIR_INTERVAL = dt.timedelta(seconds=6)
# Whatever Meta's headers or a wrong clock say, a line is never held back for longer.
MAX_SLOW_DOWN = dt.timedelta(minutes=5)
# How far ahead a worker reserves. A message of the composer waits that long at most behind a burst.
LOOKAHEAD = dt.timedelta(seconds=0.25)
# Unused slots of the last twentieth of a second may still be taken.
CATCH_UP_DIVISOR = 20
# Seconds. Redis answers in a millisecond or is as good as gone.
REDIS_PATIENCE = 0.5

MICROSECOND = dt.timedelta(microseconds=1)
_SECOND = 1_000_000  # microseconds

# Both clocks in microseconds. Returns how many slots were granted, and in how long the first one comes.
_RESERVE = """
local interval, catch_up, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ahead, furthest = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot = math.min(tonumber(redis.call('GET', KEYS[1]) or '0'), now + furthest)
slot = math.max(slot, now - catch_up * interval)
local granted = 0
if slot <= now + ahead then
  granted = math.min(wanted, math.floor((now + ahead - slot) / interval) + 1)
  redis.call('SET', KEYS[1], string.format('%.0f', slot + granted * interval), 'PX', 600000)
end
return {granted, string.format('%.0f', slot - now)}
"""
_SLOW_DOWN = """
local time = redis.call('TIME')
local until_ = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
local slot = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], string.format('%.0f', math.max(slot, until_)), 'PX', 600000)
"""
_GIVE_BACK = """
local slot = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], string.format('%.0f', slot - tonumber(ARGV[1])), 'PX', 600000)
"""


@dataclass(frozen=True)
class Slots:
    """``count`` slots: the first ``delay`` seconds after ``reserved_at``, then one every ``interval``.

    Where nothing was granted, ``delay`` says in how many seconds the line's next slot comes.
    ``reserved_at`` is of this process's monotonic clock.
    """

    count: int
    delay: float
    interval: float
    reserved_at: float

    def times(self) -> Iterator[float]:
        """Yield when each message may leave, by this process's monotonic clock."""
        first = self.reserved_at + self.delay
        return (first + number * self.interval for number in range(self.count))


def reserve(channel: Channel, wanted: int, *, ahead: dt.timedelta = LOOKAHEAD) -> Slots:
    """Take up to ``wanted`` of the line's next slots, as far as they come within ``ahead``."""
    interval = _SECOND // channel.messages_per_second
    catch_up = channel.messages_per_second // CATCH_UP_DIVISOR
    granted, delay = 0, 0
    if wanted > 0:
        arguments = (interval, catch_up, wanted, ahead // MICROSECOND)
        try:
            granted, delay = _reserve_in_redis(channel, *arguments)
        except _NoRedis:
            granted, delay = _reserve_in_database(channel, *arguments)
    return Slots(granted, delay / _SECOND, interval / _SECOND, time.monotonic())


def give_back(channel: Channel, slots: Slots, unused: int) -> None:
    """Return the last ``unused`` of ``slots`` to the line, for whoever comes next."""
    if unused <= 0:
        return
    span = unused * round(slots.interval * _SECOND)
    try:
        _redis(_GIVE_BACK, channel, span)
    except _NoRedis:
        with transaction.atomic():
            line = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk)
            for slot in line.values_list("next_slot_at", flat=True):
                line.update(next_slot_at=slot and slot - span * MICROSECOND)


def slow_down(channel: Channel, delay: dt.timedelta) -> None:
    """Grant nothing on this line for ``delay`` (at most 5 minutes), because Meta said it is too fast."""
    delay = min(delay, MAX_SLOW_DOWN)
    # In the database too: it is the line where Redis is gone.
    until = database_now() + delay
    line = Channel.objects.filter(pk=channel.pk)
    line.filter(Q(next_slot_at__isnull=True) | Q(next_slot_at__lt=until)).update(next_slot_at=until)
    try:
        _redis(_SLOW_DOWN, channel, delay // MICROSECOND)
    except _NoRedis:
        return


# In Redis --------------------------------------------------------------------------------------------


class _NoRedis(Exception):
    """None is configured, or it does not answer."""


def _reserve_in_redis(
    channel: Channel, interval: int, catch_up: int, wanted: int, ahead: int
) -> tuple[int, int]:
    furthest = MAX_SLOW_DOWN // MICROSECOND
    granted, delay = _redis(_RESERVE, channel, interval, catch_up, wanted, ahead, furthest)
    return int(granted), int(delay)


def _redis(script: str, channel: Channel, *arguments: int) -> Any:
    if not settings.REDIS_URL:
        raise _NoRedis
    try:
        return _script(settings.REDIS_URL, script)(keys=[f"trochai:line:{channel.uuid}"], args=arguments)
    except redis.RedisError as error:
        # Its text may hold the address, and with it a password.
        logger.warning("line_without_redis", channel=channel.pk, error=type(error).__name__)
    raise _NoRedis


@cache
def _script(url: str, script: str) -> Any:
    return _connection(url).register_script(script)


@cache
def _connection(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_PATIENCE,
        socket_connect_timeout=REDIS_PATIENCE,
        # Once more, for a connection that idled until the server closed it.
        retry=Retry(NoBackoff(), 1),
    )


# In the database -------------------------------------------------------------------------------------


def _reserve_in_database(
    channel: Channel, interval: int, catch_up: int, wanted: int, ahead: int
) -> tuple[int, int]:
    with transaction.atomic():
        # SQLite takes its write lock at BEGIN; PostgreSQL locks the row, but not for foreign keys to it.
        line = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk)
        stored = line.values_list("next_slot_at", flat=True).first()
        now = database_now()
        slot = now - catch_up * interval * MICROSECOND
        if stored is not None:
            slot = max(slot, min(stored, now + MAX_SLOW_DOWN))
        delay = (slot - now) // MICROSECOND
        if delay > ahead:
            return 0, delay
        granted = min(wanted, (ahead - delay) // interval + 1)
        line.update(next_slot_at=slot + granted * interval * MICROSECOND)
    return granted, delay
