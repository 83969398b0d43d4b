"""The main job over recorded ledgers of the public network: published rows are those of the reference exporter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from stellar_etl_airflow.model.tables import TABLES, Table
from tests.end_to_end.conftest import run_local
from tests.end_to_end.rows import as_set, published
from tests.shared import SHARED, needs_shared

pytestmark = [pytest.mark.end_to_end, needs_shared]

FIRST, LAST = 30822015, 30822018

OURS = ("event_index", "event_source")
"""Columns that the reference exporter does not have (docs/differences.md)."""


def ledger_of(row: dict[str, Any], table: Table) -> int:
    return int(row[table.ledger_column]) >> table.ledger_shift


def test_published_rows_are_those_of_the_reference_exporter(tmp_path: Path) -> None:
    done = run_local(
        tmp_path,
        *("--keep", "--json", str(tmp_path / "report.json"), "--lake", str(SHARED / "ledgers" / "pubnet")),
        *("--from", "2020-07-28T00:10:40Z", "--to", "2020-07-28T00:11:01Z"),
    )
    stack = Stack(tmp_path)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        for data_type in ("ledgers", "transactions", "operations", "effects", "token_transfers"):
            table = TABLES[data_type]
            lines = (SHARED / "golden" / "30822015-30822019" / f"{data_type}.ndjson").read_text().splitlines()
            golden = [row for row in map(json.loads, lines) if FIRST <= ledger_of(row, table) <= LAST]
            assert golden
            assert published(stack, table.table_id, without=OURS) == as_set(golden, table.table_id, OURS), data_type
        (row,) = stack.query("SELECT COUNTIF(event_index IS NULL) AS lacking FROM token_transfers_raw")
        assert row["lacking"] == 0
    finally:
        stack.down()
