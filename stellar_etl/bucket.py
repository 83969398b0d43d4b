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

PATIENCE_SECONDS = 60


@cache
def client() -> storage.Client:
    """A client with the machine's own credentials; none for an emulator.

    Raises:
        ExportError: there are no credentials.
    """
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
                retry=DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS),
            )
    except NotFound as error:
        raise ExportError(f"{place}: {error}") from None
