"""Parquet files of rows, with the columns and types of BigQuery's tables."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import orjson

from stellar_etl.errors import ExportError
from stellar_etl.schema_files import Column, Columns
from stellar_etl.sinks.output import checksum_text
from stellar_etl.times import parse_time

try:
    import pyarrow as pa
    from pyarrow import parquet as pq
except ImportError:
    raise ExportError("--write-parquet needs the package pyarrow: install stellar-etl[parquet]") from None

ROW_GROUP_ROWS = 10_000
ROW_GROUP_TEXT = 8 << 20
"""A row group ends at this number of rows, or characters of text in them: the most that a file holds in memory."""

_SCALE, _EXACT = Decimal("1e-9"), Context(prec=400)

Convert = Callable[[Any], Any]

_TYPES = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "BYTES": pa.binary(),
}


@lru_cache(maxsize=1024)
def _time(value: str | int) -> datetime:
    """A time as text, or in seconds since 1970."""
    return parse_time(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)


def _integer(value: Any) -> int:
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} is not a 64-bit integer")
    return number


def _numeric(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite() or number != number.quantize(_SCALE, context=_EXACT) or number.copy_abs() >= 10**29:
        raise ValueError(f"{value} has more than 29 digits before the point or 9 after it")
    return number


def _json_text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


_CONVERT: dict[str, Convert] = {
    "STRING": str,
    "JSON": _json_text,
    "INTEGER": _integer,
    "FLOAT": float,
    "NUMERIC": _numeric,
    "BOOLEAN": bool,
    "TIMESTAMP": _time,
    "BYTES": base64.b64decode,
}


def schema(columns: Columns) -> pa.Schema:
    """Return Arrow's columns; a REQUIRED field can't be null, a REPEATED field is a list."""
    return pa.schema(_fields(columns))


def _fields(columns: Columns) -> Iterable[pa.Field]:
    for name, column in columns.items():
        single = pa.struct(_fields(_in_file_order(column.fields))) if column.type == "RECORD" else _TYPES[column.type]
        repeated = column.mode == "REPEATED"
        yield pa.field(name, pa.list_(single) if repeated else single, nullable=column.mode == "NULLABLE")


def _in_file_order(fields: Columns) -> Columns:
    """Return a record's fields in the order of Parquet files.

    It is the tables' order except in the predicates of claims: `unconditional` is right before `abs_before_epoch` in
    all of them. A reader of several files compares their schemas including the order, so it must not change.
    """
    if not {"unconditional", "abs_before_epoch"} <= fields.keys():
        return fields
    names = [name for name in fields if name != "unconditional"]
    names.insert(names.index("abs_before_epoch"), "unconditional")
    return {name: fields[name] for name in names}


def converter(columns: Columns) -> Convert:
    """Return a function that turns a row, or a record in a row, into values for Arrow.

    It raises ValueError, naming the column, for an unknown field, or for a value that doesn't fit its column.
    """
    converts = {name: _of_column(column) for name, column in columns.items()}
    empty: dict[str, Any] = {name: [] for name, column in columns.items() if column.mode == "REPEATED"}
    required = {name for name, column in columns.items() if column.mode == "REQUIRED"}

    def convert(row: Mapping[str, Any]) -> dict[str, Any]:
        made = empty.copy()
        for name, value in row.items():
            if name not in converts:
                raise ValueError(f"{name} is not a column")
            if value is not None:
                try:
                    made[name] = converts[name](value)
                except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
                    raise ValueError(f"{name}: {error}") from None
        if not required <= made.keys():
            raise ValueError(f"{', '.join(sorted(required - made.keys()))} is missing")
        return made

    return convert


def _of_column(column: Column) -> Convert:
    single = converter(column.fields) if column.type == "RECORD" else _CONVERT[column.type]
    return (lambda value: list(map(single, _as_list(value)))) if column.mode == "REPEATED" else single


def _as_list(value: Any) -> list[Any]:
    """A single record means a list of one: the reference exporter writes predicates and price limits like this."""
    return value if isinstance(value, list) else [value]


class ParquetFile:
    """One Parquet file, written under a temporary name, a row group at a time.

    Attributes:
        name: its final name.
        path: its temporary path.
        rows: the number of added rows.
        bytes: their size in bytes, once it is closed.
    """

    content_type = "application/vnd.apache.parquet"

    def __init__(self, name: str, path: Path, columns: Columns, extra_fields: Iterable[str]) -> None:
        self.name = name
        self.path = path
        self.rows = 0
        self.bytes = 0
        self._checksum = 0
        # An extra field is text, and replaces a column of the same name, as in the row.
        columns = {**columns, **dict.fromkeys(extra_fields, Column("STRING"))}
        self._schema = schema(columns)
        self._convert = converter(columns)
        self._pending: list[dict[str, Any]] = []
        self._pending_text = 0
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows.

        Raises:
            ValueError: one doesn't fit the columns: it and those after it were not added.
            OSError: a row group can't be written.
        """
        for row in rows:
            self._pending.append(self._convert(row))
            self._pending_text += sum(len(value) for value in row.values() if isinstance(value, str))
            self.rows += 1
            if len(self._pending) >= ROW_GROUP_ROWS or self._pending_text >= ROW_GROUP_TEXT:
                self._write_group()

    def close(self) -> None:
        """Finish writing.

        Raises:
            OSError: the last row group can't be written.
        """
        if not self._writer.is_open:
            return
        if self._pending:
            self._write_group()
        self._writer.close()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                self._checksum = google_crc32c.extend(self._checksum, block)
                self.bytes += len(block)

    @property
    def crc32c(self) -> str:
        """The checksum as Google Cloud Storage prints it, once it is closed."""
        return checksum_text(self._checksum)

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self._schema))
        self._pending = []
        self._pending_text = 0
