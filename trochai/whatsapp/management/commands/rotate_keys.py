"""``manage.py rotate_keys``: encrypt every secret with the newest key, after which older keys can go."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from trochai.whatsapp.fields import ciphertexts, encrypted_columns, keyring


class Command(BaseCommand):
    help = (
        "Encrypts tokens and secrets again with the first of FIELD_ENCRYPTION_KEYS. May run while everything "
        "else does, and again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say what cannot be read")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        done, unreadable = 0, []
        for model, name in encrypted_columns():
            for pk, stored in ciphertexts(model, name).values_list("pk", "stored").iterator(chunk_size=500):
                try:
                    fresh = keyring().rotate(stored.encode()).decode()
                except InvalidToken:
                    unreadable.append(f"{model._meta.label} {pk}: {name}")
                    continue
                done += 1 if check else _replace(model, name, pk, stored, fresh)
        self.stdout.write(f"{done} secrets {'can be read' if check else 'encrypted with the first key'}.")
        if unreadable:
            raise CommandError(
                "No key opens these, so they are as they were:\n" + "\n".join(unreadable), returncode=1
            )


def _replace(model: type[models.Model], name: str, pk: Any, stored: str, fresh: str) -> int:
    """Write ``fresh``, unless somebody has entered another value meanwhile."""
    unchanged = ciphertexts(model, name).filter(pk=pk, stored=stored).order_by()
    return unchanged.update(**{name: models.Value(fresh, output_field=models.TextField())})
