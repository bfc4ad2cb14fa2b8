from __future__ import annotations

import datetime as dt
from itertools import product

import pytest

from conversations.models import Contact, Conversation
from followups.models import CancelCause, FollowUp, Status
from followups.policies import Action, allowed_actions
from trochai.accounts.models import Membership, Role

pytestmark = pytest.mark.pure

NOW = dt.datetime(2026, 11, 20, 20, 31, tzinfo=dt.UTC)
TOMORROW = NOW + dt.timedelta(days=1)

STATES: dict[str, dict[str, object]] = {
    "pending": {"status": Status.PENDING},
    "processing": {"status": Status.PROCESSING},
    "sent": {"status": Status.SENT},
    "failed": {"status": Status.FAILED},
    "failed, retry from now": {"status": Status.FAILED, "retry_allowed_at": NOW},
    "failed, retry tomorrow": {"status": Status.FAILED, "retry_allowed_at": TOMORROW},
    "canceled by a member": {"status": Status.CANCELED, "cancel_cause": CancelCause.MEMBER},
    "canceled by opt-out": {"status": Status.CANCELED, "cancel_cause": CancelCause.OPT_OUT},
    "canceled by reply, ahead": {"status": Status.CANCELED, "cancel_cause": CancelCause.REPLY},
    "canceled by reply, past": {
        "status": Status.CANCELED,
        "cancel_cause": CancelCause.REPLY,
        "scheduled_for": NOW,
    },
}

# What the state permits: to whoever may change it, and to admins besides.
PERMITTED: dict[str, tuple[set[Action], set[Action]]] = {
    "pending": (
        {Action.CANCEL, Action.KEEP, Action.MOVE, Action.EDIT, Action.SEND_NOW},
        {Action.HAND_OVER},
    ),
    "processing": (set(), set()),
    "sent": (set(), set()),
    "failed": ({Action.RETRY}, {Action.DELETE, Action.HAND_OVER}),
    "failed, retry from now": ({Action.RETRY}, {Action.DELETE, Action.HAND_OVER}),
    "failed, retry tomorrow": (set(), {Action.DELETE, Action.HAND_OVER}),
    "canceled by a member": (set(), {Action.DELETE}),
    "canceled by opt-out": (set(), {Action.DELETE}),
    "canceled by reply, ahead": ({Action.RESTORE}, {Action.DELETE}),
    "canceled by reply, past": (set(), {Action.DELETE}),
}


def expected(role: Role, owner: str, state: str) -> set[Action]:
    changer, admin = PERMITTED[state]
    match role:
        case Role.ADMIN:
            return {Action.VIEW, Action.DUPLICATE} | changer | admin
        case Role.AGENT:
            return {Action.VIEW, Action.DUPLICATE} | (changer if owner == "own" else set())
    return {Action.VIEW}


def follow_up_of(creator: int | None, *, contact: Contact | None = None, **fields: object) -> FollowUp:
    conversation = Conversation(contact=contact or Contact(name="María"))
    common = {"scheduled_for": TOMORROW, "organization_id": 10, "created_by_id": creator}
    return FollowUp(conversation=conversation, **{**common, **fields})


@pytest.mark.parametrize(
    ("role", "owner", "state"), list(product(Role, ["own", "other's", "of somebody who left"], STATES))
)
def test_only_admins_delete_agents_change_their_own_and_viewers_look(
    role: Role, owner: str, state: str
) -> None:
    """Help page: "Only admins can delete canceled or failed follow-ups. Agents can cancel and retry their
    own follow-ups." and "Pending: You can cancel the follow-up before it's sent", "Failed: You can retry the
    send", "All statuses: You can click View".
    """
    member = Membership(user_id=1, organization_id=10, role=role)
    creator = {"own": 1, "other's": 2, "of somebody who left": None}[owner]
    follow_up = follow_up_of(creator, **STATES[state])
    assert allowed_actions(member, follow_up, NOW) == expected(role, owner, state)


def test_what_was_handed_over_is_the_owners_own_and_no_longer_its_creators() -> None:
    follow_up = follow_up_of(1, status=Status.PENDING, owner_id=2)
    creator, owner = (Membership(user_id=each, organization_id=10, role=Role.AGENT) for each in (1, 2))
    assert Action.CANCEL in allowed_actions(owner, follow_up, NOW)
    assert Action.CANCEL not in allowed_actions(creator, follow_up, NOW)


@pytest.mark.parametrize("role", Role)
def test_another_organizations_member_may_not_even_view(role: Role) -> None:
    member = Membership(user_id=1, organization_id=11, role=role)
    assert allowed_actions(member, follow_up_of(1, status=Status.PENDING), NOW) == frozenset()


@pytest.mark.parametrize("state", STATES)
def test_of_somebody_who_is_erased_nothing_is_left_to_do_but_to_delete(state: str) -> None:
    admin = Membership(user_id=1, organization_id=10, role=Role.ADMIN)
    follow_up = follow_up_of(1, contact=Contact(erased_at=NOW), **STATES[state])
    left = {Action.VIEW, Action.DELETE} if state.startswith(("failed", "canceled")) else {Action.VIEW}
    assert allowed_actions(admin, follow_up, NOW) == left


def test_admins_and_agents_may_schedule_viewers_may_not() -> None:
    may = {role: Membership(role=role).can_write for role in Role}
    assert may == {Role.ADMIN: True, Role.AGENT: True, Role.VIEWER: False}
