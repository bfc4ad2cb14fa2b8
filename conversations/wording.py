"""What is stored of a message, in the reader's language (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# How an audio that was spoken into WhatsApp is told apart from other audio; Meta has no kind for it.
VOICE = "voice"
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
}
OTHER = gettext_lazy("A message that can only be read in WhatsApp")
# Kinds that a bubble names by a picture of their own.
PICTURED = frozenset({"image", "video", "audio", VOICE, "document", "sticker", "location", "contacts"})


def in_words(kind: str, text: str) -> str:
    """Return a message's own words, or what kind of message it is; a reaction's text is its emoji."""
    if kind == "reaction":
        return _("Reacted with %(emoji)s") % {"emoji": text} if text else _("Removed a reaction")
    return text or str(KINDS.get(kind, OTHER))


def beside_picture(kind: str, text: str) -> str:
    """Return the words of a bubble: nothing where its picture says it all."""
    return "" if kind in PICTURED and not text else in_words(kind, text)
