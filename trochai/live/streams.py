"""The streams of open pages: who has one, and what each has still to be told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from trochai.news import News

# What a process holds, at about 50 KB a stream; and one person, in all their browsers.
MOST = 4_000
MOST_OF_A_PERSON = 20


@dataclass(frozen=True)
class Reader:
    """Who may hear what changes in an organization."""

    person: int
    organization: int


@dataclass(eq=False)
class Stream:
    """One browser's. What it is told while it is busy comes together: each kind once, and the last moment."""

    reader: Reader
    has_ended: bool = False
    moment: str = ""
    _kinds: set[str] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, kinds: Iterable[str], moment: str) -> None:
        self._kinds.update(kinds)
        self.moment = moment
        self._woken.set()

    def end(self) -> None:
        self.has_ended = True
        self._woken.set()

    async def news(self, seconds: float) -> list[str]:
        """Return the kinds of what has changed; nothing after so many seconds, or if the stream ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        kinds, self._kinds = self._kinds, set()
        if not self.has_ended:
            self._woken.clear()
        return sorted(kinds)


class Refused(Exception):
    """There is no room for one more stream; ``of_person``: the person has too many."""

    def __init__(self, *, of_person: bool) -> None:
        super().__init__()
        self.of_person = of_person


class Streams:
    """All of this process. Used by its event loop alone."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._of_person: Counter[int] = Counter()
        # How often people had to be looked at again: whoever was looked up meanwhile is one of them perhaps.
        self.looked_again = 0

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, reader: Reader) -> Stream:
        """Raises ``Refused``."""
        if len(self) >= MOST:
            raise Refused(of_person=False)
        if self._of_person[reader.person] >= MOST_OF_A_PERSON:
            raise Refused(of_person=True)
        stream = Stream(reader)
        self._streams.add(stream)
        self._of_person[reader.person] += 1
        return stream

    def close(self, stream: Stream) -> None:
        self._streams.discard(stream)
        self._of_person.subtract([stream.reader.person])
        self._of_person += Counter()  # drops those who have none

    def hear(self, news: News) -> None:
        """Tell those whom it concerns; end those whose right to hear must be looked at again."""
        organizations, people = set(news.organizations), set(news.people)
        self.looked_again += bool(people)
        for stream in self._streams:
            if stream.reader.organization in organizations:
                stream.tell(news.kinds, news.moment)
            if stream.reader.person in people:
                stream.end()

    def end_all(self) -> None:
        for stream in self._streams:
            stream.end()
