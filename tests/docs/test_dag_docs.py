"""docs/dags.md is what the DAGs say, byte for byte, wherever it is made."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys

import pytest

from tests.shared import REPO

DOCUMENT = (REPO / "docs" / "dags.md").read_text()


def make(folder, *arguments, **environment):
    """Runs the command of a checkout, with an environment in which nothing else could work."""
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
    """A copy of the tree in which a DAG says something else."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("dags", "docs", "scripts", "schemas"):
        shutil.copytree(REPO / name, folder / name)
    shutil.copy(REPO / "airflow_variables.json", folder)
    path = folder / "dags" / "state_rebuild_dag.py"
    path.write_text(path.read_text().replace("**When it fails**: clear the task.", "**When it fails**: pray."))
    return folder


def test_the_document_is_what_the_dags_say_whatever_the_environment_says():
    done = make(
        REPO, "--check", STELLAR_ETL_SCHEDULE="@daily", AIRFLOW_VAR_OWNER="me", TZ="Asia/Tokyo", PYTHONHASHSEED="7"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_document_is_an_error_that_says_what_to_do_and_is_made_again(changed):
    done = make(changed, "--check")
    assert done.returncode == 1
    assert done.stderr == "docs/dags.md is not what the DAGs say: run .venv/bin/python scripts/dag_docs.py\n"
    assert make(changed).returncode == 0
    found = (changed / "docs" / "dags.md").read_text()
    assert found == DOCUMENT.replace(
        "**When it fails**: clear the task. The table", "**When it fails**: pray. The table"
    )


@pytest.mark.parametrize("path", sorted((REPO / "dags").glob("*_dag.py")), ids=lambda path: path.stem)
def test_the_text_of_each_dag_stands_in_it(path):
    text = ast.get_docstring(ast.parse(path.read_text()), clean=False).strip()
    title, _, body = text.partition("\n")
    assert f"\n#{title}\n\n`{path.stem.removesuffix('_dag')}`\n\n{body.strip()}\n\n" in DOCUMENT


def drawn(dag_id):
    """The arrows of a DAG's drawing, by the labels of its boxes."""
    drawing = re.search(rf"\n`{dag_id}`\n.*?```mermaid\n(.*?)```", DOCUMENT, re.DOTALL)[1]
    labels = dict(re.findall(r'^ *(t\d+)\[+"([^"]+)"\]+$', drawing, re.MULTILINE))
    return [(labels[one], labels[other]) for one, other in re.findall(r"(t\d+) --> (t\d+)", drawing)]


def test_a_drawing_shows_a_batch_with_the_like_tables_once():
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


def test_a_drawing_keeps_apart_what_is_not_alike():
    waits = [f"wait_for_history_archive_{kind}_captive_core" for kind in ("without", "with")]
    assert drawn("enriched_history_operations") == [
        *((one, "check_sources") for one in waits),
        ("check_sources", "merge"),
    ]
    assert drawn("dataset_reset")[1:] == [
        ("approve", "remove_…<br>20 tables"),
        ("remove_…<br>20 tables", "forget_network"),
    ]
