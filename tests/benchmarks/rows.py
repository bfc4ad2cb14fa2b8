"""Rows for benchmarks, made in bulk: ``python -m tests.benchmarks.rows`` fills the database it is given."""

from __future__ import annotations

import argparse
import datetime as dt

import django
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

# The highest rate that the column can store: no limit.
UNLIMITED = 30_000


def make_due(
    count: int, *, messages_per_second: int, talking: int = 0, channels: int = 1, waiting: int = 0
) -> None:
    """Make ``count`` follow-ups that fell due a moment ago, each for a contact of its own.

    They are of so many ``channels``, equally many of each. ``talking`` further conversations of the last have
    a message that has just come in, and so an open window. ``waiting`` further follow-ups are due in ten
    days, on a channel of their own.
    """
    from conversations.models import Conversation
    from tests import factories

    now = timezone.now()
    organization = factories.OrganizationFactory()
    creator = factories.MembershipFactory(organization=organization).user
    of_each = count // channels
    for number in range(channels):
        channel = factories.ChannelFactory(organization=organization, messages_per_second=messages_per_second)
        made = _conversations(channel, of_each + (talking if number == channels - 1 else 0))
        _follow_ups(made[:of_each], creator=creator, due_at=now - dt.timedelta(seconds=5))
    if waiting:
        others = factories.ChannelFactory(organization=organization)
        later = now + dt.timedelta(days=10)
        _follow_ups(_conversations(others, waiting), creator=creator, due_at=later)
    last = [conversation.pk for conversation in made[of_each:]]
    Conversation.objects.filter(pk__in=last).update(last_inbound_at=now)


def _conversations(channel, count: int) -> list:
    from conversations.models import Contact, Conversation

    organization = channel.organization
    contacts = Contact.objects.bulk_create(
        [
            Contact(organization=organization, name=f"Contact {n}", phone=f"+5068{channel.pk % 100:02}{n:05}")
            for n in range(count)
        ],
        batch_size=2000,
    )
    return Conversation.objects.bulk_create(
        [Conversation(organization=organization, channel=channel, contact=contact) for contact in contacts],
        batch_size=2000,
    )


def _follow_ups(conversations: list, *, creator, due_at: dt.datetime) -> None:
    from followups.models import FollowUp
    from tests import factories

    template = factories.TemplateFactory(channel=conversations[0].channel, name="visit_reminder")
    FollowUp.objects.bulk_create(
        [
            FollowUp(
                organization=template.channel.organization,
                channel=template.channel,
                conversation=conversation,
                template=template,
                parameters={"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"},
                shape=template.shape,
                created_by=creator,
                scheduled_for=due_at,
                next_attempt_at=due_at,
            )
            for conversation in conversations
        ],
        batch_size=2000,
    )


def allow_any_rate() -> None:
    """Drop the constraint that keeps a channel's rate at 1,000, the highest that Meta gives, and below."""
    from trochai.whatsapp.models import Channel

    limit = next(rule for rule in Channel._meta.constraints if rule.name == "channel_rate_is_possible")
    # SQLite rebuilds the table from the constraints that the model has by then.
    Channel._meta.constraints.remove(limit)
    with connection.schema_editor() as editor:
        editor.remove_constraint(Channel, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--messages-per-second", type=int, default=0, help="0: no limit")
    parser.add_argument("--talking", type=int, default=0)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--waiting", type=int, default=0)
    options = parser.parse_args()
    django.setup()
    call_command("migrate", verbosity=0)
    if not options.messages_per_second:
        allow_any_rate()
    make_due(
        options.count,
        messages_per_second=options.messages_per_second or UNLIMITED,
        talking=options.talking,
        channels=options.channels,
        waiting=options.waiting,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


if __name__ == "__main__":
    main()
