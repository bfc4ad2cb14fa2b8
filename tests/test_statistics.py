"""SQLite is told how its tables have grown, so that each count is read in its own index."""

from __future__ import annotations

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from conversations.models import Contact, Conversation
from conversations.tasks import take_statistics

pytestmark = pytest.mark.django_db


@pytest.fixture
def read_by_all(team):
    """Four hundred conversations, all of them read."""
    contacts = Contact.objects.bulk_create(
        Contact(organization=team.organization, name=f"Contact {n}", phone=f"+506{n:08}") for n in range(400)
    )
    Conversation.objects.bulk_create(
        Conversation(organization=team.organization, channel=team.channel, contact=contact)
        for contact in contacts
    )
    return Conversation.objects.for_organization(team.organization).current()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's planner")
def test_what_is_unread_is_counted_without_reading_what_is_not(read_by_all):
    unread = read_by_all.filter(unread_count__gt=0).order_by().values("pk")[:99]
    take_statistics()
    assert "conversation_unread" in unread.explain()


def test_beat_has_it_told_each_hour():
    entry = PeriodicTask.objects.get(task=take_statistics.name)
    assert entry.enabled
    assert (entry.crontab.hour, entry.crontab.minute) == ("*", "41")
