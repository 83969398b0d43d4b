"""Every statement that the code can make, read as BigQuery reads it: it parses, names its parameters, and carries
constants on the partition column of each partitioned table that it reads, but for those that are named here."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric
from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import column_names, read_schema
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
from stellar_etl_airflow.sql import batch_stats, derived
from stellar_etl_airflow.sql import checks as check_sql
from stellar_etl_airflow.sql import coverage as coverage_sql
from stellar_etl_airflow.sql import publish as sql
from stellar_etl_airflow.sql import state as state_sql
from stellar_etl_airflow.sql import take_over as take_over_sql
from stellar_etl_airflow.sql.statement import Parameter, Statement, range_parameters, table_name
from stellar_etl_airflow.take_over import TAKEN
from tests.shared import MODULES as DAG_MODULES
from tests.shared import REPO

MODULES = [importlib.import_module(name) for name in DAG_MODULES if name.startswith("stellar_etl_airflow.sql.")]
"""Every module that makes statements."""

VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())
PARTITION_COLUMNS = {name: entry["field"] for name, entry in VARIABLES["partition_fields"].items()}
"""By table; the others are not partitioned: assets and point-in-time tables match by key, over the whole table."""

START = datetime(2026, 1, 1, tzinfo=UTC)
LEDGER_RANGE, TIME_RANGE = LedgerRange(10, 19), TimeRange(START, START + timedelta(minutes=10))
BATCH = range_parameters(10, 19, "2026-01-01T00:00:50Z", "2026-01-01T00:01:35Z")
WINDOW = coverage_sql.window_parameters(TIME_RANGE.start, TIME_RANGE.end)
DERIVED = (
    Parameter("batch_id", "STRING", "r"),
    *(Parameter(f"batch_{n}", "STRING", "t") for n in ("run_date", "insert_ts")),
)

STATS_ROW = batch_stats.stats_row(
    LEDGER_RANGE, dict.fromkeys(batch_stats.STATS_TYPES.keys() - {"start_ledger", "end_ledger"}, 0)
)

OF_NO_USE = {parameter.name for parameter in (*BATCH, *WINDOW)} | {"table_id", "checked_at"}
"""Parameters that come with all statements of their kind, though not each names them; BigQuery doesn't mind."""

WHOLE_TABLE = {
    "delete_range": "nothing says when ledgers closed whose rows may be wrong",
    "count_rows": "counts what a person is about to delete, which goes by ledgers too",
    "rebuild": "a state that somebody changed by hand is right again only by every change there was",
    "closed_between": "asks when ledgers closed: two columns of the ledgers, which are clustered by ledger",
    "by_ledgers": "a run by ledgers doesn't know when they closed until this has told it",
    "other_chain": "binds ledgers and close times from opposite sides: of one chain, no block has both",
}
"""Functions, and what they are called for, whose statements lack constants on the partition column, and why."""


def name(table_id: str) -> str:
    return table_name("my-project", "stellar", table_id)


def fields(table: Table) -> list[dict[str, Any]]:
    return read_schema(str(REPO / "schemas"), table.table_id)


def columns(table: Table) -> list[str]:
    return column_names(fields(table))


STAGING, STATS, HEADERS = name("a_staging_table"), name(BATCH_STATS_TABLE_ID), name(LEDGERS.table_id)
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
    yield Made("delete_range", of, sql.delete_range(table, target, LEDGER_RANGE))
    for ledgers in (LEDGER_RANGE, None):
        yield Made(
            "count_rows", f"{of}-{ledgers}", sql.count_rows({"a": (table, target), "b": (table, target)}, ledgers)
        )
        yield Made("forget_stats", f"{of}-{ledgers}", batch_stats.forget_stats(STATS, [table.table_id, "x"], ledgers))
    yield Made("upsert_stats", of, batch_stats.upsert_stats(STATS, STATS_ROW))
    yield Made("look", of, coverage_sql.look(table, target, HEADERS, STATS, table.table_id, WINDOW))


def of_staged_table(table: Table) -> Iterator[Made]:
    target, of = name(table.table_id), table.data_type
    yield Made("publish", of, sql.publish(table, target, STAGING, columns(table), BATCH))
    rules = check_sql.own_rules(table, STAGING, target, HEADERS)
    rules += check_sql.column_rules([*table.checks, *all_kinds(table)], STAGING, fields(table))
    for rule in rules:
        yield Made("check_staging", rule.name, check_sql.check_staging(STAGING, [rule], BATCH))
        yield Made("shown", rule.name, Statement(check_sql.shown(rule, BATCH)))


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


def of_state(table: Table) -> Iterator[Made]:
    of, changes, every = table.data_type, name(table.table_id), columns(table)
    state, base = name(state_sql.state_table_id(table.table_id)), name(state_sql.base_table_id(table.table_id))
    yield Made("merge_changes", of, state_sql.merge_changes(table, state, STAGING, every, 63))
    yield Made("replace_base", of, state_sql.replace_base(base, STAGING, every))
    yield Made("merge_full_load", of, state_sql.merge_full_load(table, state, STAGING, every, 63))
    yield Made("rebuild", of, state_sql.rebuild(table, state, changes, every))
    yield Made("rebuild", f"{of}-on-a-base", state_sql.rebuild(table, state, changes, every, base, 63))
    yield Made("current_view", of, Statement(state_sql.current_view(state, every)))
    yield Made("look_at_state", of, coverage_sql.look_at_state(table, changes, state, 63, WINDOW))


def of_taken_table(table: Table) -> Iterator[Made]:
    """Another deployment's table may be partitioned by anything."""
    of, source, every = table.data_type, name(f"their_{table.table_id}"), columns(table)
    loads = take_over_sql.LOADS
    yield Made("bounds", of, take_over_sql.bounds(table, source))
    yield Made("count", of, take_over_sql.count(table, source, loads, BATCH))
    yield Made("copy", of, take_over_sql.copy(table, name(table.table_id), source, every, loads, BATCH))
    yield Made("count_published", of, take_over_sql.count_published(table, name(table.table_id), BATCH))


def of_all() -> Iterator[Made]:
    for path in sorted((REPO / "dags" / "queries").glob("*.sql")):
        (table,) = (one for one in PUBLISHED.values() if one.table_id == path.stem)
        source = derived.derive(path.read_text(), SOURCES)
        yield Made(
            "replace_range", path.name,
            sql.replace_range(table, name(path.stem), source, columns(table), (*BATCH, *DERIVED)),
        )  # fmt: skip
    yield Made("check_sources", "times", derived.check_sources(SOURCES, TIME_RANGE))
    yield Made("check_sources", "by_ledgers", derived.check_sources(SOURCES, LEDGER_RANGE))
    yield Made("ledgers_held", "", take_over_sql.ledgers_held(name("their_ledgers"), LEDGER_RANGE))
    yield Made("newest_loaded", "", coverage_sql.newest_loaded(STATS, ["a", "b"]))
    yield Made("closed_between", "", coverage_sql.closed_between(HEADERS, 10, 19))
    yield Made("loaded_ranges", "", coverage_sql.loaded_ranges(STATS, ["a", "b"], LEDGER_RANGE))
    for found in ([], [Finding("ledgers", Fault.MISSING, 3, 4, 2), Finding("trades", Fault.LAG, 3, 4, 2)]):
        record = coverage_sql.record(name(COVERAGE_TABLE_ID), "run", START, VARIABLES["table_ids"], found)
        yield Made("record", str(len(found)), record)


MADE = [
    *of_all(),
    *(made for table in PUBLISHED.values() for made in of_any_table(table)),
    *(made for table in PUBLISHED.values() if table is not ENRICHED_OPERATIONS for made in of_staged_table(table)),
    *(made for table in STATES.values() for made in of_state(table)),
    *(made for table in TAKEN.values() for made in of_taken_table(table)),
]


def parse(text: str) -> exp.Expression:
    (tree,) = sqlglot.parse(text, dialect="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    assert tree is not None
    return tree


def test_every_function_that_makes_a_statement_is_among_them() -> None:
    makers = {
        function_name
        for module in MODULES
        for function_name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and inspect.get_annotations(function)["return"] == "Statement"
    }
    parts = {"keep_earliest", "replace_range"}  # publish makes them
    assert makers - parts <= {made.function for made in MADE}


@pytest.mark.parametrize("function", sorted({made.function for made in MADE}))
def test_they_are_bigquery_statements_that_name_the_parameters_that_they_have(function: str) -> None:
    for made in (made for made in MADE if made.function == function):
        tree = parse(made.statement.sql)
        assert isinstance(tree, exp.Query | exp.Merge | exp.Delete), made
        assert not list(tree.find_all(exp.Command)), f"{made}: taken as it stands, for want of understanding"
        named = {parameter.name.lower() for parameter in tree.find_all(exp.Parameter)}
        given = [parameter.name for parameter in made.statement.parameters]
        assert len(given) == len(set(given)), made
        assert named <= set(given), made
        assert set(given) - named <= OF_NO_USE, made


# Constants on the partition column ---------------------------------------------------------------------------------

LOWER, UPPER = "lower", "upper"


def is_constant(tree: exp.Expression) -> bool:
    return not list(tree.find_all(exp.Column)) and not list(tree.find_all(exp.Query))


def bounds(condition: exp.Expression | None, column: str, alias: str, alone: bool) -> set[str]:
    """From which sides a condition binds a table's column to constants."""

    def is_column(tree: exp.Expression) -> bool:
        return (
            isinstance(tree, exp.Column) and tree.name == column and (tree.table == alias or (alone and not tree.table))
        )

    match condition:
        case None:
            return set()
        case exp.Paren():
            return bounds(condition.this, column, alias, alone)
        case exp.And():
            return bounds(condition.left, column, alias, alone) | bounds(condition.right, column, alias, alone)
        case exp.Or():
            return bounds(condition.left, column, alias, alone) & bounds(condition.right, column, alias, alone)
        case exp.Between() if is_column(condition.this):
            return (
                {LOWER, UPPER} if is_constant(condition.args["low"]) and is_constant(condition.args["high"]) else set()
            )
        case exp.GT() | exp.GTE() if is_column(condition.left) and is_constant(condition.right):
            return {LOWER}
        case exp.LT() | exp.LTE() if is_column(condition.left) and is_constant(condition.right):
            return {UPPER}
    return set()


def conditions(table: exp.Table) -> list[exp.Expression | None]:
    """All that a row of a table has to fulfil to be read in its statement, or to be touched by a merge."""
    around = table.find_ancestor(exp.Select, exp.Merge, exp.Delete)
    if isinstance(around, exp.Select):
        inner = [join.args.get("on") for join in around.args.get("joins") or () if not join.side]
        return [around.args["where"].this if around.args.get("where") else None, *inner]
    if isinstance(around, exp.Delete):
        return [around.args["where"].this]
    assert isinstance(around, exp.Merge)
    assert table is around.this, "a merge's source is a staging table or a query"
    return [when.args.get("condition") for when in around.args["whens"].expressions if when.args.get("source")]


def unbound(text: str) -> list[str]:
    """The partitioned tables that a statement reads, or changes, without constants on both sides."""
    found = []
    for table in parse(text).find_all(exp.Table):
        column = PARTITION_COLUMNS.get(table.name)
        if column is None:
            continue
        around = table.find_ancestor(exp.Select, exp.Merge, exp.Delete)
        alone = not isinstance(around, exp.Merge) and not around.args.get("joins")
        held = set().union(*(bounds(one, column, table.alias_or_name, alone) for one in conditions(table)))
        if held != {LOWER, UPPER}:
            found.append(f"{table.name}: {sorted(held)}")
    return found


@pytest.mark.parametrize("function", sorted({made.function for made in MADE}))
def test_what_they_read_of_partitioned_tables_is_bound_by_constants(function: str) -> None:
    for made in (made for made in MADE if made.function == function):
        if {made.function, made.what}.isdisjoint(WHOLE_TABLE):
            assert unbound(made.statement.sql) == [], made


def test_no_exception_is_of_no_use() -> None:
    needed = [made for made in MADE if unbound(made.statement.sql)]
    assert WHOLE_TABLE.keys() == WHOLE_TABLE.keys() & {part for made in needed for part in (made.function, made.what)}


@pytest.mark.parametrize("table", [one for one in PUBLISHED.values() if one.table_id in PARTITION_COLUMNS], ids=str)
def test_each_side_of_the_rule_of_another_chain_binds_the_close_time(table: Table) -> None:
    (rule,) = (
        one for one in check_sql.own_rules(table, STAGING, name(table.table_id), None) if one.name == "other_chain"
    )
    where = parse(rule.rows).args["where"].this
    first, second, third = where.flatten()
    column = table.closed_at_column
    assert [bounds(one, column, "", alone=True) for one in (first, second)] == [{UPPER}, {LOWER}]
    assert bounds(third, table.ledger_column, "", alone=True) == {LOWER, UPPER}


def test_a_condition_that_does_not_bind_is_found() -> None:
    ledgers = "`p.d.history_ledgers`"
    for where in (
        "sequence BETWEEN 1 AND 2",
        "closed_at >= @a",
        "closed_at BETWEEN @a AND closed_at",
        "closed_at BETWEEN @a AND @b OR sequence = 1",
        "closed_at BETWEEN @a AND (SELECT MAX(b) FROM c)",
        "NOT closed_at BETWEEN @a AND @b",
        "DATE(closed_at) BETWEEN @a AND @b",
    ):
        assert unbound(f"SELECT 1 FROM {ledgers} WHERE {where}"), where
    assert not unbound(f"SELECT 1 FROM {ledgers} WHERE closed_at BETWEEN @a AND TIMESTAMP_ADD(@b, INTERVAL 1 DAY)")
    assert unbound(f"SELECT 1 FROM {ledgers} AS a JOIN {ledgers} AS b ON b.closed_at BETWEEN @a AND @b")
    assert unbound(f"MERGE {ledgers} AS T USING s ON FALSE WHEN NOT MATCHED BY SOURCE THEN DELETE")
