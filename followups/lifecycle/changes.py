"""What all changes to a follow-up have in common."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet

from conversations import recording
from followups import announcements
from followups.attention.events import follow_ups_changed
from followups.lifecycle import counts
from followups.models import (
    CancelCause,
    ChangeKind,
    FailureKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    Outcome,
    Status,
)
from followups.wording.refusals import REFUSALS, Refusal
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.sending.work import MovedOn

if TYPE_CHECKING:
    from trochai.accounts.models import User

RELEASED: dict[str, Any] = {
    "claim_token": None,
    "lease_expires_at": None,
    "requested_at": None,
    "reconcile_until": None,
}
NO_FAILURE: dict[str, Any] = {
    "failed_at": None,
    "failure_kind": "",
    **Failure().columns("failure"),
    "retry_allowed_at": None,
}


class TransitionRefused(MovedOn):
    """The follow-up is not in a state that this change leaves.

    ``code`` says in which it is instead; ``str()`` says it in the language of whoever reads it.
    """

    def __init__(self, code: Refusal) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return str(REFUSALS[self.code])


# Of a row whose moment is chosen anew.
ANY_WAIT_IS_OVER: dict[str, Any] = {"quiet_in": "", "at_any_hour": False}


def canceled(cause: CancelCause, *, by: User | None, now: dt.datetime) -> dict[str, Any]:
    """Return the columns of a row that is canceled; ``by`` is the member who did it, if it was one."""
    return {
        "status": Status.CANCELED,
        "next_attempt_at": None,
        "held_reason": "",
        "canceled_at": now,
        "canceled_by": by,
        "cancel_cause": cause,
    }


def change(
    follow_up: FollowUp,
    leaving: Q,
    *,
    kind: ChangeKind,
    by: User,
    now: dt.datetime,
    waiting: int = 0,
    tell: Callable[[FollowUp], None] | None = None,
    values: dict[str, Any] | None = None,
    **columns: Any,
) -> FollowUp:
    """Make a person's change and record who made it; return the row with what pages need.

    ``waiting``: how many more follow-ups wait afterwards. ``tell`` is called with the row in the same
    transaction. ``values``: what the record keeps besides. Raises ``TransitionRefused`` when the row is not,
    or no longer, in the state that ``leaving`` describes.
    """
    visible = FollowUp.objects.visible().filter(pk=follow_up.pk)
    with transaction.atomic(savepoint=False):  # nothing in here is caught
        if waiting:
            counts.lock(visible)
        changed = visible.filter(leaving).update(**columns)
        if changed:
            record(follow_up, kind, by=by, now=now, values=values)
            row = loaded().get(pk=follow_up.pk)
            if waiting:
                counts.add([row.conversation_id], by=waiting)
            if tell is not None:
                tell(row)
    if not changed:
        raise TransitionRefused(refusal(follow_up))
    return row


def record(
    follow_up: FollowUp,
    kind: ChangeKind,
    *,
    by: User | None,
    now: dt.datetime,
    values: dict[str, Any] | None = None,
) -> None:
    FollowUpChange.objects.create(follow_up=follow_up, kind=kind, by=by, at=now, values=values or {})
    follow_ups_changed([follow_up.pk])


def record_all(
    values: Mapping[int, dict[str, Any]], kind: ChangeKind, *, by: User | None, now: dt.datetime
) -> None:
    """Record the same of many; ``values`` has what each record keeps besides, by follow-up id."""
    FollowUpChange.objects.bulk_create(
        FollowUpChange(follow_up_id=pk, kind=kind, by=by, at=now, values=each) for pk, each in values.items()
    )
    follow_ups_changed(values)


def fail(
    follow_up: FollowUp,
    rows: QuerySet[FollowUp],
    *,
    kind: FailureKind,
    failure: Failure,
    now: dt.datetime,
    **columns: Any,
) -> None:
    """Mark it failed if it is one of ``rows``, and tell its creator. Raises ``TransitionRefused``.

    ``follow_up`` is the row as it was before.
    """
    why = {"failed_at": now, "failure_kind": kind, **failure.columns("failure")}
    changed = rows.update(**{"status": Status.FAILED, "next_attempt_at": None, **RELEASED, **why, **columns})
    if not changed:
        raise TransitionRefused(refusal(follow_up))
    for name, value in why.items():
        setattr(follow_up, name, value)
    if follow_up.next_attempt_at is not None:
        counts.add([follow_up.conversation_id], by=-1)
    announcements.announce_failed(follow_up, now=now)


def refusal(follow_up: FollowUp) -> Refusal:
    """Return why a change is refused: what the row is by now."""
    current = FollowUp.objects.visible().filter(pk=follow_up.pk).first()
    return Refusal(current.status) if current else Refusal.GONE


def loaded() -> QuerySet[FollowUp]:
    return FollowUp.objects.select_related(
        "organization", "channel", "conversation__contact", "template__channel", "created_by", "canceled_by"
    )


def locked(pk: int) -> FollowUp:
    """Return the row, locked until the transaction ends: webhook and worker settle one after the other."""
    return loaded().select_for_update(of=("self",)).get(pk=pk)


def held(attempt: FollowUpAttempt) -> QuerySet[FollowUp]:
    return FollowUp.objects.filter(
        pk=attempt.follow_up_id, status=Status.PROCESSING, claim_token=attempt.claim_token
    )


def finish(attempt: FollowUpAttempt, outcome: Outcome, *, now: dt.datetime, **columns: Any) -> None:
    columns["details"] = columns.get("details", "")[:1000]
    FollowUpAttempt.objects.filter(pk=attempt.pk).update(outcome=outcome, finished_at=now, **columns)


def what_is_sent(follow_up: FollowUp) -> dict[str, Any]:
    """Return what an attempt keeps of the message that it sends."""
    template = follow_up.template
    return {
        "template": template.name,
        "language": template.language,
        "values": follow_up.parameters,
        "message": template.render(follow_up.parameters).as_dict(),
    }


def template_record(
    follow_up: FollowUp,
    attempt: FollowUpAttempt,
    *,
    whatsapp_id: str,
    returns_to: int | None = None,
    has_waited: bool = False,
) -> recording.TemplateRecord:
    """Return what stands in the conversation's history once Meta has accepted the attempt.

    ``returns_to``: see ``followups.ownership``.
    """
    sent = attempt.sent or what_is_sent(follow_up)
    return recording.TemplateRecord(
        conversation=follow_up.conversation,
        content=sent["message"],
        template_name=sent["template"],
        language=sent["language"],
        whatsapp_id=whatsapp_id,
        sent_by_id=follow_up.created_by_id,
        attempt=attempt.pk,
        returns_to=returns_to,
        has_waited=has_waited,
    )
