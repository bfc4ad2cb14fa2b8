"""What a file is called where it is shown or saved (pure)."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.core.exceptions import SuspiciousFileOperation
from django.utils.text import get_valid_filename

from trochai.ui.formatting import plain
from trochai.whatsapp.json_reading import mapping, text

if TYPE_CHECKING:
    from conversations.models import Attachment, Message

LONGEST = 200
_ENDINGS = {"audio/ogg": ".ogg", "audio/mp4": ".m4a", "audio/amr": ".amr", "image/webp": ".webp"}


def given_name(message: Message) -> str:
    """Return the name that the sender's document has, or nothing; its ending stands at the end."""
    return plain(text(mapping(message.content, "document").get("filename"))).strip()[:LONGEST]


def name_of(attachment: Attachment) -> str:
    """Return the name under which the file is saved: the sender's, or one made of kind and day."""
    given = given_name(attachment.message)
    if given:
        try:
            # Never a path, and nothing that a file system would not take.
            return get_valid_filename(PurePosixPath(given.replace("\\", "/")).name.lstrip("."))
        except SuspiciousFileOperation:
            return "document"
    message = attachment.message
    ending = _ENDINGS.get(attachment.mime_type) or mimetypes.guess_extension(attachment.mime_type) or ""
    return f"WhatsApp {message.kind} {message.at:%Y-%m-%d}{ending}"


def ending_of(name: str) -> str:
    """Return what stands on a document's tile: PDF, DOCX; at most four letters."""
    suffix = PurePosixPath(name).suffix.removeprefix(".")
    return suffix.upper() if suffix.isalnum() and len(suffix) <= 4 else ""
