"""Before the call: checks each claimed row once more, and puts together what is sent to Meta."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import structlog
from django.db import DatabaseError

from followups import lifecycle
from followups.models import FailureKind, FollowUp
from followups.wording.failures import Cause
from templates_app.payload import template_payload
from trochai import metrics
from trochai.whatsapp import rate
from trochai.whatsapp.cloud_api.client import WhatsAppClient, client_for
from trochai.whatsapp.cloud_api.failures import Failure

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """A follow-up that may be sent: what goes to Meta, from which number, and under which claim.

    ``at`` is when its line lets it go, by this process's monotonic clock.
    """

    follow_up: FollowUp
    token: uuid.UUID
    payload: dict[str, Any]
    client: WhatsAppClient
    at: float = math.inf


def prepare(claim: lifecycle.Claim, *, busy: Collection[int], now: dt.datetime) -> list[Job]:
    """Return the jobs to do; what must not or cannot be sent now is settled or handed back.

    ``busy`` holds the conversations to which a message is already on its way. A line's unneeded slots
    are given back to it.
    """
    by_channel: dict[int, list[Job]] = defaultdict(list)
    for job in _jobs(claim, set(busy), now):
        by_channel[job.follow_up.channel_id].append(job)
    jobs = []
    for channel in {follow_up.channel for follow_up in claim.follow_ups}:
        of_channel, slots = by_channel[channel.pk], claim.slots[channel.pk]
        times = chain.from_iterable(each.times() for each in slots)
        jobs += [replace(job, at=at) for job, at in zip(of_channel, times, strict=False)]
        unused = sum(each.count for each in slots) - len(of_channel)
        # A line takes back only the last slots reserved.
        rate.give_back(channel, slots[-1], min(unused, slots[-1].count))
    return jobs


def _jobs(claim: lifecycle.Claim, seen: set[int], now: dt.datetime) -> Iterator[Job]:
    for follow_up in claim.follow_ups:
        try:
            job = _job_for(follow_up, claim.token, seen, now)
        except lifecycle.TransitionRefused:
            logger.info("follow_up_moved_on", follow_up=follow_up.pk)
        except DatabaseError:
            # Its lease brings it back.
            logger.exception("follow_up_not_prepared", follow_up=follow_up.pk)
        except Exception:
            # It would break each time, and the oldest rows come first: it must not block the rest.
            logger.exception("follow_up_broken", follow_up=follow_up.pk)
            _fail_broken(follow_up, claim.token, now)
        else:
            if job is not None:
                seen.add(follow_up.conversation_id)
                yield job


def _job_for(follow_up: FollowUp, token: uuid.UUID, seen: set[int], now: dt.datetime) -> Job | None:
    problem = problem_with(follow_up, now)
    if problem is not None:
        kind, failure = problem
        lifecycle.fail_unsent(follow_up, token=token, kind=kind, failure=failure, now=now)
        metrics.UNSENT.labels(kind).inc()
        logger.info("follow_up_not_sent", follow_up=follow_up.pk, kind=kind, cause=failure.cause)
        return None
    free_at = _contact_free_at(follow_up, seen, now)
    if free_at > now:
        lifecycle.hand_back([follow_up], token=token, due_at=free_at)
        metrics.LINE_WAIT_SECONDS.labels("contact").inc((free_at - now).total_seconds())
        return None
    payload = template_payload(follow_up.template, follow_up.parameters)
    return Job(follow_up, token, payload, client_for(follow_up.channel))


def _fail_broken(follow_up: FollowUp, token: uuid.UUID, now: dt.datetime) -> None:
    failure = Failure(cause=Cause.BROKEN)
    try:
        lifecycle.fail_unsent(follow_up, token=token, kind=FailureKind.RECHECK, failure=failure, now=now)
        metrics.UNSENT.labels(FailureKind.RECHECK).inc()
    except Exception:
        logger.exception("follow_up_not_failed", follow_up=follow_up.pk)


def problem_with(follow_up: FollowUp, now: dt.datetime) -> tuple[FailureKind, Failure] | None:
    """Re-check at send time: return why the follow-up must not be sent any more, or None."""
    template, contact = follow_up.template, follow_up.conversation.contact
    limit = dt.timedelta(minutes=follow_up.organization.missed_after_minutes)
    if follow_up.next_attempt_at is not None and now - follow_up.next_attempt_at > limit:
        hours = limit.total_seconds() / 3600
        return FailureKind.MISSED, Failure(cause=Cause.MISSED, values={"hours": hours})
    if contact.is_opted_out:
        return FailureKind.RECHECK, Failure(cause=Cause.OPTED_OUT)
    if not template.is_approved:
        return FailureKind.RECHECK, Failure(cause=Cause.NOT_APPROVED, values={"status": template.status})
    if not template.fits(follow_up.shape):
        return FailureKind.RECHECK, Failure(cause=Cause.CHANGED)
    return None


def _contact_free_at(follow_up: FollowUp, seen: Collection[int], now: dt.datetime) -> dt.datetime:
    """Return when the contact may be written to: now, or 6 seconds after the last message."""
    if follow_up.conversation_id in seen:
        return now + rate.PAIR_INTERVAL
    last = follow_up.conversation.last_outbound_at
    # By Meta's clock, or another machine's: it may lie ahead.
    return now if last is None else max(now, min(last, now) + rate.PAIR_INTERVAL)
