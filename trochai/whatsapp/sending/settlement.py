"""After the calls: has written down how they ended, and tells each channel what its answers say of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import structlog
from django.db import InterfaceError, OperationalError, connection

from trochai import metrics
from trochai.clock import database_now
from trochai.whatsapp import verdicts
from trochai.whatsapp.sending.work import AttemptT, Call, MovedOn, RowT, Work

logger = structlog.get_logger(__name__)


def settle(work: Work[RowT, AttemptT], calls: Sequence[Call[RowT, AttemptT]]) -> list[Call[RowT, AttemptT]]:
    """Write down how the calls ended: together in one transaction, or one by one if that fails.

    Returns those to settle again later, because the database cannot be reached. What cannot be written
    for any other reason stays marked, and after the reconciliation time becomes "delivery unknown":
    it is never sent again by itself.
    """
    if not calls:
        return []
    with metrics.SETTLEMENT_SECONDS.time():
        try:
            now = database_now()
            work.settle_together(calls, now=now)
        except Exception as error:
            logger.info("settled_one_by_one", what=work.name, why=type(error).__name__)
            if not connection.in_atomic_block:
                # After a restart of the database this connection would refuse everything for good.
                connection.close_if_unusable_or_obsolete()
            return [call for call in calls if not _settle_alone(work, call)]
    metrics.BATCH_SIZE.observe(len(calls))
    for call in calls:
        work.note(call, now=now)
    return []


def _settle_alone(work: Work[RowT, AttemptT], call: Call[RowT, AttemptT]) -> bool:
    """Return False where it should be tried again."""
    ids = work.ids(call.row, call.attempt)
    try:
        now = database_now()
        work.settle(call, now=now)
    except MovedOn:
        work.note(call, now=now, moved_on=True)
    except (OperationalError, InterfaceError) as error:
        logger.warning("row_not_settled_yet", **ids, why=type(error).__name__)
        connection.close_if_unusable_or_obsolete()
        return False
    except Exception:
        logger.exception("row_not_settled", **ids)
    else:
        work.note(call, now=now)
    return True


def tell_channels(calls: Iterable[Call[RowT, AttemptT]]) -> set[int]:
    """Slow down, stop or resume the channels as their answers say; return those to leave alone for now."""
    # By token too: another call of the group may have used a newer one.
    used: dict[tuple[int, str], list[Call[RowT, AttemptT]]] = defaultdict(list)
    for call in calls:
        used[call.row.channel_id, call.row.channel.access_token].append(call)
    return {channel_id for (channel_id, token), group in used.items() if _heeded(group, token)}


def _heeded(calls: list[Call[RowT, AttemptT]], token: str) -> bool:
    channel, answers = calls[0].row.channel, [call.result for call in calls]
    try:
        return verdicts.heed(channel, *answers, token=token)
    except Exception:
        # The next call on the channel meets the same answer.
        logger.exception("channel_not_told", channel=channel.pk)
        return any(verdicts.concerns_channel(answer) for answer in answers)
