"""Files in a private S3 bucket (docs/decisions/0025)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore import exceptions
from botocore.config import Config
from django.core.files import File
from s3transfer.exceptions import RetriesExceededError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from conversations.media.incoming import incoming_file
from conversations.media.storing import Away, Part

# Seconds without an answer. Somebody waits for it, in one of web's few threads.
PATIENCE = 5
TRIES = 2
TOO_MANY_REQUESTS, UNAVAILABLE = 429, 500
UNREACHED = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    RetriesExceededError,
)


@contextmanager
def _asked() -> Iterator[None]:
    """Say what went wrong as a folder would, or that the bucket is away."""
    try:
        yield
    except exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            raise FileNotFoundError(str(error)) from error
        if status == TOO_MANY_REQUESTS or status >= UNAVAILABLE:
            raise Away(str(error)) from error
        raise
    except UNREACHED as error:
        raise Away(str(error)) from error


class Bucket(S3Storage):  # type: ignore[misc]  # it has no types
    """Nothing in it is public, and nobody is told an address: web hands out what is asked for."""

    def __init__(self, *, patience: float = PATIENCE, **options: Any) -> None:
        client = Config(
            connect_timeout=patience,
            read_timeout=patience,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            signature_version="s3v4",
            # Those that boto adds by itself are not understood by every other server.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # One piece of a large file in memory at a time.
        one_by_one = TransferConfig(use_threads=False)
        super().__init__(client_config=client, transfer_config=one_by_one, querystring_auth=False, **options)

    def part(self, name: str, first: int, length: int) -> Part:
        with _asked():
            found = self._object(name).get(Range=f"bytes={first}-{first + length - 1}")
        return Part(found["Body"], length)

    @_asked()
    def size(self, name: str) -> int:
        size: int = self._object(name).content_length
        return size

    @_asked()
    def delete(self, name: str) -> None:
        super().delete(name)

    @_asked()
    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        """Bring it here for as long as it is open: who reads it goes to and fro."""
        with ExitStack() as unless_it_comes:
            file = unless_it_comes.enter_context(incoming_file())
            self._object(name).download_fileobj(file, Config=self.transfer_config)
            file.seek(0)
            unless_it_comes.pop_all()
        return File(file, name)

    @_asked()
    def _save(self, name: str, content: File[bytes]) -> str:
        kept: str = super()._save(name, content)
        return kept

    def _object(self, name: str) -> Any:
        return self.bucket.Object(self._normalize_name(clean_name(name)))
