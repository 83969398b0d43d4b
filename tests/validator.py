"""Checks rows as BigQuery does when it loads newline-delimited JSON without bad rows or unknown fields.

The checks follow BigQuery's pages exactly (https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json, and
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types). Where the pages are silent, a REPEATED field
that is null is an empty list, and numbers and booleans may be texts. The recorded tables were loaded with two further
forms, which the pages do not mention. They are accepted only in the columns of `RECORD_FOR_LIST` and `NUMBER_FOR_TEXT`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any

Field = Mapping[str, Any]

RECORD_FOR_LIST = re.compile(
    r"(details\.|(details\.)?claimants\.)predicate(\..*)?|details\.(min|max)_price_r|details\.(bought|sold)"
)
"""Columns of lists of records, where the reference exporter writes a single record."""

NUMBER_FOR_TEXT = re.compile(r"details\..*_muxed_id")
"""Text columns, where the reference exporter writes a number."""

JSON_DEPTH = 500
NUMERIC_BEFORE, NUMERIC_AFTER = 29, 9

_EXACT = Context(prec=1000)
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_TIME = r"[T ]\d{1,2}:\d{2}:\d{2}(?:\.\d{1,6})?"
_DATETIME = re.compile(rf"{_DATE.pattern}(?:{_TIME})?")
_ZONE = r" ?(?:[Zz]|UTC|[+-]\d{1,2}(?::\d{2})?)"
_TIMESTAMP = re.compile(rf"{_DATE.pattern}(?:{_TIME})?(?:{_ZONE})?")


def problems(row: Any, fields: Sequence[Field], at: str = "") -> Iterator[str]:
    """Return the reasons for which BigQuery would refuse a row or a record in it, each with the column's name."""
    if not isinstance(row, dict):
        yield f"{at.rstrip('.') or 'row'}: {_shown(row)} is no record"
        return
    known = {field["name"]: field for field in fields}
    for name in row.keys() - known.keys():
        yield f"{at}{name}: no such field"
    for name, field in known.items():
        yield from _of_field(row.get(name), field, at + name)


def _of_field(value: Any, field: Field, at: str) -> Iterator[str]:
    mode = field.get("mode", "NULLABLE")
    if value is None:
        if mode == "REQUIRED":
            yield f"{at}: missing"
    elif mode != "REPEATED":
        yield from _of_value(value, field, at)
    elif isinstance(value, list):
        for item in value:
            if item is None:
                yield f"{at}: null in a list"
            else:
                yield from _of_value(item, field, at)
    elif isinstance(value, dict) and RECORD_FOR_LIST.fullmatch(at):
        yield from _of_value(value, field, at)
    else:
        yield f"{at}: {_shown(value)} is no list"


def _of_value(value: Any, field: Field, at: str) -> Iterator[str]:
    kind = field["type"]
    if kind in ("RECORD", "STRUCT"):
        yield from problems(value, field["fields"], f"{at}.")
    elif kind == "STRING" and type(value) is int and NUMBER_FOR_TEXT.fullmatch(at):
        return
    elif not FITS[kind](value):
        yield f"{at}: {_shown(value)} is no {kind}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fits_integer(value: Any) -> bool:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _decimal(value: Any) -> Decimal | None:
    if not _is_number(value) and not isinstance(value, str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _fits_float(value: Any) -> bool:
    number = _decimal(value)
    return number is not None and number.copy_abs() <= Decimal("1.7976931348623157e308")


def _fits_decimal(before: int, after: int) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        number = _decimal(value)
        if number is None:
            return False
        exponent = number.normalize(_EXACT).as_tuple().exponent
        return number.copy_abs() < Decimal(10) ** before and isinstance(exponent, int) and exponent >= -after

    return fits


def _fits_time(pattern: re.Pattern[str], value: Any) -> bool:
    match = pattern.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    try:
        date(*(int(part) for part in match.groups()[:3]))
        clock = value[match.end(3) + 1 :][:8]
        if clock:
            datetime.strptime(clock.rstrip("Zz+-. "), "%H:%M:%S")
    except ValueError:
        return False
    return True


def _fits_timestamp(value: Any) -> bool:
    if _is_number(value):  # seconds since 1970
        first, last = (time.replace(tzinfo=UTC).timestamp() for time in (datetime.min, datetime.max))
        return bool(first <= value <= last)
    return _fits_time(_TIMESTAMP, value)


def _fits_bytes(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except binascii.Error:
        return False


def _fits_json(value: Any) -> bool:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + max(map(depth, inner), default=0)

    return depth(value) <= JSON_DEPTH


FITS: dict[str, Callable[[Any], bool]] = {
    "STRING": lambda value: isinstance(value, str),
    "INTEGER": _fits_integer,
    "FLOAT": _fits_float,
    "NUMERIC": _fits_decimal(NUMERIC_BEFORE, NUMERIC_AFTER),
    "BIGNUMERIC": _fits_decimal(38, 38),
    "BOOLEAN": lambda value: isinstance(value, bool) or value in ("true", "false"),
    "TIMESTAMP": _fits_timestamp,
    "DATE": lambda value: _fits_time(_DATE, value),
    "DATETIME": lambda value: _fits_time(_DATETIME, value),
    "BYTES": _fits_bytes,
    "JSON": _fits_json,
}
"""For each type, whether a value can be loaded into it."""
