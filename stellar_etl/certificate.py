"""Certificates of ledgers: digests of all rows of a range, computed from the lake and compared with a certificate.

The forms of values, rows and digests are those of docs/certificates.md; the DAGs' SQL computes the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from stellar_etl.errors import ExportError
from stellar_etl.ledgers.ledger import Ledger, Link
from stellar_etl.rows import item_location
from stellar_etl.schema_files import Column, Columns
from stellar_etl.sources.source import Source
from stellar_etl.times import parse_time
from stellar_etl.transforms.registry import TYPES, Transform

FORMAT = "stellar-ledger-certificate/1"

NOT_CERTIFIED = frozenset(("assets",))
"""Types without a certificate: a row of `assets` shows the first ledger of any load, so no range determines it."""

CERTIFIED = {
    type_: transform for type_, transform in TYPES.items() if transform.table is not None and type_ not in NOT_CERTIFIED
}
"""The types that a certificate may name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _float(value: Any) -> str:
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return f"{number:.17e}" if number else "0"


def _numeric(value: Any) -> str:
    text = f"{Decimal(str(value)):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _timestamp(value: Any) -> str:
    moment = parse_time(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    return str((moment - _EPOCH) // timedelta(microseconds=1))


_FRACTION = re.compile(r"([:\[,])-?[0-9]+(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
"""A JSON number with a point or an exponent: programs spell these in different ways."""


def _json(value: Any) -> str:
    return _FRACTION.sub(r"\1~", orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())


_TEXTS: dict[str, Callable[[Any], str]] = {
    "STRING": str,
    "INTEGER": lambda value: str(int(value)),
    "FLOAT": _float,
    "NUMERIC": _numeric,
    "BOOLEAN": lambda value: "true" if value else "false",
    "TIMESTAMP": _timestamp,
    "BYTES": lambda value: base64.b64decode(value).hex(),
    "JSON": _json,
}


MOST_LISTS = 2
"""Lists nested this deep are left out: the branches of a claim's predicate."""


def encoded(column: Column, value: Any, depth: int = 0) -> str:
    """Return a value in its documented form, with its length before it, so that different rows have different texts.

    Args:
        column: its column or field.
        value: the value, as a row has it.
        depth: the number of lists around it.
    """
    if column.mode == "REPEATED":
        if depth == MOST_LISTS:
            return ""
        elements = [] if value is None else value if isinstance(value, list) else [value]
        single = Column(column.type, fields=column.fields)
        return f"[{''.join(encoded(single, element, depth + 1) for element in elements)}]"
    if column.type == "RECORD":
        return f"({encoded_row(column.fields, value or {}, depth)})"
    if value is None:
        return "-"
    text = _TEXTS[column.type](value)
    return f"{len(text)}:{text}"


def encoded_row(columns: Columns, row: Mapping[str, Any], depth: int = 0) -> str:
    """Return the text of a row or a record: its columns in order, one after the other."""
    return "".join(encoded(column, row.get(name), depth) for name, column in columns.items())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ledger_digest(rows: Iterable[str]) -> tuple[int, str]:
    """The number of a ledger's rows, and the digest of their texts in any order."""
    hashes = sorted(map(_sha256, rows))
    return len(hashes), _sha256("".join(hashes))


@dataclass
class TableDigest:
    """The digest of a table's rows of all ledgers: of `SEQUENCE:DIGEST` of each ledger with rows, oldest first."""

    rows: int = 0
    _parts: list[str] = field(default_factory=list)

    def add(self, sequence: int, rows: Iterable[str]) -> None:
        """Add a ledger's rows."""
        count, digest = ledger_digest(rows)
        if count:
            self.rows += count
            self._parts.append(f"{sequence}:{digest}")

    @property
    def digest(self) -> str:
        """The digest so far."""
        return _sha256(",".join(self._parts))


def _texts(transform: Transform, columns: Columns, ledger: Ledger) -> Iterator[str]:
    for item in transform.items(ledger):
        try:
            row = transform.row(ledger, item)
            if row is not None:
                yield encoded_row(columns, row)
        except ExportError:
            raise
        except Exception as error:
            place = item_location(ledger, item)
            raise ExportError(f"the {transform.type} of {place} can't be certified: {error!r}") from error


def _chosen(type_: str, names: Iterable[str]) -> Columns:
    """The columns that a certificate names.

    Raises:
        ExportError: this version has no such type or column.
    """
    if type_ not in CERTIFIED:
        raise ExportError(f"the certificate names the type {type_!r}, which this version does not certify")
    columns = CERTIFIED[type_].columns
    if unknown := [name for name in names if name not in columns]:
        raise ExportError(f"the certificate names columns of {type_} that this version lacks: {', '.join(unknown)}")
    return {name: columns[name] for name in names}


def recompute(source: Source, start: int, end: int, columns: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Compute headers, counts and digests of a range from the lake.

    Args:
        source: the lake.
        start: the first ledger.
        end: the last ledger.
        columns: the named columns of each type.

    Raises:
        ExportError: a ledger can't be read or does not follow the one before, or a row can't be made.
    """
    chosen = {type_: _chosen(type_, names) for type_, names in columns.items()}
    digests = {type_: TableDigest() for type_ in chosen}
    links, counts = list[Link](), {"transactions": 0, "operations": 0}
    header = TYPES["ledgers"]
    for ledger in source.read(start, end):
        if links:
            ledger.link.check_follows(links[-1])
        links.append(ledger.link)
        for item in header.items(ledger):
            row = header.row(ledger, item) or {}
            counts["transactions"] += row["successful_transaction_count"] + row["failed_transaction_count"]
            counts["operations"] += int(row["tx_set_operation_count"])
        for type_, digest in digests.items():
            digest.add(ledger.sequence, _texts(CERTIFIED[type_], chosen[type_], ledger))
    hashes = [link.hash.hex() for link in links]
    return {
        "headers": {
            "previous_hash": links[0].previous_hash.hex(),
            "first_hash": hashes[0],
            "last_hash": hashes[-1],
            "digest": _sha256("".join(hashes)),
        },
        "counts": counts,
        "tables": {type_: {"rows": one.rows, "digest": one.digest} for type_, one in digests.items()},
    }


def read_certificate(path: str) -> dict[str, Any]:
    """Read a certificate.

    Raises:
        ExportError: it can't be read, or is not one of this format.
    """
    try:
        found = json.loads(Path(path).read_text())
        known = found["format"] == FORMAT and 1 <= found["start_ledger"] <= found["end_ledger"]
        columns = {type_: list(table["columns"]) for type_, table in found["tables"].items()}
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path} is not a certificate: {error!r}") from None
    if not known or not columns:
        raise ExportError(f"{path} is not a certificate of the format {FORMAT}")
    return dict(found)


def differences(certificate: Mapping[str, Any], recomputed: Mapping[str, Any]) -> list[str]:
    """Return one line for each difference between a certificate and the lake."""
    lines = []
    for part in ("headers", "counts"):
        for name, value in recomputed[part].items():
            if (certified := certificate.get(part, {}).get(name)) != value:
                lines.append(f"{part}.{name}: the certificate has {certified}, the lake {value}")
    for type_, table in recomputed["tables"].items():
        for name, value in table.items():
            if (certified := certificate["tables"][type_].get(name)) != value:
                lines.append(f"tables.{type_}.{name}: the certificate has {certified}, the lake {value}")
    return lines


def verify_certificate(certificate: Mapping[str, Any], source: Source) -> list[str]:
    """Recompute a certificate from the lake; return what differs."""
    columns = {type_: table["columns"] for type_, table in certificate["tables"].items()}
    return differences(certificate, recompute(source, certificate["start_ledger"], certificate["end_ledger"], columns))
