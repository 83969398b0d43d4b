"""Overlapping runs at the same time: each table has one writer at a time, and the final rows are right."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.waiting import wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

DAG = "history_archive_without_captive_core"
RANGES = {"overlap-1": (20, 60), "overlap-2": (40, 90), "overlap-3": (30, 70)}


def merges(stack: Stack) -> dict[str, list[tuple[datetime, datetime]]]:
    """Return per table the times at which its merge jobs were requested and ended."""
    found = defaultdict(list)
    for run_id, table in itertools.product(RANGES, ("ledgers", "assets")):
        path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{table}.merge/xcomEntries/return_value?deserialize=true"
        for job_id in stack.rest("GET", path)["value"]["jobs"]:
            times = stack.bigquery("GET", f"jobs/{job_id}")["statistics"]
            moments = (int(times[key]) / 1000 for key in ("creationTime", "endTime"))
            found[table].append(tuple(map(datetime.fromtimestamp, moments)))
    return found


def test_overlapping_runs_write_one_after_the_other(sample: Sample) -> None:
    stack = sample.stack
    before = {table: published(stack, table) for table in ("history_ledgers", "history_assets")}
    for run_id, (first, last) in RANGES.items():
        trigger(stack, DAG, run_id, {"start_ledger": first, "end_ledger": last})
    for run_id in RANGES:
        assert wait_for(stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed") == "success"
    assert {table: published(stack, table) for table in before} == before
    for table, spans in merges(stack).items():
        assert len(spans) == len(RANGES)
        spans.sort()
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans)), (table, spans)


def test_a_missing_pool_is_named_and_the_run_continues_once_it_exists(sample: Sample) -> None:
    stack, pool, run_id = sample.stack, "write_history_assets", "no-pool"
    stack.rest("DELETE", f"pools/{pool}")
    try:
        trigger(stack, DAG, run_id, {"start_ledger": 20, "end_ledger": 21})
        line = f"Tasks using non-existent pool '{pool}' will not be scheduled"
        log = stack.layout.logs / "scheduler.log"
        wait_until(lambda: line in log.read_text(), "the scheduler did not name the pool")
        merge = stack.rest("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/assets.merge")
        assert merge["state"] == "scheduled"
    finally:
        pools = Path(__file__).resolve().parents[2] / "airflow_pools.json"
        command = [sys.executable, "-m", "local", "airflow", "--dir", str(stack.layout.root), "--"]
        subprocess.run([*command, "pools", "import", str(pools)], check=True, capture_output=True)
    assert wait_for(stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed") == "success"
