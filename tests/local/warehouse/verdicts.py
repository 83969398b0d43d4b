"""BigQuery's results for values in newline-delimited JSON.

For each type and form: the value or a refusal, and its source. The list has only forms that the sources settle. Where
the sources are silent, the local warehouse refuses (`SILENT`).
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple


class Source(Enum):
    """The source of a verdict."""

    LOADING = "https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json#details_of_loading_json_data"
    TYPES = "https://cloud.google.com/bigquery/docs/data-types: seconds since 1970, six places are preserved"
    CAST = "the cast of a STRING in Google's reference evaluator, which a test asks"
    SEEN = "what BigQuery answered, in the tests of github.com/dlt-hub/dlt: tests/load/bigquery/test_bigquery_client.py"
    MESSAGE = "an error message of BigQuery names the case"
    JSON = "RFC 8259: the line is not JSON"
    SILENT = "nobody says: refused, so that nothing passes here that may fail there"


class Refused(Enum):
    """The verdict that a value fails the load."""

    REFUSED = "refused"


REFUSED = Refused.REFUSED


class Verdict(NamedTuple):
    """One form of a value."""

    type: str
    json: str
    """The text in the file."""
    value: Any
    """The value that a client reads, or REFUSED."""
    source: Source
    mode: str = "NULLABLE"


def _utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type]


LOADING, TYPES, CAST, SEEN = Source.LOADING, Source.TYPES, Source.CAST, Source.SEEN
MESSAGE, JSON, SILENT = Source.MESSAGE, Source.JSON, Source.SILENT
_NOON, _QUARTER = _utc(2018, 8, 19, 12, 11, 35), _utc(2018, 8, 19, 12, 11)

SCALARS = [
    Verdict(kind, text, value, source)
    for kind, forms in {
        "INTEGER": [
            ("12", 12, LOADING),
            ("-0", 0, CAST),
            ("9223372036854775807", 2**63 - 1, CAST),
            ("9223372036854775808", REFUSED, SEEN),
            ('"12"', 12, LOADING),
            ('" 12 "', 12, CAST),
            ('"+1"', 1, CAST),
            ('"0x1F"', 31, CAST),
            ('"1.0"', REFUSED, CAST),
            ('"12."', REFUSED, CAST),
            ('"1e3"', REFUSED, CAST),
            ('"1_000"', REFUSED, CAST),
            ('""', REFUSED, CAST),
            ('"x"', REFUSED, CAST),
            ("1.7", REFUSED, MESSAGE),
            ("1.0", REFUSED, SILENT),
            ("1e3", REFUSED, SILENT),
            ("true", REFUSED, MESSAGE),
        ],
        "FLOAT": [
            ("1.5", 1.5, LOADING),
            ("1", 1.0, LOADING),
            ("1e3", 1000.0, LOADING),
            ('"1.5"', 1.5, CAST),
            ('" 1.5 "', 1.5, CAST),
            ('".5"', 0.5, CAST),
            ('"5."', 5.0, CAST),
            ('"-inf"', -math.inf, CAST),
            ('"Infinity"', math.inf, CAST),
            ('"1_0"', REFUSED, CAST),
            ('"x"', REFUSED, CAST),
            ('""', REFUSED, CAST),
            ("true", REFUSED, SILENT),
            ("NaN", REFUSED, JSON),
            ("-Infinity", REFUSED, JSON),
        ],
        "NUMERIC": [
            ("1.5", Decimal("1.5"), LOADING),
            ('"1.5"', Decimal("1.5"), CAST),
            ('"1e3"', Decimal(1000), CAST),
            ("1e-07", Decimal("0.0000001"), CAST),
            ('"99999999999999999999999999999.999999999"', Decimal("99999999999999999999999999999.999999999"), CAST),
            ('"99999999999999999999999999999.999"', Decimal("99999999999999999999999999999.999"), SEEN),
            ('"100000000000000000000000000000"', REFUSED, SEEN),
            ('"0.1234567890"', Decimal("0.123456789"), CAST),
            ('"0.1234567891"', REFUSED, SILENT),
            ('"1e-10"', REFUSED, SILENT),
            ('"NaN"', REFUSED, CAST),
            ('"1_0"', REFUSED, CAST),
            ('""', REFUSED, CAST),
            ("true", REFUSED, SILENT),
        ],
        "BOOLEAN": [
            *((text, value, LOADING) for text, value in (("true", True), ("false", False), ("1", True), ("0", False))),
            *((f'"{text}"', True, LOADING) for text in ("true", "TRUE", "t", "T", "yes", "y", "Y", "1")),
            *((f'"{text}"', False, LOADING) for text in ("false", "F", "no", "n", "0")),
            ("2", REFUSED, LOADING),
            ("0.5", REFUSED, LOADING),
            ('"on"', REFUSED, LOADING),
            ('""', REFUSED, LOADING),
        ],
        "STRING": [
            ('"x"', "x", LOADING),
            ('""', "", LOADING),
            ('"a,}[NaN],]"', "a,}[NaN],]", LOADING),
            ("12", "12", LOADING),
            ("true", "true", LOADING),
            ("NaN", REFUSED, JSON),
        ],
        "BYTES": [
            ('"AAECAw=="', b"\x00\x01\x02\x03", LOADING),
            ('"AAECAw"', b"\x00\x01\x02\x03", CAST),
            ('"AAEC\\nAw=="', b"\x00\x01\x02\x03", CAST),
            ('"A"', REFUSED, CAST),
            ('"-_8="', REFUSED, CAST),
            ("1234", REFUSED, SILENT),
        ],
        "DATE": [
            ('"2026-01-01"', dt.date(2026, 1, 1), LOADING),
            ('"2026-1-1"', dt.date(2026, 1, 1), CAST),
            ('"2026/01/01"', REFUSED, CAST),
            ('"2026-01-01T00:00:00"', REFUSED, CAST),
            ('"20260101"', REFUSED, CAST),
            ('"2026-02-30"', REFUSED, CAST),
            ('"10000-01-01"', REFUSED, CAST),
            ('"0000-01-01"', REFUSED, CAST),
            ('"infinity"', REFUSED, CAST),
            ('"2026-01-01 (BC)"', REFUSED, CAST),
            ("20260101", REFUSED, SILENT),
        ],
        "TIME": [
            ('"12:00:00"', dt.time(12), LOADING),
            ('"12:00:00.123456"', dt.time(12, 0, 0, 123456), LOADING),
            ('"12:00"', REFUSED, CAST),
            ('"25:00:00"', REFUSED, CAST),
            ('"12:00:00.1234567"', REFUSED, CAST),
        ],
        "DATETIME": [
            ('"2018-08-19 12:11:35"', dt.datetime(2018, 8, 19, 12, 11, 35), LOADING),
            ('"2018-08-19 12:11:35.123456"', dt.datetime(2018, 8, 19, 12, 11, 35, 123456), LOADING),
            ('"2018-08-19T12:11:35"', dt.datetime(2018, 8, 19, 12, 11, 35), CAST),
            ('"2018-8-9 1:2:3"', dt.datetime(2018, 8, 9, 1, 2, 3), CAST),
            ('"2018-08-19"', dt.datetime(2018, 8, 19), CAST),
            ('"2018-08-19 12:11"', REFUSED, CAST),
            ('"2018/08/19 12:11:35"', REFUSED, CAST),
            ('"2018-08-19T12:11:35Z"', REFUSED, CAST),
            ('"2018-08-19T12:11:35+00:00"', REFUSED, CAST),
            ('"2018-08-19T12:11:35.1234567"', REFUSED, CAST),
            ('"2018-08-19 24:00:00"', REFUSED, CAST),
            ('"2018-02-30 00:00:00"', REFUSED, CAST),
            ('"10000-01-01 00:00:00"', REFUSED, CAST),
            ('"0000-01-01 00:00:00"', REFUSED, CAST),
            ('"infinity"', REFUSED, CAST),
            ('"1595895040"', REFUSED, CAST),
            ("1595895040", REFUSED, SILENT),
        ],
        "TIMESTAMP": [
            ('"2018-08-19 12:11"', _QUARTER, LOADING),
            ('"2018-08-19 12:11:35"', _NOON, LOADING),
            ('"2018-08-19 12:11:35.22"', _NOON.replace(microsecond=220000), LOADING),
            ('"2018/08/19 12:11"', _QUARTER, LOADING),
            ('"2018-07-05 12:54:00 UTC"', _utc(2018, 7, 5, 12, 54), LOADING),
            ('"2018-08-19 07:11:35.220 -05:00"', _NOON.replace(microsecond=220000), LOADING),
            ('"2018-08-19T12:11:35.220Z"', _NOON.replace(microsecond=220000), LOADING),
            ('"2018-08-19T13:11:35+01"', _NOON, CAST),
            ('"2018-08-19T13:11:35+0100"', _NOON, CAST),
            ('"2018-08-19"', _utc(2018, 8, 19), CAST),
            ('"2018-8-19 12:11:35"', _NOON, CAST),
            ('"0001-01-01 00:00:00"', _utc(1, 1, 1), CAST),
            ('"9999-12-31 23:59:59.999999"', _utc(9999, 12, 31, 23, 59, 59, 999999), CAST),
            ("1534680695", _NOON, LOADING),
            ('"1534680695"', _NOON, LOADING),
            ("1534680695.220", _NOON.replace(microsecond=220000), TYPES),
            ("1534680695.123456", _NOON.replace(microsecond=123456), TYPES),
            ('"1534680695.123456"', _NOON.replace(microsecond=123456), TYPES),
            ("1.534680695e9", _NOON, TYPES),
            ("-14182916", _utc(1969, 7, 20, 20, 18, 4), TYPES),
            ("253402300799", _utc(9999, 12, 31, 23, 59, 59), TYPES),
            # The page has 1.534680695e12 among its examples, without the time that it represents: as seconds it is in
            # the year 50602, beyond BigQuery's last TIMESTAMP.
            ("1534680695000", REFUSED, SILENT),
            ("1.534680695e12", REFUSED, SILENT),
            ("253402300800", REFUSED, TYPES),
            ("-62135596801", REFUSED, TYPES),
            ("1e999", REFUSED, TYPES),
            ('"AA"', REFUSED, SEEN),
            ('""', REFUSED, CAST),
            ('"infinity"', REFUSED, CAST),
            ('"epoch"', REFUSED, CAST),
            ('"2018-08-19T12:11:35.1234567Z"', REFUSED, CAST),
            ('"2018-08-19 24:00:00"', REFUSED, CAST),
            ('"2018-02-30 00:00:00"', REFUSED, CAST),
            ('"2018-08-19T12:11:35+15:00"', REFUSED, CAST),
            ('"10000-01-01 00:00:00"', REFUSED, CAST),
            ('"0000-01-01 00:00:00"', REFUSED, CAST),
            ('"9999-12-31 23:59:59-01:00"', REFUSED, CAST),
            ('"0001-01-01 00:00:00+01:00"', REFUSED, CAST),
            ("true", REFUSED, SILENT),
        ],
        "JSON": [
            ('{"b":[1,{"x":null}]}', {"b": [1, {"x": None}]}, LOADING),
            ('"x"', "x", LOADING),
            ("[1,null]", [1, None], LOADING),
            ('{"x":NaN}', REFUSED, JSON),
        ],
    }.items()
    for text, value, source in forms
]
"""A value of a column of one value."""

SHAPES = [
    *(Verdict(kind, "{}", REFUSED, MESSAGE) for kind in ("STRING", "INTEGER", "FLOAT", "BOOLEAN", "TIMESTAMP")),
    *(Verdict(kind, '{"x":1}', REFUSED, MESSAGE) for kind in ("STRING", "NUMERIC", "DATE", "BYTES", "DATETIME")),
    *(Verdict(kind, '["1"]', REFUSED, MESSAGE) for kind in ("STRING", "INTEGER", "TIMESTAMP", "RECORD")),
    Verdict("STRING", "[]", REFUSED, MESSAGE),
    Verdict("RECORD", "{}", {"x": None}, LOADING),
    Verdict("RECORD", '{"x":"1"}', {"x": 1}, LOADING),
    Verdict("RECORD", "null", None, LOADING),
    Verdict("RECORD", "1", REFUSED, MESSAGE),
    Verdict("RECORD", '"x"', REFUSED, MESSAGE),
    Verdict("RECORD", '{"y":1}', REFUSED, SEEN),
    Verdict("RECORD", '{"y":null}', REFUSED, SEEN),
    *(Verdict(kind, "null", REFUSED, SEEN, "REQUIRED") for kind in ("INTEGER", "TIMESTAMP", "STRING", "BOOLEAN")),
    *(Verdict(kind, "null", [], LOADING, "REPEATED") for kind in ("INTEGER", "STRING", "RECORD")),
    *(Verdict(kind, "[]", [], LOADING, "REPEATED") for kind in ("INTEGER", "STRING", "RECORD")),
    *(Verdict(kind, "[null]", REFUSED, LOADING, "REPEATED") for kind in ("INTEGER", "STRING", "RECORD", "TIMESTAMP")),
    Verdict("INTEGER", "[1,null]", REFUSED, LOADING, "REPEATED"),
    Verdict("STRING", '["a",null]', REFUSED, LOADING, "REPEATED"),
    Verdict("RECORD", '[{"x":1},null]', REFUSED, LOADING, "REPEATED"),
    Verdict("INTEGER", '[1,"2"]', [1, 2], LOADING, "REPEATED"),
    Verdict("INTEGER", "[1,1.5]", REFUSED, MESSAGE, "REPEATED"),
    Verdict("TIMESTAMP", '[1534680695,"2018-08-19 12:11"]', [_NOON, _QUARTER], LOADING, "REPEATED"),
    Verdict("STRING", '["a",{"x":1}]', REFUSED, MESSAGE, "REPEATED"),
    Verdict("STRING", "[{}]", REFUSED, MESSAGE, "REPEATED"),
    Verdict("INTEGER", "[[1]]", REFUSED, MESSAGE, "REPEATED"),
    Verdict("INTEGER", "[1,[1]]", REFUSED, MESSAGE, "REPEATED"),
    *(Verdict(kind, "1", REFUSED, MESSAGE, "REPEATED") for kind in ("INTEGER", "STRING", "RECORD")),
    Verdict("RECORD", '[{"x":1},{"x":"2"},{}]', [{"x": 1}, {"x": 2}, {"x": None}], LOADING, "REPEATED"),
    Verdict("RECORD", '[{"x":1},{"x":{}}]', REFUSED, MESSAGE, "REPEATED"),
    Verdict("RECORD", '[{"x":1},2]', REFUSED, MESSAGE, "REPEATED"),
    Verdict("RECORD", '[{"x":1},{"y":2}]', REFUSED, SEEN, "REPEATED"),
]
"""Objects, arrays and null in columns of each mode. A RECORD has one field, the INTEGER x."""

LINES = [
    ('{"v":1,}', JSON),
    ('{"v":1, }', JSON),
    ('{"v":1,"r":{"x":1,}}', JSON),
    ('{"v":1,"a":[1,]}', JSON),
    ('{"v":1', JSON),
    ('{"v":01}', JSON),
    ("{'v':1}", JSON),
    ('{"v":1} {"v":2}', JSON),
    ("null", LOADING),
    ("[1]", LOADING),
    ('[{"v":1}]', LOADING),
    ("1", LOADING),
    ('"v"', LOADING),
]
"""Lines that are refused as a whole, beside a good one: texts that are not JSON, or not an object."""
