"""The steps of docs/extending.md for a table work in a copy of the tree, and its rows reach the warehouse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from tests.shared import REPO

pytestmark = pytest.mark.servers

DATA_TYPE, TABLE_ID = "base_fees", "history_base_fees"
DAG_ID = "history_archive_without_captive_core"

PROOF = '''
"""What the new table's tasks do with the rows that the exporter writes."""

import runpy
import subprocess
import sys

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import TABLES
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task


def test_the_dag_loads_the_new_table():
    dag = runpy.run_path("dags/history_archive_without_captive_core_dag.py")["dag"]
    assert "base_fees.merge" in dag.task_ids


def test_rows_of_the_new_table_are_published(lake, client, warehouse_server, warehouse_environment, make_context):
    folder = warehouse_server[1] / "exports"
    subprocess.run(
        [
            *(sys.executable, "-m", "stellar_etl", "export_all_history", "--types", "base_fees", "-s", "3", "-e", "12"),
            *("--datastore-path", str(lake), "-o", str(folder)),
            *("-u", "batch_id=run,batch_run_date=2026-01-01T00:00:00,batch_insert_ts=2026-01-01T00:00:00Z"),
        ],
        check=True,
    )
    text = (folder / "3-12-base_fees.txt").read_text()
    file = ExportedFile("gs://exports/3-12-base_fees.txt", len(text.splitlines()), len(text))
    attempt = ExportAttempt(LedgerRange(3, 12), "prefix", "2026-01-01T00:00:00Z")
    times = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:45Z")
    batch = Batch(attempt, "a network", 10, *times, {"base_fees": file})
    make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
    for build in (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task):
        task = build(TABLES["base_fees"])
        task.deferrable = False
        context = make_context(task.task_id, run_id="run")
        task.pre_execute(context)
        task.execute(context)
    (found,) = client.query("SELECT COUNT(*), MIN(base_fee) FROM local.stellar.history_base_fees").result()
    assert tuple(found.values()) == (10, 100)
'''


def blocks():
    """Return the code blocks of the page: the module, the exporter's line, the registry's entry."""
    _, text = (REPO / "docs" / "extending.md").read_text().split("## A table", 1)
    found = re.findall(r"^ +```python\n(.*?)^ +```$", text.split("\n## ", 1)[0], re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def edit(path, pattern, replacement):
    text, times = re.subn(pattern, lambda match: match.expand(replacement), path.read_text(), count=1)
    assert times == 1, f"{path.name} has no {pattern}"
    path.write_text(text)


def copy_tree(tree):
    """Copy the files that the steps change and the tests need; return the copy."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("dags", "stellar_etl", "schemas", "local", "tests", "scripts", "docs"):
        shutil.copytree(REPO / name, tree / name, ignore=ignored)
    for name in ("pyproject.toml", "airflow_variables.json", "airflow_pools.json", "README.md"):
        shutil.copy(REPO / name, tree)
    return tree


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the tree in which the steps are done."""
    tree = copy_tree(tmp_path_factory.mktemp("copy") / "project")
    module, exported, registered = blocks()

    (tree / "stellar_etl" / "transforms" / f"{DATA_TYPE}.py").write_text(module)
    registry = tree / "stellar_etl" / "transforms" / "registry.py"
    edit(registry, r"(\n_HISTORY = \(\n)", rf"\1    {exported.strip()},\n")

    schema = json.loads((tree / "schemas" / "history_ledgers_schema.json").read_text())
    kept = [field for field in schema if field["name"] in ("closed_at", "base_fee") or field["name"][:6] == "batch_"]
    sequence = {"name": "ledger_sequence", "type": "INTEGER", "mode": "NULLABLE", "description": "The ledger."}
    (tree / "schemas" / f"{TABLE_ID}_schema.json").write_text(json.dumps([sequence, *kept]))

    tables = tree / "dags" / "stellar_etl_airflow" / "model" / "tables.py"
    edit(tables, r"(\n_ALL = \()", rf"\n{registered}\1BASE_FEES, ")

    done = run(tree, "scripts/generate.py")
    assert done.returncode == 0, done.stderr
    return tree


def run(copy, *arguments):
    """Run Python in the copy, without the original on its path."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'dags'}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_variables_and_pools_have_the_table(copy):
    variables = json.loads((copy / "airflow_variables.json").read_text())
    assert variables["table_ids"][DATA_TYPE] == TABLE_ID
    assert variables["output_file_names"][DATA_TYPE] == "base_fees.txt"
    assert variables["partition_fields"][TABLE_ID] == {"type": "DAY", "field": "closed_at"}
    assert variables["cluster_fields"][TABLE_ID] == ["ledger_sequence"]
    pool = json.loads((copy / "airflow_pools.json").read_text())[f"write_{TABLE_ID}"]
    assert (pool["slots"], pool["include_deferred"]) == (1, True)


def test_the_check_finds_no_missing_step(copy):
    done = run(copy, "-m", "stellar_etl_airflow.settings", "check")
    assert done.returncode == 0, done.stderr


def test_the_tests_find_no_missing_step_and_the_rows_reach_the_warehouse(copy):
    (copy / "tests" / "dags" / "test_the_new_table.py").write_text(PROOF)
    tests = (
        "tests/dags/test_the_new_table.py",
        "tests/dags/settings/test_settings.py",
        "tests/dags/tasks/test_targets.py::test_the_shipped_pools_match_the_tables",
        "tests/schemas/test_schema_files.py::test_every_column_has_a_description_and_a_known_type",
        "tests/schemas/test_schema_files.py::test_the_columns_of_the_registry_exist",
    )
    done = run(copy, "-m", "pytest", "-q", *tests)
    assert done.returncode == 0, done.stdout
