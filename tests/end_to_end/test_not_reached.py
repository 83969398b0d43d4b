"""A range beyond the network head: the task waits without using a try, then exports all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.waiting import RUN_PATIENCE, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

DAG = "history_archive_without_captive_core"
FIRST, TIP, LAST = 230, 240, 249
RUN = "not-reached"


@pytest.fixture
def growing(sample: Sample, tmp_path: Path) -> Iterator[Path]:
    """A lake that ends in the middle of the range; the stack reads it during the test."""
    lake = tmp_path / "lake"
    grow(sample.stack.sample_lake, lake, TIP)
    set_variable(sample.stack, "txmeta_datastore_path", str(lake))
    set_variable(sample.stack, "ledger_wait_interval", "10")
    yield lake
    set_variable(sample.stack, "txmeta_datastore_path", str(sample.stack.sample_lake))
    set_variable(sample.stack, "ledger_wait_interval", "60")


def grow(source: Path, lake: Path, tip: int) -> None:
    """Copy a lake's ledgers into another one, up to a newest."""
    for path in source.rglob("*"):
        _, _, sequence = path.name.partition("--")
        target = lake / path.relative_to(source)
        if path.is_file() and not target.exists() and int(sequence.partition(".")[0] or 0) <= tip:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def rescheduled(stack: Stack) -> int:
    """Return how often the export task was rescheduled; it must not have used a try meanwhile."""
    tried = stack.rest("GET", f"dags/{DAG}/dagRuns/{RUN}/taskInstances/export")
    assert tried["try_number"] <= 1
    (log,) = (stack.layout.airflow_home / "logs").glob(f"dag_id={DAG}/run_id={RUN}/task_id=export/attempt=1.log")
    return log.read_text().count("for the network")


def test_a_range_beyond_the_network_head_waits_without_a_try_and_is_loaded_completely(
    sample: Sample, growing: Path
) -> None:
    stack = sample.stack
    before = published(stack, "history_ledgers")
    trigger(stack, DAG, RUN, {"start_ledger": FIRST, "end_ledger": LAST})
    path = f"dags/{DAG}/dagRuns/{RUN}"
    wait_for(stack, f"{path}/taskInstances/export", "up_for_reschedule")
    wait_until(lambda: rescheduled(stack) >= 2, "the export was not rescheduled twice", RUN_PATIENCE, pause=0.5)
    grow(sample.stack.sample_lake, growing, LAST)
    assert wait_for(stack, path, "success", "failed") == "success"
    assert rescheduled(stack) >= 2
    assert published(stack, "history_ledgers") == before
    (loaded,) = stack.query(f"SELECT COUNT(*) AS n FROM history_ledgers WHERE batch_id = '{RUN}'")
    assert loaded["n"] == LAST - FIRST + 1
