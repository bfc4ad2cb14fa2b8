"""What Meta's answers say of the channel itself: that it must stop, slow down, or works again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from trochai.clock import database_now
from trochai.whatsapp import channels, rate
from trochai.whatsapp.cloud_api.client import Accepted
from trochai.whatsapp.cloud_api.errors import ChannelError, TemporaryError, WhatsAppError, stops_channel

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import MessageStatus

Answer = Accepted | WhatsAppError
# A failure that Meta reports later than this may be repaired by now.
NEWS_FOR = dt.timedelta(minutes=15)


def concerns_channel(answer: Answer) -> bool:
    """Return whether an answer says that its channel must slow down or stop."""
    return isinstance(answer, ChannelError) or _slow_down(answer) is not None


def heed(channel: Channel, *answers: Answer, token: str | None) -> bool:
    """Stop the channel, slow it down or resume it as the answers say; of several the worst counts.

    ``channel`` is as it was when the calls were made, and ``token`` the access token that they used
    (None where Meta spoke by webhook): what a replaced token met says nothing about the new one.
    Returns whether nothing more should be sent on the channel for now.
    """
    stops = [answer for answer in answers if isinstance(answer, ChannelError)]
    delays = [delay for delay in map(_slow_down, answers) if delay is not None]
    for error in stops[:1]:
        channels.stop(channel.pk, failure=error.failure, token=token, now=database_now())
    if delays:
        rate.slow_down(channel, max(delays))
    if channel.is_stopped and not stops and any(isinstance(answer, Accepted) for answer in answers):
        channels.resume(channel.pk, stopped_at=channel.stopped_at)
    return bool(stops or delays)


def heed_status(channel: Channel, status: MessageStatus, *, now: dt.datetime) -> bool:
    """``heed`` a webhook: what Meta accepted may fail later because of a billing problem or a restriction."""
    is_news = now - status.at < NEWS_FOR
    if not (is_news and stops_channel(status.failure.code)):
        return False
    return heed(channel, ChannelError(status.failure.code), token=None)


def _slow_down(answer: Answer) -> dt.timedelta | None:
    return answer.slow_down if isinstance(answer, Accepted | TemporaryError) else None
