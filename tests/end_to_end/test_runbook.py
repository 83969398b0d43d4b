"""Every procedure of the runbook, carried out on the stack with the runbook's commands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.stack import Stack
from stellar_etl_airflow.model.tables import LOADING_DAGS
from tests.end_to_end.airflow_shell import AirflowShell, Ended
from tests.end_to_end.conftest import Sample
from tests.end_to_end.test_coverage import HEALING
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.runbook import FIRST, Procedure, procedures
from tests.shared import REPO
from tests.waiting import PATIENCE, RUN_PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

DAG = "history_archive_without_captive_core"
AIRFLOW = "python -m local airflow -- "
RANGE = {"start_ledger": 3, "end_ledger": 10}
CHANGED = (
    "audit_ledgers",
    "checks",
    "environment",
    "image_name",
    "max_failed_transforms",
    "maximum_bytes_billed",
    "bq_dataset",
    "schema_filepath",
)
"""The Variables that procedures set."""


@dataclass
class Book:
    """The runbook beside a stack: a reader who types its commands."""

    stack: Stack
    path: Path
    airflow: AirflowShell
    done: list[str] = field(default_factory=list)

    def follow(self, commands: list[str] | tuple[str, ...], **names: str) -> str:
        """Type commands, with values in place of placeholders; return their output."""
        printed = ""
        for command in commands:
            if command.startswith("kubectl "):
                continue  # commands for the reader's own cluster
            line = command.replace(".local/lake", shlex.quote(str(self.stack.sample_lake)))
            for name, word in names.items():
                line = line.replace(f" {name}", f" {word}")
            ended = self.type(line)
            assert ended.status == 0, f"{line}\n{ended.printed}"
            printed += ended.printed
            self.done.append(command)
        return printed

    def type(self, line: str) -> Ended:
        """Type a command; return its result."""
        if line.startswith(AIRFLOW):
            return self.airflow.run(shlex.split(line.removeprefix(AIRFLOW)))
        path = f"{self.path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=REPO,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    def begin(self, run_id: str, conf: dict[str, Any] | None = None, dag_id: str = DAG) -> str:
        """Trigger a run; return its path in Airflow's API."""
        trigger(self.stack, dag_id, run_id, conf or RANGE)
        self.stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
        return f"dags/{dag_id}/dagRuns/{run_id}"

    def end(self, path: str) -> str:
        """Wait for a run's end; return its state."""
        return wait_for(self.stack, path, "success", "failed")

    def newest(self, dag_id: str) -> str:
        """Return the path of the newest run of a DAG."""
        (run,) = self.stack.rest("GET", f"dags/{dag_id}/dagRuns?limit=1&order_by=-run_after")["dag_runs"]
        return f"dags/{dag_id}/dagRuns/{run['dag_run_id']}"


@pytest.fixture(scope="module")
def path(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `python` is this environment's, and `python -m local` the shared stack's."""
    folder = tmp_path_factory.mktemp("bin")
    python, stack = shlex.quote(sys.executable), shlex.quote(str(sample.stack.layout.root))
    (folder / "python").write_text(
        "#!/bin/sh\n"
        f'if [ "$1 $2" != "-m local" ]; then exec {python} "$@"; fi\n'
        f'command=$3; shift 3; exec {python} -m local "$command" --dir {stack} "$@"\n'
    )
    (folder / "python").chmod(0o755)
    (folder / "stellar-etl").symlink_to(Path(sys.executable).with_name("stellar-etl"))
    return folder


@pytest.fixture
def book(sample: Sample, path: Path, airflow: AirflowShell) -> Iterator[Book]:
    """The runbook; afterwards the Variables are restored, and the DAGs run."""
    stack = sample.stack
    before = {key: stack.rest("GET", f"variables/{key}")["value"] for key in CHANGED}
    yield Book(stack, path, airflow)
    for key, value in before.items():
        set_variable(stack, key, value)
    for dag_id in HEALING:
        stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})


def refused(book: Book, run_id: str) -> str:
    """Start a run whose check fails; return its path."""
    rule = {"table": "history_ledgers", "kind": "range", "column": "sequence", "maximum": 5}
    set_variable(book.stack, "checks", json.dumps([rule]))
    path = book.begin(run_id)
    assert book.end(path) == "failed"
    set_variable(book.stack, "checks", "[]")
    return path


def any_alert(book: Book, own: Procedure) -> None:
    path = refused(book, "rb-first")
    printed = book.follow(own.commands[:-1], DAG=DAG, RUN="rb-first")
    assert "ledgers.check" in printed
    assert book.end(path) == "success"
    assert "success" in book.follow(own.commands[-1:], DAG=DAG, RUN="rb-first")


def failed_export(book: Book, own: Procedure) -> None:
    assert str(book.stack.sample_lake) in book.follow(own.commands)
    assert book.stack.rest("GET", "variables/max_failed_transforms")["value"] == "5"
    assert book.end(book.begin("rb-export")) == "success"


def failed_check(book: Book, own: Procedure) -> None:
    path = refused(book, "rb-check")
    assert "no rows" in book.follow(own.commands), "the published table is unchanged"
    body = {"dry_run": False, "dag_run_id": "rb-check", "task_ids": ["export"], "include_downstream": True}
    book.stack.rest("POST", f"dags/{DAG}/clearTaskInstances", {**body, "only_failed": False, "reset_dag_runs": True})
    assert book.end(path) == "success"


def gap_found(book: Book, own: Procedure) -> None:
    stack, whole = book.stack, {"start_ledger": 3, "end_ledger": 122}
    book.stack.query("DELETE FROM history_ledgers WHERE sequence BETWEEN 60 AND 62")
    assert book.end(book.begin("rb-gap", whole, "ledger_coverage")) == "failed"
    for dag_id in (*HEALING, "history_backfill", "state_table_export"):
        stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
    looking, mending = own.blocks
    printed = book.follow(looking)
    assert "60-62" in printed, "the picture"
    assert "missing_ledgers" in printed
    for command, dag_id in zip(mending, ("ledger_coverage", "history_backfill", "state_rebuild"), strict=True):
        book.follow([command], **{"402": "362"})  # the ledgers that other tests expect
        assert book.end(book.newest(dag_id)) == "success"
    assert book.end(book.begin("rb-whole", whole, "ledger_coverage")) == "success"


def audit_finding(book: Book, own: Procedure) -> None:
    audited = {"start_ledger": 70, "end_ledger": 71}
    book.stack.query("UPDATE history_operations SET source_account = 'G' WHERE ledger_sequence BETWEEN 70 AND 71")
    assert book.end(book.begin("rb-audit", audited, "ledger_audit")) == "failed"
    for dag_id in LOADING_DAGS:
        book.stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
    looking, mending = own.blocks
    assert "source_account" in book.follow(looking)
    book.follow(mending)
    assert book.end(book.newest("ledger_audit")) == "success"
    assert book.end(book.begin("rb-audited", audited, "ledger_audit")) == "success"
    assert book.stack.rest("GET", "variables/audit_ledgers")["value"] == "600"


def new_columns(book: Book, own: Procedure) -> None:
    assert "ledger_hash" in book.follow(own.commands)
    schemas = book.path.parent / "schemas"
    shutil.copytree(REPO / "schemas", schemas, dirs_exist_ok=True)
    file = schemas / "history_ledgers_schema.json"
    new = {"name": "rb_new", "type": "STRING", "mode": "NULLABLE", "description": "A column of a later protocol."}
    file.write_text(json.dumps([*json.loads(file.read_text()), new]))
    book.stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": "local", "datasetId": "upgraded"}})
    set_variable(book.stack, "bq_dataset", "upgraded")
    for run_id, folder in (("rb-before", REPO / "schemas"), ("rb-upgraded", schemas)):
        set_variable(book.stack, "schema_filepath", str(folder))
        assert book.end(book.begin(run_id)) == "success"
    (row,) = book.stack.query("SELECT * FROM upgraded.history_ledgers LIMIT 1")
    assert row["rb_new"] is None


def image_upgrade(book: Book, own: Procedure) -> None:
    trying, going_on = own.blocks
    published = "SELECT DISTINCT batch_id FROM history_ledgers WHERE sequence BETWEEN 3 AND 10"
    before = book.stack.query(published)
    printed = book.follow(trying, **{"stellar/stellar-etl:NEW": "other/stellar-etl:0.2.0"})
    assert "[error" not in printed
    tasks = book.stack.rest("GET", f"dags/{DAG}/dagRuns/try_image/taskInstances")["task_instances"]
    tried = {task["task_id"] for task in tasks if task["state"] == "success"}
    assert tried == {"get_ledger_range_from_times", "export", "verify_export"}
    assert book.stack.query(published) == before, "nothing is published before the upgrade ends"
    book.follow(going_on)
    assert book.end(f"dags/{DAG}/dagRuns/try_image") == "success"
    assert book.stack.query(published) == [{"batch_id": "try_image"}]


def another_deployment(book: Book, own: Procedure) -> None:
    usual = book.stack.rest("GET", "variables/environment")["value"]
    set_variable(book.stack, "environment", "other")
    path = book.begin("rb-other")
    assert book.end(path) == "failed"
    assert "other" in book.follow(own.commands)
    set_variable(book.stack, "environment", usual)
    body = {"dry_run": False, "dag_run_id": "rb-other", "only_failed": True, "reset_dag_runs": True}
    book.stack.rest("POST", f"dags/{DAG}/clearTaskInstances", body)
    assert book.end(path) == "success"


def moving_a_dataset(book: Book, own: Procedure) -> None:
    book.stack.rest("PATCH", "dags/dataset_reset", {"is_paused": False})
    rows = "SELECT COUNT(*) AS n FROM history_ledgers"
    before = book.stack.query(rows)
    book.follow(own.commands)
    assert book.end(book.newest("dataset_reset")) == "success"
    assert book.stack.query(rows) == before, "a dry run counts rows"


def cost_too_high(book: Book, own: Procedure) -> None:
    assert "history_ledgers" in book.follow(own.commands)
    assert book.end(book.begin("rb-cost")) == "success"


def table_behind(book: Book, own: Procedure) -> None:
    printed = book.follow(own.commands)
    assert "is_paused" in printed
    assert "closed_at" in printed


def deadline_missed(book: Book, own: Procedure) -> None:
    path = book.begin("rb-waits", {"start_ledger": 390, "end_ledger": 9000})  # beyond the network head
    wait_for(book.stack, f"{path}/taskInstances/export", "up_for_reschedule")
    assert "up_for_reschedule" in book.follow(own.commands, DAG=DAG, RUN="rb-waits", TASK="export")
    book.stack.rest("PATCH", path, {"state": "failed"})


def missing_pool(book: Book, own: Procedure) -> None:
    pool = "write_history_ledgers"
    book.stack.rest("DELETE", f"pools/{pool}")
    path = book.begin("rb-pool")
    wait_for(book.stack, f"{path}/taskInstances/ledgers.merge", "scheduled")
    looking, mending = own.blocks
    wait_until(
        lambda: f"non-existent pool '{pool}'" in book.follow(looking),
        "the scheduler did not name the pool",
        RUN_PATIENCE,
        pause=2,
    )
    book.follow(mending)
    assert book.end(path) == "success"


def pods_stuck(book: Book, own: Procedure) -> None:
    assert "pod default/" in book.follow(own.commands)


def warehouse_down(book: Book, own: Procedure) -> None:
    looking, mending = own.blocks
    process = psutil.Process(json.loads((book.stack.layout.run / "warehouse.json").read_text())["pid"])
    process.kill()
    process.wait(PATIENCE)
    book.follow(looking[1:])
    wait_until(lambda: book.type(looking[0]).status == 0, "the supervisor starts no warehouse", pause=1)
    assert "warehouse" in book.follow(looking[:1])
    book.follow(mending, DAG=DAG)
    assert book.end(book.begin("rb-again")) == "success"


def wrong_variable(book: Book, own: Procedure) -> None:
    assert "stellar" in book.follow(own.commands)


def no_new_runs(book: Book, own: Procedure) -> None:
    assert "is_paused" in book.follow(own.commands, DAG=DAG)
    path = book.begin("rb-schedules", RANGE, "ledger_coverage")
    task = f"{path}/taskInstances/check_schedules"
    assert wait_for(book.stack, task, "success", "failed", "up_for_retry") == "success"
    book.end(path)


ON_THE_STACK: dict[str, Callable[[Book, Procedure], None]] = {
    FIRST: any_alert,
    "failed-export": failed_export,
    "failed-check": failed_check,
    "gap-found": gap_found,
    "audit-finding": audit_finding,
    "network-upgrade-with-new-columns": new_columns,
    "image-upgrade": image_upgrade,
    "another-deployment-writes-the-dataset": another_deployment,
    "moving-a-dataset": moving_a_dataset,
    "cost-too-high": cost_too_high,
    "table-behind-the-network": table_behind,
    "no-new-runs": no_new_runs,
    "deadline-missed": deadline_missed,
    "missing-pool": missing_pool,
    "pods-stuck": pods_stuck,
    "database-or-warehouse-down": warehouse_down,
    "wrong-variable": wrong_variable,
}
"""The situation that leads to each procedure, its commands, and its verification."""
QUICK = {"table-behind-the-network", "pods-stuck", "wrong-variable"}
"""The procedures that run by default: those without a run. Tests check the words of the other commands, and each step
separately."""


@pytest.mark.parametrize(
    "heading",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in ON_THE_STACK],
)
def test_a_procedure_of_the_runbook_works(book: Book, heading: str) -> None:
    own = procedures()[heading]
    ON_THE_STACK[heading](book, own)
    left_out = [command for command in own.commands if command not in book.done]
    assert all(command.startswith("kubectl ") for command in left_out)


def test_every_procedure_is_tested() -> None:
    assert ON_THE_STACK.keys() == procedures().keys()
