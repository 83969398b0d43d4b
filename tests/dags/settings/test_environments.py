"""Files of environments: the command names planted mistakes, shows differences, and writes the merged Variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from stellar_etl_airflow.settings.environments import Environments
from stellar_etl_airflow.settings.groups import GROUPS, shown
from tests.shared import REPO

NAMES = ("development", "production", "staging")
SHIPPED = json.loads((REPO / "airflow_variables.json").read_text())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Copy the files that the command reads; return the checkout."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(REPO / "dags" / "stellar_etl_airflow", root / "dags" / "stellar_etl_airflow")
    return root


@pytest.fixture
def plant(checkout):
    """Change one of the shipped files; return the checkout."""

    def plant(file=None, changes=None):
        for name in ("schemas", "environments"):
            shutil.rmtree(checkout / name, ignore_errors=True)
            shutil.copytree(REPO / name, checkout / name)
        shutil.copy(REPO / "airflow_variables.json", checkout)
        if file is not None:
            path = checkout / file
            kept = {**json.loads(path.read_text()), **changes}
            path.write_text(json.dumps({key: value for key, value in kept.items() if value is not ...}))
        return checkout

    return plant


def command(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "stellar_etl_airflow.settings", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "dags")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_shipped_environments_are_valid_and_compared_side_by_side(plant):
    status, stdout, errors = command(plant(), "check")
    assert (status, errors) == (0, "")
    head, *rows, _, last = stdout.splitlines()
    assert head.split() == ["Variable", "default", *NAMES]
    (place,) = [row for row in rows if row.startswith("pod_place ")]
    assert place.split() == ["pod_place", '"gke"', '"kubeconfig"', '"composer3"']
    keys = [row.split()[0] for row in rows if not row.startswith(" ")]
    own = [json.loads((REPO / "environments" / f"{name}.json").read_text()) for name in NAMES]
    assert keys == sorted({key for variables in own for key in variables}), "one row per key of an environment"
    assert last == "airflow_variables.json and 3 environments are valid"


MISTAKES = {
    "unknown": ({"bq_datsaet": "x"}, "unknown Airflow Variable 'bq_datsaet'; did you mean 'bq_dataset'?"),
    "missing": ({"schema_filepath": None}, "Airflow Variable 'schema_filepath' is not set: the folder of the schema"),
    "of a wrong type": ({"task_timeout": 5}, "Airflow Variable 'task_timeout' (seconds that a task may run, by"),
    "as the default": (
        {"max_failed_transforms": 0},
        "Airflow Variable 'max_failed_transforms' equals the default in airflow_variables.json; delete it here",
    ),
    "an unknown partition": (
        {"partition_fields": {"history_trade": {"field": "closed_at"}}},
        "entry of Airflow Variable 'partition_fields': 'history_trade'; did you mean 'history_trades'?",
    ),
    "no cluster": (
        {"cluster_fields": {**SHIPPED["cluster_fields"], "history_assets": []}},
        "Airflow Variable 'cluster_fields': 'history_assets' has no columns; list at least one",
    ),
    "an empty id": (
        {"table_ids": {**SHIPPED["table_ids"], "ttl": ""}},
        "Airflow Variable 'table_ids'['ttl'] (the table name for each data type): String should have at least 1 char",
    ),
    "wrong mix": ({"pod_place": "composer3", "k8s_namespace": "x"}, "'k8s_namespace' is 'x': pods there run in 'com"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_an_environments_file_is_reported_with_file_and_key(plant, name, mistake):
    changes, message = MISTAKES[mistake]
    problems = Environments.read(plant(f"environments/{name}.json", changes)).problems()
    assert problems
    assert all(problem.startswith(f"environments/{name}.json: ") for problem in problems)
    assert any(message in problem for problem in problems)


@pytest.mark.parametrize("mistake", sorted(MISTAKES.keys() - {"as the default", "wrong mix"}))
def test_a_mistake_in_the_default_is_reported_once(plant, mistake):
    changes, message = MISTAKES[mistake]
    problems = Environments.read(plant("airflow_variables.json", changes)).problems()
    assert sum(message in problem for problem in problems) == 1
    assert all(problem.startswith("airflow_variables.json: ") for problem in problems)


def test_a_variable_that_is_missing_in_the_default_is_named(plant):
    (problem,) = Environments.read(plant("airflow_variables.json", {"coverage_days": ...})).problems()
    assert problem.startswith("airflow_variables.json: Airflow Variable 'coverage_days' is not set: days of rows")


def test_a_table_without_a_schema_is_named(plant):
    root = plant()
    (root / "schemas" / "ttl_schema.json").unlink()
    (problem,) = Environments.read(root).problems()
    assert problem.startswith("airflow_variables.json: Airflow Variable 'table_ids'['ttl']: table 'ttl' has no sch")


def test_the_command_fails_with_a_line_for_each_problem(plant):
    root = plant("environments/staging.json", {"bq_datsaet": "x", "owner": 5})
    status, stdout, errors = command(root, "check")
    assert status == 1
    assert "are valid" not in stdout
    assert len(errors.splitlines()) == 2
    assert all(line.startswith("environments/staging.json: ") for line in errors.splitlines())


def test_a_file_without_variables_is_named(plant):
    root = plant()
    (root / "environments" / "broken.json").write_text("{")
    status, _, errors = command(root, "check")
    assert status == 1
    assert "environments/broken.json: not a file of Airflow Variables" in errors


SECRET = "7-only-in-a-file-7"


@pytest.mark.parametrize("changes", [{"sentry_dsn": SECRET}, {"sentry_dns": SECRET}, {"sentry_dsn": [SECRET]}])
def test_no_secret_is_shown(plant, changes):
    """A known key, a misspelt key, and a value of a wrong type."""
    _, stdout, errors = command(plant("environments/staging.json", changes), "check")
    assert SECRET not in stdout + errors
    assert "***" in stdout


def test_an_empty_secret_is_shown_as_empty():
    assert shown("sentry_dsn", "") == '""'


@pytest.mark.parametrize("name", NAMES)
def test_render_writes_the_variables_to_import(plant, name, tmp_path):
    root, path = plant(), tmp_path / "variables.json"
    own = json.loads((REPO / "environments" / f"{name}.json").read_text())
    status, stdout, errors = command(root, "render", name)
    assert (status, errors) == (0, "")
    assert json.loads(stdout) == {**SHIPPED, **own}
    assert command(root, "render", name, "--output", str(path)) == (0, "", "")
    assert path.read_text() == stdout
    assert command(root, "check", str(path))[:2] == (0, f"{len(SHIPPED)} Airflow Variables are valid\n")


def test_render_refuses_invalid_values_and_unknown_environments(plant, tmp_path):
    root = plant("environments/staging.json", {"owner": 5})
    for name, words in (
        ("staging", "environments/staging.json: Airflow Variable 'owner'"),
        ("../airflow_variables", "unknown environment '../airflow_variables': environments/ has development, pro"),
    ):
        status, stdout, errors = command(root, "render", name, "--output", str(tmp_path / "out.json"))
        assert (status, stdout) == (1, "")
        assert words in errors
    assert not (tmp_path / "out.json").exists()
    assert "--output /nowhere/x: " in command(plant(), "render", "staging", "--output", "/nowhere/x")[2]


def test_fields_with_secrets_are_marked():
    """The test goes by name: a new field that sounds like a secret is masked, or listed here."""
    sounding = ("dsn", "token", "password", "webhook", "api_key", "secret")
    named = {key for group in GROUPS for key in group.model_fields if any(word in key for word in sounding)}
    assert {key for key in named if shown(key, "x") != "***"} <= {"api_key_path", "pod_secrets"}, (
        "these are a path and names"
    )
