"""Files that members attach to a message: taken in, looked into, kept until they are sent or forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from conversations.media import inspection
from conversations.media.incoming import incoming_file
from conversations.media.inspection import MAX_BYTES, Fault, NotTaken
from conversations.models import Upload
from trochai.ui.formatting import plain

if TYPE_CHECKING:
    from conversations.models import Conversation
    from trochai.accounts.models import User

MEGABYTE = 1024 * 1024
# How long a file waits to be sent.
KEPT = dt.timedelta(days=1)
# One message each.
MOST_FILES = 10
# Of one member; the oldest ones go first.
MOST_UNSENT = 2 * MOST_FILES


@dataclass(frozen=True)
class Type:
    """``kind`` is Meta's kind of message; ``most`` is in bytes."""

    kind: str
    mime_type: str
    most: int


_WORD, _SLIDES, _SHEET = (
    f"application/vnd.openxmlformats-officedocument.{name}"
    for name in ("wordprocessingml.document", "presentationml.presentation", "spreadsheetml.sheet")
)
# By the ending of the name. Source: "Supported media types" in Meta's reference (June 2026).
TYPES: Mapping[str, Type] = {
    **dict.fromkeys((".jpg", ".jpeg"), Type("image", "image/jpeg", 5 * MEGABYTE)),
    ".png": Type("image", "image/png", 5 * MEGABYTE),
    ".mp4": Type("video", "video/mp4", 16 * MEGABYTE),
    ".3gp": Type("video", "video/3gp", 16 * MEGABYTE),
    ".aac": Type("audio", "audio/aac", 16 * MEGABYTE),
    ".amr": Type("audio", "audio/amr", 16 * MEGABYTE),
    ".mp3": Type("audio", "audio/mpeg", 16 * MEGABYTE),
    ".m4a": Type("audio", "audio/mp4", 16 * MEGABYTE),
    **dict.fromkeys((".ogg", ".opus"), Type("audio", "audio/ogg", 16 * MEGABYTE)),
    ".txt": Type("document", "text/plain", MAX_BYTES),
    ".pdf": Type("document", "application/pdf", MAX_BYTES),
    ".doc": Type("document", "application/msword", MAX_BYTES),
    ".docx": Type("document", _WORD, MAX_BYTES),
    ".ppt": Type("document", "application/vnd.ms-powerpoint", MAX_BYTES),
    ".pptx": Type("document", _SLIDES, MAX_BYTES),
    ".xls": Type("document", "application/vnd.ms-excel", MAX_BYTES),
    ".xlsx": Type("document", _SHEET, MAX_BYTES),
}
# What people have instead, and what to send.
INSTEAD: Mapping[str, str] = {
    **dict.fromkeys((".heic", ".heif", ".webp", ".gif", ".bmp", ".svg", ".tif", ".tiff", ".avif"), "JPEG"),
    **dict.fromkeys((".mov", ".avi", ".mkv", ".webm", ".wmv"), "MP4"),
    **dict.fromkeys((".wav", ".flac", ".wma"), "MP3"),
    **dict.fromkeys((".odt", ".ods", ".odp", ".pages", ".rtf", ".html"), "PDF"),
}


class Refused(Exception):
    """``str()`` says why, to the person who attached it."""


class Handler(FileUploadHandler):
    """Writes what comes in to where there is room for it, and keeps nothing that is too large."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        # Closed with the request.
        self._file = incoming_file()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > MAX_BYTES:
            self._file.close()
            raise SkipFile
        self._file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        self._file.seek(0)
        return UploadedFile(self._file, self.file_name or "", self.content_type, file_size)


def take(file: UploadedFile, *, conversation: Conversation, by: User) -> Upload:
    """Keep a file that is to be sent. Raises ``Refused``."""
    name = plain(file.name or "").strip()[-200:]
    type_ = _type_of(name)
    size = file.size or 0
    if size > type_.most:
        raise Refused(_over(size, type_.most))
    try:
        found = inspection.inspect(type_.kind, file, with_peaks=False)
    except NotTaken as refusal:
        raise Refused(_why(refusal.fault)) from None
    if type_.kind == "image" and found.mime_type != type_.mime_type:
        raise Refused(_why(Fault.WRONG_TYPE))
    upload = Upload(conversation=conversation, by=by, kind=type_.kind, name=name)
    upload.keep(file, found)
    # As Meta calls it, which also tells documents apart.
    upload.mime_type = type_.mime_type
    upload.save()
    for forgotten in Upload.objects.filter(by=by).order_by("-pk")[MOST_UNSENT:]:
        forgotten.delete()
    return upload


def again(ids: Iterable[object], *, conversation: Conversation, by: User) -> list[Upload]:
    """Return those of the member's uploads that a form named, for the form as it comes back."""
    return list(Upload.objects.filter(conversation=conversation, by=by, uuid__in=list(ids)).order_by("pk"))


def too_large() -> Refused:
    """Return the refusal of what ``Handler`` has not kept."""
    return Refused(_("over %(most)s") % {"most": filesizeformat(MAX_BYTES)})


def purge(*, now: dt.datetime) -> None:
    for upload in Upload.objects.filter(created_at__lte=now - KEPT).iterator():
        upload.delete()


def _type_of(name: str) -> Type:
    ending = PurePosixPath(name).suffix.lower()
    if ending in TYPES:
        return TYPES[ending]
    if ending in INSTEAD:
        words = _("WhatsApp doesn’t take %(ending)s. Send it as %(instead)s.")
        raise Refused(words % {"ending": ending, "instead": INSTEAD[ending]})
    raise Refused(_("WhatsApp doesn’t take %(ending)s.") % {"ending": ending or _("files without an ending")})


def _over(size: int, most: int) -> str:
    return _("%(size)s: over %(most)s") % {"size": filesizeformat(size), "most": filesizeformat(most)}


def _why(fault: Fault) -> str:
    return {
        Fault.EMPTY: _("The file is empty."),
        Fault.TOO_LARGE: _("It has too many pixels."),
        Fault.WRONG_TYPE: _("It is not what its name says."),
    }[fault]
