"""Who may do what with a follow-up (pure). The buttons and the POST handlers ask the same function."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from followups.models import CancelCause, FollowUp, Status
from trochai.accounts.models import Membership


class Action(StrEnum):
    VIEW = "view"
    CANCEL = "cancel"
    KEEP = "keep"
    MOVE = "move"
    EDIT = "edit"
    DUPLICATE = "duplicate"
    SEND_NOW = "send_now"
    RETRY = "retry"
    RESTORE = "restore"
    RELEASE = "release"
    HAND_OVER = "hand_over"
    END_SERIES = "end_series"
    DELETE = "delete"


# What can be done to many at once (followups.bulk).
MANY = frozenset({Action.MOVE, Action.CANCEL, Action.EDIT, Action.HAND_OVER, Action.DELETE})


def allowed_actions(membership: Membership, follow_up: FollowUp, now: dt.datetime) -> frozenset[Action]:
    """Return what this member may do with this follow-up in the state it is in.

    Everybody in the organization may view it. Agents may change what they are in charge of, admins
    anything, viewers nothing; only admins delete and hand over. Whoever may schedule may duplicate any.
    Nothing is allowed to another organization's member.
    """
    possible = _possible_actions(follow_up, now) | {Action.VIEW}
    return frozenset(action for action in possible if role_allows(membership, follow_up, action))


def role_allows(membership: Membership, follow_up: FollowUp, action: Action) -> bool:
    """Whether this member might take this action, whatever state the follow-up is in.

    If not, the answer is 403; if only the state forbids it, 409.
    """
    if membership.organization_id != follow_up.organization_id:
        return False
    match action:
        case Action.VIEW:
            return True
        case Action.DELETE | Action.HAND_OVER:
            return membership.is_admin
        case Action.DUPLICATE:
            return membership.can_write
    return _may_change(membership, follow_up)


def may_change_many(membership: Membership, action: str) -> bool:
    """Whether this member might take this action on some of many; ``role_allows`` decides about each."""
    return membership.is_admin if action in {Action.DELETE, Action.HAND_OVER} else membership.can_write


def _may_change(membership: Membership, follow_up: FollowUp) -> bool:
    is_own = follow_up.in_charge_id is not None and follow_up.in_charge_id == membership.user_id
    return membership.is_admin or (membership.can_write and is_own)


def _possible_actions(follow_up: FollowUp, now: dt.datetime) -> frozenset[Action]:
    """Return what its state alone permits."""
    if follow_up.conversation.contact.erased_at is not None:
        final = {Status.FAILED, Status.CANCELED}
        return frozenset({Action.DELETE} if follow_up.status in final else ())
    of_series = {Action.END_SERIES} if follow_up.series is not None and follow_up.series.is_live else set()
    return _possible_in_state(follow_up, now) | {Action.DUPLICATE} | of_series


def _possible_in_state(follow_up: FollowUp, now: dt.datetime) -> frozenset[Action]:
    match follow_up.status:
        case Status.PENDING:
            always = {Action.CANCEL, Action.KEEP, Action.MOVE, Action.EDIT, Action.HAND_OVER}
            return frozenset(always | {Action.RELEASE if follow_up.held_reason else Action.SEND_NOW})
        case Status.FAILED:
            too_soon = follow_up.retry_allowed_at is not None and now < follow_up.retry_allowed_at
            always = {Action.DELETE, Action.HAND_OVER}
            return frozenset(always if too_soon else always | {Action.RETRY})
        case Status.CANCELED:
            # Only the system's cancel-on-reply can be undone, while the date is still ahead.
            undoable = follow_up.cancel_cause == CancelCause.REPLY and follow_up.scheduled_for > now
            return frozenset({Action.RESTORE, Action.DELETE} if undoable else {Action.DELETE})
    return frozenset()
