"""What people do with a follow-up, and what the system cancels and removes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Greatest

from conversations import identity, outbox
from followups import announcements
from followups.contents import as_kept, contents_of, difference, repeat_of
from followups.holds.brake import now_held
from followups.lifecycle import counts, occurrences
from followups.lifecycle.ceiling import count_waiting
from followups.lifecycle.changes import (
    ANY_WAIT_IS_OVER,
    NO_FAILURE,
    TransitionRefused,
    canceled,
    change,
    loaded,
    record,
    record_all,
)
from followups.lifecycle.claims import hand_back
from followups.models import (
    CancelCause,
    ChangeKind,
    FollowUp,
    HeldReason,
    Series,
    Status,
)
from followups.wanted import Wanted, problems_with, problems_with_moment
from followups.wording.refusals import Refusal
from trochai.changes import Kind, changed
from trochai.search import search_text

if TYPE_CHECKING:
    from templates_app.parameters import Problem
    from trochai.accounts.models import Membership, User

MANUAL_RETRY_DELAY = dt.timedelta(minutes=5)
KEEP_DELETED = dt.timedelta(days=30)
PURGE_CHUNK = 500


class ScheduleRefused(Exception):
    """The follow-up that is wanted may not be scheduled; ``problems`` say what stands against it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(f"{problem.field}: {problem.code}" for problem in problems))
        self.problems = problems


def schedule(wanted: Wanted, *, submission: uuid.UUID, by: Membership, now: dt.datetime) -> FollowUp:
    """Create a pending follow-up; the same submission again returns the one it made before, unchecked.

    The values are frozen together with the template's shape: if the template changes so that they no
    longer fit, the re-check at send time says so. Raises ``ScheduleRefused`` if anything stands against it.
    """
    made_before = FollowUp.objects.filter(organization=by.organization, submission=submission)
    try:
        with transaction.atomic():
            follow_up = _wanted_now(wanted, submission=submission, by=by, now=now)
            if wanted.repeat is not None:
                occurrences.begin(follow_up, wanted.repeat, now=now)
            follow_up.save(force_insert=True)
            counts.add([follow_up.conversation_id], by=1)
            record(follow_up, ChangeKind.SCHEDULED, by=by.user, now=now)
            announcements.announce_scheduled(follow_up, by=str(by.user), now=now)
    except (ScheduleRefused, IntegrityError):  # or the same submission was faster
        if same := made_before.first():
            return same
        raise
    return follow_up


def _wanted_now(wanted: Wanted, *, submission: uuid.UUID, by: Membership, now: dt.datetime) -> FollowUp:
    problems = problems_with(wanted, now=now, waiting=count_waiting(wanted.conversation))
    if problems or wanted.template is None or wanted.scheduled_for is None:
        raise ScheduleRefused(problems)
    return FollowUp(
        organization=by.organization,
        channel_id=wanted.conversation.channel_id,
        conversation=wanted.conversation,
        template=wanted.template,
        parameters=dict(wanted.parameters),
        shape=wanted.template.shape,
        note=wanted.note,
        cancel_on_reply=wanted.cancel_on_reply,
        created_by=by.user,
        created_at=now,
        submission=submission,
        search_text=search_text(*wanted.conversation.contact.known_as, wanted.note),
        scheduled_for=wanted.scheduled_for,
        next_attempt_at=wanted.scheduled_for,
    )


def cancel(follow_up: FollowUp, *, by: Membership, now: dt.datetime, following: bool = False) -> FollowUp:
    """pending → canceled, by a member. ``following``: its series ends, and no more come after it."""

    def tell(row: FollowUp) -> None:
        announcements.announce_canceled(row, now=now)
        if following and row.series is not None:
            occurrences.end_series(row.series, by=by.user, now=now)

    return change(
        follow_up,
        Q(status=Status.PENDING),
        kind=ChangeKind.CANCELED,
        by=by.user,
        now=now,
        waiting=-1,
        tell=tell,
        **canceled(CancelCause.MEMBER, by=by.user, now=now),
    )


def keep(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """Let a pending row go out although the contact has written since it was scheduled."""
    pending = Q(status=Status.PENDING)
    return change(follow_up, pending, kind=ChangeKind.KEPT, by=by.user, now=now, kept_after_reply=True)


def move(
    follow_up: FollowUp,
    *,
    choice: str,
    to: dt.datetime | None,
    version: int | None,
    by: Membership,
    now: dt.datetime,
    following: bool = False,
) -> FollowUp:
    """Let a pending row go out at another moment, by the rules of scheduling; nobody is asked about it again.

    ``choice`` is the key of the quick option that ``to`` stands for, or ``CUSTOM``. ``version`` is the row's
    that ``by`` was shown. ``following``: all that its series makes after it move with it. Raises
    ``ScheduleRefused`` for a moment that may not be chosen.
    """
    problems = list(problems_with_moment(choice, to, follow_up.organization, now=now))
    if problems or to is None:
        raise ScheduleRefused(problems)
    return _reschedule(follow_up, to, version=version, by=by, now=now, following=following)


def _reschedule(
    follow_up: FollowUp,
    to: dt.datetime,
    *,
    version: int | None,
    by: Membership,
    now: dt.datetime,
    following: bool = False,
) -> FollowUp:
    def tell(moved: FollowUp) -> None:
        announcements.announce_moved_to(moved, by=by.user, now=now)
        if following:
            occurrences.move_all(moved, now=now)

    repeat = repeat_of(follow_up)
    if following and follow_up.series is not None:
        repeat = as_kept(follow_up.series.repeat, occurrences.rule_from(follow_up, to))
    return _decide(
        follow_up,
        version,
        kind=ChangeKind.MOVED,
        by=by.user,
        now=now,
        tell=tell,
        repeat=repeat,
        scheduled_for=to,
    )


def undo_move(follow_up: FollowUp, *, version: int | None, by: Membership, now: dt.datetime) -> FollowUp:
    """Let a row that ``by`` has just moved go out when it would have before.

    That moment was chosen by the rules of its time, so it need not lie in the window. ``version`` is the
    row's since the move. Raises ``TransitionRefused`` if that move is no longer the last thing done with the
    row, or the moment has passed.
    """
    last = follow_up.changes.last()
    if last is None or (last.kind, last.by_id) != (ChangeKind.MOVED, by.user_id) or not last.values:
        raise TransitionRefused(Refusal.CHANGED)
    before = dt.datetime.fromisoformat(last.values["from"]["scheduled_for"])
    if before <= now:
        raise TransitionRefused(Refusal.PASSED)
    return _reschedule(follow_up, before, version=version, by=by, now=now)


def edit(
    follow_up: FollowUp,
    wanted: Wanted,
    *,
    version: int | None,
    by: Membership,
    now: dt.datetime,
    following: bool = False,
    series_version: int | None = None,
) -> FollowUp:
    """Let a pending row be what is wanted instead, by the rules of scheduling.

    ``version`` is the row's that ``by`` was shown. ``following``: all that comes after it becomes the same,
    and is repeated as is wanted, from now on or no longer; ``series_version`` is then the series' that was
    shown. Raises ``ScheduleRefused`` if anything stands against it.
    """
    problems = problems_with(wanted, now=now)
    if problems or wanted.template is None or wanted.scheduled_for is None:
        raise ScheduleRefused(problems)
    decided: dict[str, Any] = {
        "template_id": wanted.template.pk,
        "parameters": dict(wanted.parameters),
        "shape": wanted.template.shape,
        "note": wanted.note,
        "cancel_on_reply": wanted.cancel_on_reply,
        "scheduled_for": wanted.scheduled_for,
    }

    def is_done(row: FollowUp) -> bool:
        return _is_decided(row, decided) and (not following or occurrences.goes_on_as(row, wanted))

    def tell(edited: FollowUp) -> None:
        announcements.announce_edited(edited, by=by.user, now=now)
        if following:
            occurrences.carry_on(edited, wanted, version=series_version, by=by.user, now=now)

    if follow_up.status == Status.PENDING and is_done(follow_up):
        return loaded().get(pk=follow_up.pk)
    with transaction.atomic():  # the row stays as it was where its series is another by now
        return _decide(
            follow_up,
            version,
            kind=ChangeKind.EDITED,
            by=by.user,
            now=now,
            tell=tell,
            is_done=is_done,
            repeat=as_kept(wanted.repeat, wanted.rule) if following else repeat_of(follow_up),
            search_text=search_text(*wanted.conversation.contact.known_as, wanted.note),
            **decided,
        )


def check_sendable(follow_up: FollowUp, *, now: dt.datetime) -> None:
    """Raise ``ReplyRefused`` if it could not be sent now, and ``TransitionRefused`` while it is on hold."""
    template = follow_up.template
    outbox.refuse_template(follow_up.conversation, template, follow_up.parameters, now=now)
    if not template.fits(follow_up.shape):
        raise outbox.TemplateRefused
    if now_held().holds(follow_up):
        raise TransitionRefused(Refusal.ON_HOLD)


def send_now(follow_up: FollowUp, *, version: int | None, by: Membership, now: dt.datetime) -> FollowUp:
    """Let a pending row go out at once, as a template that is sent from its conversation does.

    ``version`` is the row's that ``by`` was shown. Raises ``ReplyRefused`` or ``TransitionRefused`` if it
    cannot be sent now, by the same rules; whoever calls it wakes a worker. Where a hold begins at the same
    moment, it is due and waits for the release.
    """
    check_sendable(follow_up, now=now)
    return _decide(
        follow_up,
        version,
        kind=ChangeKind.SENT_NOW,
        by=by.user,
        now=now,
        leaving=Q(held_reason=""),
        repeat=repeat_of(follow_up),
        scheduled_for=now,
        at_any_hour=True,
    )


def _decide(
    follow_up: FollowUp,
    version: int | None,
    *,
    kind: ChangeKind,
    by: User,
    now: dt.datetime,
    tell: Callable[[FollowUp], None] | None = None,
    leaving: Q | None = None,
    is_done: Callable[[FollowUp], bool] | None = None,
    repeat: dict[str, Any] | None,
    **decided: Any,
) -> FollowUp:
    """Change what people decide about a pending row, if it is still the one that was shown, and ``leaving``.

    The same decision again, of a form that was sent twice, changes nothing: ``is_done`` says whether it is
    the same where the columns alone do not. Nobody is asked any more whether it goes out although the contact
    has written. ``repeat`` is how it is repeated from now on, for the record.
    """
    before = contents_of(follow_up) | {"repeat": repeat_of(follow_up)}
    after = before | {name: value for name, value in decided.items() if name in before} | {"repeat": repeat}
    anew: dict[str, Any] = {}
    if before["scheduled_for"] != after["scheduled_for"]:
        anew = {"next_attempt_at": after["scheduled_for"], "failures": 0, **ANY_WAIT_IS_OVER, **NO_FAILURE}
    shown = Q(version=version) & Q(version=follow_up.version)
    try:
        return change(
            follow_up,
            Q(status=Status.PENDING) & shown & (leaving or Q()),
            kind=kind,
            by=by,
            now=now,
            tell=tell,
            values=difference(before, after),
            version=F("version") + 1,
            kept_after_reply=True,
            **{**anew, **decided},
        )
    except TransitionRefused as refused:
        if refused.code is not Refusal.PENDING:
            raise
        current = loaded().get(pk=follow_up.pk)
        if is_done(current) if is_done else _is_decided(current, decided):
            return current
        raise TransitionRefused(Refusal.CHANGED) from None


def _is_decided(follow_up: FollowUp, decided: Mapping[str, Any]) -> bool:
    return all(getattr(follow_up, name) == value for name, value in decided.items())


def hand_over(follow_up: FollowUp, *, to: User, by: Membership, now: dt.datetime) -> FollowUp:
    """Put another member in charge of a pending or failed row, who is told. Who has scheduled it stays.

    The same person again changes nothing.
    """
    if follow_up.in_charge_id == to.pk:
        return follow_up
    unchanged = Q(status__in=[Status.PENDING, Status.FAILED], owner=follow_up.owner_id)

    def tell(handed_over: FollowUp) -> None:
        if handed_over.series_id is not None:  # whoever has this one has those that come after it
            Series.objects.filter(pk=handed_over.series_id).update(owner=to)
        if to != by.user:
            announcements.announce_handed_over(handed_over, by=str(by.user), now=now)

    try:
        return change(
            follow_up,
            unchanged,
            kind=ChangeKind.HANDED_OVER,
            by=by.user,
            now=now,
            tell=tell,
            values={"from": {"in_charge": str(follow_up.in_charge or "")}, "to": {"in_charge": str(to)}},
            owner=to,
        )
    except TransitionRefused as refused:
        if refused.code not in {Refusal.PENDING, Refusal.FAILED}:
            raise
        raise TransitionRefused(Refusal.CHANGED) from None


def retry(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """failed → pending, due in 5 minutes, with a fresh set of three automatic retries."""
    due_at = now + MANUAL_RETRY_DELAY
    if FollowUp.objects.filter(pk=follow_up.pk, status=Status.FAILED, retry_allowed_at__gt=now).exists():
        raise TransitionRefused(Refusal.TOO_SOON)
    return _wait_again(
        follow_up,
        Q(status=Status.FAILED) & (Q(retry_allowed_at__isnull=True) | Q(retry_allowed_at__lte=now)),
        kind=ChangeKind.RETRIED,
        by=by.user,
        now=now,
        status=Status.PENDING,
        version=F("version") + 1,
        scheduled_for=due_at,
        next_attempt_at=due_at,
        failures=0,
        message=None,
        sent_at=None,
        **{**ANY_WAIT_IS_OVER, "at_any_hour": True},
        **NO_FAILURE,
    )


def restore(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """canceled → pending: undo the system's cancel-on-reply, while the date is still ahead."""
    return _wait_again(
        follow_up,
        Q(status=Status.CANCELED, cancel_cause=CancelCause.REPLY, scheduled_for__gt=now),
        kind=ChangeKind.RESTORED,
        by=by.user,
        now=now,
        status=Status.PENDING,
        next_attempt_at=F("scheduled_for"),
        **ANY_WAIT_IS_OVER,
        # The reply that canceled it is answered by the person who restores it.
        version=F("version") + 1,
        cancel_on_reply=False,
        kept_after_reply=True,
        canceled_at=None,
        canceled_by=None,
        cancel_cause="",
    )


def _wait_again(
    follow_up: FollowUp, leaving: Q, *, kind: ChangeKind, by: User, now: dt.datetime, **columns: Any
) -> FollowUp:
    """``change`` to pending, if not too many wait for the contact already."""
    with transaction.atomic():
        changed = change(follow_up, leaving, kind=kind, by=by, now=now, waiting=1, **columns)
        # The row itself is one of them by now.
        if count_waiting(follow_up.conversation) > settings.FOLLOWUPS_MAX_WAITING:
            raise TransitionRefused(Refusal.TOO_MANY)
    return changed


def release(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """Let a held row be sent after all: at its time, or now if that has passed. It cannot be missed by it.

    Whoever decides it of a contact in doubt says that they can be written to.
    """
    with transaction.atomic():
        released = change(
            follow_up,
            Q(status=Status.PENDING, held_reason=follow_up.held_reason) & ~Q(held_reason=""),
            kind=ChangeKind.RELEASED,
            by=by.user,
            now=now,
            held_reason="",
            next_attempt_at=Greatest("next_attempt_at", Value(now)),
        )
        if follow_up.held_reason == HeldReason.CONTACT:
            identity.trust(released.conversation.contact)
    return released


def hold_claimed(follow_up: FollowUp, *, token: uuid.UUID, now: dt.datetime) -> None:
    """processing → pending and held, before any call: its contact came into doubt meanwhile."""
    with transaction.atomic():
        hand_back([follow_up.pk], token=token)
        hold(FollowUp.objects.filter(pk=follow_up.pk), reason=HeldReason.CONTACT, now=now)


def hold(follow_ups: QuerySet[FollowUp], *, reason: HeldReason, now: dt.datetime) -> int:
    """Leave all of ``follow_ups`` that still wait until somebody decides; return how many.

    Their creators are told, but for restored ones, which are many: whoever holds them tells of all together.
    """
    with transaction.atomic():
        waiting = follow_ups.filter(status=Status.PENDING, held_reason="").select_for_update(of=("self",))
        ids = list(waiting.order_by("pk").values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(held_reason=reason)
        record_all({pk: {"reason": reason} for pk in ids}, ChangeKind.HELD, by=None, now=now)
        rows = list(loaded().filter(pk__in=ids))
        if reason is not HeldReason.RESTORED:
            for follow_up in rows:
                announcements.announce_held(follow_up, now=now)
        _tell(rows)
    return len(ids)


def delete(follow_up: FollowUp, *, by: Membership, now: dt.datetime) -> FollowUp:
    """Hide a failed or canceled row at once; ``purge_deleted`` removes it 30 days later."""
    final = Q(status__in=[Status.FAILED, Status.CANCELED])
    return change(follow_up, final, kind=ChangeKind.DELETED, by=by.user, now=now, deleted_at=now)


def cancel_by_system(follow_ups: QuerySet[FollowUp], *, cause: CancelCause, now: dt.datetime) -> int:
    """pending → canceled for all of ``follow_ups`` that still wait; their creators are told why."""
    with transaction.atomic():
        pending = follow_ups.filter(status=Status.PENDING)
        counts.lock(pending)
        ids = list(pending.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(**canceled(cause, by=None, now=now))
        record_all({pk: {"cause": cause} for pk in ids}, ChangeKind.CANCELED, by=None, now=now)
        rows = list(loaded().filter(pk__in=ids))
        counts.add([follow_up.conversation_id for follow_up in rows], by=-1)
        for follow_up in rows:
            announcements.announce_canceled(follow_up, now=now)
        _tell(rows)
    return len(ids)


def purge_deleted(*, now: dt.datetime) -> int:
    """Remove rows that were deleted 30 days ago; return how many."""
    deleted = FollowUp.objects.filter(deleted_at__lte=now - KEEP_DELETED)
    purged = 0
    while ids := list(deleted.values_list("pk", flat=True)[:PURGE_CHUNK]):
        FollowUp.objects.filter(pk__in=ids).delete()
        purged += len(ids)
    return purged


def _tell(rows: Iterable[FollowUp]) -> None:
    changed({row.organization_id for row in rows}, [Kind.FOLLOW_UPS])
