"""Folders of Google Cloud Storage buckets. Imported on first use: the client library takes a second to load."""

from __future__ import annotations

from collections.abc import Iterator

from google.api_core.exceptions import NotFound
from google.cloud import storage

from stellar_etl.errors import ExportError
from stellar_etl.google_storage import client, problems_of, retry
from stellar_etl.sources.stores.base import CHUNK

PAGE = 1000
"""The most names that the service returns at once."""


class BucketStore:
    """A folder of a bucket; STORAGE_EMULATOR_HOST selects an emulator.

    The client library retries transient errors, and requests the rest of an interrupted object.
    """

    remote = True

    def __init__(self, url: str) -> None:
        self.location = url.rstrip("/")
        bucket, _, prefix = self.location.removeprefix("gs://").partition("/")
        self._name = bucket
        client()  # fails at once without credentials
        self._prefix = f"{prefix}/" if prefix else ""
        self._retry = retry()

    @property
    def _bucket(self) -> storage.Bucket:
        return client().bucket(self._name)

    def names(self, after: str, page: int) -> Iterator[str]:
        """The names after a given one."""
        try:
            with problems_of(f"{self.location} can't be listed"):
                for blob in self._bucket.client.list_blobs(
                    self._bucket,
                    prefix=self._prefix,
                    start_offset=self._prefix + after,
                    page_size=min(page + 1, PAGE),  # the offset itself can exist
                    fields="items(name),nextPageToken",
                    retry=self._retry,
                ):
                    name = blob.name.removeprefix(self._prefix)
                    if name > after:
                        yield name
        except NotFound:
            raise ExportError(f"{self.location} can't be listed: the bucket does not exist") from None

    def read(self, name: str) -> bytes:
        """An object's bytes; the library checks their CRC32C."""
        try:
            with problems_of(f"{self.location}/{name} can't be read"):
                data: bytes = self._bucket.blob(self._prefix + name).download_as_bytes(
                    raw_download=True,  # an object can have a Content-Encoding, which the library would decode
                    retry=self._retry,
                )
        except NotFound:
            raise self._missing(name) from None
        return data

    def stream(self, name: str) -> Iterator[bytes]:
        """An object's bytes in pieces."""
        try:
            with (
                problems_of(f"{self.location}/{name} can't be read"),
                self._bucket.blob(self._prefix + name).open(
                    "rb", chunk_size=16 * CHUNK, raw_download=True, retry=self._retry
                ) as file,
            ):
                while piece := file.read(CHUNK):
                    yield piece
        except NotFound:
            raise self._missing(name) from None

    def _missing(self, name: str) -> FileNotFoundError:
        return FileNotFoundError(f"{self.location}/{name} can't be read: the object does not exist")
