"""The interface of stores of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

CHUNK = 1 << 18
"""How many bytes of an object are read at once."""


class Store(Protocol):
    """A folder of objects. Names are below it, with slashes; they are ordered as bytes, as S3 and GCS list them.

    Attributes:
        location: its path or URL, for messages.
        remote: whether reading waits for a network, so that it pays to read ahead.
    """

    location: str
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
