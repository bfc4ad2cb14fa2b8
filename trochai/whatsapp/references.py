"""What a message is called in Meta's webhooks: ``attempt:<uuid>`` or ``message:<uuid>`` (pure).

It goes along with the message (``biz_opaque_callback_data``) and comes back in each of its statuses.
"""

from __future__ import annotations

import enum
import uuid


class Kind(enum.Enum):
    """Whose id it is."""

    ATTEMPT = "attempt"  # a follow-up's
    MESSAGE = "message"  # one of the composer's


def build(kind: Kind, pk: uuid.UUID) -> str:
    return f"{kind.value}:{pk}"


def parse(kind: Kind, reference: str) -> uuid.UUID | None:
    """Return the id in a reference of this kind, or None for any other text."""
    prefix, _, pk = reference.partition(":")
    try:
        return uuid.UUID(pk) if prefix == kind.value else None
    except ValueError:
        return None
