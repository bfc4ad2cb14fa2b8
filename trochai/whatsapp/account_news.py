"""What Meta says of a number and its account: kept on the channel, the last of each kind."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from trochai.changes import Kind, changed
from trochai.whatsapp import messaging_limits
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import limit_told
from trochai.whatsapp.webhooks.parsing import AccountEvent

# As many kinds of news are kept: Meta has some twenty.
MOST = 50


def keep(channel: Channel, event: AccountEvent, *, at: dt.datetime) -> Channel:
    """Keep the event; return the channel that it is about, which may be another one of the account."""
    with transaction.atomic():
        concerned = _concerned(channel, event.number)
        locked = Channel.objects.select_for_update(no_key=True).get(pk=concerned.pk)
        news = {**locked.account_news, event.event: {"at": at.isoformat(), **event.details}}
        if len(news) <= MOST:
            locked.account_news = news
        limit = messaging_limits.told_by(event.details)
        is_another = limit not in {"", locked.messaging_limit}
        if limit:
            locked.messaging_limit, locked.messaging_limit_at = limit, at
            changed([locked.organization_id], [Kind.CHANNELS])
        locked.save(update_fields=["account_news", "messaging_limit", "messaging_limit_at"])
        if is_another:
            limit_told.send(sender=Channel, organization_id=locked.organization_id)
    return locked


def _concerned(channel: Channel, number: str) -> Channel:
    """Return the account's channel with this number, however it is written; else the one that was found."""
    if not number:
        return channel
    others = Channel.objects.filter(organization=channel.organization_id, waba_id=channel.waba_id)
    return next((each for each in others if _digits(each.display_phone_number) == _digits(number)), channel)


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())
