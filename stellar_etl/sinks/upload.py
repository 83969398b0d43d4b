"""Uploads to Google Cloud Storage. Imported on first use: the client library takes a second to load."""

from __future__ import annotations

from collections.abc import Iterable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from google.api_core.exceptions import NotFound

from stellar_etl.errors import ExportError
from stellar_etl.google_storage import client, problems_of, retry

UPLOADS = 4
"""Files that are uploaded at a time: one connection to Cloud Storage is slower than a pod's network."""
CHUNK = 32 << 20
"""Bytes per request, which the client keeps in memory; its own chunks have 100 MB."""


class Upload(NamedTuple):
    """A complete file, and the name and type of its object."""

    name: str
    path: Path
    content_type: str


def upload_all(bucket: str, files: Iterable[Upload]) -> None:
    """Upload files, some of them at a time; the first error ends it, also for those that have not begun.

    Raises:
        ExportError: the bucket refused a file, or could not be reached for a minute.
    """
    # Its threads are daemons: a signal ends the program at once, as without threads.
    with ThreadPool(UPLOADS) as pool:
        for _ in pool.imap_unordered(lambda file: upload(bucket, *file), files):
            pass


def upload(bucket: str, name: str, path: Path, content_type: str) -> None:
    """Upload a complete file under its name; the service checks its CRC32C.

    Raises:
        ExportError: the bucket refused it, or could not be reached for a minute.
    """
    blob = client().bucket(bucket).blob(name, chunk_size=CHUNK)
    problem = f"gs://{bucket}/{name} could not be written"
    try:
        with problems_of(problem):
            blob.upload_from_filename(
                str(path),
                content_type=content_type,
                checksum="crc32c",
                retry=retry(),
            )
    except NotFound as error:
        raise ExportError(f"{problem}: {error}") from None
