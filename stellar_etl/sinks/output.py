"""Files of rows, complete or absent: written under a temporary name, then renamed or uploaded under the final name."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import google_crc32c
import orjson

from stellar_etl.errors import ExportError

_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


CHUNK = 1 << 20
"""The bytes of rows per write."""


def encode_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as lines of JSON: keys in order, `<`, `>` and `&` escaped, as Go writes it."""
    lines = b"".join([orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for row in rows])
    for character, escape in _ESCAPES:
        if character in lines:
            lines = lines.replace(character, escape)
    return lines


def is_special(name: str) -> bool:
    """Whether a name is a device such as /dev/stdout, or a pipe: these are written to and never replaced."""
    path = Path(name).absolute()
    # A redirected /dev/stdout leads to a regular file, which must not be replaced either.
    return path.parts[1] in ("dev", "proc") or (path.exists() and not path.is_file())


def put(path: Path, name: str) -> None:
    """Give a finished file its final name, or copy it to a device.

    Raises:
        ExportError: a folder has that name.
    """
    if Path(name).is_dir():
        raise ExportError(f"{name} is a folder: name a file in it")
    if not is_special(name):
        path.replace(name)
        return
    with path.open("rb") as source, Path(name).open("ab") as target:
        shutil.copyfileobj(source, target)


def write_whole(name: str, text: str) -> None:
    """Write a small file, complete or not at all.

    Raises:
        ExportError: a folder has that name.
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


def unwritable(name: str, error: OSError) -> ExportError:
    """Return the error of a full disk and the like: one line that names the file."""
    return ExportError(f"{name} can't be written: {os.strerror(error.errno) if error.errno else error}")


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn an OSError into an ExportError that names the file."""
    try:
        yield
    except OSError as error:
        raise unwritable(name, error) from None


def checksum_text(checksum: int) -> str:
    """The checksum as Google Cloud Storage prints it: base64 of the big-endian value."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


class ExportFile(Protocol):
    """A file of rows under a temporary name: its final name, its type, and its content once it is closed."""

    name: str
    path: Path
    rows: int
    bytes: int
    content_type: str

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it."""

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows.

        Raises:
            OSError: the file can't be written.
            Exception: the file format cannot represent a row; if it was the only one, nothing was written.
        """

    def close(self) -> None:
        """Finish writing."""


F = TypeVar("F", bound=ExportFile)


class Piece(NamedTuple):
    """Some rows of a file: their number, their bytes, and the checksum of the file up to their end."""

    rows: int
    bytes: int
    checksum: int


class RowFile:
    """One file of rows as NDJSON, written under a temporary name.

    Attributes:
        name: its final name.
        path: its temporary path.
        rows: the number of rows written.
        bytes: their size in bytes.
        checksum: their CRC32C, once they are written.
    """

    content_type = "application/x-ndjson"

    def __init__(self, name: str, path: Path, checksum: int = 0) -> None:
        """Open it; `checksum` is that of its existing content."""
        self.name = name
        self.path = path
        self.rows = 0
        self.bytes = 0
        self.checksum = checksum
        self._file = path.open("ab", buffering=0)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows: all, or none if JSON cannot represent one of them."""
        self.write_lines(encode_rows(rows), len(rows))

    def write_lines(self, lines: bytes, rows: int) -> None:
        """Write rows that are already lines of JSON."""
        self._pending.append(lines)
        self.rows += rows
        self.bytes += len(lines)
        self._pending_bytes += len(lines)
        if self._pending_bytes >= CHUNK:
            self._flush()

    def written_elsewhere(self, piece: Piece) -> None:
        """Count rows that another process has added."""
        self.rows += piece.rows
        self.bytes += piece.bytes
        self.checksum = piece.checksum

    def _flush(self) -> None:
        pending = self._pending
        self._pending, self._pending_bytes = [], 0
        for lines in pending:
            self.checksum = google_crc32c.extend(self.checksum, lines)
        chunk = pending[0] if len(pending) == 1 else b"".join(pending)
        view = memoryview(chunk)
        while view:  # a nearly full disk accepts only a part
            view = view[self._file.write(view) :]

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it."""
        return checksum_text(self.checksum)

    def close(self) -> None:
        """Finish writing."""
        if not self._file.closed:
            try:
                self._flush()
            finally:
                self._file.close()


class Output:
    """The destination of an export's files: a bucket or this machine.

    A context manager: at the end, also after an error, unpublished files are deleted.
    """

    def __init__(self, bucket: str | None) -> None:
        self._bucket = bucket
        self._aside: dict[Path, Path] = {}
        self._files: list[ExportFile] = []
        self._unclosed: list[ExportFile] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._unclosed:
            # Closing retries the write that failed on a full disk; it fails again.
            with suppress(OSError):
                file.close()
        for folder in self._aside.values():
            shutil.rmtree(folder, ignore_errors=True)

    def _path_aside(self, name: str) -> Path:
        """Return a temporary path: on the same file system as the final name, if that is a file."""
        here = self._bucket is None and not is_special(name)
        parent = Path(name).parent if here else Path(tempfile.gettempdir())
        folder = self._aside.get(parent)
        if folder is None:
            # Register the path before the file exists: a signal can end the export in between.
            folder = self._aside[parent] = parent / f".stellar-etl-{secrets.token_hex(8)}"
            with writing(name):
                parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=0o700)
        return folder / f"{len(self._files)}-{Path(name).name}"

    def open(self, name: str, make: Callable[[str, Path], F]) -> F:
        """Begin a file.

        Args:
            name: its final name.
            make: opens it, given its final name and the path to write to.

        Raises:
            ExportError: its folder can't be written.
        """
        path = self._path_aside(name)
        with writing(name):
            file = make(name, path)
        self._files.append(file)
        self._unclosed.append(file)
        return file

    def close(self) -> None:
        """Finish writing every file so far, so that a full disk fails the export before any file has its final name.

        Raises:
            ExportError: a file could not be written.
        """
        while self._unclosed:
            file = self._unclosed[-1]
            with writing(file.name):
                file.close()
            self._unclosed.pop()

    def publish(self, manifest_name: str, manifest: Mapping[str, Any]) -> None:
        """Give every closed file its final name, the manifest last; devices keep their name.

        Raises:
            ExportError: a file could not be written or uploaded.
        """
        path = self._path_aside(manifest_name)
        with writing(manifest_name):
            path.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        if self._bucket is not None:
            from stellar_etl.sinks.upload import Upload, upload

            upload(self._bucket, [Upload(file.name, file.path, file.content_type) for file in self._files])
            upload(self._bucket, [Upload(manifest_name, path, "application/json")])
            return
        finished = [(file.path, file.name) for file in self._files]
        if not any(is_special(name) for _, name in finished):
            finished.append((path, manifest_name))
        for aside, name in finished:
            with writing(name):
                put(aside, name)
