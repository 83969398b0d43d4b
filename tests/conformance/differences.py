"""The deliberate differences from the reference exporter: the table in `docs/differences.md`, and their definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.shared import REPO

PAGE = REPO / "docs" / "differences.md"

Row = Mapping[str, Any]

WHOLE_ROW = "*"
"""The column of a difference that concerns the existence of a row."""

NO_COLUMN = "no such column"
"""The table's text for the reference if this exporter adds a column: such columns are not compared."""

ABSENT = "absent"
"""Represents the value of a column that a row does not have."""


@dataclass(frozen=True)
class Difference:
    """One line of the table.

    Attributes:
        id: its name.
        types: the data types whose rows differ.
        columns: the columns that differ; `details.x` is a field of a column; `WHOLE_ROW` for rows.
        ours: the value that this exporter writes.
        reference: the value that the reference exporter writes.
        reason: the reason.
        report: the public report, or the proof in the ledger.
        test: the test of the difference.
    """

    id: str
    types: tuple[str, ...]
    columns: tuple[str, ...]
    ours: str
    reference: str
    reason: str
    report: str
    test: str


@dataclass(frozen=True)
class Facts:
    """Facts of a stream of ledgers that no single row has.

    Attributes:
        protocols: the protocol version of each ledger.
        unread: the ledgers that the reference exporter could not read.
        lacks: the types without rows of the reference exporter, because it failed.
        unified_operations: the operations with an event of an asset's contract in the form of CAP-67.
        text_memos: the events whose memo is a text or a hash, each by its transaction's id and its index.
        without_fee_events: the ledgers with a transaction whose fee has no recorded event.
    """

    protocols: Mapping[int, int]
    unread: frozenset[int]
    lacks: frozenset[str]
    unified_operations: frozenset[int]
    text_memos: frozenset[tuple[int, int]]
    without_fee_events: frozenset[int]


@dataclass(frozen=True)
class Mismatch:
    """One column of one row that differs, or one row that only one of the two exporters writes.

    Attributes:
        type: the data type.
        column: the column, `WHOLE_ROW` if one side has no row.
        ours: this exporter's row, None if there is none.
        reference: the reference exporter's row, None if there is none.
        values: the column's values: this exporter's and the reference's.
        ledger: the ledger.
        stream: facts of the row's stream.
    """

    type: str
    column: str
    ours: Row | None
    reference: Row | None
    values: tuple[Any, Any]
    ledger: int
    stream: Facts


def read() -> list[Difference]:
    """Return the lines of the table.

    Raises:
        ValueError: a line has a wrong number of cells, or an id appears twice.
    """
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found = []
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) != 8:
            raise ValueError(f"{PAGE.name}: {len(cells)} cells instead of 8 in: {line}")
        id_, types, columns, *rest = cells
        found.append(Difference(id_.strip("`"), _names(types), _names(columns), *rest))
    if len({difference.id for difference in found}) != len(found):
        raise ValueError(f"{PAGE.name}: an id comes twice")
    return found


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def added_columns() -> frozenset[str]:
    """Return the columns that only this exporter writes."""
    return frozenset(column for one in read() if one.reference == NO_COLUMN for column in one.columns)


def explains(difference: Difference, mismatch: Mismatch) -> bool:
    """Return whether a mismatch is this difference: by type, column and values."""
    return (
        mismatch.type in difference.types
        and any(_within(mismatch.column, column) for column in difference.columns)
        and MEANINGS[difference.id](mismatch)
    )


def _within(column: str, listed: str) -> bool:
    return column == listed or (column.startswith(f"{listed}.") and listed != WHOLE_ROW)


def _of_unified_operation(mismatch: Mismatch) -> bool:
    row = mismatch.ours or mismatch.reference
    assert row is not None
    return row.get("operation_id", row["id"]) in mismatch.stream.unified_operations


def _of_text_memo(mismatch: Mismatch) -> bool:
    row = mismatch.ours
    return row is not None and (row["transaction_id"], row["event_index"]) in mismatch.stream.text_memos


def _only_ours(mismatch: Mismatch) -> bool:
    return mismatch.ours is not None and mismatch.reference is None


def _by_muxed_payer(mismatch: Mismatch) -> bool:
    assert mismatch.ours is not None
    return bool(mismatch.ours.get("fee_account_muxed") or mismatch.ours.get("account_muxed"))


def _nearly(mismatch: Mismatch) -> bool:
    ours, reference = mismatch.values
    return bool(abs(ours - reference) <= abs(ours) * 2**-51)


MEANINGS: dict[str, Callable[[Mismatch], bool]] = {
    "event-identity": lambda it: False,  # columns that the reference lacks are not compared
    "failed-call": lambda it: it.values == (False, True) and not it.ours["successful"] if it.ours else False,
    "text-memo": _of_text_memo,
    "unified-effects": lambda it: _of_unified_operation(it) and it.ours is not None,
    "unified-balance-changes": _of_unified_operation,
    "strict-receive-slippage": lambda it: it.ours is not None and it.ours["seller_is_exact"] is True,
    "fee-before-protocol-21": lambda it: (
        it.stream.protocols[it.ledger] < 21 and bool(it.ours and it.ours["fee_account"])
    ),
    "muxed-payer": _by_muxed_payer,
    "evicted": lambda it: (
        _only_ours(it) and bool(it.ours and it.ours["deleted"] and it.ours["last_modified_ledger"] is None)
    ),
    "exact-amount": _nearly,
    "unread-ledger": lambda it: _only_ours(it) and it.ledger in it.stream.unread,
    "no-fee-events": lambda it: _only_ours(it) and it.ledger in it.stream.without_fee_events,
    "lacking-type": lambda it: _only_ours(it) and it.type in it.stream.lacks,
    "new-settings": lambda it: it.values[1] in (None, 0, ABSENT),
}
"""The values that each difference describes."""
