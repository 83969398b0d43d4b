"""Folders of objects, wherever they lie: on this machine, in a Google Cloud Storage bucket, or on the web."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from stellar_etl.errors import ExportError

PATIENCE = "STELLAR_ETL_PATIENCE_SECONDS"
"""The environment variable that says how long to wait for a service that gives nothing."""

DEFAULT_PATIENCE_SECONDS = 60.0

CHUNK = 1 << 18
"""How many bytes of an object are read at once."""


class Store(Protocol):
    """A folder of objects. Names are below it, with slashes; they are ordered as bytes, as S3 and GCS list them.

    Attributes:
        place: what people call it.
        remote: whether reading waits for a network, so that it pays to read ahead.
    """

    place: str
    remote: bool

    def names(self, after: str, page: int) -> Iterator[str]:
        """The names after a given one, in order.

        Args:
            after: the names begin after this one, whether it is there or not.
            page: how many are needed, if all goes well: they are fetched lazily, so many at first.

        Raises:
            FileNotFoundError: there is no such folder; only folders of this machine can tell.
            ExportError: they can't be listed.
        """

    def read(self, name: str) -> bytes:
        """An object's bytes. Several threads may read.

        Raises:
            FileNotFoundError: there is no such object.
            ExportError: it can't be read.
        """

    def stream(self, name: str) -> Iterator[bytes]:
        """An object's bytes in pieces, of which few are in memory at once, however large the object is.

        It may change while it is read: who reads must know what to expect, such as its hash.

        Raises:
            FileNotFoundError: there is no such object.
            ExportError: it can't be read.
        """


class FolderStore:
    """A folder of this machine. What it holds is looked at once."""

    remote = False

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._entries: dict[str, list[str]] = {}

    def names(self, after: str, page: int) -> Iterator[str]:  # noqa: ARG002 a folder is read whole
        """The names of its files and of those in its subfolders, but no deeper."""
        for entry in self._after("", after):
            if not entry.endswith("/"):
                yield entry
            else:
                yield from self._after(entry, after)

    def _after(self, folder: str, after: str) -> Iterator[str]:
        if folder not in self._entries:
            while len(self._entries) > 4:  # the folder itself and a few subfolders, one after another
                del self._entries[next(name for name in self._entries if name)]
            with os.scandir(self._path / folder) as entries:
                self._entries[folder] = sorted(folder + entry.name + "/" * entry.is_dir() for entry in entries)
        names = self._entries[folder]
        place = bisect_right(names, after)
        # The subfolder that the name lies in sorts before it, and is not over.
        if place and names[place - 1].endswith("/") and after.startswith(names[place - 1]):
            place -= 1
        return iter(names[place:] if place else names)

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self._path / name).read_bytes()

    def stream(self, name: str) -> Iterator[bytes]:
        """A file's bytes in pieces."""
        with (self._path / name).open("rb", buffering=0) as file:
            while piece := file.read(CHUNK):
                yield piece


def patience() -> float:
    """For how many seconds a service may give nothing before it is given up.

    Raises:
        ExportError: the environment variable is no number of seconds.
    """
    text = os.environ.get(PATIENCE, "")
    try:
        seconds = float(text) if text else DEFAULT_PATIENCE_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ExportError(f"{PATIENCE}={text!r} is no number of seconds")
    return seconds


def open_store(path: str, option: str = "--datastore-path") -> Store:
    """The store at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://bucket's host/prefix`.

    Args:
        path: where it lies.
        option: the option that says so, for messages.

    Raises:
        ExportError: no store lies at such a path.
    """
    scheme = re.match(r"([a-z][a-z0-9+]*)://", path)
    if scheme is None or scheme[1] == "file":
        return FolderStore(Path(path.removeprefix("file://")))
    # The client libraries take a second to load.
    if scheme[1] == "gs":
        from stellar_etl.sources.stores.bucket import BucketStore

        return BucketStore(path)
    if scheme[1] in ("https", "http"):
        from stellar_etl.sources.stores.web import WebStore

        return WebStore(path, option)
    raise ExportError(f"{option} {path}: write a folder, gs://bucket/prefix or https://…")
