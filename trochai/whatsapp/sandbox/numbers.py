"""Magic numbers: what happens to a message is decided by the recipient's number.

They begin with +506 0000, which is nobody's number; the last four digits choose. Every other
recipient gets the message: accepted, sent, delivered and read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "5060000"
# The ending of the number that has opted out of marketing.
OPTED_OUT = "1050"

# Seconds after the request, at pace 1.
DELIVERED = (("sent", 0.5), ("delivered", 1.5), ("read", 5.0))
SENT_ONLY = (("sent", 0.5),)
SENT_LATE = (("sent", 8.0), ("delivered", 9.0))
FAILS = (("failed", 2.0),)


@dataclass(frozen=True)
class Behaviour:
    """``refused`` is HTTP status and Meta's code; ``answer`` is what the HTTP caller gets to see."""

    summary: str
    refused: tuple[int, int] | None = None
    only_every_other: bool = False
    answer: Literal["accepted", "error page", "html", "none", "broken"] = "accepted"
    status: int = 200
    updates: tuple[tuple[str, float], ...] = ()
    failure: int = 0
    webhook_first: bool = False
    replies: bool = False


NORMAL = Behaviour("accepted, sent, delivered, read", updates=DELIVERED)

MAGIC: dict[str, Behaviour] = {
    "0001": Behaviour("accepted, then the contact answers 2 seconds later", updates=DELIVERED, replies=True),
    "0002": Behaviour("accepted and sent, but never delivered", updates=SENT_ONLY),
    "0003": Behaviour(
        "the status webhooks arrive before the HTTP answer", updates=SENT_ONLY, webhook_first=True
    ),
    "0429": Behaviour(
        "rate limit (130429) the first time, accepted the second, and so on",
        refused=(400, 130429),
        only_every_other=True,
        updates=DELIVERED,
    ),
    "1429": Behaviour("rate limit (130429) every time", refused=(400, 130429)),
    "1000": Behaviour("something went wrong (131000), every time", refused=(500, 131000)),
    "1026": Behaviour("not on WhatsApp (131026)", refused=(400, 131026)),
    "1047": Behaviour("24-hour window closed (131047)", refused=(400, 131047)),
    "1049": Behaviour("marketing limit of this contact (131049)", refused=(400, 131049)),
    "1050": Behaviour("the contact has opted out (131050)", refused=(400, 131050)),
    "1056": Behaviour("too many messages to this contact (131056)", refused=(400, 131056)),
    "2015": Behaviour("the template is paused (132015)", refused=(400, 132015)),
    "0190": Behaviour("the access token has expired (190): stops the channel", refused=(401, 190)),
    "1042": Behaviour("billing problem (131042): stops the channel", refused=(400, 131042)),
    "9999": Behaviour("an error code that nobody knows (999999)", refused=(400, 999999)),
    "0503": Behaviour("HTTP 503 without an error envelope", answer="error page", status=503),
    "0500": Behaviour("HTTP 500 without an error envelope", answer="error page", status=500),
    "0200": Behaviour("HTTP 200 with an HTML page", answer="html"),
    "0104": Behaviour("the connection breaks after the request; the message is lost", answer="broken"),
    "0408": Behaviour(
        "never an answer, but the message was accepted: a late webhook proves it",
        answer="none",
        updates=SENT_LATE,
    ),
    "0409": Behaviour("never an answer, and the message is lost", answer="none"),
    "3026": Behaviour(
        "accepted, then a failed webhook: not on WhatsApp (131026)", updates=FAILS, failure=131026
    ),
    "3049": Behaviour(
        "accepted, then a failed webhook: marketing limit (131049)", updates=FAILS, failure=131049
    ),
}

MESSAGES = {
    190: "Error validating access token: The session has expired.",
    130429: "(#130429) Rate limit hit",
    131000: "(#131000) Something went wrong",
    131026: "(#131026) Message undeliverable",
    131042: "(#131042) Business eligibility payment issue",
    131047: "(#131047) Re-engagement message",
    131049: "(#131049) Meta chose not to deliver this message",
    131050: "(#131050) User has stopped marketing messages",
    131056: "(#131056) (Business Account, Consumer Account) pair rate limit hit",
    132015: "(#132015) Template is paused",
}


def behaviour_of(recipient: str) -> Behaviour:
    """Return what happens to messages for this number (with or without its plus sign) or user id."""
    digits = "".join(character for character in recipient if character.isdigit())
    return MAGIC.get(digits.removeprefix(PREFIX), NORMAL) if digits.startswith(PREFIX) else NORMAL
