"""The one gate: what another organization owns does not exist, whoever asks and however."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from conversations.models import Attachment
from followups.models import BulkChange, FailureKind, Status
from tests import factories
from tests.conftest import make_team, signed_in

APPS = {"accounts", "conversations", "followups", "notifications", "templates"}
OF_A_CONVERSATION = [
    *(f"conversations:{name}" for name in ("conversation", "earlier", "reply", "update")),
    *(f"followups:{name}" for name in ("schedule", "check")),
]
OF_ONE_CONVERSATION = (
    "contact",
    "conversation",
    "earlier",
    "erase",
    "note",
    "reply",
    "saved",
    "send_template",
    "tag",
    "unread",
    "update",
    "upload",
    "wants",
    "writing",
)
VERBS = (
    "cancel",
    "keep",
    "move",
    "undo_move",
    "edit",
    "check_edit",
    "duplicate",
    "send_now",
    "hand_over",
    "end_series",
    "retry",
    "restore",
    "release",
    "delete",
)
OF_AN_IMPORT = ("import_columns", "import_check", "import_result", "import_report")
# A day is nobody's row.
OF_A_DAY = {"followups:calendar_day"}
OF_A_FOLLOW_UP = [f"followups:{name}" for name in ("detail", "menu", *VERBS)]


def routes_of_one_row() -> list[str]:
    """Return the names of all views that take a row's id."""

    def below(patterns, name):
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, pattern.app_name or name)
            elif isinstance(pattern, URLPattern) and name in APPS and "<int:" in str(pattern.pattern):
                yield f"{name}:{pattern.name}"

    return sorted({*below(get_resolver().url_patterns, "")} - OF_A_DAY)


@pytest.fixture
def theirs(db):
    """A row of another organization for each of the views."""
    other = make_team(name="Other")
    message = factories.MessageFactory(conversation=other.conversation)
    attachment = Attachment.objects.create(
        message=message, media_id="1", state="ready", file="x", thumbnail="y"
    )
    notification = factories.NotificationFactory(organization=other.organization, recipient=other.agent.user)
    failed = factories.FollowUpFactory(
        organization=other.organization,
        conversation=other.conversation,
        status=Status.FAILED,
        failure_kind=FailureKind.UNKNOWN,
    )
    bulk_change = BulkChange.objects.create(
        organization=other.organization, by=other.admin.user, action="cancel", selection={}
    )
    imported = factories.ImportFactory(organization=other.organization, created_by=other.agent.user)
    held = factories.HoldFactory(organization=other.organization)
    attention = factories.AttentionFactory(
        follow_up=factories.FollowUpFactory(organization=other.organization, conversation=other.conversation)
    )
    conversation, channel = other.conversation.pk, other.channel.pk
    return {
        "accounts:switch_organization": other.agent.pk,
        **{f"conversations:{name}": conversation for name in OF_ONE_CONVERSATION},
        "conversations:retry": message.pk,
        "conversations:file": attachment.pk,
        "conversations:thumbnail": attachment.pk,
        **{f"followups:{name}": failed.pk for name in ("detail", "menu", *VERBS)},
        **{f"followups:{name}": conversation for name in ("schedule", "check")},
        **{f"followups:{name}": imported.pk for name in OF_AN_IMPORT},
        "followups:resume_channel": channel,
        "followups:attention_keep_one": attention.pk,
        "followups:bulk_result": bulk_change.pk,
        "followups:bulk_stop": bulk_change.pk,
        **{f"followups:{name}": held.pk for name in ("hold_reason", "release_hold")},
        "notifications:open": notification.pk,
    }


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
@pytest.mark.parametrize("name", routes_of_one_row())
def test_what_another_organization_owns_is_not_there_before_anything_is_forbidden(team, theirs, name, role):
    path = reverse(name, args=[theirs[name]])
    client = signed_in(team.member(role))
    answers = {client.get(f"{path}?to=1-1").status_code, client.post(path).status_code}
    assert 404 in answers
    assert answers <= {404, 405}
