"""Rows of recorded mainnet ledgers are exactly those that the reference exporter wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.differences import added_columns
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.program import Row, as_set, command, rows, succeed

pytestmark = needs_shared

RANGES = {"30820015": (30820015, 30820015), "30822015-30822019": (30822015, 30822019)}
RECORDED = [
    ("30820015", "transactions"),
    ("30820015", "operations"),
    ("30820015", "assets"),
    ("30820015", "effects"),
    ("30820015", "token_transfers"),
    ("30822015-30822019", "ledgers"),
    ("30822015-30822019", "transactions"),
    ("30822015-30822019", "operations"),
    ("30822015-30822019", "effects"),
    ("30822015-30822019", "token_transfers"),
]
LAKE = SHARED / "ledgers" / "pubnet"


def recorded_columns(path: Path) -> list[Row]:
    """Return the rows of a file without the columns that only this exporter writes; these are never null."""
    written, added = rows(path), added_columns()
    assert all(row[column] is not None for row in written for column in added & row.keys())
    return [{column: value for column, value in row.items() if column not in added} for row in written]


@pytest.mark.parametrize(("folder", "type_"), RECORDED)
def test_a_single_export_writes_the_recorded_rows(tmp_path: Path, folder: str, type_: str) -> None:
    first, last = RANGES[folder]
    succeed(command(type_), "-s", first, "-e", last, "--datastore-path", LAKE, "-o", tmp_path / "rows.txt")
    assert as_set(recorded_columns(tmp_path / "rows.txt")) == as_set(
        rows(SHARED / "golden" / folder / f"{type_}.ndjson")
    )


@pytest.mark.parametrize("folder", RANGES)
def test_one_pass_writes_the_recorded_rows_of_every_type(tmp_path: Path, folder: str) -> None:
    first, last = RANGES[folder]
    succeed("export_all_history", "-s", first, "-e", last, "--datastore-path", LAKE, "-o", tmp_path)
    for recorded, type_ in RECORDED:
        if recorded == folder:
            written = recorded_columns(tmp_path / f"{first}-{last}-{type_}.txt")
            assert as_set(written) == as_set(rows(SHARED / "golden" / folder / f"{type_}.ndjson")), type_
