"""A text column that is encrypted at rest (Fernet, with key rotation)."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


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


class EncryptedTextField(models.TextField):
    """Text that only this process can read; the database holds ciphertext.

    A value that no key opens (a lost or changed key) reads as empty: the channel then counts as
    not connected instead of breaking every page that shows it.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return keyring().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        if not value:
            return None if value is None else Secret()
        try:
            return Secret(keyring().decrypt(value.encode()).decode())
        except InvalidToken:
            return Secret()
