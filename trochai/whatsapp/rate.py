"""How fast a channel may send, over all workers together.

Each channel is a line of slots, one every ``1 / messages_per_second`` seconds (the "generic cell rate
algorithm"). A sender reserves slots a moment ahead and sends when they come, so that messages leave
evenly. A late sender gives up its slots and takes new ones, or everything late would leave at once: no
second, wherever it begins, sees more than the rate plus what ``TOLERANCE`` lets through. Meta counts up
to a sixteenth more than the channel's own limit (80 against 75), which leaves room for the network.

The lines are kept in Redis and timed by its clock. Without Redis, or while it cannot be reached, they are
in ``Channel.next_slot_at`` and timed by the database's clock.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, replace
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
# How far ahead a worker reserves: a person's message waits at most this long behind a burst.
LOOKAHEAD = dt.timedelta(seconds=0.3)
# How late after its slot a message may leave: a third of the gap between Meta's limit and our own.
TOLERANCE = dt.timedelta(milliseconds=20)
# Seconds. Redis answers in a millisecond or is as good as gone.
REDIS_PATIENCE = 0.5

MICROSECOND = dt.timedelta(microseconds=1)
_SECOND = 1_000_000  # microseconds
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# All in microseconds. Returns how many slots were granted, how long until the first one, and the line's
# next slot after them. "held": not before; a slow-down known to the database may be forgotten by Redis.
_RESERVE = """
local interval, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead, held, furthest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot = tonumber(redis.call('GET', KEYS[1]) or '0')
slot = math.min(math.max(slot, now + held), now + furthest)
local granted, after = 0, ''
if slot <= now + ahead then
  granted = math.min(wanted, math.floor((now + ahead - slot) / interval) + 1)
  after = string.format('%.0f', slot + granted * interval)
  redis.call('SET', KEYS[1], after, 'PX', 600000)
end
return {granted, string.format('%.0f', slot - now), after}
"""
_SLOW_DOWN = """
local time = redis.call('TIME')
local until_ = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
local slot = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], string.format('%.0f', math.max(slot, until_)), 'PX', 600000)
"""
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], string.format('%.0f', tonumber(ARGV[1]) - tonumber(ARGV[2])), 'PX', 600000)
end
"""


@dataclass(frozen=True)
class Slots:
    """``count`` slots: the first ``delay`` seconds after ``reserved_at``, then one every ``interval``.

    If nothing was granted, ``delay`` is the number of seconds until the line's next slot.
    ``reserved_at`` is by this process's monotonic clock; ``after`` is the line's next slot after them.
    """

    count: int
    delay: float
    interval: float
    reserved_at: float
    after: int

    def times(self) -> Iterator[float]:
        """Yield when each message may leave, by this process's monotonic clock."""
        first = self.reserved_at + self.delay
        return (first + number * self.interval for number in range(self.count))


def reserve(
    channel: Channel, wanted: int, *, ahead: dt.timedelta = LOOKAHEAD, lead: dt.timedelta = dt.timedelta()
) -> Slots:
    """Take up to ``wanted`` of the line's next slots: those that come within ``ahead``.

    None of them comes before ``lead``, where a sender still has something to do before it can send.
    """
    interval = _SECOND // channel.messages_per_second
    granted, delay, after = 0, 0, 0
    if wanted > 0:
        arguments = (interval, wanted, ahead // MICROSECOND, lead // MICROSECOND)
        try:
            granted, delay, after = _reserve_in_redis(channel, *arguments)
        except _NoRedis:
            granted, delay, after = _reserve_in_database(channel, *arguments)
    return Slots(granted, delay / _SECOND, interval / _SECOND, time.monotonic(), after)


def give_back(channel: Channel, slots: Slots, unused: int) -> Slots:
    """Give the last ``unused`` of ``slots`` back to the line; return the slots that are left.

    They are lost if somebody has reserved others behind them: the line has no gaps.
    """
    if unused <= 0:
        return slots
    span = unused * round(slots.interval * _SECOND)
    try:
        _redis(_GIVE_BACK, channel, slots.after, span)
    except _NoRedis:
        unchanged = Channel.objects.filter(pk=channel.pk, next_slot_at=_EPOCH + slots.after * MICROSECOND)
        unchanged.update(next_slot_at=_EPOCH + (slots.after - span) * MICROSECOND)
    return replace(slots, count=slots.count - unused, after=slots.after - span)


def slow_down(channel: Channel, delay: dt.timedelta) -> None:
    """Grant nothing on this line for ``delay`` (at most 5 minutes), because Meta said it is too fast."""
    delay = min(delay, MAX_SLOW_DOWN)
    # In the database too, which keeps the line while Redis is gone.
    until = database_now() + delay
    line = Channel.objects.filter(pk=channel.pk)
    line.filter(Q(next_slot_at__isnull=True) | Q(next_slot_at__lt=until)).update(next_slot_at=until)
    try:
        _redis(_SLOW_DOWN, channel, delay // MICROSECOND)
    except _NoRedis:
        return


# In Redis --------------------------------------------------------------------------------------------


class _NoRedis(Exception):
    """Redis is not configured, or does not answer."""


def _reserve_in_redis(
    channel: Channel, interval: int, wanted: int, ahead: int, lead: int
) -> tuple[int, int, int]:
    if not settings.REDIS_URL:
        raise _NoRedis
    held_until = channel.next_slot_at
    held = lead if held_until is None else max(lead, (held_until - database_now()) // MICROSECOND)
    furthest = MAX_SLOW_DOWN // MICROSECOND
    granted, delay, after = _redis(_RESERVE, channel, interval, wanted, ahead, held, furthest)
    return int(granted), int(delay), int(after or 0)


def _redis(script: str, channel: Channel, *arguments: int) -> Any:
    if not settings.REDIS_URL:
        raise _NoRedis
    try:
        return _script(settings.REDIS_URL, script)(keys=[f"trochai:line:{channel.uuid}"], args=arguments)
    except redis.RedisError as error:
        # Its text may contain the address, and with it a password.
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
        # One retry, for an idle connection that the server has closed.
        retry=Retry(NoBackoff(), 1),
    )


# In the database -------------------------------------------------------------------------------------


def _reserve_in_database(
    channel: Channel, interval: int, wanted: int, ahead: int, lead: int
) -> tuple[int, int, int]:
    with transaction.atomic():
        # SQLite takes its write lock at BEGIN; PostgreSQL locks the row, but not for foreign keys to it.
        line = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk)
        stored = line.values_list("next_slot_at", flat=True).first()
        now = database_now()
        first = now + lead * MICROSECOND
        slot = first if stored is None else max(first, min(stored, now + MAX_SLOW_DOWN))
        delay = (slot - now) // MICROSECOND
        if delay > ahead:
            return 0, delay, 0
        granted = min(wanted, (ahead - delay) // interval + 1)
        after = slot + granted * interval * MICROSECOND
        line.update(next_slot_at=after)
    return granted, delay, (after - _EPOCH) // MICROSECOND
