"""A text column that is encrypted at rest (Fernet, with key rotation)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.functions import Cast


@lru_cache(maxsize=4)
def _keyring(keys: tuple[str, ...], secret_key: str) -> MultiFernet:
    if not keys:
        digest = hashlib.sha256(b"trochai.fields:" + secret_key.encode()).digest()
        return MultiFernet([Fernet(base64.urlsafe_b64encode(digest))])
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS must hold Fernet keys") from error


def keyring() -> MultiFernet:
    """Return the keys in force: the first encrypts, all decrypt."""
    return _keyring(tuple(settings.FIELD_ENCRYPTION_KEYS), settings.SECRET_KEY)


class Secret(str):
    """A secret read from the database: usable as text, but it does not print itself."""

    def __repr__(self) -> str:
        return "'********'"


class UnreadableSecret(Secret):
    """What no key opens: as text it is empty. ``stored`` is the ciphertext, and saving keeps that."""

    stored: str

    def __new__(cls, stored: str) -> UnreadableSecret:
        secret = super().__new__(cls)
        secret.stored = stored
        return secret

    def __getnewargs__(self) -> tuple[str]:
        return (self.stored,)


class EncryptedTextField(models.TextField):
    """Text that only this process can read; the database holds ciphertext.

    A value that no key opens (a lost or changed key) reads as an ``UnreadableSecret``: the channel then
    counts as not connected instead of breaking every page that shows it, and nothing is lost by saving it.
    """

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, UnreadableSecret):
            return value.stored
        value = super().get_prep_value(value)
        return keyring().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        if not value:
            return None if value is None else Secret()
        try:
            return Secret(keyring().decrypt(value.encode()).decode())
        except InvalidToken:
            return UnreadableSecret(value)


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Yield the model and the name of every encrypted field that is installed."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name


def ciphertexts(model: type[models.Model], name: str) -> models.QuerySet[Any]:
    """Return the rows that have a value in this encrypted field, as it is stored, in ``stored``."""
    stored = Cast(models.F(name), models.TextField())
    return model._default_manager.annotate(stored=stored).exclude(stored="").order_by("pk")
