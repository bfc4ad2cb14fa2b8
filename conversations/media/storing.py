"""Where files are kept: a folder, or a bucket (``conversations.media.bucket``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from django.core.files.storage import FileSystemStorage

# Bytes read at a time.
PIECE = 64 * 1024


class Away(Exception):
    """What keeps the files doesn't answer, or not now."""


class Source(Protocol):
    def read(self, amount: int, /) -> bytes: ...

    def close(self) -> None: ...


class Part:
    """``length`` bytes of a file, read as they are wanted."""

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        left = self._length
        while left and (piece := self._source.read(min(PIECE, left))):
            left -= len(piece)
            yield piece

    def close(self) -> None:
        self._source.close()


class Store(Protocol):
    """What both have beside Django's interface. Raises ``FileNotFoundError`` or ``Away``."""

    def size(self, name: str) -> int: ...

    def part(self, name: str, first: int, length: int) -> Part: ...


class Folder(FileSystemStorage):
    def part(self, name: str, first: int, length: int) -> Part:
        file = self.open(name)
        file.seek(first)
        return Part(file, length)
