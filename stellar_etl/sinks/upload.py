"""Uploads to Google Cloud Storage. Imported on first use: the client library takes a second to load."""

from __future__ import annotations

from pathlib import Path

from google.api_core.exceptions import NotFound

from stellar_etl.errors import ExportError
from stellar_etl.google_storage import client, problems_of, retry


def upload(bucket: str, name: str, path: Path, content_type: str) -> None:
    """Upload a complete file under its name; the service checks its CRC32C.

    Raises:
        ExportError: the bucket refused it, or could not be reached for a minute.
    """
    blob = client().bucket(bucket).blob(name)
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
