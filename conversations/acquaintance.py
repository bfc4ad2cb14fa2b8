"""Whether what Meta calls people is known here already: what ``identity`` asks for one, for many at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from conversations.models import Alias, Contact, Identity
from trochai.whatsapp import phone_numbers

if TYPE_CHECKING:
    from conversations.identity import Names
    from trochai.whatsapp.models import Channel


class Acquaintance:
    """What is known at a channel of some people, by the names that Meta has used for them."""

    def __init__(self, channel: Channel, named: Collection[Names]) -> None:
        self._channel = channel
        self._identities = self._read_identities({names.user_id for names in named} - {""})
        self._renamed = self._read_renamed({name for names in named for name in _spelled(names)})

    def holder_of_id(self, user_id: str) -> Contact | None:
        identity = self._identities.get(user_id)
        return identity.contact if identity is not None else None

    def is_told_nothing_new(self, contact: Contact, names: Names) -> bool:
        """Whether ``identity`` finds just this contact by the names, and learns at most a profile name."""
        return (
            names.phone in {"", contact.phone}
            and (not names.user_id or self._is_known_of(contact, names))
            and (bool(contact.name) or not names.profile_name)
            and (contact.first_seen_at is None or names.at >= contact.first_seen_at)
            and self._renamed.isdisjoint(_spelled(names))
        )

    def _is_known_of(self, contact: Contact, names: Names) -> bool:
        identity = self._identities.get(names.user_id)
        return (
            identity is not None
            and identity.contact_id == contact.pk
            and names.parent_user_id in {"", identity.parent_user_id}
            and names.username in {"", identity.username}
        )

    def _read_identities(self, user_ids: Collection[str]) -> dict[str, Identity]:
        if not user_ids:
            return {}
        found = Identity.objects.filter(
            organization=self._channel.organization_id,
            portfolio=self._channel.portfolio,
            user_id__in=user_ids,
        )
        return {identity.user_id: identity for identity in found.select_related("contact")}

    def _read_renamed(self, names: Collection[str]) -> set[str]:
        if not names:
            return set()
        said = Alias.objects.filter(organization=self._channel.organization_id, name__in=names)
        return set(said.values_list("name", flat=True))


def _spelled(names: Names) -> set[str]:
    """Return everything that somebody may be called by these names."""
    numbers = phone_numbers.spellings(names.phone) if names.phone else ()
    return {*numbers, names.user_id} - {""}
