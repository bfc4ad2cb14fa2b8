"""What each kind of inbound message is taken for (pure): the one table that everything about replies asks.

Source: WhatsApp Cloud API, "messages webhook"; "Calling API" for calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Becomes(Enum):
    BUBBLE = auto()
    # A line in the thread that nobody wrote.
    EVENT = auto()
    # These change a message that is there already.
    EDIT = auto()
    REVOCATION = auto()
    REACTION = auto()
    NOTHING = auto()


@dataclass(frozen=True)
class Kind:
    """``is_answer``: the person wrote to this number, so whatever waited for silence is canceled.

    An answer also reopens a closed conversation and counts as unread.
    """

    becomes: Becomes
    opens_window: bool = False
    is_answer: bool = False


# Whatever people send, also what Meta may invent: better a follow-up too few than one after an answer.
CONTENT = Kind(Becomes.BUBBLE, opens_window=True, is_answer=True)
KINDS: Mapping[str, Kind] = {
    "call": CONTENT,
    "reaction": Kind(Becomes.REACTION),
    "edit": Kind(Becomes.EDIT),
    "revoke": Kind(Becomes.REVOCATION),
    # The chat was opened, and nothing written.
    "request_welcome": Kind(Becomes.NOTHING),
    "system": Kind(Becomes.EVENT),
}
# Said to a group in which this number is: nobody has answered us.
IN_GROUP = Kind(Becomes.NOTHING)


def kind_of(name: str, *, in_group: bool = False) -> Kind:
    return IN_GROUP if in_group else KINDS.get(name, CONTENT)
