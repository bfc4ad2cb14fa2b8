"""The short form of ``tests.attacks.hostile_body``, and what a worker makes of the whole body."""

from __future__ import annotations

import pytest

from tests.attacks.hostile_body import hostile, read
from tests.factories import ChannelFactory
from trochai.clock import database_now
from trochai.whatsapp.models import WebhookDelivery
from trochai.whatsapp.webhooks import deliveries


def test_four_times_the_body_costs_about_four_times_the_work():
    small, large = (read(hostile(people)) for people in (4_000, 16_000))
    # Sixteen times where every message looks through all contacts.
    assert large.seconds < 10 * small.seconds
    assert large.memory < 60


@pytest.mark.django_db
def test_the_largest_body_is_set_aside_and_the_next_one_read():
    channel = ChannelFactory(phone_number_id="42", waba_id="77")
    attack = deliveries.store(channel, hostile(40_000), now=database_now())
    deliveries.process(attack.pk, now=database_now())
    attack.refresh_from_db()
    assert attack.error == "More than 5000 events."
    assert not WebhookDelivery.objects.filter(processed_at=None).exists()
