"""The WhatsApp numbers that the sandbox plays, and where each one's webhook goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from trochai.whatsapp.sandbox.catalogue import CATALOGUE

# Valid for every number, so that a demo needs no secret.
SANDBOX_TOKEN = "sandbox-token"  # noqa: S105


@dataclass(frozen=True)
class Account:
    """One number of one WhatsApp Business Account. Without ``webhook_url`` it posts no webhooks."""

    phone_number_id: str
    waba_id: str
    token: str = field(default=SANDBOX_TOKEN, repr=False)
    app_secret: str = field(default="", repr=False)
    webhook_url: str = ""
    display_phone_number: str = "+506 2201 4455"
    name: str = "Casa Verde Bienes Raíces"
    portfolio_id: str = "880100000000001"
    # What the portfolio may do: as Meta names it.
    messaging_limit: str = "TIER_2K"
    # Of the moments on its customers' phones.
    time_zone: str = "UTC"
    templates: tuple[dict[str, Any], ...] = tuple(CATALOGUE)

    def accepts(self, token: str) -> bool:
        return bool(token) and token in {self.token, SANDBOX_TOKEN}


# Called for each request, so that a channel added meanwhile is known.
Directory = Callable[[], Iterable[Account]]
