"""Celery's filesystem broker for the embedded run, made safe against half-written files.

Kombu's own transport creates a message's file before it writes it, and rewrites its queue tables in place.
A process that reads in between, or after the writer was killed in between, finds invalid JSON, which Celery
takes for an unrecoverable error: the worker exits. Here every file appears whole, by a rename, and one that
cannot be read is dropped. Nothing is lost by that, because the real queue is in the database.
"""

from __future__ import annotations

import fcntl
import json
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)


def write_whole(path: Path, content: str) -> None:
    """Write ``path`` so that it appears with all of its content, or not at all."""
    draft = path.with_name(f".{uuid.uuid4().hex}.draft")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)


class Channel(filesystem.Channel):
    """Kombu's channel with its three writers and its two readers replaced."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{time.monotonic_ns():020}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in sorted(Path(self.data_folder_in).iterdir()):
            if path.name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                content = path.read_text(encoding="utf-8")
                path.unlink()  # only one reader succeeds: the message is theirs
                return loads(content)
            except FileNotFoundError:
                continue
            except ValueError:
                logger.warning("Dropped the unreadable message %s", path.name)
        raise Empty

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:
        try:
            rows = json.loads(self._exchange_file(exchange).read_text(encoding="utf-8"))
            return [filesystem.exchange_queue_t(*row) for row in rows]
        except (FileNotFoundError, ValueError, TypeError):
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._locked_tables():
            table = self.get_table(exchange)
            if row not in table:
                write_whole(self._exchange_file(exchange), json.dumps([row, *table]))

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._locked_tables():
            table = self.get_table(exchange)
            if row in table:
                table.remove(row)
                write_whole(self._exchange_file(exchange), json.dumps(table))
        self._purge(queue)

    @contextmanager
    def _locked_tables(self) -> Iterator[None]:
        """Let one process at a time read, change and replace a table."""
        with (self.control_folder / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel
