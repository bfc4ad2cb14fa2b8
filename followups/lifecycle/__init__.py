"""The only writer of a follow-up's status.

Every change is one conditional UPDATE on the status it leaves (and, for workers, on the claim they
hold); when no row matched, somebody else was faster and ``TransitionRefused`` says so.
The table of changes is ``followups.models.TRANSITIONS``; the diagram is in docs/architecture.md.
"""

from followups.lifecycle.acceptance import (
    Acceptance,
    fail_undelivered,
    record_undelivered,
    settle_all_sent,
    settle_sent,
)
from followups.lifecycle.changes import TransitionRefused, what_is_sent
from followups.lifecycle.claims import (
    LEASE,
    RECONCILIATION,
    claim,
    hand_back,
    request,
    request_again,
    take_back,
    withdraw,
)
from followups.lifecycle.counts import recount
from followups.lifecycle.failure import (
    fail_unsent,
    settle_failed,
    settle_retry,
    settle_unknown,
)
from followups.lifecycle.forgetting import forget
from followups.lifecycle.late import leave_late, move_late, send_late, spare
from followups.lifecycle.many import (
    cancel_all,
    change_template_all,
    delete_all,
    hand_over_all,
    lock,
    move_all,
)
from followups.lifecycle.occurrences import end_all, end_series, make_due, make_next
from followups.lifecycle.people import (
    KEEP_DELETED,
    MANUAL_RETRY_DELAY,
    ScheduleRefused,
    cancel,
    cancel_by_system,
    check_sendable,
    delete,
    edit,
    hand_over,
    hold,
    hold_claimed,
    keep,
    move,
    purge_deleted,
    release,
    restore,
    retry,
    schedule,
    send_now,
    undo_move,
)
from followups.lifecycle.recovery import give_up_on_unknown, release_expired, tidy_up

__all__ = [
    "KEEP_DELETED",
    "LEASE",
    "MANUAL_RETRY_DELAY",
    "RECONCILIATION",
    "Acceptance",
    "ScheduleRefused",
    "TransitionRefused",
    "cancel",
    "cancel_all",
    "cancel_by_system",
    "change_template_all",
    "check_sendable",
    "claim",
    "delete",
    "delete_all",
    "edit",
    "end_all",
    "end_series",
    "fail_undelivered",
    "fail_unsent",
    "forget",
    "give_up_on_unknown",
    "hand_back",
    "hand_over",
    "hand_over_all",
    "hold",
    "hold_claimed",
    "keep",
    "leave_late",
    "lock",
    "make_due",
    "make_next",
    "move",
    "move_all",
    "move_late",
    "purge_deleted",
    "record_undelivered",
    "recount",
    "release",
    "release_expired",
    "request",
    "request_again",
    "restore",
    "retry",
    "schedule",
    "send_late",
    "send_now",
    "settle_all_sent",
    "settle_failed",
    "settle_retry",
    "settle_sent",
    "settle_unknown",
    "spare",
    "take_back",
    "tidy_up",
    "undo_move",
    "what_is_sent",
    "withdraw",
]
