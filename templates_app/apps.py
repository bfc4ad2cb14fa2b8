from __future__ import annotations

from django.apps import AppConfig


class TemplatesConfig(AppConfig):
    name = "templates_app"
    verbose_name = "Message templates"

    def ready(self) -> None:
        from templates_app import receivers  # noqa: F401  (connects the receivers)
