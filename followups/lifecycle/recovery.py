"""What workers that vanished, or whose calls nobody answered, have left behind."""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import transaction
from django.db.models import OuterRef

from followups.lifecycle.changes import RELEASED, TransitionRefused, fail, locked
from followups.models import FailureKind, FollowUp, Status
from followups.wording.failures import Cause
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import has_unread

logger = structlog.get_logger(__name__)


def tidy_up(*, now: dt.datetime) -> None:
    """Settle what stayed unknown past its time, and take back what vanished workers held."""
    unknown = give_up_on_unknown(now=now)
    released = release_expired(now=now)
    if unknown or released:
        logger.warning("follow_ups_recovered", unknown=unknown, leases_expired=released)


def release_expired(*, now: dt.datetime) -> int:
    """processing → pending for rows whose worker vanished before it began the call."""
    return FollowUp.objects.lease_expired(now).update(status=Status.PENDING, **RELEASED)


def give_up_on_unknown(*, now: dt.datetime) -> int:
    """processing → failed for rows whose outcome stayed unknown past the reconciliation time."""
    given_up = 0
    for pk in FollowUp.objects.unknown_past(now).values_list("pk", flat=True):
        try:
            with transaction.atomic():
                still_unknown = FollowUp.objects.unknown_past(now).filter(pk=pk)
                unread = still_unknown.filter(has_unread(OuterRef("channel"))).exists()
                failure = Failure(cause=Cause.UNREAD if unread else Cause.UNKNOWN)
                fail(locked(pk), still_unknown, kind=FailureKind.UNKNOWN, failure=failure, now=now)
        except TransitionRefused:
            continue  # a webhook was faster
        except Exception:
            # One row must not keep the others, or what is due now, from being dealt with.
            logger.exception("follow_up_not_given_up", follow_up=pk)
        else:
            given_up += 1
    return given_up
