"""``manage.py replay_webhooks FIELD …``: what came before this version knew the field is read now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from trochai.clock import database_now
from trochai.whatsapp.tasks import process_waiting_webhooks
from trochai.whatsapp.webhooks import deliveries


class Command(BaseCommand):
    help = "Have workers process webhooks again that are still kept and say something under the given fields."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("fields", nargs="+", metavar="FIELD", help="as Meta calls it, such as standby")

    def handle(self, *args: Any, fields: list[str], **options: Any) -> None:
        count = deliveries.replay_fields(fields, now=database_now())
        if count:
            process_waiting_webhooks.delay()
        self.stdout.write(
            f"Deliveries that are processed again: {count}. What is known of them changes nothing."
        )
