"""docs/dags.md equals the DAGs' documentation, byte for byte, in every environment."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from textwrap import fill

import pytest

from stellar_etl_airflow.model.tables import DERIVED
from tests.shared import REPO

DOCUMENT = (REPO / "docs" / "dags.md").read_text()


def make(folder, *arguments, **environment):
    """Run the command of a checkout, with an environment in which only this command works."""
    return subprocess.run(
        [sys.executable, "scripts/dag_docs.py", *arguments],
        cwd=folder,
        env={"PATH": "/nowhere", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://nobody@127.0.0.1:1/none"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Return a copy of the tree in which a DAG has another text."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("dags", "docs", "scripts", "schemas"):
        shutil.copytree(REPO / name, folder / name)
    shutil.copy(REPO / "airflow_variables.json", folder)
    path = folder / "dags" / "state_rebuild_dag.py"
    path.write_text(path.read_text().replace("**When it fails**: clear the task.", "**When it fails**: pray."))
    return folder


def test_the_page_equals_the_dags_documentation_in_every_environment():
    done = make(
        REPO, "--check", STELLAR_ETL_SCHEDULE="@daily", AIRFLOW_VAR_OWNER="me", TZ="Asia/Tokyo", PYTHONHASHSEED="7"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_an_error_with_the_remedy_and_is_generated_again(changed):
    done = make(changed, "--check")
    assert done.returncode == 1
    assert done.stderr == "docs/dags.md is out of date: run .venv/bin/python scripts/dag_docs.py\n"
    assert make(changed).returncode == 0
    found = (changed / "docs" / "dags.md").read_text()
    assert found == DOCUMENT.replace(
        "**When it fails**: clear the task. It plans again; the", "**When it fails**: pray. It plans again; the"
    )


ONE_DAG_EACH = [path for path in sorted((REPO / "dags").glob("*_dag.py")) if path.stem != "derived_tables_dag"]


@pytest.mark.parametrize("table", DERIVED.values(), ids=lambda table: table.table_id)
def test_the_page_has_the_definition_of_each_derived_table(table):
    assert f"\n## {table.derivation.title}\n\n`{table.dag_id}`\n\n" in DOCUMENT
    assert fill(table.derivation.definition, 120) in DOCUMENT


@pytest.mark.parametrize("path", ONE_DAG_EACH, ids=lambda path: path.stem)
def test_the_page_has_the_text_of_each_dag(path):
    text = ast.get_docstring(ast.parse(path.read_text()), clean=False).strip()
    title, _, body = text.partition("\n")
    assert f"\n#{title}\n\n`{path.stem.removesuffix('_dag')}`\n\n{body.strip()}\n\n" in DOCUMENT


def drawn(dag_id):
    """Return the arrows of a DAG's drawing, by the labels of its boxes."""
    drawing = re.search(rf"\n`{dag_id}`\n.*?```mermaid\n(.*?)```", DOCUMENT, re.DOTALL)[1]
    labels = dict(re.findall(r'^ *(t\d+)\[+"([^"]+)"\]+$', drawing, re.MULTILINE))
    return [(labels[one], labels[other]) for one, other in re.findall(r"(t\d+) --> (t\d+)", drawing)]


def test_a_drawing_shows_equal_tables_of_a_batch_once():
    assert drawn("state_table_export") == [
        ("get_ledger_range_from_times", "export"),
        ("export", "verify_export"),
        ("verify_export", "load"),
        ("load", "check"),
        ("check", "merge"),
        ("merge", "batch_stats"),
        ("merge", "delete_staging"),
        ("batch_stats", "delete_staging"),
    ]
    assert '["for each of 11 tables"]' in DOCUMENT


def test_findings_are_reported_and_healed_if_their_record_fails():
    """Only the summary is downstream of `record`, so that its failure stops no other task."""
    arrows = drawn("ledger_coverage")
    assert {after for before, after in arrows if before == "look"} >= {"record", "report", "plan_healing"}
    assert [after for before, after in arrows if before == "record"] == ["summarize_repairs"]
    assert [after for before, after in arrows if before == "summarize_repairs"] == ["summarize"]
    assert [before for before, after in arrows if after == "report"] == ["look"]


def test_a_drawing_separates_different_tasks():
    waits = [f"wait_for_history_archive_{kind}_captive_core" for kind in ("with", "without")]
    assert drawn("enriched_history_operations") == [
        *((one, "check_sources") for one in waits),
        ("check_sources", "load"),
        ("check_sources", "derive_pending_runs"),
        ("load", "check"),
        ("check", "merge"),
        ("merge", "batch_stats"),
        ("merge", "delete_staging"),
        ("derive_pending_runs", "derive_pending"),
        ("batch_stats", "delete_staging"),
    ]
    assert drawn("dataset_reset")[1:] == [
        ("approve", "remove_…<br>25 tables"),
        ("remove_…<br>25 tables", "forget_network"),
    ]
