"""The files that the app uploads for sending, kept in memory for the phones that they are sent to (pure)."""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image

# Larger ones are taken, as Meta does, but not kept.
LARGEST = 16 * 1024 * 1024
MOST_BYTES, MOST_FILES = 64 * 1024 * 1024, 100

_BOUNDARY = re.compile(r'multipart/form-data;.*\bboundary="?([^";]{1,200})"?', re.IGNORECASE | re.ASCII)
_TYPE = re.compile(rb"^content-type:\s*([\w.+-]+/[\w.+-]+)", re.IGNORECASE | re.MULTILINE)
_IS_FILE = re.compile(rb'^content-disposition:.*\bname="file"', re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class File:
    """``size`` is that of a picture, width by height in pixels; nothing for other files."""

    mime_type: str
    data: bytes
    size: tuple[int, int] | None = None


class Uploads:
    """The newest files: no more than ``MOST_FILES`` of them, and no more than ``MOST_BYTES`` in all."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def take(self, body: bytes, content_type: str) -> str:
        """Return the id of an uploaded file, whose bytes are kept if there is room."""
        media_id = f"8800{secrets.randbelow(10**12):012}"
        file = read(body, content_type) if len(body) <= LARGEST else None
        if file is not None:
            with self._lock:
                self._files[media_id] = file
                self._bytes += len(file.data)
                while self._bytes > MOST_BYTES or len(self._files) > MOST_FILES:
                    _media_id, oldest = self._files.popitem(last=False)
                    self._bytes -= len(oldest.data)
        return media_id

    def get(self, media_id: str) -> File | None:
        with self._lock:
            return self._files.get(media_id)


def read(body: bytes, content_type: str) -> File | None:
    """Return the file in a form (multipart/form-data, RFC 7578), or nothing."""
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        return None
    for part in body.split(b"--" + boundary[1].encode()):
        head, _gap, data = part.partition(b"\r\n\r\n")
        if _IS_FILE.search(head):
            kind = _TYPE.search(head)
            data = data.removesuffix(b"\r\n")
            return File(kind[1].decode().lower() if kind else "", data, _size(data))
    return None


def _size(data: bytes) -> tuple[int, int] | None:
    # Whatever somebody has uploaded: no picture, a broken one, one that is too large to be drawn.
    with contextlib.suppress(OSError, ValueError, Image.DecompressionBombError):
        return Image.open(io.BytesIO(data)).size
    return None
