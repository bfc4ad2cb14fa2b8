"""The sentences that rows kept until words came to be made when they are read, and what they meant.

For the migrations of three apps. Frozen: what the product says today is elsewhere and may change.
"""

from __future__ import annotations

REFUSED = "WhatsApp refused the message: "
CAUSES = {
    "WhatsApp refused the message without saying why.": "unexplained",
    "WhatsApp’s rate limit was reached: too many messages in a short time. Try again later.": "too_fast",
    "WhatsApp is not available at the moment. Try again later.": "busy",
    "WhatsApp could not be reached. Try again later.": "not_reached",
    "WhatsApp’s answer could not be read. Try again later.": "unreadable",
    "WhatsApp did not answer: the message may have reached the contact.": "no_answer",
    "WhatsApp’s answer could not be read: the message may have reached the contact.": "outcome_unreadable",
    "Something unexpected happened during the call.": "broke_off",
    "The WhatsApp channel is not connected. An admin needs to enter its token.": "not_connected",
    "Too many messages right now. Try again in a moment.": "no_slot",
    "The template has no name or language.": "no_template",
    "The message is empty.": "empty",
    "The message is longer than 4,096 characters. Shorten it.": "too_long",
    "The message’s reference is too long.": "reference_too_long",
    "The contact has no valid phone number. It must begin with + and the country code.": "no_number",
}


def meaning_of(code, sentence):
    """Return cause and values; a sentence that nobody knows is kept as it was told."""
    if sentence.startswith(REFUSED):
        return "refused", {"details": sentence.removeprefix(REFUSED)}
    if sentence in CAUSES and (code is None or CAUSES[sentence] == "unexplained"):
        return CAUSES[sentence], {}
    if code is not None or not sentence:
        return "", {}  # the code says it all
    return "as_told", {"text": sentence}


def batches(rows, size=1000):
    """Yield the rows in lists, in the order of their keys: each list is a transaction of its own."""
    page = list(rows.order_by("pk")[:size])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1].pk).order_by("pk")[:size])
