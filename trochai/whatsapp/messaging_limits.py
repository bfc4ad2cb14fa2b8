"""How many people a business portfolio may write to first within 24 hours, as Meta says it.

Source: "Messaging limits": unique people outside an open customer service window, in a moving 24 hours, over
all numbers of the portfolio. ``whatsapp_business_manager_messaging_limit`` of a number tells it, and so do
the webhooks ``business_capability_update`` and ``phone_number_quality_update``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.models import Channel

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


def _people(told: str) -> int | None:
    match = _TOLD.fullmatch(told)
    if match is None:
        return None
    return int(match["number"]) * (1000 if match["thousands"] else 1)
