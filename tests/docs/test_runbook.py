"""The runbook has the headings that alerts link to, and its commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.dagbag import DagBag

from local.commands import _parser as local_parser
from stellar_etl.cli import main as stellar_etl
from stellar_etl_airflow.model.digest import ANCHORS, anchor_of
from tests.runbook import FILE, FIRST, procedures
from tests.shared import REPO

PROCEDURES = procedures()
TEXT = FILE.read_text()
HEADINGS = PROCEDURES.keys() - {FIRST}
COMMANDS = [command for procedure in PROCEDURES.values() for command in procedure.commands]


@pytest.fixture(scope="module")
def dags():
    return DagBag(str(REPO / "dags"), load_op_links=False).dags


def test_every_link_of_an_alert_leads_to_a_heading():
    assert ANCHORS <= HEADINGS
    assert set(re.findall(r"\]\(#([a-z-]+)\)", TEXT)) <= HEADINGS


def test_each_procedure_has_symptoms_a_fix_and_a_verification():
    for heading in HEADINGS:
        for word in ("**Symptoms**", "**Fix**", "**Verify**", "```sh"):
            assert word in PROCEDURES[heading].text, heading


def test_every_task_has_a_procedure_and_hints_of_dags_name_existing_tasks_and_dags(dags):
    for dag in dags.values():
        names = {task_id.rpartition(".")[2] for task_id in dag.task_ids}
        assert {anchor_of(task_id, "") for task_id in dag.task_ids} <= HEADINGS
        hints = dag.doc_md.partition("**When it fails**")[2]
        tasks = [name for name in re.findall(r"`([a-z_]+)`", hints.partition("\n\n")[0]) if name not in NO_TASKS]
        assert set(tasks) <= names | dags.keys(), dag.dag_id


NO_TASKS = {"auto_heal"}
"""Other names in those hints: params."""


def test_commands_of_airflow_and_of_the_stack_are_valid(dags):
    known = 0
    for command in COMMANDS:
        match shlex.split(command):
            case ["python", "-m", "local", "airflow", "--", *words]:
                arguments = get_parser().parse_args(words)
                if (dag_id := getattr(arguments, "dag_id", "DAG")) != "DAG":
                    if not getattr(arguments, "treat_dag_id_as_regex", False):
                        dag_id = re.escape(dag_id)
                    assert any(re.fullmatch(dag_id, known_id) for known_id in dags), command
                known += 1
            case ["python", "-m", "local", *words]:
                local_parser().parse_args(words)
                known += 1
            case ["stellar-etl", subcommand, *_]:
                with pytest.raises(SystemExit) as ended:
                    stellar_etl([subcommand, "--help"])
                assert not ended.value.code, command
                known += 1
            case ["PYTHONPATH=dags", "python", *words]:
                environment = {**os.environ, "PYTHONPATH": "dags"}
                done = subprocess.run(
                    [sys.executable, *words], cwd=REPO, env=environment, capture_output=True, check=False
                )
                assert done.returncode == 0, done.stderr
                known += 1
            case ["kubectl", *_]:
                known += 1
    assert known == len(COMMANDS)
