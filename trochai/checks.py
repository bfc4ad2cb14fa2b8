"""System checks that refuse an unsafe production start (DEBUG off).

``manage.py check`` and ``migrate`` run them, and so do web, workers and beat before they start
(``trochai.preflight``). The ones that look into the database need ``check --database default``, which
docker-compose.yml runs before anything else starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.models import Model

from trochai.accounts.models import User
from trochai.whatsapp.fields import UnreadableSecret, ciphertexts, encrypted_columns, keyring

DEMO_DOMAIN = "@demo.trochai.test"
DEMO_PASSWORD = "demo-trochai"  # noqa: S105  (public: it is printed at every start of the demo)

SHORTEST_TOKEN = 20


@register(Tags.security)
def secrets_are_set(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == settings.DEFAULT_SECRET_KEY:
        found.append(
            Error(
                "SECRET_KEY is the public default: anyone could sign in as anyone.",
                hint="Set SECRET_KEY to at least 50 random characters, and keep it.",
                id="trochai.E001",
            )
        )
    try:
        keyring()
    except ImproperlyConfigured as error:
        found.append(
            Error(
                f"{error}: channel tokens can neither be stored nor read.",
                hint="docs/operations.md says how to make one.",
                id="trochai.E002",
            )
        )
    return found


@register(Tags.security, deploy=True)
def field_keys_stand_alone(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEBUG or settings.FIELD_ENCRYPTION_KEYS:
        return []
    return [
        checks.Warning(
            "FIELD_ENCRYPTION_KEYS is not set: channel tokens are encrypted with a key made from SECRET_KEY, "
            "and a new SECRET_KEY would make them unreadable.",
            hint="docs/operations.md says how to make one.",
            id="trochai.W001",
        )
    ]


@register(Tags.security, deploy=True)
def somebody_can_watch(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Without a token /metrics is closed; a short one could be guessed."""
    if settings.DEBUG or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    closed = "METRICS_TOKEN is not set: /metrics is closed, and no monitor sees what waits or fails."
    weak = f"METRICS_TOKEN has fewer than {SHORTEST_TOKEN} characters and could be guessed."
    return [
        checks.Warning(
            weak if settings.METRICS_TOKEN else closed,
            hint="Set METRICS_TOKEN to 32 or more random characters.",
            id="trochai.W002",
        )
    ]


@register(Tags.security)
def messages_go_to_meta(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    address = urlsplit(settings.WHATSAPP_API_URL)
    is_local = address.hostname in {None, "localhost", "127.0.0.1", "::1"}
    if settings.DEBUG or (address.scheme == "https" and not is_local):
        return []
    return [
        Error(
            f"WHATSAPP_API_URL is {settings.WHATSAPP_API_URL}: no message would reach anybody, "
            "or tokens would travel unencrypted.",
            hint="Set WHATSAPP_API_URL=https://graph.facebook.com",
            id="trochai.E003",
        )
    ]


@register(Tags.compatibility)
def stores_are_shared(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """SQLite and the file broker serve one machine, and only one writer at a time."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        found.append(
            Error(
                "The database is SQLite, which is for trying and developing.",
                hint="Set DATABASE_URL=postgres://user:password@host/name",
                id="trochai.E004",
            )
        )
    if not settings.REDIS_URL:
        found.append(
            Error(
                "There is no REDIS_URL: tasks would go through files, and each process would keep "
                "a cache of its own.",
                hint="Set REDIS_URL=redis://host:6379/0",
                id="trochai.E005",
            )
        )
    return found


@register(Tags.compatibility)
def files_are_where_they_are_looked_for(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """What nginx sends by itself comes from the folder."""
    if not (settings.MEDIA_S3_BUCKET and settings.MEDIA_ACCEL_LOCATION):
        return []
    return [
        Error(
            "MEDIA_S3_BUCKET keeps the files, but MEDIA_ACCEL_LOCATION has nginx look for them in a folder.",
            hint="Set MEDIA_ACCEL_LOCATION to nothing.",
            id="trochai.E008",
        )
    ]


@register(Tags.database)
def secrets_can_be_read(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Decrypt one value of each encrypted field, the newest."""
    if "default" not in (databases or ()):
        return []
    try:
        return [
            Error(
                f"{model._meta.label}.{name} can’t be read: its keys are not in FIELD_ENCRYPTION_KEYS.",
                hint="Bring the old key back. docs/operations.md says how to rotate keys.",
                id="trochai.E007",
            )
            for model, name in encrypted_columns()
            if isinstance(_newest(model, name), UnreadableSecret)
        ]
    except (DatabaseError, ImproperlyConfigured):
        return []  # no table yet, no connection, or keys that E002 is about


def _newest(model: type[Model], name: str) -> str | None:
    return ciphertexts(model, name).reverse().values_list(name, flat=True).first()


@register(Tags.database)
def nobody_has_the_demo_password(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if settings.DEBUG or "default" not in (databases or ()):
        return []
    demo_users = User.objects.using("default").filter(is_active=True, email__endswith=DEMO_DOMAIN)
    try:
        passwords = list(demo_users.order_by("pk").values_list("email", "password"))
    except DatabaseError:
        return []  # no table before the first migration, or no connection: others report that
    return [
        Error(
            f"{email} can sign in with the demo password, which everybody knows.",
            hint="Delete the demo organization's people, or use a database without demo data.",
            id="trochai.E006",
        )
        for email, encoded in passwords
        if check_password(DEMO_PASSWORD, encoded)
    ]
