"""The main job over recorded ledgers of the public network: published rows are those of the reference exporter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import run_local
from tests.end_to_end.rows import as_set, published
from tests.shared import SHARED, needs_shared

pytestmark = [pytest.mark.end_to_end, needs_shared]

FIRST, LAST = 30822015, 30822018


def test_published_rows_are_those_of_the_reference_exporter(tmp_path: Path) -> None:
    done = run_local(
        tmp_path,
        *("--keep", "--json", str(tmp_path / "report.json"), "--lake", str(SHARED / "ledgers" / "pubnet")),
        *("--from", "2020-07-28T00:10:40Z", "--to", "2020-07-28T00:11:01Z"),
    )
    stack = Stack(tmp_path)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        for data_type, column in (
            ("ledgers", "sequence"),
            ("transactions", "ledger_sequence"),
            ("operations", "ledger_sequence"),
        ):
            lines = (SHARED / "golden" / "30822015-30822019" / f"{data_type}.ndjson").read_text().splitlines()
            golden = [row for row in map(json.loads, lines) if FIRST <= row[column] <= LAST]
            assert published(stack, f"history_{data_type}") == as_set(golden, f"history_{data_type}")
    finally:
        stack.down()
