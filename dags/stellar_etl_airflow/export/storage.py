"""Storage of exported files: the bucket, or the folder of a volume on the workers. Names are those of the objects."""

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
        """Return the files below a folder, by name."""

    def text(self, name: str) -> str:
        """Return a small file's text."""

    def read(self, name: str, counter: RowCounter) -> None:
        """Read a data file into a counter."""


class Bucket:
    """Objects of a bucket."""

    def __init__(self, client: storage.Client, name: str) -> None:
        self.name = name
        self._bucket = client.bucket(name)

    def names(self, folder: str) -> set[str]:
        """Return the names below a folder."""
        return set(self.stored(folder))

    def stored(self, folder: str) -> dict[str, StoredObject]:
        """Return the objects below a folder, by name."""
        blobs = self._bucket.client.list_blobs(self._bucket, prefix=f"{folder}/")
        return {blob.name: StoredObject(blob.size, blob.crc32c) for blob in blobs}

    def crc32c(self, name: str) -> str | None:
        """Return an object's current CRC32C; None if it does not exist."""
        blob = self._bucket.get_blob(name)
        return blob.crc32c if blob else None

    def text(self, name: str) -> str:
        """Return a small object's text."""
        return str(self._bucket.blob(name).download_as_text())

    def read(self, name: str, counter: RowCounter) -> None:
        """Stream an object of rows into a counter. The client library verifies its checksum."""
        self._bucket.blob(name).download_to_file(counter, raw_download=True)

    def upload(self, name: str, path: Path) -> None:
        """Upload a file under its name. The service verifies its CRC32C."""
        kind = "application/json" if name.endswith(".json") else "application/x-ndjson"
        self._bucket.blob(name).upload_from_filename(str(path), content_type=kind, checksum="crc32c")

    def write(self, name: str, text: str) -> None:
        """Write a small JSON object, replacing the one of the same name."""
        self._bucket.blob(name).upload_from_string(text, content_type="application/json", checksum="crc32c")

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. A missing object is not an error."""
        self._bucket.delete_blobs([self._bucket.blob(name) for name in names], on_error=lambda _blob: None)


class Folder:
    """Files of a folder."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / name

    def names(self, folder: str) -> set[str]:
        """Return the names of the files below a folder. Files that are still written have hidden names."""
        found = (path.relative_to(self.root) for path in (self.root / folder).rglob("*") if path.is_file())
        return {path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)}

    def missing(self, names: Collection[str]) -> list[str]:
        """Return the names without a file."""
        return sorted(name for name in names if not self.path(name).is_file())

    def stored(self, folder: str) -> dict[str, StoredObject]:
        """Return the files below a folder, by name."""
        return {name: self._stored(name) for name in self.names(folder)}

    def text(self, name: str) -> str:
        """Return a small file's text."""
        return self.path(name).read_text()

    def read(self, name: str, counter: RowCounter) -> None:
        """Read a data file into a counter."""
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
