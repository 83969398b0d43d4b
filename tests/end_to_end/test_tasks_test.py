"""A manual run, one task at a time, with the commands of docs/operations.md."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.end_to_end.airflow_shell import AirflowShell
from tests.end_to_end.conftest import Sample
from tests.end_to_end.test_sample_network import wait_for
from tests.shared import REPO

pytestmark = pytest.mark.end_to_end

DAG, RUN = "history_archive_without_captive_core", "by_hand"


def commands() -> list[str]:
    """Return the lines of the block in docs/operations.md."""
    _, text = (REPO / "docs/operations.md").read_text().split("## One task at a time\n", 1)
    return text.split("```sh\n", 1)[1].split("```", 1)[0].splitlines()


@pytest.fixture
def shell(airflow: AirflowShell):
    """Run lines of shell in which `airflow` is the stack's; return their output."""

    def shell(lines: list[str]) -> str:
        done = subprocess.run(
            ["bash", "-euc", "\n".join(lines)],
            cwd=REPO,
            env={**os.environ, "PATH": f"{airflow.folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return shell


def test_a_run_works_one_task_at_a_time(sample: Sample, shell) -> None:
    path = f"dags/{DAG}/dagRuns/{RUN}"

    def states() -> dict[str, str]:
        listed = sample.stack.rest("GET", f"{path}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in listed if task["state"]}

    lines = commands()
    names, first = lines[0], next(i for i, line in enumerate(lines) if line.startswith("airflow tasks test"))
    last = next(i for i, line in enumerate(lines) if line.startswith("airflow dags unpause"))
    try:
        printed = shell([*lines[:first], "airflow tasks test $DAG verify_export $RUN"])
        assert states() == {"verify_export": "up_for_retry"}, "there is no export to verify"
        assert f"airflow tasks test {DAG} export {RUN}" in printed

        printed = shell([names, *lines[first:last]])
        assert "[error" not in printed, printed
        assert states() == dict.fromkeys(("get_ledger_range_from_times", "export", "verify_export"), "success")
        assert sample.stack.rest("GET", path)["state"] == "queued"
    finally:
        shell([names, *lines[last:]])
    assert wait_for(sample.stack, path, "success", "failed") == "success"
    assert set(states().values()) == {"success"}
