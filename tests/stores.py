"""Where files are kept, as the tests look into it: a folder, or a bucket of a real S3 server."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import boto3
import pytest
from moto.server import create_backend_app
from werkzeug.serving import make_server

# Marks a test of what must be so with both.
IN_EITHER = pytest.mark.parametrize("store", ["folder", "bucket"], indirect=True)
IN_A_BUCKET = pytest.mark.parametrize("store", ["bucket"], indirect=True)

BUCKET = "files-of-tests"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> set[str]:
        return {path.name for path in self._path.rglob("*") if path.is_file()}

    def lose(self, name: str) -> None:
        (self._path / name).unlink()


class Bucket:
    """One prefix of the server's bucket, so that no test sees another's files."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.prefix = uuid.uuid4().hex

    @property
    def storages(self) -> dict[str, object]:
        return bucket_at(self.server.url, location=self.prefix)

    def names(self) -> set[str]:
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix).get("Contents", [])
        return {each["Key"].rsplit("/", 1)[1] for each in found}

    def lose(self, name: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}")

    @property
    def _client(self):
        return self.server.client


class Server:
    """S3 over HTTP.

    ``asked``: the method of each request, and what part of a file it wanted. ``meanwhile`` is called in each.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self._app = create_backend_app("s3")
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        with mock.patch.dict(os.environ, KEYS):
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
            self.client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")
            self.client.create_bucket(Bucket=BUCKET)
            try:
                yield self
            finally:
                self.client.close()
                self._server.shutdown()
                self._server.server_close()

    def _answer(self, environ, start_response):
        self.asked.append((environ["REQUEST_METHOD"], environ.get("HTTP_RANGE")))
        self.meanwhile()
        return self._app(environ, start_response)


def bucket_at(url: str, **options: object) -> dict[str, object]:
    """Return what ``settings.STORAGES`` is with a bucket there."""
    backend = "conversations.media.bucket.Bucket"
    return {"BACKEND": backend, "OPTIONS": {"bucket_name": BUCKET, "endpoint_url": url, **options}}
