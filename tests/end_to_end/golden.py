"""Recorded ledgers of the public network, and the rows of the reference exporter for them."""

from __future__ import annotations

import json
from typing import Any

from local.stack import Stack
from stellar_etl_airflow.model.tables import TABLES, Table
from tests.end_to_end.rows import as_set, published
from tests.shared import SHARED

LAKE = SHARED / "ledgers" / "pubnet"
FIRST, LAST = 30822015, 30822018
START, END = "2020-07-28T00:10:40Z", "2020-07-28T00:11:01Z"
"""Close times around these ledgers."""
OURS = ("event_index", "event_source")
"""Columns that the reference exporter does not have (docs/differences.md)."""


def ledger_of(row: dict[str, Any], table: Table) -> int:
    return int(row[table.ledger_column]) >> table.ledger_shift


def assert_golden_rows_are_published(stack: Stack, dataset: str = "") -> None:
    """Check that each table of the dataset, by default the stack's, has the rows of exactly these ledgers."""
    for data_type in ("ledgers", "transactions", "operations", "effects", "token_transfers"):
        table = TABLES[data_type]
        lines = (SHARED / "golden" / "30822015-30822019" / f"{data_type}.ndjson").read_text().splitlines()
        golden = [row for row in map(json.loads, lines) if FIRST <= ledger_of(row, table) <= LAST]
        assert golden
        assert published(stack, table.table_id, without=OURS, dataset=dataset) == as_set(
            golden, table.table_id, OURS
        ), data_type
    events = f"{dataset and f'{dataset}.'}token_transfers_raw"
    (row,) = stack.query(f"SELECT COUNTIF(event_index IS NULL) AS lacking FROM {events}")
    assert row["lacking"] == 0
