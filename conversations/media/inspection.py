"""What a file really is: its sender's word for it counts for nothing (pure, but for the file's position).

Pictures are decoded by Pillow, recordings and videos by FFmpeg (PyAV), each told which formats it may meet:
neither an SVG nor a playlist, which would have FFmpeg open other addresses, is a picture or a recording.
Documents are not looked into; they are only ever handed out to be saved.
"""

from __future__ import annotations

import array
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import IO

import av
from django.core.files import File
from PIL import Image, ImageOps

# Bytes. What WhatsApp itself takes at most (Meta's "Media" reference, documents).
MAX_BYTES = 100 * 1024 * 1024
# Decoded, a pixel takes four bytes.
MAX_PIXELS = 25_000_000
# Where Pillow would only warn, and refuse what is twice as large, ``_picture`` refuses.
Image.MAX_IMAGE_PIXELS = None
# What a bubble shows, on a screen with two dots a pixel.
THUMBNAIL = (656, 984)
# How many bars are drawn of a recording, and for how many seconds at most they are worth the work.
PEAKS = 48
LONGEST_DRAWN = 15 * 60
# Hertz. Enough to see how loud it is.
COARSE = 8000

PICTURES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# FFmpeg's name for each, and the type as a recording and as a video.
_STREAMS = {
    "ogg": ("audio/ogg", ""),
    "mp3": ("audio/mpeg", ""),
    "aac": ("audio/aac", ""),
    "amr": ("audio/amr", ""),
    "mov,mp4,m4a,3gp,3g2,mj2": ("audio/mp4", "video/mp4"),
}
_FORMATS = {"format_whitelist": "ogg,mp3,aac,amr,mov"}


class Fault(StrEnum):
    """Why a file was not taken. Stored, so never renamed."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    WRONG_TYPE = "wrong_type"


class NotTaken(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True)
class Found:
    """``thumbnail`` is a WebP of ``width`` times ``height`` pixels, or empty."""

    mime_type: str = "application/octet-stream"
    thumbnail: bytes = b""
    width: int | None = None
    height: int | None = None
    seconds: int | None = None
    peaks: tuple[int, ...] = ()


def inspect(kind: str, file: IO[bytes] | File[bytes], *, with_peaks: bool = True) -> Found:
    """Look into a file of a message of ``kind`` (Meta's name). Raises ``NotTaken``.

    ``with_peaks``: a recording is decoded, for up to a second or two.
    """
    file.seek(0)
    if not file.read(1):
        raise NotTaken(Fault.EMPTY)
    file.seek(0)
    match kind:
        case "image" | "sticker":
            return _picture(file)
        case "video":
            return _video(file)
        case "audio":
            return _recording(file, with_peaks=with_peaks)
        case _:
            return Found()


def _picture(file: IO[bytes]) -> Found:
    try:
        with Image.open(file, formats=tuple(PICTURES)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise NotTaken(Fault.TOO_LARGE)
            mime_type = PICTURES[image.format or ""]
            # A JPEG is decoded at about the size that is shown.
            image.draft("RGB", THUMBNAIL)
            return _with_thumbnail(Found(mime_type), ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, KeyError, EOFError):
        raise NotTaken(Fault.WRONG_TYPE) from None


def _with_thumbnail(found: Found, image: Image.Image) -> Found:
    image.thumbnail(THUMBNAIL)
    small = io.BytesIO()
    image.convert("RGBA" if image.has_transparency_data else "RGB").save(small, "WEBP", quality=80)
    return Found(found.mime_type, small.getvalue(), image.width, image.height, found.seconds)


def _video(file: IO[bytes]) -> Found:
    with _opened(file) as container:
        mime_type = _STREAMS[container.format.name][1]
        if not mime_type or not container.streams.video:
            raise NotTaken(Fault.WRONG_TYPE)
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise NotTaken(Fault.TOO_LARGE)
        found = Found(mime_type, seconds=_seconds(container))
        first = next(container.decode(stream), None)
        if not isinstance(first, av.VideoFrame):
            raise NotTaken(Fault.WRONG_TYPE)
        return _with_thumbnail(found, first.to_image())


def _recording(file: IO[bytes], *, with_peaks: bool) -> Found:
    with _opened(file) as container:
        mime_type = _STREAMS[container.format.name][0]
        if not container.streams.audio or container.streams.video:
            raise NotTaken(Fault.WRONG_TYPE)
        seconds = _seconds(container)
        drawn = with_peaks and seconds is not None and seconds <= LONGEST_DRAWN
        return Found(mime_type, seconds=seconds, peaks=_peaks(container) if drawn else ())


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[av.container.InputContainer]:
    try:
        with av.open(file, "r", options=_FORMATS, metadata_errors="replace") as container:
            yield container
    except (av.FFmpegError, KeyError, UnicodeError):
        raise NotTaken(Fault.WRONG_TYPE) from None


def _seconds(container: av.container.InputContainer) -> int | None:
    return None if container.duration is None else round(container.duration / av.time_base)


def _peaks(container: av.container.InputContainer) -> tuple[int, ...]:
    """Return how loud each of ``PEAKS`` equal parts is, the loudest being 100."""
    loudness = array.array("H")
    resampler = av.AudioResampler("s16", "mono", COARSE)
    for frame in container.decode(audio=0):
        for coarse in resampler.resample(frame):
            samples = array.array("h", bytes(coarse.planes[0])[: coarse.samples * 2])
            if samples:
                loudness.append(max(*samples, -min(samples)))
        # Whatever the header said of its length.
        if frame.time is not None and frame.time > LONGEST_DRAWN:
            return ()
    loudest = max(loudness, default=0)
    if not loudest:
        return ()
    bounds = [len(loudness) * each // PEAKS for each in range(PEAKS + 1)]
    parts = (loudness[start : max(end, start + 1)] for start, end in pairwise(bounds))
    return tuple(round(100 * max(part) / loudest) for part in parts)
