"""Runs the WhatsApp sandbox for the channels in the database."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.urls import reverse

from trochai.whatsapp.models import Channel
from trochai.whatsapp.sandbox import Account, Sandbox
from trochai.whatsapp.sandbox.validation import Refused

# Seconds for which the channels are remembered.
FRESH = 2.0


class Command(BaseCommand):
    help = "A local stand-in for Meta's Cloud API, for the demo and for tests (docs/whatsapp-sandbox.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.SANDBOX_PORT)
        parser.add_argument(
            "--app-url",
            default=f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
            help="Where Trochai runs: webhooks are posted there.",
        )
        parser.add_argument("--pace", type=float, default=1.0, help="Multiplies every delay.")
        parser.add_argument(
            "--throughput", type=int, default=80, help="Messages a number takes in any second, as Meta does."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        directory = ChannelDirectory(options["app_url"].rstrip("/"))
        try:
            sandbox = Sandbox(
                directory,
                host=options["host"],
                port=options["port"],
                pace=options["pace"],
                throughput=options["throughput"],
            )
        except OSError as error:
            raise CommandError(f"Port {options['port']} cannot be used: {error.strerror}") from None
        with sandbox:
            self.stdout.write(f"WhatsApp sandbox and its customers’ phones on {sandbox.url}")
            self.stdout.flush()
            stopped.wait()


class ChannelDirectory:
    """The channels in the database as the sandbox's accounts, read anew every other second."""

    def __init__(self, app_url: str) -> None:
        self._app_url = app_url
        self._lock = threading.Lock()
        self._accounts: list[Account] = []
        self._read_at = float("-inf")

    def __call__(self) -> list[Account]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH:
                self._accounts = self._read()
                self._read_at = time.monotonic()
            return self._accounts

    def _read(self) -> list[Account]:
        try:
            return [
                self._account(channel)
                for channel in Channel.objects.select_related("organization").order_by("pk")
            ]
        except DatabaseError:
            # Not migrated yet, or locked for a moment: "invalid token" would stop the channel.
            if not self._accounts:
                raise Refused(503, 131016, "(#131016) Service unavailable") from None
            return self._accounts
        finally:
            # Each connection of the server has its own thread.
            connection.close()

    def _account(self, channel: Channel) -> Account:
        return Account(
            phone_number_id=channel.phone_number_id,
            waba_id=channel.waba_id,
            token=channel.access_token,
            app_secret=channel.app_secret,
            webhook_url=self._app_url + reverse("whatsapp:webhook", args=[channel.uuid]),
            display_phone_number=channel.display_phone_number,
            name=channel.name,
            time_zone=channel.organization.timezone,
        )
