"""Rows into files that are whole or not there: written aside, then renamed or uploaded under their final name."""

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
"""How many bytes of rows are written at once."""


def encode_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as lines of JSON: keys in order, `<`, `>` and `&` escaped, as Go writes it."""
    lines = b"".join([orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for row in rows])
    for character, escape in _ESCAPES:
        if character in lines:
            lines = lines.replace(character, escape)
    return lines


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


def unwritable(name: str, error: OSError) -> ExportError:
    """What a full disk and the like come to: one line that names the file."""
    return ExportError(f"{name} can't be written: {os.strerror(error.errno) if error.errno else error}")


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Says of a file what is wrong with it."""
    try:
        yield
    except OSError as error:
        raise unwritable(name, error) from None


def checksum_text(checksum: int) -> str:
    """The checksum as Google Cloud Storage prints it: base64 of the big-endian value."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


class ExportFile(Protocol):
    """A file of rows that is written aside: its final name, what it is, and what it holds once it is closed."""

    name: str
    path: Path
    rows: int
    bytes: int
    content_type: str

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it."""

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows.

        Raises:
            OSError: the file can't be written.
            Exception: a row is none that the file can hold; if it was the only one, nothing was written.
        """

    def close(self) -> None:
        """Ends the writing."""


F = TypeVar("F", bound=ExportFile)


class Piece(NamedTuple):
    """Some rows of a file: how many, how many bytes, and the checksum of the file up to their end."""

    rows: int
    bytes: int
    checksum: int


class RowFile:
    """One file of rows as NDJSON, written aside.

    Attributes:
        name: its final name.
        path: where it is written.
        rows: how many rows were written.
        bytes: how many bytes they take.
        checksum: their CRC32C, once they are not held back.
    """

    content_type = "application/x-ndjson"

    def __init__(self, name: str, path: Path, checksum: int = 0) -> None:
        """Opens it; `checksum` is that of what it holds already."""
        self.name = name
        self.path = path
        self.rows = 0
        self.bytes = 0
        self.checksum = checksum
        self._file = path.open("ab", buffering=0)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows: all, or none if one of them has no form in JSON."""
        self.write_lines(encode_rows(rows), len(rows))

    def write_lines(self, lines: bytes, rows: int) -> None:
        """Writes rows that are lines of JSON already."""
        self._pending.append(lines)
        self.rows += rows
        self.bytes += len(lines)
        self._pending_bytes += len(lines)
        if self._pending_bytes >= CHUNK:
            self._flush()

    def written_elsewhere(self, piece: Piece) -> None:
        """Takes note of what another process has added."""
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
        while view:  # a disk that is nearly full takes a part
            view = view[self._file.write(view) :]

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it."""
        return checksum_text(self.checksum)

    def close(self) -> None:
        """Ends the writing."""
        if not self._file.closed:
            try:
                self._flush()
            finally:
                self._file.close()


class Output:
    """Where an export's files go: a bucket, or this machine.

    A context manager: what was not published is gone at the end, however it comes.
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
            # What a full disk did not take is tried again here, in vain.
            with suppress(OSError):
                file.close()
        for folder in self._aside.values():
            shutil.rmtree(folder, ignore_errors=True)

    def _path_aside(self, name: str) -> Path:
        """A path to write to that is no final name: on the same file system as the final one, if that is a file."""
        here = self._bucket is None and not is_special(name)
        parent = Path(name).parent if here else Path(tempfile.gettempdir())
        folder = self._aside.get(parent)
        if folder is None:
            # Known before it is there: a signal may end the export in between.
            folder = self._aside[parent] = parent / f".stellar-etl-{secrets.token_hex(8)}"
            with writing(name):
                parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=0o700)
        return folder / f"{len(self._files)}-{Path(name).name}"

    def open(self, name: str, make: Callable[[str, Path], F]) -> F:
        """Begins a file.

        Args:
            name: its final name.
            make: opens it, by its final name and the path to write it to.

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
        """Ends the writing of every file so far, so that a full disk shows before the first has its final name.

        Raises:
            ExportError: a file could not be written.
        """
        while self._unclosed:
            file = self._unclosed[-1]
            with writing(file.name):
                file.close()
            self._unclosed.pop()

    def publish(self, manifest_name: str, manifest: Mapping[str, Any]) -> None:
        """Gives every closed file its final name, the manifest last; what goes to a device has none.

        Raises:
            ExportError: a file could not be written or uploaded.
        """
        path = self._path_aside(manifest_name)
        with writing(manifest_name):
            path.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        for file in self._files:
            self._move(file.path, file.name, file.content_type)
        if self._bucket is not None or not any(is_special(file.name) for file in self._files):
            self._move(path, manifest_name, "application/json")

    def _move(self, path: Path, name: str, content_type: str) -> None:
        if self._bucket is None:
            with writing(name):
                put(path, name)
            return
        from stellar_etl.sinks.upload import upload

        upload(self._bucket, name, path, content_type)
