from __future__ import annotations

from django.apps import AppConfig


class WhatsAppConfig(AppConfig):
    name = "trochai.whatsapp"
    label = "whatsapp"
    verbose_name = "WhatsApp"
