"""What the apps below have learned, and what it means for follow-ups.

Each runs inside the transaction of the one event it is about, and may run again for the same event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from conversations import recording
from conversations.models import Contact, Conversation, Delivery, Message
from conversations.signals import (
    contact_changed,
    contact_conflict,
    contact_erased,
    contact_moved,
    contact_opted_out,
    contacts_alike,
    conversation_merged,
    message_status_changed,
    messages_received,
)
from followups import announcements, lifecycle
from followups.imports import work
from followups.models import (
    CancelCause,
    FollowUp,
    FollowUpAttempt,
    HeldReason,
    Series,
    SeriesEnd,
    SeriesQuerySet,
    Status,
)
from followups.sending import trials
from templates_app.models import Template
from templates_app.signals import template_changed
from trochai.accounts.models import User
from trochai.changes import Kind, changed
from trochai.clock import database_now
from trochai.search import search_text
from trochai.whatsapp import account_news, references
from trochai.whatsapp.models import Channel, UnknownNumber
from trochai.whatsapp.signals import (
    account_event,
    channel_needs_trial,
    channel_stopped,
    message_status,
    number_unknown,
)
from trochai.whatsapp.webhooks.parsing import AccountEvent, MessageStatus

# An edit at Meta goes through a review: when that ends only the status changes.
WHILE_APPROVED = {"status", "components", "parameter_format"}
ACCEPTANCE = frozenset({Delivery.SENT, Delivery.DELIVERED, Delivery.READ, Delivery.PLAYED})


@receiver(message_status)
def reconcile_attempt(channel: Channel, event: MessageStatus, **_signal: Any) -> None:
    """A status that carries an attempt's id proves that Meta accepted it, whatever the HTTP answer was."""
    attempt = _attempt_of(channel, event.reference)
    if attempt is None:
        return
    now = timezone.now()
    if event.status in ACCEPTANCE:
        message = lifecycle.settle_sent(attempt, whatsapp_id=event.id, at=event.at, now=now)
    elif event.status == Delivery.FAILED:
        message = lifecycle.record_undelivered(attempt, whatsapp_id=event.id, at=event.at, now=now)
    else:
        return
    # Also an early status that another webhook stored while this message was being recorded.
    recording.apply_early_statuses(message)
    recording.follow(message, event)
    message.refresh_from_db()
    if message.delivery == Delivery.FAILED:
        lifecycle.fail_undelivered(message, attempt, now=now)


@receiver(message_status_changed)
def fail_what_was_not_delivered(message: Message, **_signal: Any) -> None:
    """Meta accepted the message and says later that it failed."""
    if message.delivery != Delivery.FAILED or message.attempt is None:
        return
    attempt = FollowUpAttempt.objects.filter(pk=message.attempt).first()
    if attempt is not None:
        lifecycle.fail_undelivered(message, attempt, now=timezone.now())


@receiver(messages_received)
def cancel_on_reply(messages: Sequence[Message], **_signal: Any) -> None:
    wrote_at: dict[int, dt.datetime] = {}
    for message in messages:
        pk = message.conversation_id
        wrote_at[pk] = max(message.at, wrote_at.get(pk, message.at))
    waiting = FollowUp.objects.visible().filter(
        conversation__in=wrote_at, status=Status.PENDING, cancel_on_reply=True
    )
    answered = [
        pk
        for pk, conversation, created_at in waiting.values_list("pk", "conversation", "created_at")
        if created_at <= wrote_at[conversation]
    ]
    over = [
        each
        for each in _loaded(Series.objects.live()).filter(conversation__in=wrote_at, ends_on_reply=True)
        if each.created_at <= wrote_at[each.conversation_id]
    ]
    if answered or over:
        answered_rows = FollowUp.objects.visible().filter(Q(pk__in=answered) | Q(series__in=over))
        lifecycle.cancel_by_system(answered_rows, cause=CancelCause.REPLY, now=timezone.now())
        lifecycle.end_all(over, cause=SeriesEnd.REPLY, now=timezone.now())


@receiver(contact_opted_out)
def cancel_on_opt_out(contact: Contact, now: dt.datetime, **_signal: Any) -> None:
    waiting = FollowUp.objects.visible().filter(conversation__contact=contact)
    lifecycle.cancel_by_system(waiting, cause=CancelCause.OPT_OUT, now=now)
    theirs = _loaded(Series.objects.live()).filter(conversation__contact=contact)
    lifecycle.end_all(theirs, cause=SeriesEnd.OPT_OUT, now=now)


@receiver(contact_erased)
def erase_what_was_scheduled(
    contact: Contact, conversations: Sequence[Conversation], by: User, now: dt.datetime, **_signal: Any
) -> None:
    lifecycle.forget([conversation.pk for conversation in conversations], by=by, now=now)
    work.forget(contact)


@receiver(conversation_merged)
def move_follow_ups(kept: Conversation, gone: Conversation, **_signal: Any) -> None:
    Series.objects.filter(conversation=gone).update(conversation=kept)
    if FollowUp.objects.filter(conversation=gone).update(conversation=kept):
        changed([kept.organization_id], [Kind.FOLLOW_UPS])


@receiver(contacts_alike)
def tell_who_may_be_one(contact: Contact, other: Contact, **_signal: Any) -> None:
    announcements.announce_alike(contact, other, now=timezone.now())


@receiver(contact_conflict)
def hold_what_waits(contact: Contact, **_signal: Any) -> None:
    """Nobody knows any more whom its number reaches."""
    waiting = FollowUp.objects.visible().filter(conversation__contact=contact)
    lifecycle.hold(waiting, reason=HeldReason.CONTACT, now=timezone.now())


@receiver(contact_moved)
def tell_where_it_goes(contact: Contact, before: str, **_signal: Any) -> None:
    waiting = FollowUp.objects.visible().filter(conversation__contact=contact, status=Status.PENDING)
    rows = list(waiting.select_related("organization", "template", "conversation__contact"))
    announcements.announce_moved(rows, before, now=timezone.now())


@receiver(contact_changed)
def refresh_search_text(contact: Contact, **_signal: Any) -> None:
    follow_ups = list(FollowUp.objects.filter(conversation__contact=contact).only("pk", "note"))
    for follow_up in follow_ups:
        follow_up.search_text = search_text(*contact.known_as, follow_up.note)
    if FollowUp.objects.bulk_update(follow_ups, ["search_text"], batch_size=500):
        changed([contact.organization_id], [Kind.FOLLOW_UPS])


@receiver(template_changed)
def warn_about_template(template: Template, changed: set[str], **_signal: Any) -> None:
    """Tell those in charge before the send date that their follow-ups would fail."""
    if not changed & (WHILE_APPROVED if template.is_approved else {"status"}):
        return
    waiting = FollowUp.objects.visible().filter(template=template, status=Status.PENDING)
    unsendable = [
        follow_up
        for follow_up in waiting.only("pk", "created_by_id", "owner_id", "shape")
        if not template.is_approved or not template.fits(follow_up.shape)
    ]
    announcements.announce_template_unusable(template, unsendable, now=timezone.now())


@receiver(channel_stopped)
def tell_the_admins(channel: Channel, **_signal: Any) -> None:
    announcements.announce_channel_stopped(channel, now=timezone.now())


@receiver(account_event)
def tell_of_the_account(channel: Channel, event: AccountEvent, **_signal: Any) -> None:
    now = timezone.now()
    concerned = account_news.keep(channel, event, at=now)
    announcements.announce_account_event(concerned, event, now=now)


@receiver(number_unknown)
def tell_of_the_number(channel: Channel, number: UnknownNumber, **_signal: Any) -> None:
    announcements.announce_number_unknown(channel, number, now=timezone.now())


@receiver(channel_needs_trial)
def try_channel(channel: Channel, **_signal: Any) -> None:
    trials.let_one_through(channel, now=database_now())


def _loaded(series: SeriesQuerySet) -> SeriesQuerySet:
    """Load what is told when one ends."""
    return series.select_related("organization", "conversation__contact", "template")


def _attempt_of(channel: Channel, reference: str) -> FollowUpAttempt | None:
    """Return the attempt that the reference names, if it is one of this channel's."""
    attempt_id = references.parse(references.Kind.ATTEMPT, reference)
    if attempt_id is None:
        return None
    return FollowUpAttempt.objects.filter(pk=attempt_id, follow_up__channel=channel).first()
