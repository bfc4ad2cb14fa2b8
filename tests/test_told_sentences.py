"""Rows from before words were made when they are read say afterwards what they said."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from conversations.models import Conversation, Message
from followups.models import FollowUp, FollowUpAttempt
from followups.wording.failures import attempt_failure, reason_for
from notifications.models import Notification
from trochai.whatsapp.models import Channel

BEFORE = [
    ("whatsapp", "0003_probes"),
    ("conversations", "0003_contact_consent_at"),
    ("followups", "0006_met_a_stop"),
    ("notifications", "0002_sending_interrupted"),
]
NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def old(transactional_db):
    """The models as they were; in the end the tables are as they are again."""
    executor = MigrationExecutor(connection)
    executor.migrate([*BEFORE])
    yield executor.loader.project_state(BEFORE).apps.get_model
    migrate()


def migrate() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def conversation(old):
    organization = old("accounts", "Organization").objects.create(name="Casa Verde")
    channel = old("whatsapp", "Channel").objects.create(
        organization=organization, name="Ventas", stopped_at=NOW, stop_reason="Nobody paid for it."
    )
    contact = old("conversations", "Contact").objects.create(organization=organization, phone="+50688881234")
    return old("conversations", "Conversation").objects.create(
        organization=organization, channel=channel, contact=contact, last_message_at=NOW
    )


def test_rows_from_before_say_what_they_said(old, conversation):
    """Of all kinds at once, since the way back and forth through the migrations takes most of the time."""
    checks = [write(old, conversation) for write in (failed_follow_ups, messages, notifications)]
    migrate()
    for check in checks:
        check()


def failed_follow_ups(old, conversation):
    """A failed follow-up still says why."""
    template = old("templates_app", "Template").objects.create(
        channel=conversation.channel, name="visit", language="es", status="APPROVED"
    )
    stored = [
        (131026, "This number isn’t on WhatsApp."),
        (777, "WhatsApp refused the message: Strange thing"),
        (None, "Missed: it could not be sent within 4 hours of its time."),
        (None, "Missed: it could not be sent within 1.5 hours of its time."),
        (None, "The template is no longer approved by WhatsApp (In review)."),
        (None, "The contact no longer wants messages."),
        (None, "Delivery unknown: it may have reached the contact."),
        (None, "WhatsApp could not be reached. Try again later."),
        (None, "Words that nobody remembers."),
    ]
    attempts = []
    for code, reason in stored:
        follow_up = old("followups", "FollowUp").objects.create(
            organization=conversation.organization,
            channel=conversation.channel,
            conversation=conversation,
            template=template,
            scheduled_for=NOW,
            status="failed",
            failed_at=NOW,
            failure_kind="recheck",
            failure_code=code,
            failure_reason=reason,
        )
        attempts.append(
            old("followups", "FollowUpAttempt")(
                follow_up=follow_up,
                claim_token=uuid.uuid4(),
                requested_at=timezone.now(),
                outcome="permanent",
                code=code,
                reason=reason,
                details="Strange thing" if code == 777 else "",
            )
        )
    old("followups", "FollowUpAttempt").objects.bulk_create(attempts)

    def check():
        rows = FollowUp.objects.order_by("pk")
        said = [reason_for(row.failure) for row in rows]
        for (code, reason), words in zip(stored, said, strict=True):
            # Today's sentence may go on with what to do.
            assert words.startswith(reason.rstrip(".")) or code == 131026
        assert said[0].startswith("This number isn’t on WhatsApp, or can’t receive this message.")
        assert [row.failure_cause for row in rows][-3:] == ["unknown", "not_reached", "as_told"]
        assert all(reason_for(attempt_failure(attempt)) for attempt in FollowUpAttempt.objects.all())
        assert conversation.channel.stop_reason == Channel.objects.get().stop_reason == "Nobody paid for it."

    return check


def messages(old, conversation):
    """A message without words is still named, and a failed one says why."""
    sent = {"conversation": conversation, "channel": conversation.channel, "at": NOW}
    create = old("conversations", "Message").objects.create
    create(direction="out", delivery="failed", error_code=131047, error_reason="Too late.", **sent)
    full = "Too many messages right now. Try again in a moment."
    create(direction="out", delivery="failed", error_reason=full, **sent)
    create(direction="out", delivery="unknown", error_reason="It may have arrived.", **sent)
    create(direction="in", kind="audio", text="Voice message", content={"audio": {"voice": True}}, **sent)
    create(direction="in", kind="reaction", text="Reacted with 👍", **sent)
    create(direction="in", kind="image", text="Photo", **sent)
    old("conversations", "Conversation").objects.update(preview="Photo")

    def check():
        failed, crowded, unknown, voice, reaction, photo = Message.objects.order_by("pk")
        assert "24 hours" in failed.error_reason
        assert crowded.error_reason == full
        assert unknown.error_reason == "It may have reached the contact."
        assert (voice.text, voice.shown_kind) == ("", "voice")
        assert (reaction.text, photo.text) == ("👍", "")
        shown = Conversation.objects.get()
        assert (shown.preview, shown.preview_words) == ("", "Photo")

    return check


def notifications(old, conversation):
    """A notification says what it said."""
    user = old("accounts", "User").objects.create(email="ana@example.com")
    told = [
        ("follow_up_sent", "Follow-up sent", "to María Jiménez: visit_reminder"),
        ("follow_up_failed", "Follow-up failed", "to María (visit): Nobody knows why."),
    ]
    for kind, title, text in told:
        old("notifications", "Notification").objects.create(
            organization=conversation.organization, recipient=user, kind=kind, title=title, text=text
        )

    def check():
        assert [(each.kind, each.title, each.text) for each in Notification.objects.order_by("pk")] == told
        assert "told" not in Notification.objects.get(kind="follow_up_sent").values

    return check
