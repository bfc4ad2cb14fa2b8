from __future__ import annotations

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        # Imported for what they connect: words for bell and thread, receivers.
        from conversations import notices, receivers  # noqa: F401
