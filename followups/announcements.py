"""Puts news about follow-ups into people's bells and into threads; ``followups.wording`` says it in words."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, prefetch_related_objects
from django.urls import reverse

from conversations import notes
from followups.imports.models import Import, Verdict
from followups.models import (
    BulkAction,
    BulkChange,
    CancelCause,
    FollowUp,
    FollowUpQuerySet,
    Hold,
    Series,
    SeriesEnd,
)
from followups.ownership import colleague_of
from followups.wording.notices import Kind
from followups.wording.thread_notes import Said
from notifications.models import Notification
from notifications.notify import Notice, notify, notify_all, recipients_for, recipients_for_all
from trochai.accounts.models import Membership, Organization

if TYPE_CHECKING:
    from conversations.models import Contact
    from templates_app.models import Template
    from trochai.accounts.models import User
    from trochai.paging import Count
    from trochai.whatsapp.models import Channel, UnknownNumber
    from trochai.whatsapp.webhooks.parsing import AccountEvent


def announce_sent(follow_ups: Sequence[FollowUp], *, now: dt.datetime) -> None:
    """Tell those in charge, and colleagues who have the conversations, in a handful of statements for all."""
    recipients = recipients_for_all({(each.organization_id, each.in_charge_id) for each in follow_ups})
    theirs = {each: colleague for each in follow_ups if (colleague := colleague_of(each)) is not None}
    # A worker has not read who scheduled them.
    prefetch_related_objects(list(theirs), "created_by")
    notices = [
        Notice(
            organization=follow_up.organization,
            recipient_id=recipient_id,
            kind=Kind.FOLLOW_UP_SENT,
            values=_names(follow_up),
            url=_conversation_url(follow_up),
        )
        for follow_up in follow_ups
        for recipient_id in recipients[follow_up.organization_id, follow_up.in_charge_id]
    ]
    notices += [
        Notice(
            organization=follow_up.organization,
            recipient_id=colleague,
            kind=Kind.FOLLOW_UP_SENT,
            values={**_names(follow_up), "by": str(follow_up.created_by or "")},
            url=_conversation_url(follow_up),
        )
        for follow_up, colleague in theirs.items()
    ]
    notify_all(notices, now=now)


def announce_scheduled(follow_up: FollowUp, *, by: str, now: dt.datetime) -> None:
    """Say it in the thread, where colleagues look."""
    _tell_thread(follow_up, Said.SCHEDULED, {"by": by, **_dated(follow_up, now)}, now)


def announce_moved_to(follow_up: FollowUp, *, by: User, now: dt.datetime) -> None:
    _announce_changed(follow_up, Kind.FOLLOW_UP_MOVED, by, now)


def announce_edited(follow_up: FollowUp, *, by: User, now: dt.datetime) -> None:
    _announce_changed(follow_up, Kind.FOLLOW_UP_EDITED, by, now)


def _announce_changed(follow_up: FollowUp, kind: Kind, by: User, now: dt.datetime) -> None:
    """Say it in the thread; whoever is in charge also hears what a colleague has done with it."""
    values = {"by": str(by), **_dated(follow_up, now)}
    _tell_in_charge(follow_up, kind, values, now, but=by.pk)
    _tell_thread(follow_up, kind, values, now)


def announce_all_moved(follow_ups: Iterable[FollowUp], *, by: str, now: dt.datetime) -> None:
    """Say it in their threads; whoever is in charge of them is told by ``announce_bulk_ended``."""
    _tell_threads({each: {"by": by, **_dated(each, now)} for each in follow_ups}, Kind.FOLLOW_UP_MOVED, now)


def announce_all_edited(
    follow_ups: Iterable[FollowUp], template: Template, *, by: str, now: dt.datetime
) -> None:
    values = {each: {"by": by, **_dated(each, now), "template": template.name} for each in follow_ups}
    _tell_threads(values, Kind.FOLLOW_UP_EDITED, now)


def announce_all_canceled(follow_ups: Iterable[FollowUp], *, by: str, now: dt.datetime) -> None:
    values = {each: {"cause": CancelCause.MEMBER, "by": by} for each in follow_ups}
    _tell_threads(values, Kind.FOLLOW_UP_CANCELED, now)


def announce_bulk_ended(change: BulkChange, *, now: dt.datetime) -> None:
    """Tell whoever began it how it ended, and each of those in charge how many of theirs it has changed."""
    organization, values = change.organization, change.values
    by = str(change.by) if change.by else ""
    url = reverse("followups:bulk_result", args=[change.pk])
    told = {"action": change.action, "by": by, "name": values.get("name", "")}
    counts = {int(person): count for person, count in change.concerned.items()}
    recipients = recipients_for_all({(organization.pk, person or None) for person in counts})
    theirs: Counter[int] = Counter()
    for person, count in counts.items():
        for recipient in recipients[organization.pk, person or None]:
            theirs[recipient] += count
    notices = [
        Notice(organization, recipient, Kind.BULK_CONCERNS, {**told, "count": count}, url)
        for recipient, count in theirs.items()
        if recipient != change.by_id
    ]
    if change.action == BulkAction.HAND_OVER and change.changed and values["to"] != change.by_id:
        given = {**told, "count": change.changed}
        notices.append(Notice(organization, values["to"], Kind.BULK_HANDED_OVER, given, url))
    if change.by_id is not None and change.worked_at is not None:
        ended = {"changed": change.changed, "refused": change.refused, "ending": change.ending}
        notices.append(Notice(organization, change.by_id, Kind.BULK_ENDED, {**told, **ended}, url))
    notify_all(notices, now=now)


def _dated(follow_up: FollowUp, now: dt.datetime) -> dict[str, str]:
    moments = {"at": follow_up.scheduled_for, "made": now}
    return {name: moment.astimezone(dt.UTC).isoformat() for name, moment in moments.items()}


def announce_failed(follow_up: FollowUp, *, now: dt.datetime) -> None:
    failure = {"kind": follow_up.failure_kind, "failure": asdict(follow_up.failure)}
    _tell_in_charge(follow_up, Kind.FOLLOW_UP_FAILED, failure, now)
    _tell_thread(follow_up, Kind.FOLLOW_UP_FAILED, failure, now)


def announce_canceled(follow_up: FollowUp, *, now: dt.datetime) -> None:
    """Whoever canceled it need not be told; the thread says it to the others."""
    by = follow_up.canceled_by.name if follow_up.canceled_by else ""
    values = {"cause": follow_up.cancel_cause, "by": by}
    _tell_in_charge(follow_up, Kind.FOLLOW_UP_CANCELED, values, now, but=follow_up.canceled_by_id)
    _tell_thread(follow_up, Kind.FOLLOW_UP_CANCELED, values, now)


def announce_held(follow_up: FollowUp, *, now: dt.datetime) -> None:
    _tell_in_charge(follow_up, Kind.FOLLOW_UP_HELD, {"reason": follow_up.held_reason}, now)
    _tell_thread(follow_up, Kind.FOLLOW_UP_HELD, {"reason": follow_up.held_reason}, now)


def announce_handed_over(follow_up: FollowUp, *, by: str, now: dt.datetime) -> None:
    """Tell whoever is in charge of it from now on."""
    _tell_in_charge(follow_up, Kind.FOLLOW_UP_HANDED_OVER, {"by": by}, now)


def announce_series_ended(series: Series, *, now: dt.datetime) -> None:
    """Say why no more of it come. That its last date has come nobody need be told."""
    if series.end_cause == SeriesEnd.DATES:
        return
    values = {"cause": series.end_cause, "by": str(series.ended_by or "")}
    _tell_in_charge(series, Kind.SERIES_ENDED, values, now, but=series.ended_by_id)
    _tell_thread_of_series(series, Kind.SERIES_ENDED, values, now)


def announce_dates_skipped(
    series: Series, dates: Sequence[dt.datetime], *, count: int, now: dt.datetime
) -> None:
    """Say which dates of a series passed before it could go on: the last of ``count``."""
    moments = [each.astimezone(dt.UTC).isoformat() for each in dates]
    values = {"dates": moments, "count": count, "made": now.astimezone(dt.UTC).isoformat()}
    _tell_in_charge(series, Kind.DATES_SKIPPED, values, now)
    _tell_thread_of_series(series, Kind.DATES_SKIPPED, values, now)


def announce_restored(held: Mapping[tuple[int, int | None], int], *, now: dt.datetime) -> None:
    """Tell whoever is in charge how many of theirs are held; ``held`` by ids of organization and user."""
    organizations = Organization.objects.in_bulk({organization for organization, _user in held})
    recipients = recipients_for_all(held)
    notices = [
        Notice(
            organization=organizations[whose[0]],
            recipient_id=recipient_id,
            kind=Kind.FOLLOW_UPS_RESTORED,
            values={"count": count},
            url=f"{reverse('followups:index')}?status=pending",
        )
        for whose, count in held.items()
        for recipient_id in recipients[whose]
    ]
    notify_all(notices, now=now)


def announce_imported(batch: Import, counts: Mapping[str, int], *, now: dt.datetime) -> None:
    """Tell whoever made it, by how many rows there are of each verdict."""
    values = {
        "file": batch.file_name,
        "scheduled": counts[Verdict.SCHEDULED],
        "refused": counts[Verdict.REFUSED],
        "duplicates": counts[Verdict.DUPLICATE],
    }
    url = reverse("followups:import_result", args=[batch.pk])
    notify_all(
        [
            Notice(
                organization=batch.organization,
                recipient_id=batch.created_by_id,
                kind=Kind.FOLLOW_UPS_IMPORTED,
                values=values,
                url=url,
            )
        ],
        now=now,
    )


def announce_moved(follow_ups: Sequence[FollowUp], before: str, *, now: dt.datetime) -> None:
    """Tell each of those in charge once that what waits for a contact goes to another number."""
    in_charge = {follow_up.in_charge_id: follow_up for follow_up in follow_ups}
    for follow_up in in_charge.values():
        contact = follow_up.conversation.contact
        numbers = {"before": before, "number": contact.display_phone}
        _tell_in_charge(follow_up, Kind.CONTACT_MOVED, numbers, now)


def announce_template_unusable(template: Template, follow_ups: list[FollowUp], *, now: dt.datetime) -> None:
    """Tell each of those in charge, before the send date, how many of theirs wait on the template."""
    organization = template.channel.organization
    waiting = Counter((organization.pk, follow_up.in_charge_id) for follow_up in follow_ups)
    recipients = recipients_for_all(waiting)
    notices = [
        Notice(
            organization=organization,
            recipient_id=recipient_id,
            kind=Kind.TEMPLATE_UNUSABLE,
            values={"template": template.name, "status": template.status, "count": count},
            url=f"{reverse('followups:index')}?status=pending",
        )
        for person, count in waiting.items()
        for recipient_id in recipients[person]
    ]
    notify_all(notices, now=now)


def announce_channel_stopped(channel: Channel, *, now: dt.datetime) -> None:
    _tell_admins(channel, Kind.CHANNEL_STOPPED, {"failure": asdict(channel.stop)}, now)


def announce_account_event(channel: Channel, event: AccountEvent, *, now: dt.datetime) -> None:
    _tell_admins(channel, Kind.ACCOUNT_EVENT, {"event": event.event, "details": event.details}, now)


def announce_number_unknown(channel: Channel, number: UnknownNumber, *, now: dt.datetime) -> None:
    _tell_admins(channel, Kind.NUMBER_UNKNOWN, {"number": str(number)}, now)


def announce_alike(contact: Contact, other: Contact, *, now: dt.datetime) -> None:
    """Tell the admins, once for each pair, of two contacts that may be one person."""
    names = sorted([_known_as(contact), _known_as(other)])
    values = {"contact": names[0], "other": names[1]}
    known = Notification.objects.filter(organization=contact.organization, kind=Kind.CONTACTS_ALIKE)
    if not known.filter(values=values).exists():
        _tell_all_admins(contact.organization, Kind.CONTACTS_ALIKE, values, now)


def _known_as(contact: Contact) -> str:
    return f"{contact.display_name} ({contact.display_phone})" if contact.name else contact.display_phone


def _tell_admins(channel: Channel, kind: Kind, values: Mapping[str, Any], now: dt.datetime) -> None:
    _tell_all_admins(channel.organization, kind, {"channel": channel.name, **values}, now)


def _tell_all_admins(
    organization: Organization, kind: Kind, values: Mapping[str, Any], now: dt.datetime
) -> None:
    admins = Membership.objects.for_organization(organization).admins()
    notify(
        organization=organization,
        recipients=admins.values_list("user_id", flat=True),
        kind=kind,
        values=values,
        url=f"{reverse('followups:index')}?status=pending",
        now=now,
    )


def announce_hold(hold: Hold, *, now: dt.datetime, due: Count | None = None) -> None:
    """Tell the admins of whom it concerns, but for whoever began it.

    ``due``: how many follow-ups are, where Trochai itself began it.
    """
    values = {"scope": hold.scope, "cause": hold.cause, "by": str(hold.by or ""), "reason": hold.reason}
    if hold.silent_since is not None:
        values |= {"since": hold.silent_since.astimezone(dt.UTC).isoformat(), "due": str(due)}
        values |= {"at": now.astimezone(dt.UTC).isoformat()}
    _tell_of_hold(hold, Kind.SENDING_HELD, values, but=hold.by_id, now=now)


def announce_hold_released(hold: Hold, *, now: dt.datetime) -> None:
    """Tell the same people, but for whoever released it."""
    values = {"scope": hold.scope, "by": str(hold.released_by or ""), "late": hold.late}
    _tell_of_hold(hold, Kind.SENDING_RELEASED, values, but=hold.released_by_id, now=now)


def _tell_of_hold(
    hold: Hold, kind: Kind, values: Mapping[str, Any], *, but: int | None, now: dt.datetime
) -> None:
    admins = Membership.objects.admins().select_related("organization")
    if hold.organization_id is not None:
        admins = admins.filter(organization=hold.organization_id)
    else:
        admins = admins.filter(Exists(_waiting_of(OuterRef("organization"))))
    channel = hold.channel.name if hold.channel else ""
    notices = [
        Notice(
            organization=admin.organization,
            recipient_id=admin.user_id,
            kind=kind,
            values={**values, "channel": channel},
            url=f"{reverse('followups:index')}?status=pending",
        )
        for admin in admins.order_by("pk")
        if admin.user_id != but
    ]
    notify_all(notices, now=now)


def announce_silence(*, since: dt.datetime, now: dt.datetime) -> None:
    """Tell the admins of every organization with follow-ups waiting that nothing is being sent."""
    _tell_waiting_organizations(since=since, is_over=False, now=now)


def announce_sending_again(*, since: dt.datetime, now: dt.datetime, but: Collection[int] = ()) -> None:
    """Tell the same people that the silence is over, and how long it was.

    ``but``: ids of organizations that are told otherwise.
    """
    _tell_waiting_organizations(since=since, is_over=True, now=now, but=but)


def _tell_waiting_organizations(
    *, since: dt.datetime, is_over: bool, now: dt.datetime, but: Collection[int] = ()
) -> None:
    waiting = _waiting_of(OuterRef("organization"))
    admins = Membership.objects.admins().filter(Exists(waiting)).select_related("organization")
    moments = {"since": since.astimezone(dt.UTC).isoformat(), "at": now.astimezone(dt.UTC).isoformat()}
    notices = [
        Notice(
            organization=admin.organization,
            recipient_id=admin.user_id,
            kind=Kind.SENDING_INTERRUPTED,
            values={**moments, "is_over": is_over},
            url=f"{reverse('followups:index')}?status=pending",
        )
        for admin in admins.exclude(organization__in=but).order_by("pk")
    ]
    notify_all(notices, now=now)


def _waiting_of(organization: OuterRef) -> FollowUpQuerySet:
    return FollowUp.objects.visible().unsettled().filter(organization=organization)


def _names(follow_up: FollowUp | Series) -> dict[str, str]:
    contact = follow_up.conversation.contact
    return {
        "contact": contact.name or contact.display_phone,
        "template": follow_up.template.name,
    }


def _tell_in_charge(
    follow_up: FollowUp | Series,
    kind: Kind,
    values: Mapping[str, Any],
    now: dt.datetime,
    *,
    but: int | None = None,
) -> None:
    """Tell whoever is in charge; ``but`` is the id of a user whose own doing it was."""
    if but is not None and but == follow_up.in_charge_id:
        return
    recipients = recipients_for(follow_up.organization, follow_up.in_charge_id)
    notify(
        organization=follow_up.organization,
        recipients=[recipient for recipient in recipients if recipient != but],
        kind=kind,
        values={**_names(follow_up), **values},
        url=_conversation_url(follow_up),
        now=now,
    )


def _tell_thread(follow_up: FollowUp, kind: Kind | Said, values: Mapping[str, Any], now: dt.datetime) -> None:
    _tell_threads({follow_up: values}, kind, now)


def _tell_threads(values: Mapping[FollowUp, Mapping[str, Any]], kind: Kind | Said, now: dt.datetime) -> None:
    lines = (
        (
            follow_up.conversation,
            {"template": follow_up.template.name, **each},
            reverse("followups:detail", args=[follow_up.pk]),
        )
        for follow_up, each in values.items()
    )
    notes.write_all(lines, kind=kind, at=now)


def _tell_thread_of_series(series: Series, kind: Kind, values: Mapping[str, Any], now: dt.datetime) -> None:
    """Say it in the thread, with the newest of them to look at."""
    newest = series.follow_ups.order_by("occurrence").last()
    notes.write(
        series.conversation,
        kind=kind,
        values={"template": series.template.name, **values},
        url=reverse("followups:detail", args=[newest.pk]) if newest else "",
        at=now,
    )


def _conversation_url(follow_up: FollowUp | Series) -> str:
    return reverse("conversations:conversation", args=[follow_up.conversation_id])
