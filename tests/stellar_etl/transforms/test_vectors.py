"""Rows stated by the reference exporter's own unit tests, for ledgers built from their inputs.

One of the cases has every type of operation except `end_sponsoring_future_reserves`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stellar_etl.xdr import names
from tests.conformance.differences import added_columns
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.program import Row, as_set, command, rows, succeed

pytestmark = needs_shared

VECTORS = SHARED / "golden" / "vectors"
KINDS = (
    "ledgers",
    "transactions",
    "operations",
    "effects",
    "trades",
    "assets",
    "contract_events",
    "ledger_transaction",
)


def cases() -> list[dict[str, Any]]:
    path = VECTORS / "vectors.json"
    return [case for case in json.loads(path.read_text()) if case["kind"] in KINDS] if path.exists() else []


def kept(some_rows: list[Row], ignored: list[str]) -> list[str]:
    return as_set([{key: value for key, value in row.items() if key not in ignored} for row in some_rows])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["slug"])
def test_an_export_writes_the_stated_rows(tmp_path: Path, case: dict[str, Any]) -> None:
    sequence, output = case["ledger_sequence"], tmp_path / "rows.txt"
    succeed(
        *(command(case["kind"]), "-s", sequence, "-e", sequence, "-o", output),
        *("--datastore-path", VECTORS / "lake" / case["slug"]),
        # The inputs are literals of unit tests, so their hashes do not match. A row that cannot be created is an error.
        *("--no-verify", "--strict-export"),
    )
    stated = [{**row, **right(row)} for row in case["expected_in_lake"]]
    ignored = [*case["ignore_columns"], *added_columns()]
    assert kept(rows(output), ignored) == kept(stated, ignored)


def right(row: Row) -> Row:
    """Return the right values of a row where the reference's are deliberately different, see `docs/differences.md`."""
    if row.get("seller_is_exact") and row["trade_type"] == 2:
        # 1 stroop out of a pool of 10,000 for 100,000: 10.03 is rounded to 11.
        return {"rounding_slippage": 9}
    return {}


def test_the_cases_have_every_kind_and_every_operation_type_except_one() -> None:
    assert {case["kind"] for case in cases()} == set(KINDS)
    types = {row["type"] for case in cases() if case["kind"] == "operations" for row in case["expected_in_lake"]}
    assert types == set(names.OperationType) - {names.END_SPONSORING_FUTURE_RESERVES}
