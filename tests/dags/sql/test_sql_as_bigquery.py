"""Every statement that the code can create is valid for BigQuery: it parses and names its parameters.

It compares the partition column of each partitioned table that it reads with constants, except in the statements that
are listed here.
"""

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
"""Every module that creates statements."""

PARTITION_COLUMNS = {
    **{name: entry["field"] for name, entry in VARIABLES["partition_fields"].items()},
    **{versions_table_id(table.table_id): VALID_TO for table in STATES.values()},
}
"""The partition column by table. The other tables, assets and kept full loads, match by key over the whole table."""

OF_NO_USE = {parameter.name for parameter in (*BATCH, *WINDOW)} | {
    *("table_id", "transactions_id", "operations_id", "newest", "checked_at"),
    *(f"kept_{number}_{end}" for number in (0, 1) for end in ("start", "end")),
}
"""Parameters of all statements of a kind. A statement may have parameters that it does not name."""

WHOLE_TABLE = {
    "delete_range": "the close times of wrong rows are unknown",
    "count_rows": "counts the rows that delete_range will delete, by ledger",
    "first_change": "reads the close time of the first change that delete_range will delete",
    "differences": "compares a table of an earlier release with every change, once",
    "closed_between": "reads close times: two columns of the table of ledgers, clustered by ledger",
    "header_islands": "a command lists the loaded ledgers; it reads one column of integers",
    "compatibility_view": "the reader of the view filters by day",
    "view_query": "the reader of the view filters by day",
    **{
        f"{table.table_id}.sql-by_ledgers": "this query returns the close times for a run by ledgers"
        for table in DERIVED.values()
    },
}
"""Functions and purposes whose statements lack constants on the partition column, with the reason."""


@cache
def parse(text: str) -> exp.Expression:
    """Return the tree of a statement. Callers share it and must not change it."""
    (tree,) = sqlglot.parse(text, dialect="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    assert tree is not None
    return tree


def test_the_list_has_every_function_that_creates_a_statement() -> None:
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
    }  # the others call these
    assert makers - parts <= {made.function for made in MADE}


@pytest.mark.parametrize("function", sorted({made.function for made in MADE}))
def test_each_statement_parses_and_names_its_parameters(function: str) -> None:
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
    """Return from which sides, lower and upper, a condition compares a table's column with constants."""

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
    """Return all conditions for a row of a table to be read by its statement, or to be changed by a merge."""
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
    """Return the partitioned tables that a statement reads or changes without constants on both sides."""
    found = []
    for table in parse(text).find_all(exp.Table):
        column = PARTITION_COLUMNS.get(table.name)
        if column is None:
            continue
        around = table.find_ancestor(exp.Select, exp.Merge, exp.Delete)
        alone = not isinstance(around, exp.Merge) and not around.args.get("joins")
        bounded = set().union(*(bounds(one, column, table.alias_or_name, alone) for one in conditions(table)))
        if bounded != {LOWER, UPPER}:
            found.append(f"{table.name}: {sorted(bounded)}")
    return found


@pytest.mark.parametrize("function", sorted({made.function for made in MADE}))
def test_partitioned_tables_are_read_between_constants(function: str) -> None:
    for made in (made for made in MADE if made.function == function):
        if {made.function, made.what}.isdisjoint(WHOLE_TABLE):
            assert unbound(made.statement.sql) == [], made


def test_every_exception_is_needed() -> None:
    needed = [made for made in MADE if unbound(made.statement.sql)]
    assert WHOLE_TABLE.keys() == WHOLE_TABLE.keys() & {part for made in needed for part in (made.function, made.what)}


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=str)
def test_the_rule_for_other_chains_reads_the_batch_stats_only(table: Table) -> None:
    loaded = check_sql.Loaded(name(table.table_id), table.table_id, name(BATCH_STATS_TABLE_ID))
    (rule,) = (one for one in check_sql.own_rules(table, staging(table), loaded) if one.name == "other_chain")
    assert {one.name for one in parse(rule.rows).find_all(exp.Table)} == {BATCH_STATS_TABLE_ID}
    assert parse(rule.rows).args["where"].this.left.sql() == "table_id = @chain_table_id"


def test_a_condition_without_constants_is_found() -> None:
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
