"""A series: how it begins, what it makes one after another, and how it ends.

Whoever touches one locks in this order: the contact, its conversation, rows, the series.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from followups import announcements
from followups.lifecycle import counts
from followups.lifecycle.ceiling import count_waiting
from followups.lifecycle.changes import TransitionRefused, record
from followups.models import ChangeKind, FollowUp, HeldReason, Series, SeriesEnd, Status
from followups.repeating import Occurrence, Rule
from followups.wording.refusals import Refusal
from trochai.changes import Kind, changed
from trochai.search import search_text

if TYPE_CHECKING:
    from followups.repeating import Repeat
    from followups.wanted import Wanted
    from trochai.accounts.models import User

logger = structlog.get_logger(__name__)

# Of a run, so that one with very many does not keep others waiting.
MOST_AT_ONCE = 1_000
# How many skipped dates are told by name.
MOST_TOLD = 5
# What the next follow-up is made of.
MADE_OF = ("template_id", "parameters", "shape", "note", "cancel_on_reply")


def begin(follow_up: FollowUp, repeat: Repeat, *, now: dt.datetime) -> Series:
    """Repeat ``follow_up`` from its date on; the caller saves what the row has of that."""
    rule = repeat.rule(follow_up.scheduled_for, follow_up.organization.zone)
    series = Series(
        organization=follow_up.organization,
        conversation=follow_up.conversation,
        created_by=follow_up.created_by,
        owner=follow_up.owner,
        created_at=now,
        **{**vars(repeat), **vars(rule)},
    )
    _take_over(series, follow_up)
    _expect_next(series)
    series.save(force_insert=True)
    follow_up.series, follow_up.occurrence = series, 1
    return series


def make_due(*, now: dt.datetime) -> int:
    """Make the next follow-up of every series whose last one is settled and whose date is near."""
    made = 0
    ready = Series.objects.ready(now).select_related("conversation").order_by("next_at", "pk")
    for series in ready[:MOST_AT_ONCE]:
        try:
            made += make_next(series, now=now) is not None
        except Exception:
            # One series must not keep the others from going on.
            logger.exception("occurrence_not_made", series=series.pk)
    return made


def make_next(series: Series, *, now: dt.datetime) -> FollowUp | None:
    """Make a series' next follow-up and return it, if nothing of the series waits and its date is near.

    Dates that have passed meanwhile are left out, which is told. What stands against it may end the series.
    While as many wait for the contact as may, it is left for later.
    """
    with transaction.atomic():
        waiting = count_waiting(series.conversation)
        counts.lock_conversations([series.conversation_id])
        current = _locked(series)
        if current is None or current.follow_ups.unsettled().exists():
            return None
        if cause := _what_ends(current):
            _end(current, cause, now=now)
            return None
        coming = _next_ahead(current, now=now)
        if coming is None:
            _end(current, SeriesEnd.DATES, now=now)
            return None
        is_near = coming.at <= now + dt.timedelta(days=current.organization.max_days)
        if not is_near or waiting >= settings.FOLLOWUPS_MAX_WAITING:
            current.save(update_fields=["next_number", "next_at"])
            return None
        return _make(current, coming, now=now)


def end_series(series: Series, *, by: User, now: dt.datetime) -> bool:
    """Have nothing more made; what waits stays. Returns whether it had not ended already."""
    with transaction.atomic():
        return _end(series, SeriesEnd.MEMBER, by=by, now=now)


def end_all(series: Iterable[Series], *, cause: SeriesEnd, now: dt.datetime) -> None:
    """End those that have not ended, and tell those in charge why."""
    with transaction.atomic():
        for each in series:
            _end(each, cause, now=now)


def move_all(follow_up: FollowUp, *, now: dt.datetime) -> None:
    """Let all that follow be at the hour of ``follow_up``, counted from its day where that is another.

    A series that has ended stays as it was.
    """
    series = _current(follow_up)
    if series is not None and (rule := rule_from(follow_up, follow_up.scheduled_for)):
        _follow(series, rule, now=now)


def rule_from(follow_up: FollowUp, to: dt.datetime) -> Rule | None:
    """Return by which rule it goes on if ``follow_up`` and all after it are moved there, if it does."""
    if follow_up.series is None or follow_up.underway is None:
        return None
    return follow_up.series.repeat.rule_after(follow_up.underway, follow_up.organization.zone, to=to)


def carry_on(follow_up: FollowUp, wanted: Wanted, *, version: int | None, by: User, now: dt.datetime) -> None:
    """Let what comes after ``follow_up``, which is what is wanted, be so too, and repeated as is wanted.

    One that was not repeated begins a series, one that no longer should be ends its own. ``version`` is the
    series' that ``by`` was shown, if there was any. Raises ``TransitionRefused`` for another.
    """
    series = _current(follow_up)
    if version != (series and series.version):
        raise TransitionRefused(Refusal.CHANGED)
    if wanted.repeat is None or wanted.rule is None:
        if series is not None:
            _end(series, SeriesEnd.MEMBER, by=by, now=now)
    elif series is None or not series.is_live:
        begin(follow_up, wanted.repeat, now=now)
        FollowUp.objects.filter(pk=follow_up.pk).update(series=follow_up.series, occurrence=1)
    else:
        _take_over(series, follow_up)
        for name, value in vars(wanted.repeat).items():
            setattr(series, name, value)
        _follow(series, wanted.rule, now=now)


def goes_on_as(follow_up: FollowUp, wanted: Wanted) -> bool:
    """Whether what comes after ``follow_up``, which is what is wanted, is so already."""
    series = follow_up.series
    if series is None or not series.is_live:
        return wanted.repeat is None
    if wanted.repeat is None or wanted.rule != series.rule:
        return False
    same = all(getattr(series, name) == getattr(follow_up, name) for name in MADE_OF)
    return same and wanted.repeat == series.repeat


def _current(follow_up: FollowUp) -> Series | None:
    """Return the series that it is one of, which it has from now on as it is by now, locked."""
    if follow_up.series_id is not None:
        follow_up.series = Series.objects.select_for_update().get(pk=follow_up.series_id)
    return follow_up.series


def _follow(series: Series, rule: Rule, *, now: dt.datetime) -> None:
    """Save it with this rule, by which what comes next is expected anew."""
    for name, value in vars(rule).items():
        setattr(series, name, value)
    series.version += 1
    is_over = not _expect_next(series)
    series.save()
    if is_over:
        _end(series, SeriesEnd.DATES, now=now)


def _locked(series: Series) -> Series | None:
    """Return it as it is by now, locked; None if it has ended or belongs to another conversation."""
    live = Series.objects.live().filter(conversation=series.conversation_id)
    related = ("organization", "conversation__contact", "template__channel")
    return live.select_related(*related).select_for_update(of=("self",)).filter(pk=series.pk).first()


def _what_ends(series: Series) -> SeriesEnd | None:
    if series.conversation.contact.is_opted_out:  # also one who has become one with this contact
        return SeriesEnd.OPT_OUT
    if series.ends_on_failure and series.follow_ups.filter(status=Status.FAILED).exists():
        return SeriesEnd.FAILURE
    return None


def _next_ahead(series: Series, *, now: dt.datetime) -> Occurrence | None:
    """Return the next date that is ahead, which ``series`` expects from now on; tell of those before."""
    zone, passed = series.organization.zone, []
    for occurrence in series.rule.occurrences(zone, after=series.next_number - 1):
        if occurrence.at > now:
            _expect(series, occurrence)
            break
        passed.append(occurrence.at)
    else:
        occurrence = None
    if passed:
        announcements.announce_dates_skipped(series, passed[-MOST_TOLD:], count=len(passed), now=now)
    return occurrence


def _expect(series: Series, occurrence: Occurrence) -> None:
    series.next_number, series.next_at = occurrence


def _expect_next(series: Series) -> bool:
    """Expect the first date not made yet, also one that has passed, which is told. False if none is left."""
    coming = series.rule.occurrences(series.organization.zone, after=series.next_number - 1)
    following = next(coming, None)
    if following is not None:
        _expect(series, following)
    return following is not None


def _make(series: Series, occurrence: Occurrence, *, now: dt.datetime) -> FollowUp:
    conversation = series.conversation
    follow_up = FollowUp.objects.create(
        organization=series.organization,
        channel_id=conversation.channel_id,
        conversation=conversation,
        template=series.template,
        parameters=series.parameters,
        shape=series.shape,
        note=series.note,
        cancel_on_reply=series.cancel_on_reply,
        created_by_id=series.created_by_id,
        owner_id=series.owner_id,
        created_at=now,
        search_text=search_text(*conversation.contact.known_as, series.note),
        scheduled_for=occurrence.at,
        next_attempt_at=occurrence.at,
        held_reason=HeldReason.CONTACT if conversation.contact.is_in_doubt else "",
        series=series,
        occurrence=occurrence.number,
    )
    counts.add([conversation.pk], by=1)
    record(follow_up, ChangeKind.SCHEDULED, by=None, now=now)
    _warn(follow_up, now=now)
    following = next(series.rule.occurrences(series.organization.zone, after=occurrence.number), None)
    if following is None:
        _end(series, SeriesEnd.DATES, now=now)
    else:
        _expect(series, following)
        series.save(update_fields=["next_number", "next_at"])
    changed([series.organization_id], [Kind.FOLLOW_UPS])
    return follow_up


def _warn(follow_up: FollowUp, *, now: dt.datetime) -> None:
    """Tell those in charge in time what they would have been told had it waited already."""
    if follow_up.held_reason:
        record(follow_up, ChangeKind.HELD, by=None, now=now, values={"reason": follow_up.held_reason})
        announcements.announce_held(follow_up, now=now)
    template = follow_up.template
    if not template.is_approved or not template.fits(follow_up.shape):
        announcements.announce_template_unusable(template, [follow_up], now=now)


def _take_over(series: Series, follow_up: FollowUp) -> None:
    for name in MADE_OF:
        setattr(series, name, getattr(follow_up, name))


def _end(series: Series, cause: SeriesEnd, *, now: dt.datetime, by: User | None = None) -> bool:
    ended = Series.objects.live().filter(pk=series.pk)
    if not ended.update(ended_at=now, ended_by=by, end_cause=cause, next_at=None, version=F("version") + 1):
        return False
    series.ended_at, series.ended_by, series.end_cause, series.next_at = now, by, cause, None
    announcements.announce_series_ended(series, now=now)
    changed([series.organization_id], [Kind.FOLLOW_UPS])
    return True
