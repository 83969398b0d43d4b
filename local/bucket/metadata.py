"""The metadata of objects in a file that only grows, so that a write costs the same with any number of objects.

The emulator writes the metadata of all objects to one file after each change of one of them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
Objects = dict[str, dict[str, Resource]]
"""The metadata by bucket and name."""

SPARE_LINES = 10_000
"""The outdated lines after which the file is written again without them."""


class MetadataLog:
    """One line for each change: bucket, name, and the metadata, or null for a deleted object. Callers take turns."""

    def __init__(self, path: Path) -> None:
        """Use a file; the first change creates it."""
        self._path, self._lines = path, 0

    def read(self) -> Objects:
        """Return the metadata of all objects. A line that was cut by a kill or a full disk is left out."""
        objects: Objects = {}
        for bucket, name, resource in self._changes():
            if resource is None:
                objects.get(bucket, {}).pop(name, None)
            else:
                objects.setdefault(bucket, {})[name] = resource
        return objects

    def _changes(self) -> Iterator[tuple[str, str, Resource | None]]:
        for line in self._path.read_bytes().splitlines() if self._path.exists() else []:
            with contextlib.suppress(ValueError):
                yield tuple(json.loads(line))

    def rewrite(self, objects: Objects) -> None:
        """Replace the file by the metadata of these objects, in one step."""
        lines = [_line(bucket, name, one) for bucket, named in objects.items() for name, one in named.items()]
        partial = self._path.with_suffix(".partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(b"".join(lines))
        partial.replace(self._path)
        self._lines = len(lines)

    def add(self, bucket: str, name: str, objects: Objects) -> None:
        """Add the current metadata of an object.

        Args:
            bucket: its bucket.
            name: its name.
            objects: the metadata of all objects.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)  # the emulator's `/wipe` removes it
        with self._path.open("ab", buffering=0) as file:
            file.write(_line(bucket, name, objects.get(bucket, {}).get(name)))
        self._lines += 1
        if self._lines - sum(map(len, objects.values())) > SPARE_LINES:
            self.rewrite(objects)


def _line(bucket: str, name: str, resource: Resource | None) -> bytes:
    return json.dumps([bucket, name, resource]).encode() + b"\n"
