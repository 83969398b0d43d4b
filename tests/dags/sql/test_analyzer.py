"""Google's own analyzer accepts every statement that the code can send, with the parameter types of the code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.schema import read_schema
from stellar_etl_airflow.model.tables import (
    CONFIG_SETTINGS,
    COVERAGE_TABLE_ID,
    OPERATIONS,
    PUBLISHED,
    VIEWS,
)
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import unchanged
from stellar_etl_airflow.sql.statement import Parameter, Statement
from stellar_etl_airflow.sql.versions import base_table_id, begin
from tests.dags.sql.googlesql import Analyzer, RefusedError, parameter_type
from tests.dags.sql.statements import (
    BATCH,
    DATASETS,
    FOLDED,
    LIVE,
    MADE,
    Made,
    columns,
    fields,
    log_of,
    name,
    of_checked_columns,
    staging,
)
from tests.shared import REPO

STAGED = list(PUBLISHED.values())


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer({quoted.strip("`"): columns for quoted, columns in LIVE.items()})


def written(resolved: Any) -> str | None:
    """Return the table that a resolved statement writes, None for a query."""
    kind = resolved.WhichOneof("node")
    if kind is None:  # the tree of this query is too deep to be read
        return None
    node = getattr(resolved, kind)
    return str(node.table_scan.table.name) if hasattr(node, "table_scan") else None


def refused(analyzer: Analyzer, made: list[Made]) -> list[str]:
    found, seen = [], set()
    for one in made:
        types = tuple((each.name, parameter_type(each).SerializeToString()) for each in one.statement.parameters)
        key = one.statement.sql, types
        if key in seen:
            continue
        seen.add(key)
        try:
            resolved = analyzer.analyze(one.statement)
        except RefusedError as error:
            found.append(f"{one}: {error}\n{one.statement.sql}")
            continue
        writes, labelled = written(resolved), query_job("job", one.statement, 1).target
        if writes != labelled:
            found.append(f"{one} writes {writes}, and its job names {labelled} as the table that it writes")
    return found


FUNCTIONS = sorted({made.function for made in MADE})
SOME = 3
"""Statements of a function that are analyzed by default, spread over tables; --all analyzes all of them."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_some_statements_of_each_function_are_accepted(analyzer, function):
    made = [one for one in MADE if one.function == function]
    assert refused(analyzer, made[:: -(-len(made) // SOME)]) == []


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_statement_is_accepted(analyzer, function, record_property):
    made = [one for one in MADE if one.function == function]
    record_property("statements", len(made))
    assert refused(analyzer, made) == []


@pytest.mark.parametrize("view_id", VIEWS)
def test_a_views_columns_are_the_columns_of_its_schema_file(analyzer, view_id):
    made = next(one for one in MADE if one.function == "view_query" and one.what.startswith(f"{view_id}-"))
    found = analyzer.analyze(made.statement).resolved_query_stmt_node.output_column_list
    described = read_schema(str(REPO / "schemas"), view_id)
    assert [one.name for one in found] == [field["name"] for field in described]


def test_the_checks_of_a_column_of_each_type_are_accepted(analyzer):
    seen, chosen = set(), []
    for table in STAGED:
        for field in fields(table):
            if field["type"] not in seen and field.get("mode") != "REPEATED":
                seen.add(field["type"])
                prefix = f"{table.data_type}.{field['name']}"
                chosen += [one for one in of_checked_columns(table) if one.what.split("-")[0] == prefix]
    assert len(chosen) > 100
    assert refused(analyzer, chosen) == []


@pytest.mark.slow
@pytest.mark.parametrize("table", STAGED, ids=lambda table: table.data_type)
def test_the_checks_of_every_column_are_accepted(analyzer, table):
    assert refused(analyzer, list(of_checked_columns(table))) == []


def test_a_statement_with_an_unknown_table_is_refused():
    """Its job would have no label, and no other writer would wait for it."""
    with pytest.raises(ValueError, match="cannot find the table that this statement writes: CREATE OR REPLACE TABLE"):
        query_job("job", Statement("CREATE OR REPLACE TABLE `my-project.stellar.t` AS SELECT 1 AS one"), 1).target  # noqa: B018


def test_there_are_thousands_of_statements():
    every = len(MADE) + sum(1 for table in STAGED for _ in of_checked_columns(table))
    print(f"{every} statements")
    assert every > 5000


OPERATION_ROWS = name(OPERATIONS.table_id)
COVERAGE = name(COVERAGE_TABLE_ID)
A_LEDGER = (Parameter("ledger", "INT64", "1"),)


@pytest.mark.parametrize(
    ("sql", "parameters", "message"),
    [
        (f"SELECT id FROM {OPERATION_ROWS} WHERE ledger_sequence = @ledger", (), "parameter"),
        (f"SELECT id FROM {OPERATION_ROWS} WHERE closed_at = @ledger", A_LEDGER, "No matching signature"),
        (f"SELECT COUNT(*) AS found FROM {OPERATION_ROWS} GROUP BY details_json", (), "JSON is not allowed"),
        (f"SELECT id AS within FROM {OPERATION_ROWS}", (), "reserved|keyword|WITHIN|Unexpected"),
        (f"SELECT MIN(id) AS id FROM {OPERATION_ROWS} GROUP BY COUNT(*)", (), "[Aa]ggregat"),
        (f"SELECT MIN(start_ledger) AS start_ledger FROM {COVERAGE} GROUP BY start_ledger", (), "[Aa]ggregat|ambig"),
        (f"SELECT id, id FROM {OPERATION_ROWS}", (), "one name: id"),
        (f"SELECT no_such_column FROM {OPERATION_ROWS}", (), "Unrecognized name"),
        ("SELECT 1 AS one FROM `my-project.stellar.no_such_table`", (), "Table not found"),
    ],
)
def test_statements_that_bigquery_refuses_are_refused(analyzer, sql, parameters, message):
    with pytest.raises(RefusedError, match=message):
        analyzer.analyze(Statement(sql, parameters))


@pytest.mark.parametrize("kind", ["publish", "begin"])
def test_a_record_that_is_copied_by_position_is_refused(analyzer, kind):
    """Both have three integers: BigQuery would put the constant term into the linear term's field."""
    private, public = DATASETS
    planted = unchanged(columns(CONFIG_SETTINGS))
    if kind == "publish":
        into = name(CONFIG_SETTINGS.table_id, public)
        statement = publish(CONFIG_SETTINGS, into, staging(CONFIG_SETTINGS), planted, BATCH)
    else:
        kept = name(base_table_id(CONFIG_SETTINGS.table_id), public)
        log = replace(log_of(CONFIG_SETTINGS, private), columns=planted)
        statement = begin(log, kept, planted, FOLDED)
    with pytest.raises(RefusedError, match="moves by position into one of"):
        analyzer.analyze(statement)
