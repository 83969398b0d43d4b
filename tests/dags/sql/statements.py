"""Every statement that the code can send, from the functions that create it at run time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric, Value
from stellar_etl_airflow.model.coverage import LUMENS_TYPES, Fault, Finding, Window
from stellar_etl_airflow.model.outbound import (
    BATCHES_TABLE_ID,
    DELIVERIES_TABLE_ID,
    LOADS_TABLE_ID,
    OUTBOUND_CLUSTERS,
    RUNS_TABLE_ID,
    Delivery,
)
from stellar_etl_airflow.model.partitions import BEGINNING, windows
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import column_names, mode_of, read_schema
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    DERIVED,
    ENRICHED_OPERATIONS,
    LEDGER_AUDITS_TABLE_ID,
    LEDGER_BATCHES_TABLE_ID,
    LEDGERS,
    PUBLISHED,
    RANGES_VIEW_ID,
    RUN_DATE,
    STATES,
    VIEWS,
    WATERMARKS_VIEW_ID,
    Table,
    sources_of,
)
from stellar_etl_airflow.model.versions import Folded
from stellar_etl_airflow.settings.outbound import FOLDER, declared, read_declaration
from stellar_etl_airflow.sql import audits, batch_stats, derived, digests, newer, records, reports
from stellar_etl_airflow.sql import checks as check_sql
from stellar_etl_airflow.sql import coverage as coverage_sql
from stellar_etl_airflow.sql import outbound as outbound_sql
from stellar_etl_airflow.sql import publish as sql
from stellar_etl_airflow.sql import summary as summary_sql
from stellar_etl_airflow.sql import take_over as take_over_sql
from stellar_etl_airflow.sql import versions as versions_sql
from stellar_etl_airflow.sql import watermarks as watermarks_sql
from stellar_etl_airflow.sql.compatibility import compatibility_view
from stellar_etl_airflow.sql.records import Columns
from stellar_etl_airflow.sql.statement import Parameter, Statement, newest_parameter, range_parameters, table_name
from stellar_etl_airflow.take_over import TAKEN
from tests.shared import REPO

VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())

START = datetime(2026, 1, 1, tzinfo=UTC)
LEDGER_RANGE, TIME_RANGE = LedgerRange(10, 19), TimeRange(START, START + timedelta(minutes=10))
BATCH = (
    *range_parameters(10, 19, "2026-01-01T00:00:50Z", "2026-01-01T00:01:35Z"),
    newest_parameter("2026-01-02T00:00:00Z"),
)
WINDOW = coverage_sql.window_parameters(Window(LEDGER_RANGE, TIME_RANGE.start, TIME_RANGE.end))
IDS = {table: table.table_id for table in PUBLISHED.values()}
OWN = (
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


DATASETS = (("my-project", "stellar"), ("public-project", "crypto_stellar"))
"""The targets: the private dataset, which also has the staging tables and batch stats, and the public one."""


def name(table_id: str, dataset: tuple[str, str] = DATASETS[0]) -> str:
    return table_name(*dataset, table_id)


def fields(table: Table) -> list[dict[str, Any]]:
    return read_schema(str(REPO / "schemas"), table.table_id)


def columns(table: Table) -> list[str]:
    return column_names(fields(table))


def staging(table: Table) -> str:
    return name(f"{table.table_id}_staging_0123456789abcdef")


def their(table: Table) -> str:
    """Return a table of another deployment."""
    return name(f"their_{table.table_id}")


def base(table: Table, dataset: tuple[str, str]) -> str:
    return name(versions_sql.base_table_id(table.table_id), dataset)


def versions(table: Table, dataset: tuple[str, str]) -> str:
    return name(versions_sql.versions_table_id(table.table_id), dataset)


ENDS = [dict(field) for field in versions_sql.ENDS]


def reversed_records(schema: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a schema whose nested fields are in the opposite order, as tables can have them."""
    return [
        {**field, "fields": reversed_records(field["fields"])[::-1]} if "fields" in field else field for field in schema
    ]


def aged_records(schema: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a schema of an older release: each record has one unknown field, and lacks its last one."""
    gone = {"name": "of_an_older_release", "type": "STRING", "mode": "NULLABLE"}
    return [
        {**field, "fields": [gone, *aged_records(field["fields"])[:-1]]} if "fields" in field else field
        for field in schema
    ]


def view_columns(text: str) -> list[dict[str, Any]]:
    """Return the columns of a view from names and types."""
    pairs = [one.split() for one in text.split(", ")]
    return [{"name": column, "type": type_, "mode": "NULLABLE"} for column, type_ in pairs]


WATERMARK_VIEWS = {
    RANGES_VIEW_ID: view_columns(
        "network STRING, dataset STRING, table_id STRING, complete_from INTEGER, complete_through INTEGER"
    ),
    WATERMARKS_VIEW_ID: view_columns(
        "network STRING, dataset STRING, table_id STRING, complete_from INTEGER, complete_from_closed_at TIMESTAMP, "
        "complete_through INTEGER, complete_through_closed_at TIMESTAMP, network_head INTEGER, "
        "network_head_checked_at TIMESTAMP, lag_ledgers INTEGER, last_changed_at TIMESTAMP, table_count INTEGER, "
        "tables_not_loaded INTEGER"
    ),
}

SNAPSHOT = "20260101t001000_0123abcd"
DELIVERIES = [
    Delivery(export, SNAPSHOT, delivery, {}, batches)
    for export in declared()
    for delivery, batches in ((SNAPSHOT, None), (f"{SNAPSHOT}_4567cdef", None), (f"{SNAPSHOT}_89abef01", (1, 2)))
]
"""Deliveries of each declared export: its own, one of all refused batches, and one of named batches."""


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return every table that a statement may name, with its fields. Related tables order nested fields differently."""
    private, public = DATASETS
    found: dict[str, list[dict[str, Any]]] = {}
    for table in PUBLISHED.values():
        file = fields(table)
        other, older = reversed_records(file), aged_records(file)
        found |= {name(table.table_id, private): file, name(table.table_id, public): other}
        if table.entry_keys:
            found |= {base(table, private): older, base(table, public): file}
            ends = [{**field, "name": field["name"].replace("_to", "_from")} for field in ENDS]
            for dataset in DATASETS:
                found[name(f"{table.table_id}_history", dataset)] = [*file, *ends, *ENDS]
            found |= {versions(table, private): [*other, *ENDS], versions(table, public): [*ENDS, *older]}
        found |= {staging(table): file, their(table): older}
    own = (BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, LEDGER_AUDITS_TABLE_ID, LEDGER_BATCHES_TABLE_ID)
    for table_id in (*own, *OUTBOUND_CLUSTERS):
        found[name(table_id)] = read_schema(str(REPO / "schemas"), table_id)
    found |= {name(view_id): columns_of_view for view_id, columns_of_view in WATERMARK_VIEWS.items()}
    for table, dataset in product(STATES.values(), DATASETS):
        found[name(versions_sql.current_view_id(table.table_id), dataset)] = fields(table)
    for view_id, dataset in product(VIEWS, DATASETS):
        found[name(view_id, dataset)] = read_schema(str(REPO / "schemas"), view_id)
    for delivery in DELIVERIES:
        batches = outbound_sql.BATCH_FIELDS
        found |= {name(delivery.batches_id): batches, name(delivery.outstanding_id): batches}
        found |= {name(delivery.receipts_id): outbound_sql.RECEIPT_FIELDS}
    for export, path in declared().items():
        declaration = read_declaration(path)
        (source,) = re.findall(r"\{(\w+?)(?:_current)?\}", (FOLDER / declaration.query).read_text())
        columns_of = {field["name"]: field for field in fields(PUBLISHED[source])}
        rows_id = Delivery(export, SNAPSHOT, SNAPSHOT, {}).rows_id
        found[name(rows_id)] = [columns_of[column] for column in declaration.columns]
    pair = [{"name": part, "type": "STRING"} for part in ("key", "value")]
    found["`my-project.region-us-central1.INFORMATION_SCHEMA.JOBS_BY_PROJECT`"] = [
        {"name": "creation_time", "type": "TIMESTAMP"},
        {"name": "total_bytes_billed", "type": "INTEGER"},
        {"name": "labels", "type": "RECORD", "mode": "REPEATED", "fields": pair},
    ]  # https://cloud.google.com/bigquery/docs/information-schema-jobs
    return found


LIVE = tables()


def moved(table: Table, source: str, target: str) -> Columns:
    """Return the columns of a table's schema file, copied from one table to another with the tables' own columns."""
    return records.moved(LIVE[source], LIVE[target], columns(table))


ALONE = sql.Attempt("2026-01-01T00:00:00Z")
BESIDE_NEWER = sql.Attempt(ALONE.started_at, (LedgerRange(12, 13), LedgerRange(18, 25)))
"""An export attempt without newer ones, and one with newer ones."""

STATS, HEADERS = name(BATCH_STATS_TABLE_ID), name(LEDGERS.table_id)
JOBS = batch_stats.jobs_view(DATASETS[0][0], "us-central1")


@dataclass(frozen=True)
class Made:
    """A statement, with the function that created it and its purpose."""

    function: str
    what: str
    statement: Statement

    def __str__(self) -> str:
        return f"{self.function}-{self.what}"


def of_any_table(table: Table) -> Iterator[Made]:
    target, of = name(table.table_id), table.data_type
    plain = {one.data_type: name(one.table_id).strip("`") for one in (table, LEDGERS)}
    yield Made("totals_sql", of, Statement(reports.totals_sql(table, plain, (START, START + timedelta(days=1)))))
    if gaps := reports.gaps_sql(table, START, START + timedelta(days=1), plain):
        yield Made("gaps_sql", of, Statement(gaps))
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
    for dataset in DATASETS:
        into = name(table.table_id, dataset)
        yield Made(
            "check_rows", f"{of}-{dataset[1]}", coverage_sql.check_rows(table, into, HEADERS, STATS, IDS, 19, WINDOW)
        )
        if table.identity:
            yield Made("check_identity", f"{of}-{dataset[1]}", coverage_sql.check_identity(table, into, WINDOW))


def of_loaded_table(table: Table) -> Iterator[Made]:
    into = name(table.table_id)
    yield Made("compatibility_view", table.data_type, Statement(compatibility_view(table, into, LIVE[into])))


def of_staged_table(table: Table) -> Iterator[Made]:
    target, of = name(table.table_id), table.data_type
    for dataset in DATASETS:
        into = name(table.table_id, dataset)
        every = moved(table, staging(table), into)
        yield Made("publish", f"{of}-{dataset[1]}", sql.publish(table, into, staging(table), every, BATCH, ALONE))
        dated = {**every, RUN_DATE: f"@{RUN_DATE}"}
        by_ledgers = sql.publish(table, into, staging(table), dated, (*BATCH, OWN[1]), ALONE)
        yield Made("publish", f"{of}-{dataset[1]}-by-ledgers", by_ledgers)
        parts = sql.publish(table, into, staging(table), every, BATCH, BESIDE_NEWER)
        yield Made("publish", f"{of}-{dataset[1]}-parts", parts)
        rows = newer.newer_rows(table, into, BATCH, "2026-01-01T00:00:00Z")
        yield Made("newer_rows", f"{of}-{dataset[1]}", rows)
    loaded = check_sql.Loaded(target, table.table_id, STATS, HEADERS)
    rules = check_sql.own_rules(table, staging(table), loaded)
    rules += check_sql.own_rules(table, staging(table), loaded, (11, 11, 12))
    rules += check_sql.column_rules([*table.checks, *all_kinds(table)], staging(table), fields(table))
    for rule in rules:
        yield Made("check_staging", rule.name, check_sql.check_staging(staging(table), [rule], BATCH, table))
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
"""Two values of each type that a check may use, the lower one first."""


def checks_of_column(field: Mapping[str, Any]) -> Iterator[Check]:
    """Return every kind of check on a column, with and without a condition of each operator."""
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
    """Yield the checks of every column: all counts of a column in one statement, and each query that shows rows."""
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


FOLDED = Folded(1000, START, 64, START - timedelta(days=9), 500, START - timedelta(days=40), START)


def log_of(table: Table, dataset: tuple[str, str]) -> versions_sql.Log:
    """Return a change log and its versions, with the columns of `LIVE`."""
    changes, into = name(table.table_id, dataset), versions(table, dataset)
    return versions_sql.Log(table, changes, into, moved(table, changes, into))


def of_versions(table: Table, dataset: tuple[str, str]) -> Iterator[Made]:
    of, log, kept = f"{table.data_type}-{dataset[1]}", log_of(table, dataset), base(table, dataset)
    loaded = moved(table, kept, log.versions)
    yield Made("replace_base", of, versions_sql.replace_base(kept, staging(table), moved(table, staging(table), kept)))
    yield Made("current_view", of, Statement(versions_sql.current_view(log, FOLDED)))
    yield Made("history_view", of, Statement(versions_sql.history_view(log, FOLDED)))
    function, history = (name(f"{table.table_id}_{kind}", dataset) for kind in ("at", "history"))
    yield Made("at_function", of, versions_sql.at_function(function, log, FOLDED))
    yield Made("fold", of, versions_sql.fold(log, FOLDED, 2000, START))
    yield Made("open_again", of, versions_sql.open_again(log, FOLDED, (START, START + timedelta(days=1))))
    yield Made("begin", of, versions_sql.begin(log, kept, loaded, FOLDED.begun(1500, START)))
    yield Made("days_to_fold", of, versions_sql.days_to_fold(log, FOLDED))
    yield Made("days_to_fold", f"{of}-removed", versions_sql.days_to_fold(log, FOLDED, 1500, removed=True))
    yield Made("days_to_open", of, versions_sql.days_to_open(log, FOLDED))
    yield Made("first_change", of, versions_sql.first_change(log, LEDGER_RANGE))
    yield Made("check_versions", of, coverage_sql.check_versions(log, FOLDED, WINDOW))
    staged = moved(table, staging(table), log.versions)
    compared = coverage_sql.compare_with_archive(log, history, staging(table), staged, 63, START)
    yield Made("compare_with_archive", of, compared)
    yield Made("newer_rows", f"{of}-base", newer.newer_rows(table, kept, BATCH, "2026-01-01T00:00:00Z"))
    yield Made("last_close", of, versions_sql.last_close(table, kept))
    yield Made("differences", f"{of}-without-base", versions_sql.differences(log, None, None, 0))
    yield Made("differences", of, versions_sql.differences(log, kept, loaded, 63))
    yield Made("valid_at", of, versions_sql.valid_at(log, 999, START, columns(table)))


def of_taken_table(table: Table) -> Iterator[Made]:
    """Another deployment's table may have any partitioning."""
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
        (table,) = (one for one in DERIVED.values() if one.table_id == path.stem)
        letters = {letter: LIVE[name(one.table_id)] for letter, one in sources_of(table).items()}
        given = derived.selected_fields(path.read_text(), letters, fields(table))
        names = {one: name(one.table_id) for one in (*sources_of(table).values(), table)}
        every = records.moved(given, LIVE[staging(table)], columns(table))
        full_load = {one: 12 for one in sources_of(table).values() if one.entry_keys}
        for label, loads in (("", None), *([("-full-load", full_load)] if full_load else [])):
            source = derived.derive(path.read_text(), table, names, columns(table), loads)
            made = sql.replace_range(table, staging(table), source, every, (*BATCH, *OWN))
            yield Made("replace_range", f"{path.name}{label}", made)
        for label, requested in (("times", TIME_RANGE), ("by_ledgers", LEDGER_RANGE)):
            checked = derived.check_sources(table, names, STATS, IDS, requested)
            yield Made("check_sources", f"{path.name}-{label}", checked)
        pending = derived.check_sources(table, names, STATS, IDS, LEDGER_RANGE, (TIME_RANGE.start, TIME_RANGE.end))
        yield Made("check_sources", f"{path.name}-pending", pending)
        if table.derivation and table.derivation.against_sources:
            text = (path.parent / "checks" / path.name).read_text()
            rule = check_sql.against_sources(text, table, names, staging(table))
            yield Made("check_staging", path.name, check_sql.check_staging(staging(table), [rule], BATCH, table))
            yield Made("shown", path.name, Statement(check_sql.shown(rule, BATCH)))
    for view in VIEWS.values():
        text = (REPO / "dags" / "queries" / "views" / f"{view.view_id}.sql").read_text()
        for dataset in DATASETS:
            query = derived.view_query(text, view, lambda one, into=dataset: name(one.table_id, into), "C")
            yield Made("view_query", f"{view.view_id}-{dataset[1]}", Statement(query))
    yield Made("publications", "", derived.publications(STATS, ["a", "b"], "c"))
    yield Made("ledgers_closed", "", derived.ledgers_closed(HEADERS, TIME_RANGE))
    for rows in (STATS_ROWS[:1], STATS_ROWS):
        yield Made("upsert_stats", str(len(rows)), batch_stats.upsert_stats(STATS, rows))
    for table in (one for one in DERIVED.values() if one.chain):
        parameters = (*BATCH, Parameter("exported_at", "TIMESTAMP", "2026-01-01T00:00:00Z"))
        of_chain = (STATS, table, name(table.table_id), table.table_id, "2026-01-01T00:00:00Z", parameters)
        yield Made("publish_corrected", table.data_type, batch_stats.publish_corrected(*of_chain))
    yield Made("spent", "", batch_stats.spent(STATS, "a_dag", START, START))
    yield Made("costs_by_day", "", batch_stats.costs_by_day(STATS, START))
    yield Made("costs_by_table", "", batch_stats.costs_by_table(STATS, START))
    yield Made("loads_by_table", "", batch_stats.loads_by_table(STATS, START))
    yield Made("dirty_since", "", coverage_sql.dirty_since(STATS, "a", LEDGER_RANGE, START))
    yield Made("billed_since", "", batch_stats.billed_since(JOBS, "my-project_stellar", START))
    yield Made("noted_ranges", "", coverage_sql.noted_ranges(STATS))
    yield Made("header_islands", "", coverage_sql.header_islands(HEADERS))
    yield Made("newer_loads", "", newer.newer_loads(STATS, "a", LEDGER_RANGE, "2026-01-01T00:00:00Z"))
    yield Made("existing_ledgers", "", take_over_sql.existing_ledgers(their(LEDGERS), LEDGER_RANGE))
    yield Made("newest_loaded", "", coverage_sql.newest_loaded(STATS, ["a", "b"]))
    yield Made("check_loads", "", coverage_sql.check_loads(STATS, ["a", "b"], "a", LEDGER_RANGE, 15))
    yield Made("times_around", "", coverage_sql.times_around(STATS, LEDGER_RANGE))
    low, high = TIME_RANGE.start - timedelta(days=1), TIME_RANGE.end + timedelta(days=1)
    yield Made("headers_around", "", coverage_sql.headers_around(HEADERS, TIME_RANGE, low, high))
    for dataset in DATASETS:
        kinds: dict[str, dict[str, str]] = {"history": {}, "base": {}}
        for data_type, kind in product(LUMENS_TYPES, kinds):
            kinds[kind][data_type] = name(f"{STATES[data_type].table_id}_{kind}", dataset)
        changes, at = name("contract_data", dataset), (99, START)
        for label, bases, start in (("", None, (0, BEGINNING)), ("-base", kinds["base"], (63, BEGINNING))):
            lumens = coverage_sql.check_lumens(kinds["history"], bases, changes, HEADERS, "C", at, start)
            yield Made("check_lumens", f"{dataset[1]}{label}", lumens)
    yield Made("closed_between", "", coverage_sql.closed_between(HEADERS, 10, 19))
    yield Made("loaded_ranges", "", coverage_sql.loaded_ranges(STATS, ["a", "b"], LEDGER_RANGE))
    data_type, where = ENRICHED_OPERATIONS.data_type, "a-long-project-id.dataset" * 3
    findings = [
        Finding(data_type, fault, 1 << 31, 1 << 31, 1 << 31, seconds, where)
        for fault, seconds in ((Fault.LAG, 1 << 31), *(coverage_sql.MOST_RECORDED + 1) * [(Fault.MISSING, None)])
    ]
    for found in ([], findings[:2], findings):
        written = coverage_sql.record(name(COVERAGE_TABLE_ID), "run", START, VARIABLES["table_ids"], found)
        for number, record in enumerate(written):
            yield Made("record", f"{len(found)}-{number}", record)


def of_digests(table: Table) -> Iterator[Made]:
    private, public = (name(table.table_id, dataset) for dataset in DATASETS)
    compared = digests.differing_ledgers(table, private, public, digests.certified_fields(fields(table)), BATCH)
    yield Made("differing_ledgers", table.data_type, compared)
    for dataset in DATASETS:
        into, own = name(table.table_id, dataset), digests.certified_fields(fields(table))
        yield Made("table_digest", f"{table.data_type}-{dataset[1]}", digests.table_digest(table, into, own, BATCH))


def of_audited_table(table: Table) -> Iterator[Made]:
    nested = any("fields" in field for field in fields(table))
    for dataset in DATASETS if nested else DATASETS[:1]:
        into = name(table.table_id, dataset)
        every = moved(table, into, staging(table))
        compared = audits.compare_rows(table, into, staging(table), fields(table), every, BATCH)
        yield Made("compare_rows", f"{table.data_type}-{dataset[1]}", compared)


def of_audits() -> Iterator[Made]:
    yield Made("complete_ranges_of_datasets", "", audits.complete_ranges_of_datasets(name(RANGES_VIEW_ID)))
    run = {"run_id": "run", "start_ledger": "10", "end_ledger": "19", "is_healed": "true"}
    chances = ("complete_ledgers", "runs_per_year", "detection_probability")
    for label, value in (("chosen", "1"), ("asked", None)):
        rows = [{**dict.fromkeys(audits.AUDIT_TYPES, value), "table_id": "a"}]
        of_run = run | dict.fromkeys(chances, value)
        recorded = audits.record_audit(name(LEDGER_AUDITS_TABLE_ID), START, of_run, rows)
        yield Made("record_audit", label, recorded)
    yield Made("last_audits", "", audits.last_audits(name(LEDGER_AUDITS_TABLE_ID), START))


def of_watermarks() -> Iterator[Made]:
    """Yield the views of one network, and of datasets without a label."""
    ids, coverage, ranges, watermarks = (
        [table.table_id for table in PUBLISHED.values()],
        name(COVERAGE_TABLE_ID),
        name(RANGES_VIEW_ID),
        name(WATERMARKS_VIEW_ID),
    )
    for label in ("0123456789abcdef" * 2, None):
        networks = {".".join(dataset): label for dataset in DATASETS}
        of_ranges = watermarks_sql.ranges_view(STATS, coverage, networks, ids)
        yield Made("ranges_view", str(label), Statement(of_ranges))
        of_watermarks = watermarks_sql.watermarks_view(ranges, STATS, coverage, networks, ids)
        yield Made("watermarks_view", str(label), Statement(of_watermarks))
    yield Made("header_links", "", digests.header_links(HEADERS, BATCH))
    yield Made("of_datasets", "", watermarks_sql.of_datasets(watermarks))
    noted = watermarks_sql.noted_batch(name(LEDGER_BATCHES_TABLE_ID), "a_dag", "a_run", START.isoformat())
    yield Made("noted_batch", "", noted)
    values = {**dict.fromkeys(watermarks_sql.BATCH_TYPES, "1"), "noted_at": START.isoformat()}
    yield Made("note_batch", "", watermarks_sql.note_batch(name(LEDGER_BATCHES_TABLE_ID), watermarks, values))


def of_summary() -> Iterator[Made]:
    """Yield the statements that read the data of the coverage page."""
    coverage, batches = name(COVERAGE_TABLE_ID), name(LEDGER_BATCHES_TABLE_ID)
    ids = [table.table_id for table in PUBLISHED.values()]
    networks = {".".join(dataset): "0123456789abcdef" * 2 for dataset in DATASETS}
    derived_ids = [table.table_id for table in DERIVED.values()]
    yield Made("all_watermarks", "", summary_sql.all_watermarks(name(WATERMARKS_VIEW_ID)))
    ranges = summary_sql.complete_ranges_of_tables(name(RANGES_VIEW_ID), STATS, coverage, networks, derived_ids)
    yield Made("complete_ranges_of_tables", "", ranges)
    yield Made("loaded_islands", "", summary_sql.loaded_islands(STATS, ids))
    yield Made("known_findings", "", summary_sql.known_findings(coverage, START))
    yield Made("lags_since", "", summary_sql.lags_since(coverage, START))
    yield Made("watermarks_since", "", summary_sql.watermarks_since(batches, START))
    yield Made("costs_since", "", summary_sql.costs_since(STATS, START))
    places = [("a", 1, 2), ("b", 1 << 31, 1 << 32)]
    yield Made("loads_of", "", summary_sql.loads_of(STATS, places))
    yield Made("times_of", "", summary_sql.times_of(STATS, places))


def of_outbound(delivery: Delivery) -> Iterator[Made]:
    """Yield the statements of an outbound export, with the query that it declares."""
    of, declaration = delivery.name, read_declaration(declared()[delivery.export])
    of = f"{delivery.export}-{of}"
    rows, batches, ended = name(delivery.rows_id), name(delivery.batches_id), name(DELIVERIES_TABLE_ID)
    outstanding, loads, runs = name(delivery.outstanding_id), name(LOADS_TABLE_ID), name(RUNS_TABLE_ID)
    if not delivery.is_repeated:
        sources = {data_type: name(table.table_id) for data_type, table in PUBLISHED.items()}
        for data_type, table in STATES.items():
            sources[f"{data_type}_current"] = name(versions_sql.current_view_id(table.table_id))
        query, columns, key = declaration.sql(sources), declaration.columns, declaration.key
        times, selected = (START, START + timedelta(days=1)), outbound_sql.select_all(query, columns)
        closed = outbound_sql.closed_parameters(*times) if declaration.delta else ()
        given = outbound_sql.every_column(outbound_sql.in_brackets(query))
        yield Made("every_column", of, Statement(given, closed))
        followed = (loads, runs, STATS, "history_trades", delivery)
        yield Made("loads_closed", of, outbound_sql.loads_closed(*followed))
        yield Made("note_loads", of, outbound_sql.note_loads(*followed, times))
        if declaration.delta:
            selected = outbound_sql.select_loaded(query, columns, delivery, loads, declaration.delta.ledger, times)
        yield Made("take_snapshot", of, outbound_sql.take_snapshot(rows, columns, selected))
        limits = {"rows": 5000, "bytes": 1_000_000}
        yield Made("make_batches", of, outbound_sql.make_batches(batches, rows, key, columns, limits, delivery))
        yield Made("count_rows", of, outbound_sql.count_rows(rows, key, columns))
        yield Made("count_batches", of, outbound_sql.count_batches(batches))
        recorded = outbound_sql.record_batches(name(BATCHES_TABLE_ID), batches, delivery, "2026-01-01T00:00:00+00:00")
        yield Made("record_batches", of, recorded)
    replaced = outbound_sql.replace_outstanding(outstanding, batches, ended, delivery)
    yield Made("replace_outstanding", of, replaced)
    received = outbound_sql.record_deliveries(ended, name(delivery.receipts_id), delivery)
    yield Made("record_deliveries", of, received)
    yield Made("check_deliveries", of, outbound_sql.check_deliveries(outstanding, ended, delivery))
    for label, value in (("all", "1"), ("none", None)):
        values: dict[str, str | None] = dict.fromkeys(outbound_sql.RUN_TYPES, value)
        yield Made("record_run", f"{of}-{label}", outbound_sql.record_run(runs, delivery, values))


MADE = [
    *of_all(),
    *of_watermarks(),
    *of_audits(),
    *(made for table in PUBLISHED.values() if not table.derivation for made in of_audited_table(table)),
    *of_summary(),
    *(made for table in PUBLISHED.values() if table is not ENRICHED_OPERATIONS for made in of_digests(table)),
    *(made for table in PUBLISHED.values() for made in of_any_table(table)),
    *(made for table in PUBLISHED.values() for made in of_staged_table(table)),
    *(made for table in PUBLISHED.values() if not table.derivation for made in of_loaded_table(table)),
    *(made for table in STATES.values() for dataset in DATASETS for made in of_versions(table, dataset)),
    *(made for table in TAKEN.values() for made in of_taken_table(table)),
    *(made for delivery in DELIVERIES for made in of_outbound(delivery)),
]
