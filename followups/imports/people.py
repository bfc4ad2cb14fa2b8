"""Who has the numbers of some rows, however they are spelled."""

from __future__ import annotations

from collections.abc import Collection

from conversations.models import Contact
from trochai.accounts.models import Organization
from trochai.whatsapp import phone_numbers


class People:
    """The organization's contacts with these numbers, read by one query."""

    def __init__(self, organization: Organization, phones: Collection[str]) -> None:
        spelled = {spelling for phone in phones for spelling in phone_numbers.spellings(phone)}
        contacts = Contact.objects.for_organization(organization).filter(phone__in=spelled)
        self._contacts = {contact.phone: contact for contact in contacts.order_by("-pk")}

    @property
    def all(self) -> Collection[Contact]:
        return self._contacts.values()

    def of(self, phone: str) -> Contact | None:
        """Return who has the number."""
        found = (self._contacts.get(spelling) for spelling in phone_numbers.spellings(phone))
        return next((contact for contact in found if contact is not None), None)
