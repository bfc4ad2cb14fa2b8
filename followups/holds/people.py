"""Beginning a hold, and giving another reason for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from followups import announcements, lifecycle
from followups.holds.brake import channels_of
from followups.models import Hold, HoldCause, HoldScope
from trochai.accounts.models import Organization
from trochai.changes import Kind, changed

if TYPE_CHECKING:
    from trochai.accounts.models import User
    from trochai.whatsapp.models import Channel

logger = structlog.get_logger(__name__)


class HoldRefused(Exception):
    """The hold is no longer, or already, what it was to become; ``str()`` says it to people."""


class AlreadyHeld(HoldRefused):
    def __str__(self) -> str:
        return _("It is on hold already.")


class AlreadyReleased(HoldRefused):
    def __str__(self) -> str:
        return _("It has been released in the meantime.")


def begin(
    *,
    reason: str,
    cause: HoldCause,
    now: dt.datetime,
    organization: Organization | None = None,
    channel: Channel | None = None,
    by: User | None = None,
) -> Hold:
    """Hold one number, all of an organization, or without either everything.

    Once this returns no call is begun any more; one that was recorded before the hold was committed may still
    go out. Not to be called within a transaction. Raises ``AlreadyHeld``.
    """
    hold = Hold(
        scope=_scope(organization, channel),
        organization=organization or (channel.organization if channel else None),
        channel=channel,
        reason=reason,
        cause=cause,
        by=by,
        since=now,
    )
    try:
        with transaction.atomic(durable=True):
            hold.save(force_insert=True)
            announcements.announce_hold(hold, now=now)
            tell_pages(hold)
    except IntegrityError as error:
        raise AlreadyHeld from error
    # What is claimed after this commit is never marked; what was claimed before it is taken back.
    taken_back = lifecycle.take_back(channels_of(hold))
    logger.warning("sending_held", hold=hold.pk, scope=hold.scope, cause=cause, taken_back=taken_back)
    return hold


def _scope(organization: Organization | None, channel: Channel | None) -> HoldScope:
    if channel is not None:
        return HoldScope.CHANNEL
    return HoldScope.EVERYTHING if organization is None else HoldScope.ORGANIZATION


def reword(hold: Hold, *, reason: str) -> None:
    """Give another reason. Raises ``AlreadyReleased``."""
    with transaction.atomic():
        if not Hold.objects.in_force().filter(pk=hold.pk).update(reason=reason):
            raise AlreadyReleased
        tell_pages(hold)


def tell_pages(hold: Hold) -> None:
    """Have the open pages of whom it concerns look again."""
    if hold.organization_id is not None:
        concerned = [hold.organization_id]
    else:
        concerned = list(Organization.objects.order_by().values_list("pk", flat=True))
    changed(concerned, [Kind.FOLLOW_UPS, Kind.CHANNELS])
