"""Trochai holds sending by itself where it may know less than it did: after a long silence.

A database that was restored from a backup does not know what has gone out since; nor does it tell that it
was restored. But its last tick is old.
"""

from __future__ import annotations

import datetime as dt

import structlog
from django.conf import settings
from django.db.models import OuterRef, Subquery

from followups import announcements
from followups.holds.brake import now_held
from followups.holds.people import tell_pages
from followups.models import FollowUp, FollowUpQuerySet, Hold, HoldCause, HoldScope, Status
from trochai.accounts.models import Organization
from trochai.paging import Count, count_of
from trochai.whatsapp.models import Channel

logger = structlog.get_logger(__name__)

COUNT_CAP = 10_000


def is_long(silence: dt.timedelta) -> bool:
    """Whether nothing may go out after it before a person has looked; never with the local sandbox."""
    limit = dt.timedelta(minutes=settings.FOLLOWUPS_HOLD_AFTER_SILENCE)
    return bool(limit) and settings.WHATSAPP_API_URL != settings.SANDBOX_API_URL and silence > limit


def hold_what_is_due(*, since: dt.datetime, now: dt.datetime) -> set[int]:
    """Hold each organization that has something due and could send it; return their ids.

    To be called in the transaction that ends the silence, so that no worker claims in between. ``since`` is
    the last tick. What was due shortly before it counts as well: a backup may be of the middle of a burst.
    """
    found = _organizations_with_due(now)
    for organization in found:
        hold = Hold.objects.create(
            scope=HoldScope.ORGANIZATION,
            organization=organization,
            cause=HoldCause.SILENCE,
            silent_since=since,
            since=now,
        )
        due = _count_due(organization, now)
        announcements.announce_hold(hold, due=due, now=now)
        tell_pages(hold)
        logger.warning("sending_held_after_silence", hold=hold.pk, organization=organization.pk, due=str(due))
    return {organization.pk for organization in found}


def _organizations_with_due(now: dt.datetime) -> list[Organization]:
    free = now_held().free(Channel.objects.all())
    # As lifecycle.claim finds them: one look into the index for each channel.
    first = FollowUp.objects.due(now).filter(channel=OuterRef("pk")).order_by("next_attempt_at", "pk")
    due = free.alias(first=Subquery(first.values("pk")[:1])).filter(first__isnull=False)
    claimed = _claimed().filter(channel__in=free)
    ids = {*due.values_list("organization", flat=True), *claimed.values_list("organization", flat=True)}
    return list(Organization.objects.filter(pk__in=ids).order_by("pk"))


def _claimed() -> FollowUpQuerySet:
    """Return what was claimed when everything stopped: it is due again once its lease has run out."""
    return FollowUp.objects.filter(status=Status.PROCESSING, requested_at__isnull=True)


def _count_due(organization: Organization, now: dt.datetime) -> Count:
    channels = list(organization.channels.values_list("pk", flat=True))
    due = count_of(FollowUp.objects.due(now).filter(channel__in=channels), COUNT_CAP)
    claimed = _claimed().filter(channel__in=channels).count()
    return Count.capped(due.value + due.is_capped + claimed, COUNT_CAP)
