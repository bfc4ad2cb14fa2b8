"""What the apps below learn, and what it means for follow-ups that wait."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from followups.models import FollowUp, Status
from followups.tasks import send_due_follow_ups
from followups.wording.notices import Kind
from notifications.models import Notification
from templates_app import sync
from templates_app.tasks import sync_templates
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of

CHANGED = [{"type": "BODY", "text": "Hola {{1}}, su visita es el {{2}}."}]


@pytest.fixture
def waiting(team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
    )


def told() -> list[Notification]:
    return list(Notification.objects.filter(kind=Kind.TEMPLATE_UNUSABLE).order_by("pk"))


def update(team, **fields) -> None:
    sync.update(team.template, fields, timezone.now())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "PAUSED"}, "“Paused”"),
        ({"components": CHANGED}, "the values of follow-ups that wait on it no longer fit: 1"),
        ({"components": [*CHANGED, {"type": "CAROUSEL"}]}, "no longer fit: 1"),
    ],
    ids=["paused", "other variables", "parts that cannot be filled"],
)
def test_creators_are_told_before_the_date_that_a_template_stops_being_sendable(team, waiting, fields, words):
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.other_agent.user,
        status=Status.CANCELED,
    )
    update(team, **fields)
    (notification,) = told()
    assert notification.recipient == team.agent.user
    assert words in notification.text
    page = html_of(signed_in(team.viewer).get(reverse("followups:index")))
    assert "Template can’t be sent: paused" in page or "the values no longer fit it" in page


def test_an_edit_that_is_approved_in_the_end_is_told_when_its_values_no_longer_fit(team, waiting):
    update(team, status="PENDING", components=CHANGED)
    update(team, status="APPROVED")
    assert [("In review" in each.text, "no longer fit" in each.text) for each in told()] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"category": "MARKETING"},
        {"quality": "RED"},
        {"components": [{"type": "FOOTER", "text": "Casa Verde"}]},
    ],
    ids=["category", "quality", "other words, same variables"],
)
def test_what_does_not_keep_it_from_being_sent_is_not_told(team, waiting, fields):
    if "components" in fields:
        fields["components"] = [*team.template.components[:2], *fields["components"]]
    update(team, **fields)
    assert told() == []


def test_a_template_that_stays_unsendable_is_told_once(team, waiting):
    update(team, status="PAUSED")
    update(team, category="MARKETING")
    assert len(told()) == 1


def test_a_template_that_fails_many_messages_is_synced_once(
    meta, team, monkeypatch, django_capture_on_commit_callbacks
):
    cache.clear()
    synced = []
    monkeypatch.setattr(sync_templates, "delay", synced.append)
    meta.answer(*[132001] * 3)
    for _n in range(3):
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=factories.ConversationFactory(organization=team.organization, channel=team.channel),
            template=team.template,
            scheduled_for=timezone.now() - dt.timedelta(minutes=1),
        )
    with django_capture_on_commit_callbacks(execute=True):
        send_due_follow_ups(wake_others=False)
    assert synced == [team.channel.pk]
