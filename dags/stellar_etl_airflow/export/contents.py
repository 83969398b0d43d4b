"""The content of exported files without a manifest: rows per ledger, and rows whose existence other rows prove. Pure.

Headers count transactions and operations. They have no counts of other types, but a successful payment has two effects,
and a transaction changes the account that pays its fee. A file with fewer rows than that is incomplete.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from stellar_etl_airflow.model.tables import ACCOUNTS, EFFECTS, LEDGERS, OPERATIONS, PUBLISHED, TRADES, TRANSACTIONS

Row = Mapping[str, Any]

LEAST_EFFECTS = {0: 3, 1: 2, 2: 2, 8: 3, 13: 2, 14: 3, 15: 2, 19: 2, 22: 1, 23: 1}
"""Minimum number of effects of a successful operation, by type of operation
(https://developers.stellar.org/docs/data/apis/horizon/api-reference/resources/effects/types); 0 for other types."""

PATH_PAYMENTS = (2, 13)

_ASSET = ("asset_type", "asset_code", "asset_issuer")


class ContentsError(ValueError):
    """A file of rows cannot be read."""


class RowCounter:
    """Counts the rows of NDJSON that is written to it.

    Attributes:
        rows: the number of lines so far.
        torn: whether the last line is incomplete.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.torn = False

    def write(self, chunk: bytes) -> int:
        """Process the next bytes."""
        if chunk:
            self.rows += chunk.count(b"\n")
            self.torn = not chunk.endswith(b"\n")
        return len(chunk)


class RowReader(RowCounter):
    """Counts the rows, and passes each to a function."""

    def __init__(self, data_type: str, read: Callable[[Row], None]) -> None:
        super().__init__()
        self._data_type = data_type
        self._read = read
        self._begun = b""

    def write(self, chunk: bytes) -> int:
        """Process the next bytes.

        Raises:
            ContentsError: a row is not a JSON object, or lacks a column.
        """
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        for number, line in enumerate(lines, self.rows + 1):
            try:
                self._read(json.loads(line))
            except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
                raise ContentsError(f"row {number} of {self._data_type} can't be read: {error!r}") from error
        return super().write(chunk)


class Contents:
    """The files of an export without a manifest. Read transactions before operations.

    Attributes:
        counters: the counter of each type's file.
        rows: the number of rows per ledger, for each type that is compared with others.
        certain: the minimum number of rows per ledger, for each type without a count in the headers.
    """

    def __init__(self) -> None:
        self.counters: dict[str, RowCounter] = {}
        self.rows: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.certain: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._failed: set[int] = set()

    def counter(self, data_type: str) -> RowCounter:
        """Return a new counter for a type's file."""
        readers: dict[str, Callable[[Row], None]] = {
            TRANSACTIONS.data_type: self._transaction,
            OPERATIONS.data_type: self._operation,
        }
        compared = (*readers, EFFECTS.data_type, TRADES.data_type, ACCOUNTS.data_type)

        def read(row: Row) -> None:
            table = PUBLISHED[data_type]
            self.rows[data_type][int(row[table.ledger_column]) >> table.ledger_shift] += 1
            if data_type in readers:
                readers[data_type](row)

        made = RowReader(data_type, read) if data_type in compared else RowCounter()
        self.counters[data_type] = made
        return made

    def header(self, row: Row) -> None:
        """Process a ledger's row: each transaction changes the account that pays its fee."""
        if int(row["successful_transaction_count"]) + int(row["failed_transaction_count"]):
            self.certain[ACCOUNTS.data_type][int(row["sequence"])] = 1

    def _transaction(self, row: Row) -> None:
        if not row["successful"]:
            self._failed.add(int(row["id"]))

    def _operation(self, row: Row) -> None:
        # Without the transactions it is unknown which operations succeeded.
        if TRANSACTIONS.data_type not in self.counters or int(row["transaction_id"]) in self._failed:
            return
        type_, ledger = int(row["type"]), int(row["ledger_sequence"])
        self.certain[EFFECTS.data_type][ledger] += LEAST_EFFECTS.get(type_, 0)
        self.certain[TRADES.data_type][ledger] += type_ in PATH_PAYMENTS and _converts(row["details"])

    def lacking(self) -> dict[str, Counter[int]]:
        """Return the number of missing rows whose existence is certain, by type and ledger."""
        return {
            data_type: least - self.rows[data_type]
            for data_type, least in self.certain.items()
            if data_type in self.counters
        }


def _converts(details: Row) -> bool:
    """Whether a path payment converts assets, which requires a trade."""
    return any(details.get(f"source_{part}") != details.get(part) for part in _ASSET)


def reading_order(data_types: Mapping[str, str]) -> list[str]:
    """Return the types of the files to read, transactions first, without ledgers, whose headers are read as a whole."""
    others = [data_type for data_type in data_types if data_type != LEDGERS.data_type]
    return sorted(others, key=lambda data_type: data_type != TRANSACTIONS.data_type)
