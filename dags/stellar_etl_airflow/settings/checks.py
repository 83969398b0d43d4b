"""Checks across all Airflow Variables: unknown keys and entries, tables without columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stellar_etl_airflow.model.schema import SchemaError, read_schema
from stellar_etl_airflow.model.tables import LOADING_DAGS, PUBLISHED, TABLES, Table
from stellar_etl_airflow.settings.base import SettingsError, unknown
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.groups import GROUPS, known_keys
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.runs import TASK_TIMEOUTS, DelaySettings, TimeoutSettings
from stellar_etl_airflow.settings.warehouse import CheckSettings, TableCheck, WarehouseSettings
from stellar_etl_airflow.sql.checks import CheckError, column_rules

POD_BUILDERS = (
    "build_coverage_tasks",
    "build_dbt_task",
    "build_export_task",
    "build_preflight_tasks",
    "build_time_task",
)
"""Valid keys of `resources`, besides `default`."""


def check_keys(variables: Mapping[str, Any]) -> list[str]:
    """Return a message per unknown key, with a close spelling if there is one."""
    return unknown("Airflow Variable", variables, known_keys())


def check_entries(get: Callable[[str], Any]) -> list[str]:
    """Return a message per entry whose key is not a known table, DAG or builder.

    Args:
        get: returns a Variable's value by key. Each value must be valid.
    """
    warehouse, export = load(WarehouseSettings, get), load(ExportSettings, get)
    names = [warehouse.table_ids.get(data_type, table.table_id) for data_type, table in PUBLISHED.items()]
    entries: dict[str, tuple[Mapping[str, Any], Collection[str]]] = {
        "cluster_fields": (warehouse.cluster_fields, names),
        "start_delay": (load(DelaySettings, get).start_delay, LOADING_DAGS),
        "output_file_names": (export.output_file_names, TABLES),
        "partition_fields": (warehouse.partition_fields, names),
        "resources": (load(PodSettings, get).resources, ("default", *POD_BUILDERS)),
        "table_ids": (warehouse.table_ids, PUBLISHED),
        "task_timeout": (load(TimeoutSettings, get).task_timeout, TASK_TIMEOUTS),
    }
    messages = []
    for key, (given, known) in entries.items():
        messages += unknown(f"entry of Airflow Variable {key!r}:", given, known)
    return messages + list(_misfits(load(CheckSettings, get).checks, dict(zip(names, PUBLISHED.values(), strict=True))))


SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
"""The schema files of this checkout."""


def _misfits(checks: Iterable[TableCheck], tables: Mapping[str, Table]) -> Iterator[str]:
    """Yield a message per check that refers to an unknown table, column or value."""
    for number, entry in enumerate(checks):
        where = f"Airflow Variable 'checks'[{number}]"
        if entry.table not in tables:
            yield from unknown(f"table in {where}:", [entry.table], tables)
            continue
        try:
            column_rules([entry.check], "staging", read_schema(str(SCHEMAS), tables[entry.table].table_id))
        except CheckError as error:
            yield f"{where} ({entry.table}): {error}"


def check_tables(get: Callable[[str], Any], schemas: Path = SCHEMAS) -> list[str]:
    """Return a message per table without cluster columns or without a schema.

    Args:
        get: returns a Variable's value by key. Each value must be valid.
        schemas: the folder of the schema files.
    """
    warehouse = load(WarehouseSettings, get)
    messages = []
    for data_type, table in PUBLISHED.items():
        name = warehouse.table_ids.get(data_type, table.table_id)
        if not warehouse.cluster(table):
            messages.append(f"Airflow Variable 'cluster_fields': {name!r} has no columns; list at least one")
        try:
            read_schema(str(schemas), table.table_id)
        except SchemaError as error:
            messages.append(f"Airflow Variable 'table_ids'[{data_type!r}]: table {name!r} has no schema: {error}")
    return messages


def check(variables: Mapping[str, Any]) -> list[str]:
    """Return a message per problem of the Variables; empty if they are valid."""
    messages = check_keys(variables)
    valid = True
    for group in GROUPS:
        try:
            load(group, variables.get)
        except SettingsError as error:
            messages.append(str(error))
            valid = False
    return list(dict.fromkeys(messages + check_entries(variables.get) if valid else messages))
