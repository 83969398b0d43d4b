"""The validator accepts what BigQuery accepts, and names the column of a refused value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validator import problems


def field(kind: str, mode: str = "NULLABLE", *fields: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": mode} | ({"fields": list(fields)} if fields else {})


TAKEN = [
    ("STRING", ["", "text"]),
    ("INTEGER", [0, -(2**63), 2**63 - 1, "12", "-7"]),
    ("FLOAT", [1, 1.5, "1.5", 1e300]),
    ("NUMERIC", ["1.123456789", 5, 0.25, "9" * 29, "1.50000000000000"]),
    ("BOOLEAN", [True, False, "true"]),
    ("TIMESTAMP", ["2026-01-01T00:00:05Z", "2026-1-1 00:00:05.123456 UTC", "2026-01-01", "0001-01-01T00:00:00Z", 5]),
    ("DATE", ["2026-02-28"]),
    ("DATETIME", ["2026-01-01T00:00:00", "2026-01-01 10:00:00.5"]),
    ("BYTES", ["", "AAAA"]),
    ("JSON", [None, 1, "text", [1, None, {"b": []}]]),
]
REFUSED = [
    ("STRING", [1, True, {}, []]),
    ("INTEGER", [2**63, -(2**63) - 1, 1.5, True, "", "1.0", "x", [1]]),
    ("FLOAT", ["", "x", float("nan"), float("inf"), "1e999", True, []]),
    ("NUMERIC", ["1.1234567891", "9" * 30, "NaN", "", True, {}]),
    ("BOOLEAN", [1, "yes", ""]),
    ("TIMESTAMP", ["", "noon", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "0000-01-01", "2026-01-01T00:00:00,5Z"]),
    ("TIMESTAMP", ["2026-01-01T00:00:00.1234567Z", 1e15, True]),
    ("DATE", ["2026-13-01", "2026-01-01T00:00:00", 5]),
    ("DATETIME", ["2026-01-01T00:00:00Z", "2026-01-01T00:61:00"]),
    ("BYTES", ["AAA", "*", 5]),
    ("RECORD", [1, "x", [{"b": "x"}]]),
]


def each(cases: list[tuple[str, list[Any]]]) -> list[tuple[str, Any]]:
    return [(kind, value) for kind, values in cases for value in values]


@pytest.mark.parametrize(("kind", "value"), each(TAKEN))
def test_a_fitting_value_is_accepted(kind: str, value: Any) -> None:
    assert list(problems({"a": value}, [field(kind)])) == []
    if value is not None:
        assert list(problems({"a": [value]}, [field(kind, "REPEATED")])) == []


@pytest.mark.parametrize(("kind", "value"), each(REFUSED))
def test_a_value_that_does_not_fit_is_named(kind: str, value: Any) -> None:
    (problem,) = problems({"a": value}, [field(kind, "NULLABLE", *([field("STRING", name="b")] * (kind == "RECORD")))])
    assert problem.startswith("a: ")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"b": 1}, ["b: no such field", "a: missing"]),
        ({"a": None}, ["a: missing"]),
        ({"a": {"c": [None]}}, ["a.c: null in a list"]),
        ({"a": {"c": "text"}}, ["a.c: 'text' is no list"]),
        ({"a": {"c": [1, "x", 2**63]}}, ["a.c: 'x' is no INTEGER", "a.c: 9223372036854775808 is no INTEGER"]),
        ({"a": {"c": None, "d": 1}}, ["a.d: no such field"]),
        ([], ["row: [] is no record"]),
    ],
)
def test_modes_and_nested_fields_are_checked(row: Any, expected: list[str]) -> None:
    fields = [field("RECORD", "REQUIRED", field("INTEGER", "REPEATED", name="c"))]
    assert list(problems(row, fields)) == expected


def test_recorded_forms_are_accepted_in_their_columns_only() -> None:
    inner = field("RECORD", "REPEATED", field("STRING", name="x"), name="predicate")
    other = field("RECORD", "REPEATED", field("STRING", name="x"), name="path")
    fields = [field("RECORD", "NULLABLE", inner, other, field("STRING", name="to_muxed_id"), name="details")]
    assert list(problems({"details": {"predicate": {"x": "1"}, "to_muxed_id": 5}}, fields)) == []
    assert list(problems({"details": {"predicate": {"x": 1}}}, fields)) == ["details.predicate.x: 1 is no STRING"]
    assert list(problems({"details": {"path": {"x": "1"}}}, fields)) == ["details.path: {'x': '1'} is no list"]
