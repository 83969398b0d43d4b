"""The documentation of the Airflow Variables, the table of their effects, and the command that checks them."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys

import pytest

from stellar_etl_airflow.model.tables import ASSETS, TRADES
from stellar_etl_airflow.operators.pods import StellarPodOperator
from stellar_etl_airflow.operators.runtime import SettingsAtRunTime
from stellar_etl_airflow.settings.base import extra_of
from stellar_etl_airflow.settings.checks import POD_BUILDERS
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.groups import GROUPS
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.runs import TASK_TIMEOUTS
from stellar_etl_airflow.settings.warehouse import Partition, WarehouseSettings
from tests.shared import MODULES, REPO

FIELDS = {key: field for group in GROUPS for key, field in group.model_fields.items()}
SHIPPED = json.loads((REPO / "airflow_variables.json").read_text())
PAGE = (REPO / "docs/variables.md").read_text()
EFFECTS = json.loads((REPO / "tests" / "dags" / "settings" / "effects.json").read_text())


def test_the_generated_files_are_up_to_date():
    """The shipped Variables and pools, and docs/variables.md."""
    done = subprocess.run(
        [sys.executable, "scripts/generate.py", "--check"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_each_variable_has_a_description_and_a_reason_to_change_it(key):
    assert FIELDS[key].description
    assert extra_of(FIELDS[key])["when"]
    assert f"| `{key}` |" in PAGE


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_the_shipped_value_is_the_default_if_there_is_one(key):
    field = FIELDS[key]
    if not field.is_required() and not isinstance(SHIPPED[key], dict):
        assert SHIPPED[key] == field.get_default(call_default_factory=True)


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_each_variable_has_a_test_of_its_effect(key):
    path, name = EFFECTS[key].split("::")
    text = (REPO / path).read_text()
    assert re.search(rf"^def {name}\(", text, re.MULTILINE), EFFECTS[key]
    assert key in text, f"{path} does not name {key}"


def builders(root):
    kinds = [root]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {
        kind.builder
        for kind in kinds
        if kind.__module__.startswith("stellar_etl_airflow.") and isinstance(getattr(kind, "builder", None), str)
    }


def test_the_builders_that_variables_may_name_exist():
    for name in MODULES:
        importlib.import_module(name)
    assert builders(SettingsAtRunTime) == set(TASK_TIMEOUTS)
    assert builders(StellarPodOperator) == set(POD_BUILDERS)


@pytest.fixture
def check(tmp_path):
    """Run the command on the shipped Variables with changes; return its exit status and its lines."""

    def check(changes=None, text=None):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(changes) if text is None else text)
        done = subprocess.run(
            [sys.executable, "-m", "stellar_etl_airflow.settings", "check", "airflow_variables.json", str(path)],
            cwd=REPO,
            env={**os.environ, "PYTHONPATH": "dags"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return check


def test_the_shipped_variables_pass_the_check(check):
    assert check({}) == (0, [f"{len(FIELDS)} Airflow Variables are valid"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parititon_fields": {}}, "unknown Airflow Variable 'parititon_fields'; did you mean 'partition_fields'?"),
        (
            {"partition_fields": {"history_ledger": {"field": "closed_at"}}},
            "unknown entry of Airflow Variable 'partition_fields': 'history_ledger'; did you mean 'history_ledgers'?",
        ),
        (
            {"cluster_fields": {"history_effect": []}},
            "unknown entry of Airflow Variable 'cluster_fields': 'history_effect'; did you mean 'history_effects'?",
        ),
        (
            {"task_timeout": {"build_tiem_task": 5}},
            "unknown entry of Airflow Variable 'task_timeout': 'build_tiem_task'; did you mean 'build_time_task'?",
        ),
        (
            {"resources": {"defualt": {}}},  # codespell:ignore
            "unknown entry of Airflow Variable 'resources': 'defualt'; did you mean 'default'?",
        ),
        (
            {"output_file_names": SHIPPED["output_file_names"] | {"trade": "x"}},
            "unknown entry of Airflow Variable 'output_file_names': 'trade'; did you mean 'trades'?",
        ),
        (
            {"namespace": ""},
            "Airflow Variable 'namespace' (the pods' namespace): String should have at least 1 character, not ''",
        ),
    ],
)
def test_an_invalid_value_is_reported_before_the_import(check, changes, message):
    assert check(changes) == (1, [message])


def test_a_table_that_a_map_omits_uses_the_registry(check):
    maps = ("table_ids", "output_file_names", "partition_fields", "cluster_fields")
    empty = {key: {} for key in maps}
    assert check(empty)[0] == 0
    warehouse, export = (load(group, {**SHIPPED, **empty}.get) for group in (WarehouseSettings, ExportSettings))
    assert warehouse.table_id("trades") == "history_trades"
    assert warehouse.partition(TRADES) == Partition(type="DAY", field="ledger_closed_at")
    assert warehouse.cluster(TRADES) == TRADES.cluster
    assert warehouse.partition(ASSETS) is None
    assert export.file_name("trades") == "trades.txt"


def test_a_renamed_table_is_known_by_its_new_name(check):
    renamed = {
        "table_ids": SHIPPED["table_ids"] | {"ledgers": "my_ledgers"},
        "partition_fields": {"my_ledgers": {"field": "closed_at"}},
        "cluster_fields": {"my_ledgers": ["sequence"]},
    }
    assert check(renamed)[0] == 0


@pytest.mark.parametrize("text", ["{", "[]"])
def test_an_invalid_file_of_variables_is_named(check, text):
    status, (line,) = check(text=text)
    assert status == 1
    assert "mine.json: not a file of Airflow Variables: " in line
