"""The main job as a user runs it: from the command to the report, without the installation."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.inputs import REPO
from benchmarks.rows import Benchmark, Row


def _once() -> dict[str, Any]:
    """Run the main job on a new stack; return its report.

    Raises:
        CalledProcessError: the job failed.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        argv = ["./run_local.sh", "--dir", f"{folder}/stack", "--json", str(report)]
        subprocess.run(argv, cwd=REPO, env=inherited, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(report.read_text())
    return found


def run(rounds: int) -> list[Row]:
    """Run the main job once per round."""
    reports = [_once() for _ in range(rounds)]
    working = [[one for one in report["stages"] if not one["stage"].startswith("wait_for")] for report in reports]
    tasks = [sum(stage["tasks"] for stage in stages) for stages in working]
    running = [sum(stage["total_seconds"] for stage in stages) for stages in working]
    seconds = [report["seconds"] for report in reports]
    return [
        Row("the main job", "s elapsed", seconds, target=120, at_most=True),
        Row("tasks without those that wait for another DAG", "a job", tasks),
        Row("a task", "s elapsed of the job", [each / count for each, count in zip(seconds, tasks, strict=True)]),
        Row("all tasks together", "s elapsed", running),
    ]


BENCHMARK = Benchmark(
    "The main job",
    "`./run_local.sh` in an empty folder after the installation. It generates the sample network, starts the stack, "
    "loads all tables of its four DAGs over three intervals, checks them, and stops. Up to four tasks run at a time.",
    run,
    missed="Of 128 s of processor time in one run 31 s were Airflow's API server, 16 s its scheduler, 12 s its "
    "supervisors of tasks, 18 s the tasks, 18 s the warehouse. Most of it is Airflow's own work for each task. Fewer "
    "tasks would need less, but each of them is one that a user can clear.",
)
