"""``manage.py seed_demo``: the demo data, once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trochai.demo import load


class Command(BaseCommand):
    help = "Load the demo data (Casa Verde). What is there already is kept as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data has a public password: it is loaded only with DEBUG on.")
        if load.is_loaded():
            self.stdout.write("Demo data is there already; it is kept as it is.")
            return
        load.load(timezone.now())
        self.stdout.write("Demo data loaded.")
