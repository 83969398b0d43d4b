"""Export modes, one after the other on the running stack: Variables choose the mode, and the rows stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_sample_network import trigger, wait_for

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

DAG = "history_archive_without_captive_core"
TABLES = ("history_ledgers", "history_assets")
FIRST, LAST = 200, 219


def set_variable(stack: Stack, key: str, value: str) -> None:
    stack.rest("PATCH", f"variables/{key}", {"key": key, "value": value})


@pytest.fixture
def stack(sample: Sample) -> Iterator[Stack]:
    yield sample.stack
    set_variable(sample.stack, "export_mode", "one_pass")
    set_variable(sample.stack, "manifest", "required")


@pytest.mark.parametrize(
    ("export_mode", "manifest"), [("one_pass", "derived"), ("per_type", "required"), ("per_type", "derived")]
)
def test_another_export_mode_gives_the_same_rows(stack: Stack, export_mode: str, manifest: str) -> None:
    before = {table_id: published(stack, table_id) for table_id in TABLES}
    set_variable(stack, "export_mode", export_mode)
    set_variable(stack, "manifest", manifest)
    run_id = f"{export_mode}-{manifest}"
    trigger(stack, DAG, run_id, {"start_ledger": FIRST, "end_ledger": LAST})
    assert wait_for(stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed") == "success"
    assert {table_id: published(stack, table_id) for table_id in TABLES} == before
    (loaded,) = stack.query(f"SELECT COUNT(*) AS n FROM history_ledgers WHERE batch_id = '{run_id}'")
    assert loaded["n"] == LAST - FIRST + 1
    attempts = stack.layout.root / "gcs" / "stellar-etl-local" / "dag-exported" / run_id
    manifests = {path.name for path in attempts.rglob("*manifest.json")}
    by_type = {f"{FIRST}-{LAST}-{name}.txt.manifest.json" for name in ("assets", "ledgers")}
    assert manifests == (by_type if export_mode == "per_type" else {f"{FIRST}-{LAST}-manifest.json"})
