"""``manage.py merge_contacts``: contacts that are one person become one."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from conversations import merging
from conversations.models import Contact
from trochai.accounts.models import Organization


class Command(BaseCommand):
    help = "Merge contacts whose numbers are one mobile's in two spellings, or the two that are named by id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help="the contact that is kept, and the other one")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be merged")

    def handle(self, *args: Any, ids: list[int], dry_run: bool, **options: Any) -> None:
        merged = 0
        for kept, gone in _named(ids) if ids else _doubles():
            self.stdout.write(f"{kept.organization}: {_told(gone)} becomes part of {_told(kept)}")
            merged += dry_run or merging.merge(kept, gone, now=timezone.now())
        self.stdout.write(f"{merged} {'would be' if dry_run else 'were'} merged.")


def _doubles() -> Iterator[tuple[Contact, Contact]]:
    return chain.from_iterable(merging.doubles(each) for each in Organization.objects.order_by("pk"))


def _named(ids: list[int]) -> Iterator[tuple[Contact, Contact]]:
    found = Contact.objects.in_bulk(ids)
    if len(ids) != 2 or len(found) != 2:
        raise CommandError("Name two contacts by their ids: first the one that is kept.")
    kept, gone = found[ids[0]], found[ids[1]]
    if kept.organization_id != gone.organization_id:
        raise CommandError("They belong to two organizations.")
    yield kept, gone


def _told(contact: Contact) -> str:
    return f"{contact.pk} {contact.display_name} {contact.phone or contact.user_ids}"
