"""Operators may look at follow-ups, and change nothing past the one writer of status."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from followups.models import Hold
from tests import factories
from tests.html import html_of


@pytest.fixture
def operator(db):
    client = Client()
    user = factories.UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_an_operator_sees_follow_ups_with_their_attempts(operator):
    attempt = factories.AttemptFactory(cause="too_fast", details="(#130429)")
    assert operator.get(reverse("admin:followups_followup_changelist")).status_code == 200
    page = operator.get(reverse("admin:followups_followup_change", args=[attempt.follow_up_id]))
    assert "too_fast" in html_of(page)
    assert "(#130429)" in html_of(page)


def test_an_operator_can_neither_add_nor_change_nor_delete(operator):
    follow_up = factories.FollowUpFactory()
    assert operator.get(reverse("admin:followups_followup_add")).status_code == 403
    assert operator.post(reverse("admin:followups_followup_delete", args=[follow_up.pk])).status_code == 403
    change = reverse("admin:followups_followup_change", args=[follow_up.pk])
    assert operator.post(change, {"status": "sent"}).status_code == 403
    follow_up.refresh_from_db()
    assert follow_up.status == "pending"
    assert 'name="status"' not in html_of(operator.get(change))


def test_an_operator_sees_what_was_held_and_why(operator):
    hold = Hold.objects.create(scope="everything", reason="Restore", cause="operator", since=timezone.now())
    assert "Restore" in html_of(operator.get(reverse("admin:followups_hold_changelist")))
    assert "Restore" in html_of(operator.get(reverse("admin:followups_hold_change", args=[hold.pk])))
    assert operator.get(reverse("admin:followups_hold_add")).status_code == 403
