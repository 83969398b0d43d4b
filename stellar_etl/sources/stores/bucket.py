"""Google Cloud Storage, with bounded patience. Imported late: the client library takes a second to load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from stellar_etl.errors import ExportError
from stellar_etl.sources.stores.base import CHUNK, patience

PAGE = 1000
"""The most names that the service gives at once."""


class BucketStore:
    """A folder of a bucket; STORAGE_EMULATOR_HOST leads to an emulator.

    The client library tries again what passes, and asks for the rest of an object that breaks off.
    """

    remote = True

    def __init__(self, url: str) -> None:
        self.place = url.rstrip("/")
        bucket, _, prefix = self.place.removeprefix("gs://").partition("/")
        self._name = bucket
        client()  # says at once if there are no credentials
        self._prefix = f"{prefix}/" if prefix else ""
        self._retry = DEFAULT_RETRY.with_timeout(patience())

    @property
    def _bucket(self) -> storage.Bucket:
        return client().bucket(self._name)

    def names(self, after: str, page: int) -> Iterator[str]:
        """The names after a given one."""
        try:
            with problems_of(f"{self.place} can't be listed"):
                for blob in self._bucket.client.list_blobs(
                    self._bucket,
                    prefix=self._prefix,
                    start_offset=self._prefix + after,
                    page_size=min(page + 1, PAGE),  # the offset itself may be there
                    fields="items(name),nextPageToken",
                    retry=self._retry,
                ):
                    name = blob.name.removeprefix(self._prefix)
                    if name > after:
                        yield name
        except NotFound:
            raise ExportError(f"{self.place} can't be listed: there is no bucket of that name") from None

    def read(self, name: str) -> bytes:
        """An object's bytes; the library checks their CRC32C."""
        try:
            with problems_of(f"{self.place}/{name} can't be read"):
                data: bytes = self._bucket.blob(self._prefix + name).download_as_bytes(
                    raw_download=True,  # an object may carry a Content-Encoding, which the library would undo
                    retry=self._retry,
                )
        except NotFound:
            raise self._missing(name) from None
        return data

    def stream(self, name: str) -> Iterator[bytes]:
        """An object's bytes in pieces."""
        try:
            with (
                problems_of(f"{self.place}/{name} can't be read"),
                self._bucket.blob(self._prefix + name).open(
                    "rb", chunk_size=16 * CHUNK, raw_download=True, retry=self._retry
                ) as file,
            ):
                while piece := file.read(CHUNK):
                    yield piece
        except NotFound:
            raise self._missing(name) from None

    def _missing(self, name: str) -> FileNotFoundError:
        return FileNotFoundError(f"{self.place}/{name} can't be read: there is no such object")


def client() -> storage.Client:
    """A client with the machine's own credentials; none for an emulator.

    Raises:
        ExportError: there are no credentials.
    """
    return _client_of(os.getpid())


@cache
def _client_of(process: int) -> storage.Client:  # noqa: ARG001 one that was forked must not share its connections
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulator", credentials=AnonymousCredentials())
    try:
        return storage.Client()
    except GoogleAuthError as error:
        raise ExportError(f"no credentials for Google Cloud Storage: {error}") from None


@contextmanager
def problems_of(place: str) -> Iterator[None]:
    """Turns what the service and its client library raise into one line; a missing object stays `NotFound`.

    Raises:
        ExportError: naming the place.
    """
    try:
        yield
    except NotFound:
        raise
    except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, DataCorruption) as error:
        raise ExportError(f"{place}: {error}") from None


def upload(bucket: str, name: str, path: Path, content_type: str) -> None:
    """Uploads a file whole under its name; the service checks its CRC32C.

    Raises:
        ExportError: the bucket refused it, or could not be reached for a minute.
    """
    blob = client().bucket(bucket).blob(name)
    place = f"gs://{bucket}/{name} could not be written"
    try:
        with problems_of(place):
            blob.upload_from_filename(
                str(path),
                content_type=content_type,
                checksum="crc32c",
                retry=DEFAULT_RETRY.with_timeout(patience()),
            )
    except NotFound as error:
        raise ExportError(f"{place}: {error}") from None
