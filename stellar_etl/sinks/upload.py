"""Uploads to Google Cloud Storage. Imported on first use: the client library takes a second to load."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from google.api_core.exceptions import NotFound
from google.cloud import storage

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


def upload(bucket: str, files: Iterable[Upload]) -> None:
    """Upload files, some of them at a time; the service checks their CRC32C.

    The first error ends it, also for files that have not begun.

    Raises:
        ExportError: the bucket refused a file, or could not be reached for a minute.
    """
    upload_one = partial(_upload, client().bucket(bucket))  # one client: each thread would make its own
    # Its threads are daemons: a signal ends the program at once, as without threads.
    with ThreadPool(UPLOADS) as pool:
        for _ in pool.imap_unordered(upload_one, files):
            pass


def _upload(bucket: storage.Bucket, file: Upload) -> None:
    blob = bucket.blob(file.name, chunk_size=CHUNK)
    problem = f"gs://{bucket.name}/{file.name} could not be written"
    try:
        with problems_of(problem):
            blob.upload_from_filename(
                str(file.path),
                content_type=file.content_type,
                checksum="crc32c",
                retry=retry(),
            )
    except NotFound as error:
        raise ExportError(f"{problem}: {error}") from None
