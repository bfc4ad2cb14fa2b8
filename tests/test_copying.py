"""Rows that are copied into a table are as if the ORM had inserted them."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from conversations.models import Conversation, Delivery, Direction, Message, MessageKind
from tests import factories
from trochai.copying import insert_all

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=dt.UTC)
# What COPY, arrays and JSON each give a meaning of their own.
ODD = ["\\N", "a\tb\nc\rd", 'C:\\new\\table "x"', "{1,2}", "NULL", "", "\\.", "Zoë 🏠 \u2028", "'; --"]


def message(conversation: Conversation, text: str, **values: object) -> Message:
    given = {
        "direction": Direction.OUTBOUND,
        "kind": MessageKind.TEMPLATE,
        "content": {"body": text, "buttons": [{"text": text}], "header_media": None},
        "delivery": Delivery.ACCEPTED,
        "at": NOON,
        **values,
    }
    return Message(conversation=conversation, channel_id=conversation.channel_id, text=text, **given)


def stored() -> list[dict[str, object]]:
    return list(Message.objects.order_by("pk").values())


def test_what_stands_in_the_table_is_what_the_orm_would_have_written(team):
    copied = insert_all([message(team.conversation, text, attempt=uuid4()) for text in ODD])
    found = stored()
    assert [row["text"] for row in found] == ODD
    assert [row["content"]["body"] for row in found] == ODD
    Message.objects.all().delete()
    Message.objects.bulk_create(copied)
    assert stored() == found


def test_rows_get_ids_in_their_order_and_can_be_saved_again(team):
    first, second = insert_all([message(team.conversation, text) for text in ("one", "two")])
    third = factories.MessageFactory(conversation=team.conversation)
    assert first.pk < second.pk < third.pk
    second.text = "three"
    second.save()
    assert list(Message.objects.order_by("pk").values_list("text", flat=True)[:2]) == ["one", "three"]


def test_what_is_recorded_already_is_refused_and_nothing_is_inserted(team):
    attempt = uuid4()
    insert_all([message(team.conversation, "first", attempt=attempt)])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_all([message(team.conversation, text, attempt=attempt) for text in ("second", "third")])
    assert [row["text"] for row in stored()] == ["first"]


def test_nothing_is_inserted_where_there_is_nothing():
    assert insert_all([]) == []
