"""Whose a conversation is once a follow-up has gone out in it: the answer must have a reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from conversations import triage
from conversations.models import ConversationStatus
from followups.models import FollowUp
from trochai.accounts.models import Membership, Role


def give_back(follow_ups: Sequence[FollowUp]) -> None:
    """Give conversations that nobody has or that are closed back to whoever scheduled what was sent in them.

    Not to whoever has left or may not write, nor where the organization does not want it. Works in the
    caller's transaction, which has changed the conversations already: a query for all, one for each member.
    """
    theirs: dict[tuple[int, int], set[int]] = defaultdict(set)
    for follow_up in follow_ups:
        if follow_up.created_by_id and follow_up.organization.returns_to_scheduler and _is_free(follow_up):
            theirs[follow_up.organization_id, follow_up.created_by_id].add(follow_up.conversation_id)
    if not theirs:
        return
    writers = Membership.objects.active().filter(
        organization__in={organization for organization, _user in theirs},
        user__in={user for _organization, user in theirs},
        role__in=[Role.ADMIN, Role.AGENT],
    )
    for member in writers.values_list("organization_id", "user_id").order_by("pk"):
        if member in theirs:
            triage.give_back(theirs[member], to=member[1])


def colleague_of(follow_up: FollowUp) -> int | None:
    """Return the id of another one who has the open conversation, and should know what went out in it."""
    assignee = follow_up.conversation.assignee_id
    if _is_free(follow_up) or assignee == follow_up.created_by_id:
        return None
    return assignee if follow_up.organization.returns_to_scheduler else None


def _is_free(follow_up: FollowUp) -> bool:
    conversation = follow_up.conversation
    return conversation.assignee_id is None or conversation.status == ConversationStatus.CLOSED
