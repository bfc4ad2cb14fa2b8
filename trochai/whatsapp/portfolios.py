"""Which business portfolio owns each account: Meta's user ids hold within it.

Source: Graph API, "WhatsApp Business Account": ``owner_business_info``, which needs
``whatsapp_business_management``, as the list of templates does.
"""

from __future__ import annotations

import structlog
from django.db import transaction

from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import WhatsAppError
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import portfolio_known

logger = structlog.get_logger(__name__)

# How many accounts are asked for in one round; the next one begins with those that were not.
ROUND = 40


def learn_unknown() -> int:
    """Ask Meta for the portfolios that are not known yet; return how many accounts have one now."""
    unknown = Channel.objects.filter(portfolio_id="", stopped_at=None).order_by("?")[:ROUND]
    return sum(_learn(channel) for channel in unknown)


def _learn(channel: Channel) -> bool:
    try:
        portfolio_id = client_for(channel).portfolio_id(channel.waba_id)
    except WhatsAppError as error:
        logger.info("portfolio_not_told", channel=channel.pk, code=error.code)
        return False
    if not portfolio_id:
        return False
    with transaction.atomic():
        # All numbers of the account at once: until then their ids hold for the account alone.
        of_the_account = Channel.objects.filter(
            organization=channel.organization_id, waba_id=channel.waba_id, portfolio_id=""
        )
        if not of_the_account.update(portfolio_id=portfolio_id):
            return False
        before, channel.portfolio_id = channel.portfolio, portfolio_id
        portfolio_known.send(sender=Channel, channel=channel, before=before)
    logger.info("portfolio_known", channel=channel.pk)
    return True
