from __future__ import annotations

from django.apps import AppConfig


class FollowUpsConfig(AppConfig):
    name = "followups"
    verbose_name = "Follow-ups"

    def ready(self) -> None:
        # Imported for what they connect: the receivers, the mark in the inbox list, words for the bell.
        from followups import marks, receivers  # noqa: F401
        from followups.wording import notices  # noqa: F401
