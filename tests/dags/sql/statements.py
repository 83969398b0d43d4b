"""Every statement that the code can send, made by the functions that make them at run time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric, Value
from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.partitions import windows
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import column_names, mode_of, read_schema
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    ENRICHED_OPERATIONS,
    LEDGERS,
    OPERATIONS,
    PUBLISHED,
    STATES,
    TRANSACTIONS,
    Table,
)
from stellar_etl_airflow.sql import batch_stats, derived, records
from stellar_etl_airflow.sql import checks as check_sql
from stellar_etl_airflow.sql import coverage as coverage_sql
from stellar_etl_airflow.sql import publish as sql
from stellar_etl_airflow.sql import state as state_sql
from stellar_etl_airflow.sql import take_over as take_over_sql
from stellar_etl_airflow.sql.records import Columns
from stellar_etl_airflow.sql.statement import Parameter, Statement, range_parameters, table_name
from stellar_etl_airflow.take_over import TAKEN
from tests.shared import REPO

VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())

START = datetime(2026, 1, 1, tzinfo=UTC)
LEDGER_RANGE, TIME_RANGE = LedgerRange(10, 19), TimeRange(START, START + timedelta(minutes=10))
BATCH = range_parameters(10, 19, "2026-01-01T00:00:50Z", "2026-01-01T00:01:35Z")
WINDOW = coverage_sql.window_parameters(TIME_RANGE.start, TIME_RANGE.end)
DERIVED = (
    Parameter("batch_id", "STRING", "r"),
    Parameter("batch_run_date", "DATETIME", "2026-01-01T00:00:00"),
    Parameter("batch_insert_ts", "TIMESTAMP", "2026-01-01T00:00:00+00:00"),
)

STATS_ROWS = [
    batch_stats.stats_row(
        LEDGER_RANGE,
        {**dict.fromkeys(batch_stats.STATS_TYPES.keys() - set(batch_stats.STATS_KEYS), 0), "table_id": table.table_id},
    )
    for table in PUBLISHED.values()
]


MOST_QUERIES = 3
"""The most queries by which a coverage check looks at one table."""

DATASETS = (("my-project", "stellar"), ("public-project", "crypto_stellar"))
"""The targets: the private dataset, which staging and batch stats are in too, and the public one."""


def name(table_id: str, dataset: tuple[str, str] = DATASETS[0]) -> str:
    return table_name(*dataset, table_id)


def fields(table: Table) -> list[dict[str, Any]]:
    return read_schema(str(REPO / "schemas"), table.table_id)


def columns(table: Table) -> list[str]:
    return column_names(fields(table))


def staging(table: Table) -> str:
    return name(f"{table.table_id}_staging_0123456789abcdef")


def their(table: Table) -> str:
    """A table of another deployment."""
    return name(f"their_{table.table_id}")


def state(table: Table, dataset: tuple[str, str]) -> str:
    return name(state_sql.state_table_id(table.table_id), dataset)


def base(table: Table, dataset: tuple[str, str]) -> str:
    return name(state_sql.base_table_id(table.table_id), dataset)


def reversed_records(schema: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A schema whose nested fields are in the opposite order, as in a table that has grown otherwise."""
    return [
        {**field, "fields": reversed_records(field["fields"])[::-1]} if "fields" in field else field for field in schema
    ]


def aged_records(schema: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A schema of an older release: each record has a field that the file has not, and lacks its last one."""
    gone = {"name": "of_an_older_release", "type": "STRING", "mode": "NULLABLE"}
    return [
        {**field, "fields": [gone, *aged_records(field["fields"])[:-1]]} if "fields" in field else field
        for field in schema
    ]


def tables() -> dict[str, list[dict[str, Any]]]:
    """Every table that a statement may name, with its fields: tables that meet hold nested ones in another order."""
    private, public = DATASETS
    found: dict[str, list[dict[str, Any]]] = {}
    for table in PUBLISHED.values():
        file = fields(table)
        other, older = reversed_records(file), aged_records(file)
        found |= {name(table.table_id, private): file, name(table.table_id, public): other}
        if table.entry_keys:
            found |= {state(table, private): other, base(table, private): older}
            found |= {state(table, public): older, base(table, public): file}
        found |= {staging(table): file, their(table): older}
    for table_id in (BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID):
        found[name(table_id)] = read_schema(str(REPO / "schemas"), table_id)
    return found


LIVE = tables()


def moved(table: Table, source: str, target: str) -> Columns:
    """The columns of a table's schema file, from one table into another, as the tables have them."""
    return records.moved(LIVE[source], LIVE[target], columns(table))


STATS, HEADERS = name(BATCH_STATS_TABLE_ID), name(LEDGERS.table_id)
SOURCES = {table: name(table.table_id) for table in (LEDGERS, TRANSACTIONS, OPERATIONS)}


@dataclass(frozen=True)
class Made:
    """A statement, by the function that makes it and what it is made for."""

    function: str
    what: str
    statement: Statement

    def __str__(self) -> str:
        return f"{self.function}-{self.what}"


def of_any_table(table: Table) -> Iterator[Made]:
    target, of = name(table.table_id), table.data_type
    for dataset in DATASETS:
        first, second, *_, last = windows("HOUR", LedgerRange(1, 10_000), START)
        for window in ((None, None), first, second, last):
            deleted = sql.delete_range(table, name(table.table_id, dataset), LEDGER_RANGE, window)
            yield Made("delete_range", f"{of}-{dataset[1]}-{window[0]}", deleted)
    for ledgers in (LEDGER_RANGE, None):
        yield Made(
            "count_rows", f"{of}-{ledgers}", sql.count_rows({"a": (table, target), "b": (table, target)}, ledgers)
        )
        yield Made("forget_stats", f"{of}-{ledgers}", batch_stats.forget_stats(STATS, [table.table_id, "x"], ledgers))
    yield Made("look", of, coverage_sql.look(table, target, HEADERS, STATS, table.table_id, WINDOW))
    if table.identity:
        yield Made("look_at_identity", of, coverage_sql.look_at_identity(table, target, WINDOW))


def of_staged_table(table: Table) -> Iterator[Made]:
    target, of = name(table.table_id), table.data_type
    for dataset in DATASETS:
        into = name(table.table_id, dataset)
        every = moved(table, staging(table), into)
        yield Made("publish", f"{of}-{dataset[1]}", sql.publish(table, into, staging(table), every, BATCH))
    rules = check_sql.own_rules(table, staging(table), target, HEADERS)
    rules += check_sql.column_rules([*table.checks, *all_kinds(table)], staging(table), fields(table))
    for rule in rules:
        yield Made("check_staging", rule.name, check_sql.check_staging(staging(table), [rule], BATCH))
        yield Made("shown", rule.name, Statement(check_sql.shown(rule, BATCH)))


VALUES: dict[str, tuple[Value, Value]] = {
    "INT64": (-1, 5),
    "FLOAT64": (-1e-7, 1.5),
    "NUMERIC": (1.5, 3),
    "BIGNUMERIC": (1.5, 3),
    "BOOL": (False, True),
    "STRING": ('it\'s "so" \\ \n', "é \N{WINKING FACE}"),
    "TIMESTAMP": ("2026-01-01T00:00:00Z", "2026-01-01 00:00:00.123456+05:30"),
    "DATETIME": ("2026-01-01", "2026-01-01T00:00:00"),
    "DATE": ("2026-01-01", "2026-02-01"),
}
"""Two values of each type that a check may name, the lower one first."""


def checks_of_column(field: Mapping[str, Any]) -> Iterator[Check]:
    """Every kind of check on a column, with and without a condition of each operator."""
    type_, column = check_sql.PARAMETER_TYPES.get(field["type"].upper()), field["name"]
    if type_ is None or mode_of(field) == "REPEATED":
        return
    low, high = VALUES[type_]
    for where in ((), tuple(Condition(column, operator, low) for operator in ("=", "!=", "<", "<=", ">", ">="))):
        yield Check(Kind.NOT_NULL, column, where=where)
        yield Check(Kind.UNIQUE, column, where=where)
        yield Check(Kind.ACCEPTED_VALUES, column, values=(low, high), where=where)
        for bounds in ({"minimum": low}, {"maximum": high}, {"minimum": low, "maximum": high}):
            yield Check(Kind.RANGE, column, where=where, **bounds)
        for metric in Metric:
            if metric in (Metric.SUM, Metric.AVG) and type_ not in check_sql.NUMBERS:
                continue
            bound = 3 if metric in (Metric.COUNT, Metric.AVG) else low
            yield Check(Kind.METRIC, column, metric=metric, minimum=bound, maximum=bound, where=where)


def of_checked_columns(table: Table) -> Iterator[Made]:
    """The checks of every column: all counts of a column in one statement, and each query that shows rows."""
    for field in fields(table):
        of = f"{table.data_type}.{field['name']}"
        if rules := check_sql.column_rules(list(checks_of_column(field)), staging(table), fields(table)):
            yield Made("check_staging", of, check_sql.check_staging(staging(table), rules, BATCH))
        for rule in rules:
            yield Made("shown", f"{of}-{rule.name}", Statement(check_sql.shown(rule, BATCH)))


def all_kinds(table: Table) -> list[Check]:
    where = (Condition(table.ledger_column, ">=", 5),)
    column = table.ledger_column
    return [
        Check(Kind.NOT_NULL, column, where=where),
        Check(Kind.UNIQUE, column, where=where),
        Check(Kind.ACCEPTED_VALUES, column, values=(1, 2), where=where),
        Check(Kind.RANGE, table.closed_at_column, minimum="2015-09-30T00:00:00Z", maximum="2100-01-01T00:00:00Z"),
        *(Check(Kind.METRIC, column, metric=metric, minimum=0, maximum=9, where=where) for metric in Metric),
    ]


def of_state(table: Table, dataset: tuple[str, str]) -> Iterator[Made]:
    of, changes, staged = f"{table.data_type}-{dataset[1]}", name(table.table_id, dataset), staging(table)
    now, kept = state(table, dataset), base(table, dataset)
    into, of_changes, of_kept = moved(table, staged, now), moved(table, changes, now), moved(table, kept, now)
    yield Made("merge_changes", of, state_sql.merge_changes(table, now, staged, into, 63))
    yield Made("replace_base", of, state_sql.replace_base(kept, staged, moved(table, staged, kept)))
    yield Made("merge_full_load", of, state_sql.merge_full_load(table, now, staged, into, 63))
    yield Made("rebuild", of, state_sql.rebuild(table, now, changes, of_changes))
    on_a_base = state_sql.rebuild(table, now, changes, of_changes, (kept, of_kept), 63)
    yield Made("rebuild", f"{of}-on-a-base", on_a_base)
    yield Made("current_view", of, Statement(state_sql.current_view(now, columns(table))))
    yield Made("look_at_state", of, coverage_sql.look_at_state(table, changes, now, 63, WINDOW))


def of_taken_table(table: Table) -> Iterator[Made]:
    """Another deployment's table may be partitioned by anything."""
    of, source, loads = table.data_type, their(table), take_over_sql.LOADS
    yield Made("bounds", of, take_over_sql.bounds(table, source))
    yield Made("count", of, take_over_sql.count(table, source, loads, BATCH))
    for dataset in DATASETS:
        into = name(table.table_id, dataset)
        copied = take_over_sql.copy(table, into, source, moved(table, source, into), loads, BATCH)
        yield Made("copy", f"{of}-{dataset[1]}", copied)
    yield Made("count_published", of, take_over_sql.count_published(table, name(table.table_id), BATCH))


def of_all() -> Iterator[Made]:
    for path in sorted((REPO / "dags" / "queries").glob("*.sql")):
        (table,) = (one for one in PUBLISHED.values() if one.table_id == path.stem)
        letters = {one.data_type[0]: LIVE[source] for one, source in SOURCES.items()}
        given = derived.selected_fields(path.read_text(), letters, fields(table))
        source = derived.derive(path.read_text(), SOURCES)
        for dataset in DATASETS:
            into = name(path.stem, dataset)
            every = records.moved(given, LIVE[into], columns(table))
            replaced = sql.replace_range(table, into, source, every, (*BATCH, *DERIVED))
            yield Made("replace_range", f"{path.name}-{dataset[1]}", replaced)
    for rows in (STATS_ROWS[:1], STATS_ROWS):
        yield Made("upsert_stats", str(len(rows)), batch_stats.upsert_stats(STATS, rows))
    yield Made("check_sources", "times", derived.check_sources(SOURCES, TIME_RANGE))
    yield Made("check_sources", "by_ledgers", derived.check_sources(SOURCES, LEDGER_RANGE))
    yield Made("ledgers_held", "", take_over_sql.ledgers_held(their(LEDGERS), LEDGER_RANGE))
    yield Made("newest_loaded", "", coverage_sql.newest_loaded(STATS, ["a", "b"]))
    yield Made("closed_between", "", coverage_sql.closed_between(HEADERS, 10, 19))
    yield Made("loaded_ranges", "", coverage_sql.loaded_ranges(STATS, ["a", "b"], LEDGER_RANGE))
    every_finding = [
        Finding(data_type, fault, 1 << 31, 1 << 31, 1 << 31, 1 << 31 if fault is Fault.LAG else None)
        for data_type in PUBLISHED
        for fault in [Fault.LAG, *MOST_QUERIES * coverage_sql.MOST_FINDINGS * [Fault.WRONG_COUNT]]
    ]
    for found in ([], every_finding[:2], every_finding):
        record = coverage_sql.record(name(COVERAGE_TABLE_ID), "run", START, VARIABLES["table_ids"], found)
        yield Made("record", str(len(found)), record)


MADE = [
    *of_all(),
    *(made for table in PUBLISHED.values() for made in of_any_table(table)),
    *(made for table in PUBLISHED.values() if table is not ENRICHED_OPERATIONS for made in of_staged_table(table)),
    *(made for table in STATES.values() for dataset in DATASETS for made in of_state(table, dataset)),
    *(made for table in TAKEN.values() for made in of_taken_table(table)),
]
