"""The interface of sources of ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.progress import Progress


class Source(Protocol):
    """A source of ledgers: a lake, or the state in an archive at one ledger.

    Attributes:
        passphrase: the network's.
    """

    passphrase: str

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:
        """Yield the ledgers of a range, oldest first; a ledger that is too large for memory comes in several parts.

        With a `step` only every `step`-th object is read.

        Raises:
            NotReachedError: the network has not reached the last one.
            ExportError: they can't be read, or `verify` is set and hashes don't match.
        """

    def readers(self, first: int, last: int) -> int:
        """The number of processes that may read a range in parallel, each with that number as its `step`."""

    def progress(self, first: int, last: int, seconds: float) -> Progress:
        """The progress of reading a range, reported at an interval of seconds."""
