"""One follow-up as the table, its row's poll and the drawer show it (pure)."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.holds.brake import NOTHING, Brake
from followups.models import CancelCause, FailureKind, FollowUp, HeldReason, Status
from followups.pages.quiet import waits_words
from followups.policies import MANY, Action, allowed_actions
from followups.retries import DELAYS
from followups.wording import repeats
from followups.wording.failures import headline
from trochai.accounts.models import Membership
from trochai.ui import formatting
from trochai.ui.drawn import Drawn

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from trochai.accounts.models import User


@dataclass(frozen=True)
class StatusLine:
    """A line under the status badge; ``tone`` is its CSS class."""

    text: str
    tone: str = ""


class Person(NamedTuple):
    pk: int
    name: str
    first_name: str
    # By the address, where there is no name.
    called: str


class Shown(NamedTuple):
    """All that a row shows of its follow-up: where nothing of it has changed, it is not drawn again."""

    pk: int
    # Of a page that is open: instead of the row that stands there.
    is_in_place: bool
    picks: bool
    can_be_picked: bool
    # Where actions lead back to.
    here: str
    conversation: int
    name: str
    # Below the name.
    phone: str
    template: str
    language: str
    scheduled_for: dt.datetime
    relative: str
    repeats: str
    creator: Person | None
    owner: Person | None
    status: str
    status_label: str
    delivery: str
    lines: tuple[StatusLine, ...]
    note: str
    fingerprint: str
    actions: frozenset[Action]
    asks_before_retry: bool


# Of some 3 KB each.
_ROW = Drawn("followups/_row.html", most=1_000)


@dataclass(frozen=True)
class Row:
    follow_up: FollowUp
    actions: frozenset[Action]
    lines: tuple[StatusLine, ...]
    relative: str
    # How it is repeated, while it is.
    repeats: str
    # A hash of how it looks: what looks the same is not sent to an open page again.
    fingerprint: str

    @property
    def status_label(self) -> str:
        # What Django's get_status_display looks up anew for each row.
        return str(Status(self.follow_up.status).label)

    @property
    def can_be_picked(self) -> bool:
        """Whether something that can be done to many can be done to it."""
        return not MANY.isdisjoint(self.actions)

    @property
    def asks_before_retry(self) -> bool:
        return outcome_is_unknown(self.follow_up)

    def html(self, *, here: str, picks: bool, is_in_place: bool = False) -> SafeString:
        """Return the row of the table; for the parameters see ``Shown``."""
        each = self.follow_up
        contact = each.conversation.contact
        shown = Shown(
            pk=each.pk,
            is_in_place=is_in_place,
            picks=picks,
            can_be_picked=self.can_be_picked,
            here=here,
            conversation=each.conversation_id,
            name=contact.display_name,
            phone=contact.display_phone if contact.name else "",
            template=each.template.name,
            language=each.template.language,
            scheduled_for=each.scheduled_for,
            relative=self.relative,
            repeats=self.repeats,
            creator=_person(each.created_by),
            owner=_person(each.owner),
            status=each.status,
            status_label=self.status_label,
            delivery=each.message.delivery if each.message else "",
            lines=self.lines,
            note=each.note,
            fingerprint=self.fingerprint,
            actions=self.actions,
            asks_before_retry=self.asks_before_retry,
        )
        return _ROW.html(shown)


def _person(user: User | None) -> Person | None:
    return Person(user.pk, user.name, user.first_name, str(user)) if user else None


def outcome_is_unknown(follow_up: FollowUp) -> bool:
    """Whether it failed without anybody knowing if it reached the contact."""
    return follow_up.status == Status.FAILED and follow_up.failure_kind == FailureKind.UNKNOWN


def row_for(
    follow_up: FollowUp,
    *,
    membership: Membership,
    stopped: Collection[int],
    brake: Brake = NOTHING,
    now: dt.datetime,
) -> Row:
    """Return the row; ``stopped`` has the ids of the stopped channels, ``brake`` what is on hold.

    The reasons for both stand above the list.
    """
    actions = allowed_actions(membership, follow_up, now)
    lines = _lines(follow_up, follow_up.channel_id in stopped, brake, now)
    relative = formatting.relative(follow_up.scheduled_for, now)
    delivery = follow_up.message.delivery if follow_up.message else ""
    decided = (follow_up.version, follow_up.owner_id)
    series = follow_up.series if follow_up.status == Status.PENDING else None
    repeated = repeats.sentence(series.rule, timezone.localdate(now)) if series else ""
    looks = (follow_up.status, *decided, delivery, relative, repeated, lines, sorted(actions))
    return Row(
        follow_up=follow_up,
        actions=actions,
        lines=lines,
        relative=relative,
        repeats=repeated,
        fingerprint=f"{zlib.crc32(repr(looks).encode()):08x}",
    )


# What is due only later than this may well go out in time, whatever is on hold now.
SOON = dt.timedelta(hours=1)
HELD: dict[str, Promise] = {
    HeldReason.CONTACT: gettext_lazy("On hold: whose number it is now has to be decided"),
    HeldReason.RESTORED: gettext_lazy("On hold: it may have been sent before a backup was restored"),
}


def _lines(follow_up: FollowUp, is_stopped: bool, brake: Brake, now: dt.datetime) -> tuple[StatusLine, ...]:
    match follow_up.status:
        case Status.PENDING:
            lines = _pending_lines(follow_up, is_stopped, now)
            if brake.holds(follow_up) and _is_due_soon(follow_up, now):
                lines.append(StatusLine(_("Waits for the release"), "held"))
            return tuple(lines)
        case Status.FAILED:
            # What happened; what to do about it is in the drawer.
            lines = [StatusLine(headline(follow_up.failure), "bad")]
            if follow_up.retry_allowed_at and follow_up.retry_allowed_at > now:
                when = formatting.day_time(follow_up.retry_allowed_at, now)
                lines.append(StatusLine(_("Can be retried from %(when)s") % {"when": when}))
            return tuple(lines)
        case Status.CANCELED:
            return (StatusLine(canceled_words(follow_up)),)
    return ()


def _is_due_soon(follow_up: FollowUp, now: dt.datetime) -> bool:
    return follow_up.next_attempt_at is not None and follow_up.next_attempt_at <= now + SOON


def _pending_lines(follow_up: FollowUp, is_stopped: bool, now: dt.datetime) -> list[StatusLine]:
    lines = []
    if follow_up.held_reason:
        lines.append(StatusLine(str(HELD[follow_up.held_reason]), "bad"))
    elif follow_up.failures and follow_up.next_attempt_at:
        words = {
            "number": follow_up.failures,
            "all": len(DELAYS),
            "when": _time_or_day(follow_up.next_attempt_at, now),
        }
        lines.append(StatusLine(_("Retry %(number)d of %(all)d at %(when)s") % words, "retry"))
    if follow_up.quiet_in and follow_up.next_attempt_at:
        lines.append(StatusLine(waits_words(follow_up.next_attempt_at, follow_up.quiet_in, now)))
    if is_stopped:
        lines.append(StatusLine(_("Waits for its WhatsApp number")))
    if not follow_up.template.is_approved:
        status = follow_up.template.status_label.lower()
        lines.append(StatusLine(_("Template can’t be sent: %(status)s") % {"status": status}, "retry"))
    elif not follow_up.template.fits(follow_up.shape):
        lines.append(StatusLine(_("Template has changed: the values no longer fit it"), "retry"))
    return lines


def _time_or_day(moment: dt.datetime, now: dt.datetime) -> str:
    same_day = formatting.day(moment, now) == formatting.day(now, now)
    return formatting.clock_time(moment) if same_day else formatting.day_time(moment, now)


def canceled_words(follow_up: FollowUp) -> str:
    """by Andrés, 17 Nov · María replied · María opted out"""
    contact = follow_up.conversation.contact.short_name or _("The contact")
    match follow_up.cancel_cause:
        case CancelCause.REPLY:
            return _("%(contact)s replied") % {"contact": contact}
        case CancelCause.OPT_OUT:
            return _("%(contact)s opted out") % {"contact": contact}
    day = date_format(timezone.localtime(follow_up.canceled_at), "j M")
    if follow_up.canceled_by is None:
        return day
    return _("by %(person)s, %(day)s") % {"person": str(follow_up.canceled_by).split(" ")[0], "day": day}
