"""A query that is compiled once answers as one that is built each time, for whoever asks."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models import BooleanField, Value

from conversations.models import Contact, Conversation
from tests import factories
from trochai.prepared import Prepared

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def written_before(*, organization: int, moment: dt.datetime):
    rows = Conversation.objects.filter(organization=organization, last_message_at__lt=moment)
    return rows.order_by("pk").values_list("pk", "last_message_at", Value(True, BooleanField()))


def test_each_call_has_its_own_values_and_gets_python_s(team, stranger):
    prepared = Prepared(written_before)
    for each in (team, stranger):
        at = dt.timedelta(hours=each.organization.pk)
        Conversation.objects.filter(pk=each.conversation.pk).update(last_message_at=NOON - at)
    for each in (team, stranger, team):
        at = NOON - dt.timedelta(hours=each.organization.pk)
        asked = {"organization": each.organization.pk, "moment": NOON}
        assert prepared.rows(**asked) == list(written_before(**asked)) == [(each.conversation.pk, at, True)]
        assert prepared.rows(**{**asked, "moment": at}) == []


def test_a_text_is_one_of_the_values(team, stranger):
    prepared = Prepared(lambda *, name: Contact.objects.filter(name=name).values_list("pk", flat=True))
    for each, name in ((team, "Ana"), (stranger, "")):
        Contact.objects.filter(pk=each.conversation.contact_id).update(name=name)
    for each, name in ((team, "Ana"), (stranger, ""), (team, "Ana")):
        assert prepared.rows(name=name) == [each.conversation.contact_id]


def test_a_value_that_is_reckoned_with_is_refused(team):
    prepared = Prepared(
        lambda *, moment: Conversation.objects.filter(
            last_message_at__lt=moment - dt.timedelta(1)
        ).values_list("pk")
    )
    with pytest.raises(ValueError, match="moment"):
        prepared.rows(moment=NOON)


def test_one_that_is_sent_twice_is_filled_in_twice(team, stranger):
    prepared = Prepared(
        lambda *, organization: Conversation.objects.filter(
            organization=organization, contact__organization=organization
        ).values_list("pk")
    )
    factories.ConversationFactory(organization=team.organization, channel=team.channel)
    assert len(prepared.rows(organization=team.organization.pk)) == 2
    assert prepared.rows(organization=stranger.organization.pk) == [(stranger.conversation.pk,)]


def test_models_come_with_what_is_joined_fetched_and_added(team, django_assert_num_queries):
    def of(*, organization: int):
        rows = Conversation.objects.filter(organization=organization).select_related("contact")
        return (
            rows.prefetch_related("tags").annotate(is_new=Value(True, BooleanField())).only("contact__name")
        )

    prepared = Prepared(of)
    team.conversation.tags.add(factories.TagFactory(organization=team.organization, name="VIP"))
    for _time in range(2):
        with django_assert_num_queries(2):
            (found,) = prepared.rows(organization=team.organization.pk)
            assert found == team.conversation
            assert found.contact.name == team.conversation.contact.name
            assert [tag.name for tag in found.tags.all()] == ["VIP"]
            assert found.is_new


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_over_its_own_connection(team):
    prepared = Prepared(lambda *, organization: Conversation.objects.filter(organization=organization))
    asked = {"organization": team.organization.pk}

    def ask():
        try:
            return prepared.rows(**asked)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == prepared.rows(**asked) == [team.conversation]
