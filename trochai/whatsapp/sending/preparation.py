"""Before the call: has each claimed row checked once more, and gives it its moment on the channel's line."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import chain

import structlog
from django.db import DatabaseError

from trochai.whatsapp import rate
from trochai.whatsapp.sending.work import AttemptT, Claim, Job, MovedOn, RowT, Work

logger = structlog.get_logger(__name__)


def prepare(
    work: Work[RowT, AttemptT], claim: Claim[RowT], *, busy: Collection[int], now: dt.datetime
) -> list[Job[RowT]]:
    """Return the jobs to do; what must not or cannot be sent now is settled or handed back.

    ``busy`` holds the conversations to which a message is already on its way. A line's unneeded slots
    are given back to it.
    """
    by_channel: dict[int, list[Job[RowT]]] = defaultdict(list)
    for job in _jobs(work, claim, set(busy), now):
        by_channel[job.row.channel_id].append(job)
    jobs = []
    for channel in {row.channel for row in claim.rows}:
        of_channel, slots = by_channel[channel.pk], claim.slots[channel.pk]
        times = chain.from_iterable(each.times() for each in slots)
        jobs += [replace(job, at=at) for job, at in zip(of_channel, times, strict=False)]
        unused = sum(each.count for each in slots) - len(of_channel)
        # A line takes back only the last slots reserved.
        rate.give_back(channel, slots[-1], min(unused, slots[-1].count))
    return jobs


def _jobs(
    work: Work[RowT, AttemptT], claim: Claim[RowT], busy: set[int], now: dt.datetime
) -> Iterator[Job[RowT]]:
    for row in claim.rows:
        try:
            job = work.job_for(row, token=claim.token, busy=busy, now=now)
        except MovedOn:
            logger.info("row_moved_on", **work.ids(row))
        except DatabaseError:
            # Its lease brings it back.
            logger.exception("row_not_prepared", **work.ids(row))
        except Exception:
            # It would break each time, and the oldest rows come first: it must not block the rest.
            logger.exception("row_broken", **work.ids(row))
            _fail_broken(work, row, claim, now)
        else:
            if job is not None:
                busy.add(row.conversation_id)
                yield job


def _fail_broken(work: Work[RowT, AttemptT], row: RowT, claim: Claim[RowT], now: dt.datetime) -> None:
    try:
        work.fail_broken(row, token=claim.token, now=now)
    except Exception:
        logger.exception("row_not_failed", **work.ids(row))
