"""Moves the ticks of many messages at once: what ``receivers`` does for a status, for all of a webhook's.

A burst brings three statuses a message back, nearly all of them plain: a step of a message that is recorded
here, told of the number that it was sent to. Those take a handful of statements together; whatever a status
says besides is left to the receivers, one by one.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conversations.acquaintance import Acquaintance
from conversations.identity import names_of_recipient
from conversations.models import Delivery, Direction, EarlyStatus, Message
from conversations.recording import MAY_FOLLOW, NO_FAILURE
from trochai.whatsapp import references

if TYPE_CHECKING:
    from trochai.whatsapp.models import Channel
    from trochai.whatsapp.webhooks.parsing import MessageStatus

STEPS = frozenset({Delivery.SENT, Delivery.DELIVERED, Delivery.READ, Delivery.PLAYED})


@dataclass
class _Step:
    """How far one message has got by the statuses so far."""

    message: Message
    delivery: str
    pricing: dict[str, Any] = field(default_factory=dict)

    def follow(self, event: MessageStatus) -> None:
        if self.delivery in MAY_FOLLOW[Delivery(event.status)]:
            self.delivery = event.status
            self.pricing = event.pricing or self.pricing


def follow_plain(channel: Channel, events: Sequence[MessageStatus]) -> list[MessageStatus]:
    """Follow the plain ones of a channel's statuses; return the others, in their order.

    Works in the caller's transaction and may run again for the same statuses. What it moves never fails, so
    no ``message_status_changed`` is sent.
    """
    known = _Known(channel, events)
    # Where one status of a message has more to say, its others keep their places around it.
    left = [event for event in events if not known.is_plain(event)]
    attempts = {_attempt(event) for event in left} - {None}
    left_ids = {event.id for event in left}
    left_ids |= {message.whatsapp_id for message in known.messages.values() if message.attempt in attempts}
    steps: dict[str, _Step] = {}
    for event in events:
        if event.id not in left_ids:
            message = known.messages[event.id]
            steps.setdefault(event.id, _Step(message, message.delivery)).follow(event)
    _write(steps.values())
    return [event for event in events if event.id in left_ids]


def _write(steps: Collection[_Step]) -> None:
    groups: dict[str, list[_Step]] = defaultdict(list)
    for step in steps:
        if step.delivery != step.message.delivery:
            groups[json.dumps([step.delivery, step.pricing], sort_keys=True)].append(step)
    for alike in groups.values():
        columns = {"delivery": alike[0].delivery, **NO_FAILURE.columns("error")}
        if alike[0].pricing:
            columns["pricing"] = alike[0].pricing
        Message.objects.filter(pk__in=[step.message.pk for step in alike]).update(**columns)


class _Known:
    """What is known here of the messages and recipients of some statuses; the messages are locked."""

    def __init__(self, channel: Channel, events: Sequence[MessageStatus]) -> None:
        self._channel = channel
        candidates = [event for event in events if _is_step(event)]
        ids = {event.id for event in candidates}
        self.messages = {message.whatsapp_id: message for message in self._lock(ids)}
        early = EarlyStatus.objects.filter(channel=channel, whatsapp_id__in=self.messages)
        self._early = set(early.values_list("whatsapp_id", flat=True))
        self._people = Acquaintance(
            channel, [names_of_recipient(event) for event in candidates if event.phone]
        )

    def is_plain(self, event: MessageStatus) -> bool:
        """Whether moving a message that is recorded here is all that the status leads to."""
        message = self.messages.get(event.id)
        if message is None or event.id in self._early or message.delivery == Delivery.FAILED:
            return False
        is_its_own = _attempt(event) in {None, message.attempt}
        if not _is_step(event) or not is_its_own:
            return False
        contact = message.conversation.contact
        return not event.phone or self._people.is_told_nothing_new(contact, names_of_recipient(event))

    def _lock(self, ids: Collection[str]) -> Iterator[Message]:
        rows = Message.objects.filter(
            channel=self._channel, direction=Direction.OUTBOUND, whatsapp_id__in=ids
        )
        shown = rows.select_related("conversation__contact").only(
            "whatsapp_id",
            "delivery",
            "attempt",
            "conversation__contact__name",
            "conversation__contact__phone",
            "conversation__contact__first_seen_at",
        )
        return shown.select_for_update(of=("self",), no_key=True).order_by("pk").iterator()


def _is_step(event: MessageStatus) -> bool:
    return event.status in STEPS and event.failure == NO_FAILURE


def _attempt(event: MessageStatus) -> uuid.UUID | None:
    return references.parse(references.Kind.ATTEMPT, event.reference)
