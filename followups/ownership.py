"""Whose a conversation is once a follow-up has gone out in it: the answer must have a reader."""

from __future__ import annotations

from collections.abc import Sequence

from conversations.models import ConversationStatus
from followups.models import FollowUp
from trochai.accounts.models import Membership


def returns_of(follow_ups: Sequence[FollowUp]) -> dict[int, int]:
    """Return by id to whom the conversation comes back in which one goes out, at most one query for all.

    That is whoever is in charge of it, where nobody has the conversation or it is closed; not one who has
    left or may not write, nor where the organization does not want it.
    """
    free = [each for each in follow_ups if each.organization.returns_to_scheduler and _is_free(each)]
    theirs = {(each.organization_id, each.in_charge_id) for each in free if each.in_charge_id}
    if not theirs:
        return {}
    writers = Membership.objects.writers().filter(
        organization__in={organization for organization, _user in theirs},
        user__in={user for _organization, user in theirs},
    )
    members = theirs.intersection(writers.values_list("organization_id", "user_id"))
    return {
        each.pk: each.in_charge_id
        for each in free
        if each.in_charge_id and (each.organization_id, each.in_charge_id) in members
    }


def colleague_of(follow_up: FollowUp) -> int | None:
    """Return the id of another one who has the open conversation, and should know what went out in it."""
    assignee = follow_up.conversation.assignee_id
    if _is_free(follow_up) or assignee == follow_up.in_charge_id:
        return None
    return assignee if follow_up.organization.returns_to_scheduler else None


def _is_free(follow_up: FollowUp) -> bool:
    conversation = follow_up.conversation
    return conversation.assignee_id is None or conversation.status == ConversationStatus.CLOSED
