from __future__ import annotations

from django.apps import AppConfig


class FollowUpsConfig(AppConfig):
    name = "followups"
    verbose_name = "Follow-ups"

    def ready(self) -> None:
        # Imported for what they connect: receivers, the banner above a thread, the mark in the frame, their
        # part of a contact's sheet, My day, words for bell and thread.
        from followups import receivers  # noqa: F401
        from followups.attention import receivers as attention  # noqa: F401
        from followups.pages import banner, holds, my_day, sheet  # noqa: F401
        from followups.wording import notices, thread_notes  # noqa: F401
