"""Folders of this machine."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from stellar_etl.sources.stores.base import CHUNK


class FolderStore:
    """A folder of this machine. It is listed once."""

    remote = False

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self._path = path
        self._entries: dict[str, list[str]] = {}

    def names(self, after: str, page: int) -> Iterator[str]:  # noqa: ARG002 a folder is read whole
        """The names of its files and of those in its direct subfolders."""
        for entry in self._after("", after):
            if not entry.endswith("/"):
                yield entry
            else:
                yield from self._after(entry, after)

    def _after(self, folder: str, after: str) -> Iterator[str]:
        if folder not in self._entries:
            while len(self._entries) > 4:  # the folder itself and a few subfolders, one after the other
                del self._entries[next(name for name in self._entries if name)]
            with os.scandir(self._path / folder) as entries:
                self._entries[folder] = sorted(folder + entry.name + "/" * entry.is_dir() for entry in entries)
        names = self._entries[folder]
        index = bisect_right(names, after)
        # The subfolder that contains the name sorts before it, and is not finished.
        if index and names[index - 1].endswith("/") and after.startswith(names[index - 1]):
            index -= 1
        return iter(names[index:] if index else names)

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self._path / name).read_bytes()

    def stream(self, name: str) -> Iterator[bytes]:
        """A file's bytes in pieces."""
        with (self._path / name).open("rb", buffering=0) as file:
            while piece := file.read(CHUNK):
                yield piece
