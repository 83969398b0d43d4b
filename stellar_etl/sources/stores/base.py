"""The interface of stores of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

CHUNK = 1 << 18
"""The bytes of an object that are read at once."""


class Store(Protocol):
    """A folder of objects. Names are below it, with slashes; they are ordered as bytes, as S3 and GCS list them.

    Attributes:
        location: its path or URL, for messages.
        remote: whether reading waits for a network, so that read-ahead helps.
    """

    location: str
    remote: bool

    def names(self, after: str, page: int) -> Iterator[str]:
        """The names after a given one, in order.

        Args:
            after: the names begin after this one, whether it exists or not.
            page: the number that is usually needed: names are fetched lazily, so many at first.

        Raises:
            FileNotFoundError: the folder does not exist; only folders of this machine report this.
            ExportError: they can't be listed.
        """

    def read(self, name: str) -> bytes:
        """Return an object's bytes. Thread-safe.

        Raises:
            FileNotFoundError: the object does not exist.
            ExportError: it can't be read.
        """

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces; few are in memory at once, for objects of any size.

        It can change while it is read: the caller must verify it, for instance by its hash.

        Raises:
            FileNotFoundError: the object does not exist.
            ExportError: it can't be read.
        """
