"""How many people a business portfolio may write to first within 24 hours, as Meta says it.

Source: "Messaging limits": unique people outside an open customer service window, in a moving 24 hours, over
all numbers of the portfolio. ``whatsapp_business_manager_messaging_limit`` of a number tells it, and so do
the webhooks ``business_capability_update`` and ``phone_number_quality_update``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.db.models import F, Q

from trochai.changes import Kind, changed
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.models import Channel

logger = structlog.get_logger(__name__)

# Read again after so long: a number that is asked for each hour is so once a day.
KEPT_FOR = dt.timedelta(hours=23)
# How many numbers are asked for in one round, and how many of them at once. A call lasts at most 35 seconds.
ROUND = 200
AT_ONCE = 8

_TOLD = re.compile(r"(?:TIER_)?(?P<number>[0-9]{1,7})(?P<thousands>K?)", re.ASCII)
_UNLIMITED = frozenset({"TIER_UNLIMITED", "UNLIMITED", "-1"})
# In webhooks: the portfolio's, and what it was called before February 2026.
_IN_WEBHOOKS = ("max_daily_conversations_per_business", "max_daily_conversation_per_phone")


@dataclass(frozen=True)
class MessagingLimit:
    """``people`` may be written to first within 24 hours (None: any number), which was said at ``at``."""

    people: int | None
    at: dt.datetime


def is_readable(told: str) -> bool:
    """Whether it is one of Meta's names of a limit: TIER_2K, 2000, TIER_UNLIMITED, -1."""
    return told in _UNLIMITED or _TOLD.fullmatch(told) is not None


def of_portfolios(channels: Iterable[Channel]) -> dict[str, MessagingLimit]:
    """Return the limit of each of the portfolios of ``channels`` (``Channel.portfolio``) that has told one.

    It is the same for all numbers of a portfolio: what was said last holds.
    """
    limits: dict[str, MessagingLimit] = {}
    for channel in channels:
        told, at, earlier = channel.messaging_limit, channel.messaging_limit_at, limits.get(channel.portfolio)
        if at is not None and is_readable(told) and (earlier is None or earlier.at < at):
            limits[channel.portfolio] = MessagingLimit(_people(told), at)
    return limits


def told_by(details: dict[str, object]) -> str:
    """Return the limit in the details of a webhook's ``AccountEvent``; empty if it says none."""
    limits = mapping(details, "limits")
    told = next((text(limits[name]) for name in _IN_WEBHOOKS if name in limits), "").upper()
    return told if is_readable(told) else ""


def read_due(*, now: dt.datetime) -> int:
    """Ask Meta for the limits that were read a day ago or never; return how many it told.

    A stopped number is left out: it is asked again when it works.
    """
    is_due = Q(messaging_limit_at__isnull=True) | Q(messaging_limit_at__lte=now - KEPT_FOR)
    due = Channel.objects.filter(is_due, stopped_at__isnull=True)
    never_first = list(due.order_by(F("messaging_limit_at").asc(nulls_first=True), "?")[:ROUND])
    told = {
        channel: limit
        for channel, limit in zip(never_first, _ask_meta(never_first), strict=True)
        if is_readable(limit)
    }
    for channel, limit in told.items():
        Channel.objects.filter(pk=channel.pk).update(messaging_limit=limit, messaging_limit_at=now)
    changed(_of_those_that_differ(told.items()), [Kind.CHANNELS])
    return len(told)


def _of_those_that_differ(told: Iterable[tuple[Channel, str]]) -> set[int]:
    return {channel.organization_id for channel, limit in told if limit != channel.messaging_limit}


def _ask_meta(channels: Sequence[Channel]) -> list[str]:
    """Ask for all of them, outside any transaction; the threads touch no database."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_answer, channels))


def _answer(channel: Channel) -> str:
    try:
        limit = client_for(channel).messaging_limit()
    except WhatsAppError as error:
        logger.info("messaging_limit_not_told", channel=channel.pk, code=error.code)
        return ""
    if not is_readable(limit):
        logger.warning("messaging_limit_not_readable", channel=channel.pk, limit=limit)
    return limit


def _people(told: str) -> int | None:
    match = _TOLD.fullmatch(told)
    if match is None:
        return None
    return int(match["number"]) * (1000 if match["thousands"] else 1)
