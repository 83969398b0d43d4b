"""The content of objects as files, so that no request holds an object in memory."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import uuid4

import google_crc32c

BLOCK = 1 << 18
"""Bytes that are read at once."""


class Digest:
    """The checksums of content that arrives in blocks."""

    def __init__(self, blocks: Iterable[bytes] = ()) -> None:
        """Begin with some blocks."""
        self._crc32c = google_crc32c.Checksum()
        self._md5 = hashlib.md5(usedforsecurity=False)
        for block in blocks:
            self.update(block)

    def update(self, block: bytes) -> None:
        """Add a block."""
        self._crc32c.update(block)
        self._md5.update(block)

    @property
    def crc32c(self) -> str:
        """The CRC32C in the API's form."""
        return base64.b64encode(self._crc32c.digest()).decode()

    @property
    def md5(self) -> str:
        """The MD5 in the API's form."""
        return base64.b64encode(self._md5.digest()).decode()


class Part(NamedTuple):
    """A part of a file, from one byte to before another one."""

    path: Path
    start: int
    end: int


class Content:
    """Parts of files, one after the other: the emulator measures, slices and concatenates them like bytes."""

    def __init__(self, *parts: Part) -> None:
        """Join some parts; empty ones are left out."""
        self.parts = tuple(part for part in parts if part.start < part.end)

    @classmethod
    def of(cls, path: Path) -> Content:
        """The content of a whole file."""
        return cls(Part(path, 0, path.stat().st_size))

    def __len__(self) -> int:
        """The size in bytes."""
        return sum(part.end - part.start for part in self.parts)

    def __getitem__(self, within: slice) -> Content:
        """Return a range of bytes."""
        first, last, _ = within.indices(len(self))
        parts, offset = [], 0
        for path, start, end in self.parts:
            here = start - offset
            parts.append(Part(path, max(start, here + first), min(end, here + last)))
            offset += end - start
        return Content(*parts)

    def __add__(self, other: Content) -> Content:
        """Return both, one after the other."""
        return Content(*self.parts, *other.parts)

    def __radd__(self, _nothing: bytes) -> Content:
        """Return itself: the emulator begins with no bytes."""
        return self

    def open(self) -> list[tuple[BinaryIO, Part]]:
        """Open the files of all parts: a file that is then replaced or deleted can still be read."""
        return [(part.path.open("rb"), part) for part in self.parts]

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks."""
        for path, start, end in self.parts:
            with path.open("rb") as file:
                file.seek(start)
                left = end - start
                while block := file.read(min(BLOCK, left)):
                    left -= len(block)
                    yield block


class Received(Content):
    """Content that a client has sent, in a file that is moved to become the object.

    Attributes:
        path: the file.
        digest: the checksums, computed while the content arrived.
    """

    def __init__(self, path: Path, digest: Digest) -> None:
        """Describe a complete file."""
        super().__init__(Part(path, 0, path.stat().st_size))
        self.path, self.digest = path, digest

    def discard(self) -> None:
        """Delete the file, unless it has become an object."""
        self.path.unlink(missing_ok=True)


def receive(blocks: Iterable[bytes], folder: Path) -> Received:
    """Write blocks to a new file in a folder; if that fails, no file remains."""
    folder.mkdir(exist_ok=True)
    path, digest = folder / uuid4().hex, Digest()
    try:
        with path.open("xb", buffering=0) as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
        return Received(path, digest)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def digest_of(content: bytes | Content) -> Digest:
    """Return the checksums of content; those of received content are known."""
    if isinstance(content, Received):
        return content.digest
    return Digest(content.blocks() if isinstance(content, Content) else [content])
