"""Airflow Variables: an invalid value is reported with its name and the expected form."""

from __future__ import annotations

import json

import pytest

from stellar_etl_airflow.model.tables import CHANGES, TABLES
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check_keys
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.groups import GROUPS, known_keys
from stellar_etl_airflow.settings.parsing import SHIPPED_FILE, load, read
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.runs import TimeoutSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from tests.shared import REPO

VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())


def as_airflow_keeps_them(variables):
    """Store values as `airflow variables import` does: text unchanged, everything else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in variables.items()}


STORED = as_airflow_keeps_them(VARIABLES)


@pytest.mark.parametrize("group", GROUPS)
def test_the_shipped_variables_are_valid_in_airflows_form(group):
    load(group, STORED.get)


def test_the_shipped_variables_are_exactly_the_known_ones():
    assert sorted(VARIABLES) == sorted(known_keys())


@pytest.mark.parametrize("table", [*TABLES.values(), *CHANGES.values()], ids=lambda table: table.data_type)
def test_every_table_has_entries_in_the_variables(table):
    assert VARIABLES["table_ids"][table.data_type] == table.table_id
    assert (table.data_type in VARIABLES["output_file_names"]) == (table.data_type in TABLES)
    assert table.table_id in VARIABLES["cluster_fields"]
    assert (REPO / "schemas" / f"{table.table_id}_schema.json").is_file()


@pytest.mark.parametrize(("group", "key"), [(group, key) for group in GROUPS for key in group.model_fields])
def test_a_missing_or_unreadable_variable_is_an_error_and_gets_no_default(group, key):
    """Airflow's SDK returns None for both. No shipped Variable has a default in code."""
    field = group.model_fields[key]
    assert field.is_required()
    with pytest.raises(SettingsError) as raised:
        load(group, {**STORED, key: None}.get)
    with pytest.raises(SettingsError) as raised_in_a_task:
        getattr(read(group, {**STORED, key: None}.get), key)
    message = str(raised.value)
    assert str(raised_in_a_task.value).startswith(message)
    assert f"{key!r} is not set: {field.description}; " in message
    value = json.dumps(VARIABLES[key])
    assert any(f"its shipped value is {place}" in message for place in (value, f"in {SHIPPED_FILE}"))
    assert f"airflow variables import --action-on-existing-key skip {SHIPPED_FILE}" in message


@pytest.mark.parametrize(
    ("group", "key", "value", "message"),
    [
        (
            TimeoutSettings,
            "task_timeout",
            '{"build_time_task": "soon"}',
            r"task_timeout'\['build_time_task'\].*integer",
        ),
        (TimeoutSettings, "task_timeout", '{"build_time_task": 0}', r"task_timeout'.*greater than 0, not 0"),
        (TimeoutSettings, "task_timeout", "{", "task_timeout' .seconds.*dictionary, not '{'"),
        (PodSettings, "image_pull_policy", "Sometimes", "image_pull_policy'.*'Always', 'IfNotPresent' or 'Never'"),
        (WarehouseSettings, "bq_project", "", "bq_project'.*at least 1 character"),
        (WarehouseSettings, "partition_fields", '{"t": {"type": "WEEK", "field": "closed_at"}}', r"\['t'\]\['type'\]"),
        (
            WarehouseSettings,
            "partition_fields",
            '{"t": {"feild": "closed_at"}}',  # codespell:ignore
            r"\['t'\]\['feild'\].*not permitted",
        ),
        (ExportSettings, "use_testnet", "perhaps", "use_testnet'.*boolean.*'perhaps'"),
    ],
)
def test_an_invalid_variable_is_named_with_the_expected_form(group, key, value, message):
    with pytest.raises(SettingsError, match=message):
        load(group, {**STORED, key: value}.get)
    task = read(group, {**STORED, key: value}.get)
    with pytest.raises(SettingsError, match=message):
        getattr(task, key)


@pytest.mark.parametrize("group", GROUPS)
def test_a_task_reads_each_variable_once_and_gets_the_same_values(group):
    keys = []
    task = read(group, lambda key: keys.append(key) or STORED[key])
    assert [getattr(task, key) for key in group.model_fields] == [
        getattr(load(group, STORED.get), key) for key in group.model_fields
    ]
    assert sorted(keys) == sorted(group.model_fields)
    assert [getattr(task, key) for key in group.model_fields] and len(keys) == len(group.model_fields)


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        (WarehouseSettings, {"public_project": "open"}, "'public_project' is set and 'public_dataset' is not"),
        (WarehouseSettings, {"public_dataset": VARIABLES["bq_dataset"]}, "'public_dataset' must be another dataset"),
        (ExportSettings, {"volume_name": "v"}, "'volume_name' is set, and 'volume_config'.* not"),
        (PodSettings, {"api_key_path": "key.json"}, "'api_key_path' must be an absolute path"),
        (PodSettings, {"pod_place": "kubeconfig"}, "'kube_config_location' is empty"),
    ],
)
@pytest.mark.parametrize("how", [load, read])
def test_variables_that_contradict_each_other_are_an_error_before_any_is_used(how, group, changes, message):
    with pytest.raises(SettingsError, match=f"Airflow Variables: .*{message}"):
        how(group, {**STORED, **changes}.get)


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_booleans_are_read_in_common_spellings(text):
    assert load(ExportSettings, {**STORED, "use_testnet": text}.get).use_testnet is True


def test_an_unknown_data_type_is_reported_with_the_closest_one():
    group = load(WarehouseSettings, {**STORED, "table_ids": "{}"}.get)
    assert group.table_id("ledgers") == "history_ledgers"
    with pytest.raises(SettingsError, match="unknown data type 'ledger'; did you mean 'ledgers'"):
        group.table_id("ledger")


def test_a_misspelt_key_is_reported_with_the_closest_one():
    assert check_keys({"parititon_fields": {}}) == [
        "unknown Airflow Variable 'parititon_fields'; did you mean 'partition_fields'?"
    ]
