from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "trochai.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        # Imported because it registers what ends a person's access.
        from trochai.accounts import receivers  # noqa: F401
