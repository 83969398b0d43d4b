"""BigQuery's limits, which its analyzer does not check, for every statement that the code can send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlglot import exp

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.checks import Check, Kind
from stellar_etl_airflow.model.partitions import BEGINNING, MOST_PARTITIONS, spanned, windows
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_POOL, LEDGERS, POOLS, PUBLISHED
from stellar_etl_airflow.sql.checks import Loaded, check_staging, column_rules, own_rules
from tests.dags.sql.statements import BATCH, MADE, Made, fields, of_checked_columns, staging
from tests.dags.sql.test_sql_as_bigquery import parse

EVERY = [*MADE, *of_checked_columns(LEDGERS)]
MOST_PARAMETERS, MOST_CHARACTERS, MOST_BYTES_OF_REQUEST = 10_000, 1 << 20, 10_000_000
"""https://cloud.google.com/bigquery/quotas#query_jobs"""

MERGES = [made for made in MADE if made.statement.sql.startswith("MERGE")]


def test_parameters_text_and_request_size_of_each_statement_are_within_the_limits():
    for made in EVERY:
        assert len(made.statement.parameters) < MOST_PARAMETERS, made
        assert len(made.statement.sql.encode()) < MOST_CHARACTERS / 4, made
        request = json.dumps(query_job("x", made.statement, 1).configuration)
        assert len(request) < MOST_BYTES_OF_REQUEST / 4, made


def test_any_number_of_values_uses_one_parameter():
    check = Check(Kind.ACCEPTED_VALUES, "sequence", values=tuple(range(20_000)))
    statement = check_staging(staging(LEDGERS), column_rules([check], staging(LEDGERS), fields(LEDGERS)), BATCH)
    assert len(statement.parameters) == len(BATCH) + 1


# Sorting ------------------------------------------------------------------------------------------------------------

WITHOUT_PARTITION = {"check_rows": ["block"], "make_batches": ["bucket", "part"]}
"""By function, the columns of a window without partitions.

There are 4,096 blocks, as a ledger's number has 32 bits. There is one batch for thousands of rows, without its body.
"""


@pytest.mark.slow
def test_no_window_sorts_all_history():
    for made in (made for made in MADE if "OVER (" in made.statement.sql):
        for window in parse(made.statement.sql).find_all(exp.Window):
            if not window.args.get("partition_by"):
                ordered = [one.this.name for one in window.args["order"].expressions]
                assert WITHOUT_PARTITION.get(made.function) == ordered, made


def test_generated_arrays_have_bounds():
    """Both forms have 2^16 elements at most: the upper 16 bits of a 32-bit number, and the numbers that share them."""
    arrays = {
        array.sql("bigquery")
        for made in MADE
        if "GENERATE_" in made.statement.sql
        for array in parse(made.statement.sql).find_all(exp.GenerateSeries)
    }
    assert arrays == {
        "GENERATE_ARRAY(start_ledger >> 16, end_ledger >> 16)",
        "GENERATE_ARRAY(GREATEST(start_ledger, part << 16), LEAST(end_ledger, ((part + 1) << 16) - 1))",
    }


# Merges -------------------------------------------------------------------------------------------------------------

PROVED = {
    "record_run": "the source is one row of parameters",
    "upsert_stats": "the function refuses two rows of one table and range",
}
"""The reason why a source has at most one row per row of the target, if the statement does not ensure it."""


def is_unique_by(merge: exp.Merge) -> bool:
    """Return whether the source of a merge keeps one row per value of the columns that match it."""
    keys = {column.name for column in merge.args["on"].find_all(exp.Column)}
    if not isinstance(merge.args["using"], exp.Subquery):
        return False
    source = merge.args["using"].this
    if source.args.get("distinct") and set(source.named_selects) <= keys:
        return True
    qualify = source.args.get("qualify")
    if qualify is None or not isinstance(qualify.this, exp.EQ) or qualify.this.expression.sql() != "1":
        return False
    window = qualify.this.this
    return isinstance(window.this, exp.RowNumber) and {one.name for one in window.args["partition_by"]} == keys


def is_of_chain(made: Made) -> bool:
    """Return whether the source is a staging table whose keys an earlier task has checked to be unique."""
    return made.function == "publish" and made.what.split("-")[0] in {one.data_type for one in CHAINED}


CHAINED = [table for table in PUBLISHED.values() if table.chain]


def test_keys_of_staged_rows_are_checked_to_be_unique_before_the_merge():
    for table in CHAINED:
        assert table.unique
        assert "keys_repeated" in {rule.name for rule in own_rules(table, staging(table), Loaded("`p.d.t`", "t"))}


def test_at_most_one_source_row_matches_a_target_row():
    matched = set()
    for made in MERGES:
        merge = parse(made.statement.sql)
        if isinstance(merge.args["on"].unnest(), exp.Boolean):
            continue
        matched.add(made.function)
        assert is_unique_by(merge) or made.function in PROVED or is_of_chain(made), made
    assert matched == {"publish", "copy", "publish_corrected", *PROVED}


def test_no_clause_of_a_merge_has_a_subquery():
    """BigQuery accepts no correlated subqueries there; the analyzer does."""
    for made in MERGES:
        assert not list(parse(made.statement.sql).args["whens"].find_all(exp.Query)), made


# Partitions ---------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(("partition", "parts"), [("HOUR", 27), ("DAY", 2), ("MONTH", 1), ("YEAR", 1), (None, 1)])
def test_a_long_range_is_changed_in_windows_of_few_partitions(partition, parts):
    found = windows(partition, LedgerRange(3, 60_000_000), NOW)
    assert len(found) == parts
    assert (found[0][0], found[-1][1]) == (None, None)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    for start, end in found if partition else ():
        inside = (end or NOW) - timedelta(microseconds=1)
        assert spanned(partition, start or BEGINNING, inside) < MOST_PARTITIONS


def test_a_range_of_few_ledgers_is_changed_in_one_statement():
    assert windows("HOUR", LedgerRange(10, 10 + MOST_PARTITIONS - 1), NOW) == [(None, None)]
    assert len(windows("HOUR", LedgerRange(10, 10 + MOST_PARTITIONS), NOW)) > 1


@pytest.mark.parametrize(
    ("partition", "count"), [("HOUR", 49), ("DAY", 3), ("MONTH", 2), ("YEAR", 2)], ids=lambda value: str(value)
)
def test_the_partitions_of_a_batch_are_counted(partition, count):
    first = datetime(2025, 12, 30, 23, 59, tzinfo=UTC)
    assert spanned(partition, first, first + timedelta(days=2, minutes=-59)) == count


# Statements that change one table ----------------------------------------------------------------------------------


def test_a_table_has_no_more_concurrent_statements_than_bigquery_queues():
    """BigQuery runs 2 and queues 20. Each published table has a pool of one slot, and so have the batch stats."""
    pools = [table.pool for table in PUBLISHED.values()] + [BATCH_STATS_POOL]
    assert all(POOLS[pool]["slots"] == 1 and POOLS[pool]["include_deferred"] for pool in pools)
