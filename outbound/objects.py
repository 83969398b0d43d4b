"""Objects below one prefix of a bucket: the batches that are read, the receipts that are written."""

from __future__ import annotations

import os
from typing import BinaryIO, cast

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

EMULATOR = "STORAGE_EMULATOR_HOST"
"""The address of the stand-in of Cloud Storage, with its scheme; Google's client library reads the same variable."""

CHUNK = 1 << 20


def storage_client() -> storage.Client:
    """Return a client with the worker's credentials, or without credentials for a stand-in."""
    if endpoint := os.environ.get(EMULATOR):
        options = ClientOptions(api_endpoint=endpoint)
        return storage.Client(project="local", credentials=AnonymousCredentials(), client_options=options)
    return storage.Client()


class Objects:
    """The objects of one bucket below one prefix."""

    def __init__(self, client: storage.Client, uri: str) -> None:
        """Parse `gs://bucket/prefix`."""
        bucket, _, self.prefix = uri.removeprefix("gs://").partition("/")
        self._client = client
        self._bucket = client.bucket(bucket)

    def names(self) -> list[str]:
        """Return the names of all objects, below the prefix, in order."""
        blobs = self._client.list_blobs(self._bucket, prefix=f"{self.prefix}/", fields="items(name),nextPageToken")
        return sorted(blob.name.removeprefix(f"{self.prefix}/") for blob in blobs)

    def open(self, name: str) -> BinaryIO:
        """Open an object for reads at any position; only the requested blocks are fetched."""
        return cast("BinaryIO", self._blob(name).open("rb", chunk_size=CHUNK))

    def create(self, name: str, content: bytes) -> bool:
        """Write an object if none has its name; return whether it was written."""
        try:
            self._blob(name).upload_from_string(content, content_type="application/json", if_generation_match=0)
        except PreconditionFailed:
            return False
        return True

    def _blob(self, name: str) -> storage.Blob:
        return self._bucket.blob(f"{self.prefix}/{name}")
