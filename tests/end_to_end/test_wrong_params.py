"""Runs that people ask for with params that make no range: refused where they are typed, or by the first task."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from local.stack import Stack, StackError
from tests.end_to_end.conftest import Sample
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.shared import REPO
from tests.waiting import wait_until

pytestmark = pytest.mark.end_to_end

DAG = "history_archive_with_captive_core"
TASK = "get_ledger_range_from_times"


def test_values_that_are_no_time_and_no_ledger_are_refused_by_rest_as_by_the_form(sample: Sample) -> None:
    for conf, words in (
        ({"start_time": "2026-01-01T00:01:00", "end_time": "2026-01-01T00:02:00Z"}, "Invalid input for param start_"),
        ({"start_ledger": 0, "end_ledger": 4}, "Invalid input for param start_ledger: 0 is less than the minimum of 1"),
    ):
        with pytest.raises(StackError, match=words):
            trigger(sample.stack, DAG, "refused", conf)


def test_they_are_refused_on_the_command_line(sample: Sample) -> None:
    conf = {"start_time": "2026-01-01T00:01:00", "end_time": "2026-01-01T00:02:00Z"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "local", "airflow", "--dir", str(sample.stack.layout.root), "--"),
            *("dags", "trigger", DAG, "--run-id", "refused", "--conf", json.dumps(conf)),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Invalid input for param start_time: '2026-01-01T00:01:00' does not match" in done.stderr
    runs = sample.stack.rest("GET", f"dags/{DAG}/dagRuns?limit=100")["dag_runs"]
    assert "refused" not in {run["dag_run_id"] for run in runs}


def said(stack: Stack, path: str) -> str:
    """A task's log, once it has been written."""

    def written() -> str:
        text = json.dumps(stack.rest("GET", f"{path}/logs/1"))
        return text if "::endgroup::" in text else ""

    return wait_until(written, f"{path} has no log", pause=0.3)


def test_values_that_make_no_range_fail_the_first_task_at_once_and_say_why(sample: Sample) -> None:
    early, late = "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"
    asked: dict[str, tuple[dict[str, Any], str]] = {
        "half": ({"start_ledger": 5}, "this run has start_ledger"),
        "both": (
            {"start_time": early, "end_time": late, "start_ledger": 3, "end_ledger": 4},
            "set the params start_time and end_time, or start_ledger and end_ledger, or none of them",
        ),
        "backwards": ({"start_time": late, "end_time": early}, "must be before end_time"),
        "none": ({}, "this run has no data interval: trigger it with the params start_time and end_time"),
    }
    for run_id, (conf, _) in asked.items():
        trigger(sample.stack, DAG, f"no-range-{run_id}", conf)
    for run_id, (_, words) in asked.items():
        path = f"dags/{DAG}/dagRuns/no-range-{run_id}"
        assert wait_for(sample.stack, path, "success", "failed") == "failed"
        first = f"{path}/taskInstances/{TASK}"
        assert sample.stack.rest("GET", first)["try_number"] == 1, "no retry finds another range"
        assert words in said(sample.stack, first)
        sample.stack.rest("DELETE", path)
