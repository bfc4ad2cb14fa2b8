from __future__ import annotations

from django.apps import AppConfig


class TrochaiConfig(AppConfig):
    """The project itself: shared template tags, system checks, the supervisor command."""

    name = "trochai"
    label = "trochai"

    def ready(self) -> None:
        from trochai import checks  # noqa: F401  (registers the checks)
