"""Manual runs with invalid ranges: the form, REST and the command line refuse them, or the first task fails."""

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


def test_rest_and_form_refuse_invalid_times_and_ledgers(sample: Sample) -> None:
    for conf, words in (
        ({"start_time": "2026-01-01T00:01:00", "end_time": "2026-01-01T00:02:00Z"}, "Invalid input for param start_"),
        ({"start_ledger": 0, "end_ledger": 4}, "Invalid input for param start_ledger: 0 is less than the minimum of 1"),
    ):
        with pytest.raises(StackError, match=words):
            trigger(sample.stack, DAG, "refused", conf)


def test_the_command_line_refuses_invalid_times_and_ledgers(sample: Sample) -> None:
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
    """Return a task's log once it is complete."""

    def written() -> str:
        text = json.dumps(stack.rest("GET", f"{path}/logs/1"))
        return text if "::endgroup::" in text else ""

    return wait_until(written, f"{path} has no log", pause=0.3)


EARLY, LATE = "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "half": ({"start_ledger": 5}, "this run has start_ledger"),
    "both": (
        {"start_time": EARLY, "end_time": LATE, "start_ledger": 3, "end_ledger": 4},
        "set the params start_time and end_time, or start_ledger and end_ledger, or none of them",
    ),
    "backwards": ({"start_time": LATE, "end_time": EARLY}, "must be before end_time"),
    "none": ({}, "this run has no data interval: trigger it with the params start_time and end_time"),
}
"""Params of a run, and words of its log."""


@pytest.mark.parametrize(
    "runs", [pytest.param(("none",), id="none"), pytest.param(("half", "both", "backwards"), marks=pytest.mark.slow)]
)
def test_an_impossible_range_fails_the_first_task_at_once_with_the_reason(
    sample: Sample, runs: tuple[str, ...]
) -> None:
    cases = {run_id: CASES[run_id] for run_id in runs}
    for run_id, (conf, _) in cases.items():
        trigger(sample.stack, DAG, f"no-range-{run_id}", conf)
    for run_id, (_, words) in cases.items():
        path = f"dags/{DAG}/dagRuns/no-range-{run_id}"
        assert wait_for(sample.stack, path, "success", "failed") == "failed"
        first = f"{path}/taskInstances/{TASK}"
        assert sample.stack.rest("GET", first)["try_number"] == 1, "no retry can fix the range"
        assert words in said(sample.stack, first)
        sample.stack.rest("DELETE", path)
