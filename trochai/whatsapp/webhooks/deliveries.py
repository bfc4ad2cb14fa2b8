"""Webhook bodies: stored before Meta is answered, processed when a worker takes them.

The row is the queue; a task only wakes a worker. A body whose processing fails is tried again as
a whole, so receivers must cope with the same event twice.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from typing import Any

import structlog
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Length

from trochai import changes, metrics
from trochai.changes import Kind
from trochai.whatsapp import signals
from trochai.whatsapp.models import Channel, WebhookDelivery
from trochai.whatsapp.webhooks import parsing
from trochai.whatsapp.webhooks.routing import Router

logger = structlog.get_logger(__name__)

# An event and the channel that it concerns.
Routed = tuple[Channel, parsing.Event]
# For a kind of event, who deals with many of one channel together, in the caller's transaction, and returns
# those that need a look of their own. Apps above this one add themselves in ``ready()``.
taken_together: dict[type[parsing.Event], Callable[[Channel, list[Any]], list[Any]]] = {}
# What a body has in it that may hold such an event.
SIGN = b'"messages"'

# A worker that died while processing leaves the delivery to others after this long.
LEASE = dt.timedelta(minutes=5)
# Those that are taken together are read in a second or two.
SHORT_LEASE = dt.timedelta(minutes=1)
# The lease is renewed, and the place in a long body written down, after so many events.
PIECE = 100
# Meta puts at most 1,000 updates into a body. One with more than this is kept, but not processed.
MOST_EVENTS = 5_000
# A body whose processing never came to an end, neither good nor bad, is given up after so many tries.
MOST_BREAKS = 5
# Names of fields that Meta has invented, for the log.
MOST_LOGGED_FIELDS = 100
_logged_fields: set[str] = set()
# So many deliveries of a channel are taken at a time, so that a flood on one holds up no other.
SHARE = 50
# And so many of all channels. Those that are taken together are in memory at once, so none of them is large.
BATCH = 200
# Bytes.
SMALL = 64 * 1024
# Waits after the first, second, … failure; after the last one the delivery is given up.
BACKOFF = tuple(dt.timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 360, 360, 360, 360, 360))
KEEP_PROCESSED = dt.timedelta(days=7)
KEEP_FAILED = dt.timedelta(days=30)

# A delivery that nobody has begun with.
_FRESH = {"processed_at": None, "failures": 0, "claims": 0, "done": 0}
# What changes with an event, as far as it is known here; with any other, all of it may.
CHANGES: dict[type[parsing.Event], tuple[Kind, ...]] = {
    parsing.InboundMessage: (Kind.CONVERSATIONS,),
    parsing.MessageEcho: (Kind.CONVERSATIONS,),
    parsing.MessageStatus: (Kind.CONVERSATIONS, Kind.FOLLOW_UPS),
}
SIGNALS = {
    parsing.InboundMessage: signals.inbound_message,
    parsing.MessageEcho: signals.message_echo,
    parsing.AccountEvent: signals.account_event,
    parsing.MessageStatus: signals.message_status,
    parsing.TemplateStatusUpdate: signals.template_status,
    parsing.TemplateEdit: signals.template_edit,
    parsing.TemplateQuality: signals.template_quality,
    parsing.TemplateCategory: signals.template_category,
    parsing.MarketingPreference: signals.marketing_preference,
}


def store(channel: Channel, body: bytes, *, now: dt.datetime | Combinable) -> WebhookDelivery:
    """Store a verified body, to be processed at once. ``now`` may be the database's own, as an expression."""
    return WebhookDelivery.objects.create(channel=channel, body=body, received_at=now, next_attempt_at=now)


def waiting(now: dt.datetime) -> models.QuerySet[WebhookDelivery]:
    """Return what is due, oldest first: also what a lost task or a dead worker left behind."""
    due = WebhookDelivery.objects.filter(processed_at__isnull=True, next_attempt_at__lte=now)
    return due.order_by("next_attempt_at", "pk")


def set_aside() -> models.QuerySet[WebhookDelivery]:
    """Return what was given up, in whole or in part: nothing is done about it until somebody replays it."""
    return WebhookDelivery.objects.filter(processed_at__isnull=False).exclude(error="")


def replay(rows: models.QuerySet[WebhookDelivery], *, now: dt.datetime) -> int:
    """Process those of ``rows`` again that were set aside, from their beginning; return how many.

    Whatever they say that is known already changes nothing. ``error`` stays until they are read.
    """
    return set_aside().filter(pk__in=rows.values("pk")).update(next_attempt_at=now, **_FRESH)


def replay_fields(names: Collection[str], *, now: dt.datetime) -> int:
    """Process again what is still kept and says something under one of these fields; return how many.

    For fields that an earlier version did not know. Reads all that is kept, some at a time.
    """
    signs = [json.dumps(name).encode() for name in names]
    kept = WebhookDelivery.objects.filter(processed_at__isnull=False).only("body").order_by("pk")
    found = [
        delivery.pk
        for delivery in kept.iterator(chunk_size=BATCH)
        if any(sign in bytes(delivery.body) for sign in signs) and _says(delivery, names)
    ]
    again = WebhookDelivery.objects.filter(processed_at__isnull=False)
    return sum(
        again.filter(pk__in=found[start : start + BATCH]).update(next_attempt_at=now, **_FRESH)
        for start in range(0, len(found), BATCH)
    )


def _says(delivery: WebhookDelivery, names: Collection[str]) -> bool:
    try:
        payload = parsing.decode(bytes(delivery.body))
    except ValueError:
        return False
    return not set(names).isdisjoint(parsing.fields(payload))


def next_batch(now: dt.datetime) -> list[int]:
    """Return the ids of what to process next: a share of each channel's, the channels taking turns."""
    with_some = Channel.objects.filter(Exists(waiting(now).order_by().filter(channel=OuterRef("pk"))))
    shares = [
        waiting(now).filter(channel=channel_id).values_list("pk", flat=True)[:SHARE]
        for channel_id in with_some.values_list("pk", flat=True)
    ]
    in_turn = (pk for pk in chain.from_iterable(zip_longest(*shares)) if pk is not None)
    return list(islice(in_turn, BATCH))


def process_together(ids: Sequence[int], *, now: dt.datetime) -> set[int]:
    """Deal with the deliveries of which every event can be taken together; return which those were.

    All of it is one transaction. If it fails, or a delivery says more, that is left to ``process``.
    """
    until = now + SHORT_LEASE
    taken = _take_fresh(ids, now, until=until)
    if not taken:
        return set()
    done: set[int] = set()
    try:
        with transaction.atomic():
            done = _deal_with_all(taken, now, until=until)
    except Exception:
        logger.exception("webhook deliveries not taken together", count=len(taken))
    left = WebhookDelivery.objects.filter(pk__in=taken.keys() - done, next_attempt_at=until)
    left.update(next_attempt_at=now, claims=0)
    return done


def _take_fresh(ids: Sequence[int], now: dt.datetime, *, until: dt.datetime) -> Mapping[int, WebhookDelivery]:
    """Take those that nobody has begun with.

    Committed before they are read: what ends this worker is read alone the next time, where that is counted.
    """
    with transaction.atomic():
        fresh = waiting(now).alias(size=Length("body")).filter(pk__in=ids, claims=0, size__lte=SMALL)
        fresh = fresh.prefetch_related("channel")
        rows = {row.pk: row for row in fresh.select_for_update(skip_locked=True) if SIGN in bytes(row.body)}
        WebhookDelivery.objects.filter(pk__in=rows).update(claims=1, next_attempt_at=until)
    return rows


def _deal_with_all(rows: Mapping[int, WebhookDelivery], now: dt.datetime, *, until: dt.datetime) -> set[int]:
    events = {pk: found for pk, row in rows.items() if (found := _events_for_together(row))}
    left = {id(event) for _channel, event in _left([each for found in events.values() for each in found])}
    done = {pk for pk, found in events.items() if not any(id(event) in left for _channel, event in found)}
    held = WebhookDelivery.objects.filter(pk__in=done, processed_at__isnull=True, next_attempt_at=until)
    if held.update(processed_at=now, next_attempt_at=None, error="") < len(done):
        raise RuntimeError("Another worker has taken over.")
    _tell([routed for pk in done for routed in events[pk]])
    return done


def _events_for_together(delivery: WebhookDelivery) -> list[Routed]:
    """Return the delivery's events; none if any of them, or anything else in it, needs a look of its own."""
    try:
        payload = parsing.decode(bytes(delivery.body))
        found = list(islice(parsing.events(payload, received_at=delivery.received_at), PIECE + 1))
        if len(found) > PIECE or any(parsing.unknown_fields(payload)):
            return []
    except Exception:
        return []  # which ``process`` says, and counts
    router = Router(delivery.channel)
    routed = [(router.channel_of(address), event) for address, event in found]
    events = [(channel, event) for channel, event in routed if channel and type(event) in taken_together]
    return events if len(events) == len(found) else []


def process(delivery_id: int, *, now: dt.datetime) -> bool:
    """Hand on the facts of one delivery; return False if it is not due or another worker has it.

    ``now`` is by the database's clock. The lease is renewed while a long body is worked on, and where that
    was interrupted, the next worker goes on from there.
    """
    lease = _Lease.take(delivery_id, now)
    if lease is None:
        return False
    delivery = WebhookDelivery.objects.select_related("channel").get(pk=delivery_id)
    if delivery.claims - delivery.failures > MOST_BREAKS:
        logger.error("webhook delivery given up", delivery=delivery_id, claims=delivery.claims)
        lease.end(processed_at=now, next_attempt_at=None, error="Processing it never came to an end.")
        return True
    router = Router(delivery.channel)
    try:
        events = _events(delivery, router)
    except _SetAside as reason:
        logger.error("webhook delivery set aside", delivery=delivery_id, reason=str(reason))
        lease.end(processed_at=now, next_attempt_at=None, error=str(reason))
        return True
    except Exception as error:
        # If its failures were not counted, it would come back for ever.
        logger.exception("webhook body cannot be read", delivery=delivery_id)
        _settle(lease, delivery, f"parser: {type(error).__name__}", now)
        return True
    if delivery.claims == 1:
        router.note_unknown(now=now)
    outcome = _hand_on(delivery, events, lease)
    if outcome is not None:
        _settle(lease, delivery, outcome, now, kept="Of unknown numbers." if router.unknown else "")
    return True


def purge(now: dt.datetime) -> int:
    """Delete what was processed long ago; return how many rows."""
    processed = Q(processed_at__lt=now - KEEP_PROCESSED, error="")
    failed = Q(processed_at__lt=now - KEEP_FAILED)
    return WebhookDelivery.objects.filter(processed | failed).delete()[0]


class _SetAside(Exception):
    """The body is genuine, but trying it again would not help."""


class _Lease:
    """This worker's right to a delivery: ``next_attempt_at`` lies ahead for everybody else."""

    def __init__(self, delivery_id: int, now: dt.datetime) -> None:
        self._pk = delivery_id
        self._now = now
        self._began = time.monotonic()
        self._until = now + LEASE

    @classmethod
    def take(cls, delivery_id: int, now: dt.datetime) -> _Lease | None:
        lease = cls(delivery_id, now)
        due = waiting(now).filter(pk=delivery_id).order_by()
        taken = due.update(next_attempt_at=lease._until, claims=F("claims") + 1)
        return lease if taken else None

    def renew(self, *, done: int) -> bool:
        """Write down how many events are done; False if another worker has the delivery by now."""
        until = self._now + dt.timedelta(seconds=time.monotonic() - self._began) + LEASE
        # What comes to a next piece does not break off for ever: its claims are counted anew.
        kept = self._held().update(next_attempt_at=until, done=done, claims=F("failures") + 1)
        self._until = until
        return bool(kept)

    def end(self, **columns: object) -> None:
        self._held().update(**columns)

    def _held(self) -> models.QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.filter(
            pk=self._pk, processed_at__isnull=True, next_attempt_at=self._until
        )


def _events(delivery: WebhookDelivery, router: Router) -> list[Routed]:
    try:
        payload = parsing.decode(bytes(delivery.body))
    except ValueError:
        # Meta would repeat it for a week.
        raise _SetAside("The body is not JSON.") from None
    found = list(islice(parsing.events(payload, received_at=delivery.received_at), MOST_EVENTS + 1))
    if len(found) > MOST_EVENTS:
        raise _SetAside(f"More than {MOST_EVENTS} events.")
    if delivery.claims == 1:
        _count_unknown_fields(payload)
    routed = ((router.channel_of(address), event) for address, event in found)
    return [(channel, event) for channel, event in routed if channel is not None]


def _count_unknown_fields(payload: object) -> None:
    """Meta may add fields at any time: each is logged once in the life of this process."""
    for field in parsing.unknown_fields(payload):
        metrics.UNKNOWN_FIELDS.inc()
        if field not in _logged_fields and len(_logged_fields) < MOST_LOGGED_FIELDS:
            _logged_fields.add(field)
            logger.warning("webhook field unknown", field=field)


def _hand_on(delivery: WebhookDelivery, events: list[Routed], lease: _Lease) -> str | None:
    """Send one signal an event, each in its own transaction.

    Return what went wrong, or nothing; None if another worker has taken over.
    """
    failures: list[str] = []
    for done, piece in _pieces(events, begin=delivery.done):
        failures += [failure for routed in _rest(delivery, piece) if (failure := _send(delivery, *routed))]
        _tell(piece)
        more = done < len(events)
        # After a failure the whole body is tried again.
        if more and not lease.renew(done=0 if failures else done):
            logger.warning("webhook delivery taken over", delivery=delivery.pk)
            return None
    return "; ".join(failures)


def _tell(events: Iterable[Routed]) -> None:
    """Once for each set of kinds."""
    whose: dict[tuple[Kind, ...], set[int]] = defaultdict(set)
    for channel, event in events:
        whose[CHANGES.get(type(event), changes.LASTING)].add(channel.organization_id)
    for kinds, organizations in whose.items():
        changes.changed(organizations, kinds)


def _pieces(events: list[Routed], *, begin: int) -> Iterator[tuple[int, list[Routed]]]:
    for start in range(begin, len(events), PIECE):
        piece = events[start : start + PIECE]
        yield start + len(piece), piece


def _rest(delivery: WebhookDelivery, piece: list[Routed]) -> list[Routed]:
    """Deal with what can be dealt with together; return the rest, in its order."""
    if len(piece) == 1:
        return piece
    try:
        with transaction.atomic():
            return _left(piece)
    except Exception:
        # Whichever it is, one by one only that one fails.
        logger.exception("webhook events not taken together", delivery=delivery.pk)
        return piece


def _left(piece: list[Routed]) -> list[Routed]:
    """Deal with what can be dealt with together, in the caller's transaction; return the rest."""
    together: dict[tuple[type[parsing.Event], Channel], list[parsing.Event]] = defaultdict(list)
    for channel, event in piece:
        if type(event) in taken_together:
            together[type(event), channel].append(event)
    done: set[int] = set()
    # In one order everywhere, as each locks what it is about.
    for (kind, channel), events in sorted(together.items(), key=lambda item: item[0][1].pk):
        left = set(map(id, taken_together[kind](channel, events)))
        done |= {id(event) for event in events} - left
    return [routed for routed in piece if id(routed[1]) not in done]


def _send(delivery: WebhookDelivery, channel: Channel, event: parsing.Event) -> str:
    try:
        with transaction.atomic():
            SIGNALS[type(event)].send(sender=Channel, channel=channel, event=event)
    except Exception as error:
        # Whatever it is, the other events of this body must not wait for it.
        kind = type(event).__name__
        logger.exception("webhook event failed", delivery=delivery.pk, kind=kind)
        return f"{kind}: {type(error).__name__}"
    return ""


def _settle(
    lease: _Lease, delivery: WebhookDelivery, error: str, now: dt.datetime, *, kept: str = ""
) -> None:
    """``kept``: why a body that was read all the same is worth keeping for longer."""
    if not error:
        lease.end(processed_at=now, next_attempt_at=None, error=kept)
        return
    failures, error = delivery.failures + 1, error[:500]
    known = {"failures": failures, "claims": failures, "done": 0, "error": error}
    if failures <= len(BACKOFF):
        lease.end(next_attempt_at=now + BACKOFF[failures - 1], **known)
        return
    logger.error("webhook delivery given up", delivery=delivery.pk, failures=failures, error=error)
    lease.end(processed_at=now, next_attempt_at=None, **known)
