"""Every statement that the code can make, read as BigQuery reads it: it parses, names its parameters, and carries
constants on the partition column of each partitioned table that it reads, except those that are named here."""

from __future__ import annotations

import importlib
import inspect
from functools import cache

import pytest
import sqlglot
from sqlglot import exp

from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, DERIVED, PUBLISHED, STATES, Table
from stellar_etl_airflow.model.versions import VALID_TO
from stellar_etl_airflow.sql import checks as check_sql
from stellar_etl_airflow.sql.versions import versions_table_id
from tests.dags.sql.statements import BATCH, MADE, VARIABLES, WINDOW, name, staging
from tests.shared import MODULES as DAG_MODULES

MODULES = [importlib.import_module(name) for name in DAG_MODULES if name.startswith("stellar_etl_airflow.sql.")]
"""Every module that makes statements."""

PARTITION_COLUMNS = {
    **{name: entry["field"] for name, entry in VARIABLES["partition_fields"].items()},
    **{versions_table_id(table.table_id): VALID_TO for table in STATES.values()},
}
"""By table; the others are not partitioned: assets and kept full loads match by key, over the whole table."""

OF_NO_USE = {parameter.name for parameter in (*BATCH, *WINDOW)} | {
    *("table_id", "transactions_id", "operations_id", "newest", "checked_at"),
    *(f"kept_{number}_{end}" for number in (0, 1) for end in ("start", "end")),
}
"""Parameters that come with all statements of their kind, though not each names them; BigQuery doesn't mind."""

WHOLE_TABLE = {
    "delete_range": "nothing says when ledgers closed whose rows may be wrong",
    "count_rows": "counts what a person is about to delete, which goes by ledgers too",
    "first_change": "asks when the first of the changes closed that delete_range is about to delete",
    "differences": "compares a table of an earlier release, once, with every change that there was",
    "closed_between": "asks when ledgers closed: two columns of the ledgers, which are clustered by ledger",
    "header_islands": "a person asks which of all ledgers are there; it reads one column of integers",
    "compatibility_view": "who reads the view says of which days",
    "view_query": "who reads the view says of which days",
    **{
        f"{table.table_id}.sql-by_ledgers": "a run by ledgers knows their close times only from this query"
        for table in DERIVED.values()
    },
}
"""Functions, and what they are called for, whose statements lack constants on the partition column, and why."""


@cache
def parse(text: str) -> exp.Expression:
    """The tree of a statement, which nobody may change: it is the same for all."""
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
    parts = {
        "keep_earliest",
        "replace_chain",
        "replace_range",
        "replace_versions",
        "select_all",
        "select_loaded",
    }  # others are made of them
    assert makers - parts <= {made.function for made in MADE}


@pytest.mark.parametrize("function", sorted({made.function for made in MADE}))
def test_they_are_bigquery_statements_that_name_the_parameters_that_they_have(function: str) -> None:
    for made in (made for made in MADE if made.function == function):
        tree = parse(made.statement.sql)
        assert isinstance(tree, exp.Query | exp.Merge | exp.Insert | exp.Delete | exp.Create), made
        assert not list(tree.find_all(exp.Command)), f"{made}: not parsed, only passed through"
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


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=str)
def test_the_rule_of_another_chain_reads_the_batch_stats_alone(table: Table) -> None:
    loaded = check_sql.Loaded(name(table.table_id), table.table_id, name(BATCH_STATS_TABLE_ID))
    (rule,) = (one for one in check_sql.own_rules(table, staging(table), loaded) if one.name == "other_chain")
    assert {one.name for one in parse(rule.rows).find_all(exp.Table)} == {BATCH_STATS_TABLE_ID}
    assert parse(rule.rows).args["where"].this.left.sql() == "table_id = @chain_table_id"


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
