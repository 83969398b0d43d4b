"""Rows into files that are whole or not there: written aside, then renamed or uploaded under their final name."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import google_crc32c
import orjson

from stellar_etl.errors import ExportError

_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


def encode_row(row: Mapping[str, Any]) -> bytes:
    """A row as one line of JSON: keys in order, `<`, `>` and `&` escaped, as Go writes it."""
    line = orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    for character, escape in _ESCAPES:
        if character in line:
            line = line.replace(character, escape)
    return line


def is_special(name: str) -> bool:
    """Whether a name is a device such as /dev/stdout, or a pipe: those are written to, never replaced."""
    path = Path(name).absolute()
    # A redirected /dev/stdout leads to a regular file, which must not be replaced either.
    return path.parts[1] in ("dev", "proc") or (path.exists() and not path.is_file())


def put(path: Path, name: str) -> None:
    """Gives a finished file its final name; what goes to a device is copied to it.

    Raises:
        ExportError: there is a folder of that name.
    """
    if Path(name).is_dir():
        raise ExportError(f"{name} is a folder: name a file in it")
    if not is_special(name):
        path.replace(name)
        return
    with path.open("rb") as source, Path(name).open("ab") as target:
        shutil.copyfileobj(source, target)


def write_whole(name: str, text: str) -> None:
    """Writes a small file that is whole or not there.

    Raises:
        ExportError: there is a folder of that name.
        OSError: it can't be written.
    """
    if is_special(name):
        aside = None
    else:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        aside = Path(name).parent
    with tempfile.TemporaryDirectory(prefix=".stellar-etl-", dir=aside) as folder:
        path = Path(folder) / "text"
        path.write_text(text)
        put(path, name)


class RowFile:
    """One file of rows, written aside.

    Attributes:
        name: its final name.
        path: where it is written.
        rows: how many rows were written.
        bytes: how many bytes they take.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.rows = 0
        self.bytes = 0
        self._checksum = google_crc32c.Checksum()
        self._file = path.open("wb", buffering=1 << 20)

    def write(self, row: Mapping[str, Any]) -> None:
        """Writes one row."""
        line = encode_row(row)
        self._file.write(line)
        self._checksum.update(line)
        self.rows += 1
        self.bytes += len(line)

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it: base64 of the big-endian value."""
        return base64.b64encode(self._checksum.digest()).decode()

    def close(self) -> None:
        """Ends the writing."""
        self._file.close()


class Output:
    """Where an export's files go: a bucket, or this machine.

    A context manager: what was not published is gone at the end, however it comes.
    """

    def __init__(self, bucket: str | None) -> None:
        self._bucket = bucket
        self._aside: Path | None = None
        self._aside_folders: list[Path] = []
        self._files: list[RowFile] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()
        for folder in self._aside_folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _path_aside(self, name: str) -> Path:
        """A path to write to that is no final name: on the same file system as the final one, if that is a file."""
        try:
            if self._bucket is None and not is_special(name):
                parent = Path(name).parent
                parent.mkdir(parents=True, exist_ok=True)
                folder = Path(tempfile.mkdtemp(prefix=".stellar-etl-", dir=parent))
                self._aside_folders.append(folder)
            else:
                if self._aside is None:
                    self._aside = Path(tempfile.mkdtemp(prefix="stellar-etl-"))
                    self._aside_folders.append(self._aside)
                folder = self._aside
        except OSError as error:
            raise ExportError(f"{name} can't be written: {error}") from None
        return folder / f"{len(self._files)}-{Path(name).name}"

    def open(self, name: str) -> RowFile:
        """Begins a file of rows.

        Raises:
            ExportError: its folder can't be written.
        """
        path = self._path_aside(name)
        file = RowFile(name, path)
        self._files.append(file)
        return file

    def publish(self, manifest_name: str, manifest: Mapping[str, Any]) -> None:
        """Gives every file its final name, the manifest last; what goes to a device has none.

        Raises:
            ExportError: a file could not be written or uploaded.
        """
        for file in self._files:
            file.close()
            self._move(file.path, file.name, "application/x-ndjson")
        if self._bucket is None and any(is_special(file.name) for file in self._files):
            return
        path = self._path_aside(manifest_name)
        path.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        self._move(path, manifest_name, "application/json")

    def _move(self, path: Path, name: str, content_type: str) -> None:
        if self._bucket is None:
            put(path, name)
            return
        from stellar_etl.bucket import upload

        upload(self._bucket, name, path, content_type)
