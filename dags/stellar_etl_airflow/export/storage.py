"""Where exported files lie: the bucket, or the folder of a volume that the workers see. Names are the objects'."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import google_crc32c
from google.cloud import storage

from stellar_etl_airflow.export.contents import RowCounter
from stellar_etl_airflow.export.manifest import StoredObject

CHUNK = 1 << 20


class ExportStorage(Protocol):
    """Exported files by name."""

    def stored(self, folder: str) -> dict[str, StoredObject]:
        """What lies below a folder, by name."""

    def text(self, name: str) -> str:
        """A small file's text."""

    def read(self, name: str, counter: RowCounter) -> None:
        """Read a file of rows into a counter."""


class Bucket:
    """Objects of a bucket."""

    def __init__(self, client: storage.Client, name: str) -> None:
        self.name = name
        self._bucket = client.bucket(name)

    def names(self, folder: str) -> set[str]:
        """The names below a folder."""
        return set(self.stored(folder))

    def stored(self, folder: str) -> dict[str, StoredObject]:
        """What lies below a folder, by name."""
        blobs = self._bucket.client.list_blobs(self._bucket, prefix=f"{folder}/")
        return {blob.name: StoredObject(blob.size, blob.crc32c) for blob in blobs}

    def crc32c(self, name: str) -> str | None:
        """An object's CRC32C as it is now, None if it is gone."""
        blob = self._bucket.get_blob(name)
        return blob.crc32c if blob else None

    def text(self, name: str) -> str:
        """A small object's text."""
        return str(self._bucket.blob(name).download_as_text())

    def read(self, name: str, counter: RowCounter) -> None:
        """Read an object of rows as a stream into a counter; the client library checks its checksum."""
        self._bucket.blob(name).download_to_file(counter, raw_download=True)

    def upload(self, name: str, path: Path) -> None:
        """Upload a file whole under its name; the service checks its CRC32C."""
        kind = "application/json" if name.endswith(".json") else "application/x-ndjson"
        self._bucket.blob(name).upload_from_filename(str(path), content_type=kind, checksum="crc32c")

    def write(self, name: str, text: str) -> None:
        """Write a small object of JSON, over the one of its name."""
        self._bucket.blob(name).upload_from_string(text, content_type="application/json", checksum="crc32c")

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; one that is gone already is no error."""
        self._bucket.delete_blobs([self._bucket.blob(name) for name in names], on_error=lambda _blob: None)


class Folder:
    """Files of a folder."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.root / name

    def names(self, folder: str) -> set[str]:
        """The names of the files below a folder; what is still written has a hidden name."""
        found = (path.relative_to(self.root) for path in (self.root / folder).rglob("*") if path.is_file())
        return {path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)}

    def missing(self, names: Collection[str]) -> list[str]:
        """Those of the names that are no files."""
        return sorted(name for name in names if not self.path(name).is_file())

    def stored(self, folder: str) -> dict[str, StoredObject]:
        """What lies below a folder, by name."""
        return {name: self._stored(name) for name in self.names(folder)}

    def text(self, name: str) -> str:
        """A small file's text."""
        return self.path(name).read_text()

    def read(self, name: str, counter: RowCounter) -> None:
        """Read a file of rows into a counter."""
        with self.path(name).open("rb") as file:
            while chunk := file.read(CHUNK):
                counter.write(chunk)

    def _stored(self, name: str) -> StoredObject:
        checksum, size = google_crc32c.Checksum(), 0
        with self.path(name).open("rb") as file:
            while chunk := file.read(CHUNK):
                checksum.update(chunk)
                size += len(chunk)
        return StoredObject(size, base64.b64encode(checksum.digest()).decode())
