"""What is stored of a message, in the reader's language (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trochai.whatsapp.cloud_api.failures import SENTENCES as THEIRS

# How an audio that was spoken into WhatsApp is told apart from other audio; Meta has no kind for it.
VOICE = "voice"
# Nor for one that the contact has deleted.
REVOKED = "revoked"
# What a message is called that holds no words; of every other kind the same is said.
KINDS: Mapping[str, Promise | str] = {
    "text": "",
    "button": gettext_lazy("Button"),
    "interactive": gettext_lazy("Reply"),
    "image": gettext_lazy("Photo"),
    "video": gettext_lazy("Video"),
    "audio": gettext_lazy("Audio"),
    VOICE: gettext_lazy("Voice message"),
    "document": gettext_lazy("Document"),
    "sticker": gettext_lazy("Sticker"),
    "location": gettext_lazy("Location"),
    "system": gettext_lazy("Notice from WhatsApp"),
    "contacts": gettext_lazy("Contact card"),
    "order": gettext_lazy("Order"),
    "call": gettext_lazy("Called this number"),
    REVOKED: gettext_lazy("Deleted by the contact"),
    "call_permission_accept": gettext_lazy("Allows calls"),
    "call_permission_reject": gettext_lazy("Does not allow calls"),
}
OTHER = gettext_lazy("A message that can’t be shown here")


class Cause(StrEnum):
    """What keeps a person's message from being sent apart from WhatsApp's errors.

    Stored, so never renamed.
    """

    NOT_BEGUN = "not_begun"
    NOT_UPLOADED = "not_uploaded"
    WINDOW_CLOSED = "window_closed"
    OPTED_OUT = "opted_out_since"
    NOT_APPROVED = "not_approved"
    CHANGED = "changed"
    BROKEN = "broken"


SENTENCES: Mapping[str, Promise | str] = {
    **THEIRS,
    Cause.NOT_BEGUN: gettext_lazy("It could not be sent within 2 minutes."),
    Cause.NOT_UPLOADED: gettext_lazy("Its file could not be passed on to WhatsApp within 10 minutes."),
    Cause.WINDOW_CLOSED: gettext_lazy("The 24-hour window closed before it could be sent."),
    Cause.OPTED_OUT: gettext_lazy("The contact asked for no more messages before it could be sent."),
    Cause.NOT_APPROVED: gettext_lazy("The template is no longer approved by WhatsApp. Choose another one."),
    Cause.CHANGED: gettext_lazy("The template has changed since: its values no longer fit. Choose it again."),
    Cause.BROKEN: gettext_lazy("It could not be prepared for sending: something in it is broken."),
}


# Meta's kinds of message that are a file. A picture that comes with another kind (an ad's) is none of them.
FILES = frozenset({"image", "video", "audio", "document", "sticker"})


# The icon that stands for a message that is more than words.
PICTURES: Mapping[str, str] = {
    "image": "image",
    "video": "video",
    "audio": "mic",
    VOICE: "mic",
    "document": "file-text",
    "sticker": "sticker",
    "location": "map-pin",
    "contacts": "contact",
    "order": "shopping-cart",
    "call": "phone-incoming",
}


def icon_of(kind: str) -> str:
    """Return the icon that says what kind of message it is; nothing for mere words."""
    return "layout-template" if kind == "template" else PICTURES.get(kind, "")


def in_words(kind: str, text: str) -> str:
    """Return a message's own words, or what kind of message it is; a reaction's text is its emoji."""
    if kind == "reaction":  # a message of its own in histories of earlier versions
        return _("Reacted with %(emoji)s") % {"emoji": text} if text else _("Removed a reaction")
    if kind == REVOKED:
        return str(KINDS[REVOKED])
    return text or str(KINDS.get(kind, OTHER))


def beside_picture(kind: str, text: str) -> str:
    """Return the words of a bubble: nothing where its picture says it all."""
    return "" if kind in PICTURES and not text else in_words(kind, text)
