"""The files that the sandbox's customers send, drawn and spoken when they are asked for."""

from __future__ import annotations

import array
import hashlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import av
from PIL import Image, ImageDraw

SIZE = (960, 720)
RATE = 48_000  # hertz


@dataclass(frozen=True)
class SampleFile:
    """``kind`` is Meta's kind of message; ``make`` returns the bytes."""

    media_id: str
    kind: str
    mime_type: str
    make: Callable[[], bytes]
    filename: str = ""

    def content(self, caption: str = "") -> dict[str, Any]:
        """Return the node of a webhook's message that names the file."""
        sha256 = hashlib.sha256(self.make()).hexdigest()
        node: dict[str, Any] = {"id": self.media_id, "mime_type": self.mime_type, "sha256": sha256}
        if self.kind == "audio":
            node["voice"] = True
        named = {"caption": caption, "filename": self.filename}
        return node | {key: value for key, value in named.items() if value}


@cache
def photo() -> bytes:
    """A house on a hill, as a JPEG."""
    return _encoded(_house(), "JPEG")


@cache
def plan() -> bytes:
    """Its floor plan, as a PDF of one page."""
    image = Image.new("RGB", SIZE, "#f7f5ef")
    draw = ImageDraw.Draw(image)
    for box in ((120, 90, 840, 630), (120, 90, 480, 360), (480, 90, 840, 450), (120, 360, 480, 630)):
        draw.rectangle(box, outline="#4a5a66", width=8)
    return _encoded(image, "PDF")


@cache
def sticker() -> bytes:
    """A smiling face, as a WebP that one can see through."""
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((26, 26, 486, 486), fill="#f6c94f", outline="#ffffff", width=16)
    for left in (160, 302):
        draw.ellipse((left, 170, left + 50, 240), fill="#3b2f1f")
    draw.arc((140, 190, 372, 390), 20, 160, fill="#3b2f1f", width=18)
    return _encoded(image, "WEBP")


@cache
def voice() -> bytes:
    """Seven seconds of something like speech, as Opus in Ogg."""
    out, step = io.BytesIO(), RATE // 50
    with av.open(out, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        for start in range(0, 7 * RATE, step):
            frame = av.AudioFrame(format="s16", layout="mono", samples=step)
            frame.sample_rate, frame.pts = RATE, start
            samples = array.array("h", (_speech((start + each) / RATE) for each in range(step)))
            frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@cache
def video() -> bytes:
    """Two seconds past the house, as H.264 in MP4."""
    out, house = io.BytesIO(), _house()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for step in range(24):
            view = house.crop((step * 8, 60, step * 8 + 640, 540))
            container.mux(stream.encode(av.VideoFrame.from_image(view)))
        container.mux(stream.encode(None))
    return out.getvalue()


FILES: Mapping[str, SampleFile] = {
    "photo": SampleFile("9900000000000001", "image", "image/jpeg", photo),
    "document": SampleFile("9900000000000002", "document", "application/pdf", plan, "Plano EC-204.pdf"),
    "sticker": SampleFile("9900000000000003", "sticker", "image/webp", sticker),
    "voice": SampleFile("9900000000000004", "audio", "audio/ogg; codecs=opus", voice),
    "video": SampleFile("9900000000000005", "video", "video/mp4", video),
}
BY_ID: Mapping[str, SampleFile] = {each.media_id: each for each in FILES.values()}


def _speech(second: float) -> int:
    """Return one sample: a low voice that comes and goes with its syllables."""
    syllable = abs(math.sin(second * 7.3)) * abs(math.sin(second * 0.9 + 0.4))
    tone = math.sin(2 * math.pi * 150 * second) + 0.5 * math.sin(2 * math.pi * 310 * second)
    return int(9000 * syllable * tone)


def _house() -> Image.Image:
    image = Image.new("RGB", SIZE, "#a9d0e8")
    draw = ImageDraw.Draw(image)
    draw.ellipse((-200, 430, 700, 1100), fill="#86b878")
    draw.ellipse((400, 470, 1300, 1100), fill="#76a868")
    draw.ellipse((760, 80, 860, 180), fill="#fdeec0")
    draw.rectangle((250, 330, 710, 590), fill="#f8f2e6")
    draw.polygon(((210, 340), (330, 210), (630, 210), (750, 340)), fill="#b2583d")
    for left in (300, 580):
        draw.rectangle((left, 390, left + 90, 470), fill="#6d93a8", outline="#ffffff", width=6)
    draw.rectangle((440, 430, 520, 590), fill="#6b4a34")
    return image


def _encoded(image: Image.Image, format_name: str) -> bytes:
    out = io.BytesIO()
    image.save(out, format_name)
    return out.getvalue()
