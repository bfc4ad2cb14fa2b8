"""``manage.py create_admin``: an organization and its first admin, by answering questions."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from trochai.accounts.models import Membership, Organization, Role, User

T = TypeVar("T")
DONE = """
  {name} is an admin of {organization}, and may enter /admin/.
  Next: sign in at /admin/ and add a Channel, the organization's WhatsApp number.
"""


class Command(BaseCommand):
    help = "Ask for an organization and a person; make the person its admin, who may also enter /admin/."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization, user, password = self._asked()
        except (EOFError, KeyboardInterrupt):
            raise CommandError("Nothing was created.") from None
        with transaction.atomic():
            organization.save()
            made = User.objects.create_superuser(user.email, password, name=user.name)
            Membership.objects.create(user=made, organization=organization, role=Role.ADMIN)
        self.stdout.write(DONE.format(name=made, organization=organization))

    def _asked(self) -> tuple[Organization, User, str]:
        organization, user = Organization(), User()
        self._fill(organization, "name", "Name of the organization")
        self._fill(organization, "timezone", f"Its time zone [{organization.timezone}]")
        self._fill(user, "name", "Your name")
        self._fill(user, "email", "Your email address")
        return organization, user, self._until_valid(lambda: _password(user))

    def _fill(self, row: models.Model, name: str, question: str) -> None:
        """Ask until the model takes the answer; an empty one stands for what the row has."""
        given = getattr(row, name)
        others = {field.name for field in row._meta.fields} - {name}

        def ask() -> None:
            setattr(row, name, input(f"{question}: ").strip() or given)
            row.full_clean(exclude=others)

        self._until_valid(ask)

    def _until_valid(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except ValidationError as error:
                self.stderr.write(" ".join(error.messages))


def _password(user: User) -> str:
    password = getpass.getpass("A password: ")
    validate_password(password, user)
    if getpass.getpass("The same again: ") != password:
        raise ValidationError("That was not the same.")
    return password
