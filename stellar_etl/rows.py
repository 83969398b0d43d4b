"""The rows of one type: made from each ledger, counted, and written to the type's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol

from stellar_etl.errors import ExportError
from stellar_etl.ledgers.ledger import Ledger, LedgerError
from stellar_etl.plan import RowOptions
from stellar_etl.sinks.output import unwritable
from stellar_etl.transforms.registry import TYPES, Row

MOST_ROWS = 64
"""The most rows per write: so many are in memory as Python objects."""


class Statistics:
    """The numbers of attempted rows, and of rows that could not be made.

    Attributes:
        attempted: the rows that were tried.
        left_out: by type and ledger, the rows that could not be made.
    """

    def __init__(self) -> None:
        self.attempted = 0
        self.left_out: Counter[tuple[str, int]] = Counter()

    @property
    def failed(self) -> int:
        """The rows that could not be made."""
        return self.left_out.total()

    def as_dict(self) -> dict[str, int]:
        """The counts by the names that the reference exporter prints."""
        return {
            "attempted_transforms": self.attempted,
            "failed_transforms": self.failed,
            "successful_transforms": self.attempted - self.failed,
        }


class RowSink(Protocol):
    """A sink of rows: a file or a buffer, which counts them."""

    name: str
    rows: int

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows: all, or none if the sink cannot represent one of them.

        Raises:
            OSError: the file can't be written.
            Exception: the sink cannot represent a row.
        """


def unseen(type_: str, rows: Iterable[Row], seen: set[Hashable]) -> list[Row]:
    """Return the rows whose identity is not in `seen`, and add it; of types that repeat, all rows."""
    identity = TYPES[type_].identity
    if identity is None:
        return list(rows)
    found = []
    for row in rows:
        key = identity(row)
        if key not in seen:
            seen.add(key)
            found.append(row)
    return found


class TypeExport:
    """Make one type's rows of ledgers, and write them to its files."""

    def __init__(
        self,
        type_: str,
        files: Sequence[RowSink],
        options: RowOptions,
        statistics: Statistics,
        seen: set[Hashable],
        log: Callable[[str, str], None],
    ) -> None:
        self._type = type_
        transform = TYPES[type_]
        self._items, self._make, self._identity = transform.items, transform.row, transform.identity
        self._files = files
        self._extra = options.extra_fields
        self._statistics = statistics
        self._seen = seen
        self._log = log
        self._strict = options.strict
        self._limit = options.limit
        # Write one row at a time if rows are limited, or if two files must hold the same rows.
        self._size = MOST_ROWS if len(files) == 1 and options.limit is None else 1

    def add(self, ledger: Ledger) -> None:
        """Write a ledger's rows.

        Raises:
            ExportError: the ledger contradicts itself, or a row of it can't be made or written.
        """
        limit, counted, size, make = self._limit, self._files[-1], self._size, self._row
        items: list[Any] = []
        rows: list[Row] = []
        try:
            for item in self._items(ledger):
                if limit is not None and counted.rows >= limit:
                    continue
                row = make(ledger, item)
                if row is not None:
                    items.append(item)
                    rows.append(row)
                    if len(rows) >= size:
                        self._write(ledger, items, rows)
                        items, rows = [], []
            if rows:
                self._write(ledger, items, rows)
        except ExportError:
            raise
        except Exception as error:
            # The number of rows is unknown: they can't be counted as left out.
            raise ExportError(f"the {self._type} of ledger {ledger.sequence} can't be determined: {error!r}") from error

    def _row(self, ledger: Ledger, item: Any) -> Row | None:
        self._statistics.attempted += 1
        try:
            row = self._make(ledger, item)
        except LedgerError:
            raise
        except Exception as error:
            self._leave_out(ledger, item, error)
            return None
        if row is None or (self._identity is not None and not unseen(self._type, [row], self._seen)):
            return None
        if self._extra:
            row.update(self._extra)
        return row

    def _write(self, ledger: Ledger, items: list[Any], rows: list[Row]) -> None:
        try:
            for file in self._files:
                file.write(rows)
        except OSError as error:
            raise unwritable(file.name, error) from None
        except Exception as error:
            if len(rows) == 1:
                self._leave_out(ledger, items[0], error)
                return
            for item, row in zip(items, rows, strict=True):
                self._write(ledger, [item], [row])

    def _leave_out(self, ledger: Ledger, item: Any, error: Exception) -> None:
        self._statistics.left_out[self._type, ledger.sequence] += 1
        problem = f"{self._type} of {item_location(ledger, item)}: {error!r}"
        if self._strict:
            raise ExportError(f"a row can't be made: {problem}") from error
        self._log("error", f"left out: {problem}")


def item_location(ledger: Ledger, item: Any) -> str:
    """Return the position of an item in the ledger: its own name for it, or its transaction and operation."""
    if hasattr(item, "location"):
        return f"ledger {ledger.sequence}, {item.location}"
    operation = getattr(item, "operation", item)
    transaction = getattr(operation, "transaction", operation)
    location = f"ledger {ledger.sequence}"
    if transaction is not ledger:
        location += f", transaction {transaction.hash.hex()}"
    if transaction is not operation and operation.index >= 0:
        location += f", operation {operation.index + 1}"
    return location
