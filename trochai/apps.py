from __future__ import annotations

from django.apps import AppConfig


class TrochaiConfig(AppConfig):
    """The project itself: shared template tags, system checks, the supervisor command."""

    name = "trochai"
    label = "trochai"

    def ready(self) -> None:
        # Imported because they register the checks and what a worker and beat do when they start.
        from trochai import alive, checks, metrics  # noqa: F401
