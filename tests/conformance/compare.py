"""Export a stream of ledgers, and compare its rows with the reference exporter's."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stellar_etl.ledgers.ledger import Ledger, network_id
from stellar_etl.transforms import token_transfers
from stellar_etl.transforms.registry import HISTORY, STATE
from stellar_etl.transforms.shared.events import DIAGNOSTIC, events
from stellar_etl.transforms.token_transfers import MissingFee
from stellar_etl.xdr import decode_ledger, names
from tests.conformance.differences import ABSENT, WHOLE_ROW, Difference, Facts, Mismatch, added_columns, explains
from tests.conformance.streams import Row, Stream
from tests.stellar_etl.lakes import export

TYPES = (*HISTORY, *STATE)

_KEYS = {
    "ledgers": ("sequence",),
    "transactions": ("id",),
    "operations": ("id",),
    "effects": ("id",),
    "trades": ("history_operation_id", "order"),
    "assets": ("asset_id",),
    "contract_events": ("transaction_id", "operation_id", "contract_event_xdr"),
    "token_transfers": ("transaction_id", "operation_id", "event_topic", "from", "to", "amount_raw", "contract_id"),
    "ledger_transaction": ("ledger_sequence", "tx_envelope"),
    "accounts": ("ledger_sequence", "account_id"),
    "signers": ("ledger_sequence", "account_id", "signer"),
    "claimable_balances": ("ledger_sequence", "balance_id"),
    "offers": ("ledger_sequence", "offer_id"),
    "trustlines": ("ledger_sequence", "ledger_key"),
    "liquidity_pools": ("ledger_sequence", "liquidity_pool_id"),
    "contract_data": ("ledger_sequence", "ledger_key_hash"),
    "contract_code": ("ledger_sequence", "contract_code_hash"),
    "config_settings": ("ledger_sequence", "config_setting_id"),
    "ttl": ("ledger_sequence", "key_hash"),
    "restored_key": ("ledger_sequence", "ledger_key_hash"),
}
"""The columns by which a row is matched with its counterpart."""

_EVENTS = {b"transfer", b"mint", b"clawback"}


@dataclass(frozen=True)
class Problem:
    """One wrong column of one row; the column is `WHOLE_ROW` for a row."""

    stream: str
    type: str
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.stream}: {self.type}, {self.text}"


@dataclass
class Result:
    """The result of comparing a stream.

    Attributes:
        compared: the number of compared rows of both exporters; a row and its counterpart count once.
        equal: the number of equal rows.
        deliberate: the number of rows with deliberate differences only.
        used: the number of columns and rows that each deliberate difference explains.
        problems: the other differences.
    """

    compared: int = 0
    equal: int = 0
    deliberate: int = 0
    used: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    @property
    def different(self) -> int:
        """Return the number of rows with other differences."""
        return self.compared - self.equal - self.deliberate

    def add(self, other: Result) -> None:
        """Add the result of another comparison."""
        self.compared += other.compared
        self.equal += other.equal
        self.deliberate += other.deliberate
        self.used += other.used
        self.problems += other.problems


def compare(stream: Stream, differences: Sequence[Difference]) -> Result:
    """Export a stream's ledgers, and compare the rows with the reference's and with the known right values."""
    with tempfile.TemporaryDirectory() as folder:
        made = export(Path(folder), stream.ledgers, stream.passphrase, *TYPES, strict=False, verify=False)
    facts, result = _facts(stream), Result()
    for type_ in TYPES:
        if type_ in stream.types:
            _compare(stream, type_, [_plain(row) for row in made.rows[type_]], facts, differences, result)
        result.problems += _wrong(stream.name, type_, made.rows[type_], stream.right.get(type_, ()))
    return result


def _facts(stream: Stream) -> Facts:
    protocols, unified, memos, silent = {}, set(), set(), set()
    for data in stream.ledgers:
        version, meta = decode_ledger(data)
        ledger = Ledger(version, meta, network_id(stream.passphrase))
        protocols[ledger.sequence] = ledger.header["ledgerVersion"]
        if any(isinstance(item, MissingFee) for item in token_transfers.items(ledger)):
            silent.add(ledger.sequence)
        for transaction in ledger.transactions:
            for event in events(transaction):
                body = event.event["body"][1]
                if _is_unified(body):
                    unified.add(transaction.id | (1 if event.source == DIAGNOSTIC else event.index + 1))
                if _has_text_memo(body):
                    memos.add((transaction.id, event.event_index))
    return Facts(protocols, stream.unread, stream.lacks, frozenset(unified), frozenset(memos), frozenset(silent))


def _is_unified(body: Mapping[str, Any]) -> bool:
    """Return whether an event of an asset's contract has a form that exists since CAP-67."""
    topics, data = body["topics"], body["data"]
    name = topics[0][1] if topics and topics[0][0] == names.SCV_SYMBOL else None
    return name in _EVENTS and (data[0] == names.SCV_MAP or (name != b"transfer" and len(topics) == 3))


def _has_text_memo(body: Mapping[str, Any]) -> bool:
    kind, content = body["data"]
    return kind == names.SCV_MAP and any(
        entry["key"][1] == b"to_muxed_id" and entry["val"][0] in (names.SCV_BYTES, names.SCV_STRING)
        for entry in content or ()
    )


def _plain(value: Any) -> Any:
    """Return a JSON value in one form, 1.0 as 1, without decoded columns, which the reference's runs lack."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if not key.endswith("_decoded") or key in _KEPT}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_KEPT = {"parameters_decoded"}
"""Columns that are text, and not the JSON of a contract's value."""


def _compare(
    stream: Stream,
    type_: str,
    ours: Sequence[Row],
    facts: Facts,
    differences: Sequence[Difference],
    result: Result,
) -> None:
    added = added_columns()
    for one, other in _paired(type_, ours, [_plain(row) for row in stream.rows.get(type_, ())]):
        result.compared += 1
        row = one or other
        assert row is not None
        mismatches = [
            Mismatch(type_, column, one, other, values, _ledger(type_, row), facts)
            for column, values in _mismatches(one, other)
            if column not in added or values[0] is None or values[1] != ABSENT
        ]
        if not mismatches:
            result.equal += 1
            continue
        unexplained = []
        for mismatch in mismatches:
            found = next((it for it in differences if explains(it, mismatch)), None)
            if found is None and not _known(type_, row, mismatch.column, stream.right.get(type_, ())):
                unexplained.append(mismatch)
            elif found is not None:
                result.used[found.id] += 1
        if not unexplained:
            result.deliberate += 1
        result.problems += [_problem(stream.name, mismatch) for mismatch in unexplained]


def _paired(type_: str, ours: Sequence[Row], reference: Sequence[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield each row with its counterpart; of several rows with the same key, equal ones first."""
    waiting: defaultdict[str, list[Row]] = defaultdict(list)
    for row in reference:
        waiting[_key(type_, row)].append(row)
    late = []
    for row in ours:
        others = waiting[_key(type_, row)]
        same = next((other for other in others if all(row.get(key) == value for key, value in other.items())), None)
        if same is not None:
            others.remove(same)
            yield row, same
        else:
            late.append(row)
    for row in late:
        others = waiting[_key(type_, row)]
        yield row, others.pop(0) if others else None
    for others in waiting.values():
        yield from ((None, row) for row in others)


def _key(type_: str, row: Row) -> str:
    return json.dumps([row.get(column) for column in _KEYS[type_]])


def _ledger(type_: str, row: Row) -> int:
    if type_ == "trades":
        return int(row["history_operation_id"]) >> 32
    return int(row["sequence" if type_ == "ledgers" else "ledger_sequence"])


def _mismatches(ours: Row | None, reference: Row | None) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if ours is None or reference is None:
        yield WHOLE_ROW, (ours, reference)
        return
    one, other = dict(_leaves(ours)), dict(_leaves(reference))
    for column in sorted(one.keys() | other.keys()):
        values = one.get(column, ABSENT), other.get(column, ABSENT)
        if values[0] != values[1]:
            yield column, values


def _leaves(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return the columns of a row; of `details` and `details_json` each field separately."""
    for column, value in row.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{column}.")
        else:
            yield f"{prefix}{column}", value


def _problem(stream: str, mismatch: Mismatch) -> Problem:
    row = mismatch.ours or mismatch.reference
    assert row is not None
    columns = _KEYS[mismatch.type]
    key = ", ".join(f"{column} {str(row.get(column))[:70]}" for column in columns)
    if mismatch.column == WHOLE_ROW:
        text = f"{'only this exporter' if mismatch.ours else 'only the reference'} writes the row"
    else:
        ours, theirs = (str(value)[:300] for value in mismatch.values)
        text = f"{mismatch.column} is {ours}, the reference's {theirs}"
    return Problem(stream, mismatch.type, mismatch.column, f"ledger {mismatch.ledger}, {key}: {text}")


# Known right values ------------------------------------------------------------------------------------------------


def _selects(type_: str, right: Row, row: Row) -> bool:
    """Return whether right values belong to a row: all key columns that they name are equal."""
    return all(right[column] == row.get(column) for column in _KEYS[type_] if column in right)


def _known(type_: str, row: Row, column: str, right: Sequence[Row]) -> bool:
    """Return whether the right value of a row's column is known: `_wrong` compares it instead of the reference's."""
    return any(
        _selects(type_, one, row) and any(_names(key, column) for key in one if key not in _KEYS[type_])
        for one in right
        if isinstance(one, dict)
    )


def _names(stated: str, column: str) -> bool:
    return column in (stated, stated.replace("details.", "details_json.", 1)) or column.startswith(f"{stated}.")


def _wrong(stream: str, type_: str, rows: Sequence[Row], right: Sequence[Row]) -> list[Problem]:
    """Return the places where rows differ from the known right values."""
    problems = []
    for one in right:
        found = [row for row in rows if _selects(type_, one, row)]
        if not found:
            problems.append(Problem(stream, type_, WHOLE_ROW, f"there is no row for {one}"))
        for row in found:
            leaves = dict(_leaves(row)) | row
            for column, value in one.items():
                given = leaves.get(column)
                if isinstance(value, dict) and isinstance(given, dict):
                    given = {key: given.get(key) for key in value}
                if given != value:
                    text = f"{_key(type_, row)}: {column} is {given}, and must be {value}"
                    problems.append(Problem(stream, type_, column, text))
    return problems
