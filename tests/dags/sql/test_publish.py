"""The registry's SQL for publishing, run on the laptop's warehouse."""

from __future__ import annotations

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import Publish, Table
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from stellar_etl_airflow.sql.publish import Attempt, delete_range, publish
from stellar_etl_airflow.sql.records import unchanged
from stellar_etl_airflow.sql.statement import identifier, range_parameters, table_name

EVENTS = Table("events", "events", keys=("ledger_sequence", "name"))
ASSETS = Table("assets", "assets", keys=("code", "issuer"), publish=Publish.KEEP_EARLIEST)
RANGE = range_parameters(10, 19, "2026-01-01T00:00:50Z", "2026-01-01T00:01:35Z")


def run(client, statement):
    configuration = query_job("test", statement, 1 << 40).configuration
    return list(client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration)).result())


def rows(client, sql):
    return [tuple(row.values()) for row in client.query(sql).result()]


@pytest.fixture
def make(client):
    """Create a table with a few columns and rows; return its quoted name."""

    def make(table_id, columns, values):
        client.delete_table(f"local.stellar.{table_id}", not_found_ok=True)
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=[bq.SchemaField(*c) for c in columns]))
        name = table_name("local", "stellar", table_id)
        for value in values:
            client.query(f"INSERT INTO {name} VALUES ({value})").result()
        return name

    return make


EVENT_COLUMNS = [("ledger_sequence", "INTEGER"), ("name", "STRING"), ("closed_at", "TIMESTAMP")]


def event(ledger, name="x"):
    minute, second = divmod(ledger * 5, 60)
    return f"{ledger}, '{name}', TIMESTAMP '2026-01-01 00:{minute:02}:{second:02}+00'"


def publish_events(client, target, staging):
    run(client, publish(EVENTS, target, staging, unchanged(column for column, _ in EVENT_COLUMNS), RANGE))
    return rows(client, f"SELECT ledger_sequence, name FROM {target} ORDER BY 1, 2")


def test_a_range_is_replaced_and_neighbouring_rows_stay(client, make):
    target = make("events", EVENT_COLUMNS, [event(9), event(10, "old"), event(19, "old"), event(20)])
    staging = make("events_staging", EVENT_COLUMNS, [event(10, "new"), event(12, "new")])
    assert publish_events(client, target, staging) == [(9, "x"), (10, "new"), (12, "new"), (20, "x")]


def test_a_repeated_publish_changes_nothing(client, make):
    target = make("events", EVENT_COLUMNS, [event(9)])
    staging = make("events_staging", EVENT_COLUMNS, [event(10), event(12)])
    first = publish_events(client, target, staging)
    assert publish_events(client, target, staging) == first == [(9, "x"), (10, "x"), (12, "x")]


def test_identical_rows_keep_their_number(client, make):
    target = make("events", EVENT_COLUMNS, [event(10)])
    staging = make("events_staging", EVENT_COLUMNS, [event(10), event(10), event(11)])
    assert publish_events(client, target, staging) == [(10, "x"), (10, "x"), (11, "x")]


def test_an_empty_batch_empties_its_range(client, make):
    target = make("events", EVENT_COLUMNS, [event(9), event(10), event(19)])
    assert publish_events(client, target, make("events_staging", EVENT_COLUMNS, [])) == [(9, "x")]


ASSET_COLUMNS = [("code", "STRING"), ("issuer", "STRING"), ("ledger_sequence", "INTEGER"), ("batch_id", "STRING")]


def publish_assets(client, target, staging):
    run(client, publish(ASSETS, target, staging, unchanged(column for column, _ in ASSET_COLUMNS), ()))
    return rows(client, f"SELECT code, ledger_sequence, batch_id FROM {target} ORDER BY 1")


def test_an_asset_is_replaced_only_by_an_older_ledger_and_never_deleted(client, make):
    target = make("assets", ASSET_COLUMNS, ["'A','i',10,'one'", "'B','i',10,'one'", "'C','i',10,'one'"])
    staging = make("assets_staging", ASSET_COLUMNS, ["'A','i',9,'two'", "'B','i',11,'two'", "'D','i',12,'two'"])
    expected = [("A", 9, "two"), ("B", 10, "one"), ("C", 10, "one"), ("D", 12, "two")]
    assert publish_assets(client, target, staging) == expected
    assert publish_assets(client, target, staging) == expected


def test_a_load_corrects_assets_of_its_own_ledgers_unless_a_newer_attempt_exported_them(client, make):
    columns = [*ASSET_COLUMNS, ("batch_insert_ts", "TIMESTAMP")]

    def row(code, ledger, batch, minute):
        return f"'{code}','i',{ledger},'{batch}',TIMESTAMP '2026-01-01 00:{minute}:00+00'"

    published = [row("A", 10, "wrong", 10), row("B", 10, "newer", 40), row("C", 9, "older ledger", 10)]
    published += ["'D','i',10,'unknown',NULL", row("E", 11, "newer", 40)]
    target = make("assets", columns, published)
    staging = make("assets_staging", columns, [row(code, 10, "again", 30) for code in "ABCDE"])
    attempt = Attempt("2026-01-01T00:30:00Z")
    for _ in range(2):
        run(client, publish(ASSETS, target, staging, unchanged(column for column, _ in columns), (), attempt))
        assert rows(client, f"SELECT code, ledger_sequence, batch_id FROM {target} ORDER BY 1") == [
            ("A", 10, "again"),
            ("B", 10, "newer"),
            ("C", 9, "older ledger"),
            ("D", 10, "again"),
            ("E", 10, "again"),
        ]


def test_the_older_ledger_wins_if_an_asset_is_staged_twice(client, make):
    target = make("assets", ASSET_COLUMNS, [])
    staging = make("assets_staging", ASSET_COLUMNS, ["'A','i',12,'s'", "'A','i',11,'s'", "'A','j',13,'s'"])
    assert sorted(publish_assets(client, target, staging)) == [("A", 11, "s"), ("A", 13, "s")]


def test_a_deletion_includes_both_ends_of_the_range_and_no_more(client, make):
    target = make("events", EVENT_COLUMNS, [event(9), event(10), event(19), event(20)])
    run(client, delete_range(EVENTS, target, LedgerRange(10, 19)))
    assert rows(client, f"SELECT ledger_sequence FROM {target} ORDER BY 1") == [(9,), (20,)]


def test_stats_are_written_once_per_table_and_range(client, make):
    columns = [("table_id", "STRING"), ("start_ledger", "INTEGER"), ("end_ledger", "INTEGER"), ("row_count", "INTEGER")]
    target = make("stats", columns, [])

    def row(table_id, row_count, end=19):
        values = {"table_id": table_id} | ({} if row_count is None else {"row_count": row_count})
        return stats_row(LedgerRange(10, end), values)

    run(client, upsert_stats(target, [row("a", 1)]))
    run(client, upsert_stats(target, [row("b", 3), row("a", 2), row("a", None, end=29)]))
    assert rows(client, f"SELECT * FROM {target} ORDER BY 1, 3") == [
        ("a", 10, 19, 2),
        ("a", 10, 29, None),
        ("b", 10, 19, 3),
    ]


def test_two_rows_of_one_table_and_range_are_refused():
    row = stats_row(LedgerRange(10, 19), {"table_id": "a"})
    with pytest.raises(ValueError, match="need distinct values"):
        upsert_stats("`stats`", [row, {**row, "row_count": "1"}])
    with pytest.raises(KeyError, match="history_archives_dag_runs has no column rows"):
        stats_row(LedgerRange(10, 19), {"rows": 1})


@pytest.mark.parametrize("name", ["", "a b", "a`b", "1a", "a;DROP TABLE x", "a.b"])
def test_an_invalid_column_name_never_reaches_sql(name):
    with pytest.raises(ValueError, match="not a column name"):
        identifier(name)


@pytest.mark.parametrize("parts", [("p` ", "d", "t"), ("project", "d`", "t"), ("project", "d", "t` x"), ("", "d", "t")])
def test_an_invalid_table_name_never_reaches_sql(parts):
    with pytest.raises(ValueError, match="not a project, dataset or table name"):
        table_name(*parts)


TRADES = Table("trades", "trades", keys=("op", "n"), ledger_column="op", ledger_shift=32)
TRADE_COLUMNS = [("op", "INTEGER"), ("n", "INTEGER"), ("closed_at", "TIMESTAMP")]


def trade(ledger, order=4097, n=0):
    minute, second = divmod(ledger * 5, 60)
    return f"{(ledger << 32) + order}, {n}, TIMESTAMP '2026-01-01 00:{minute:02}:{second:02}+00'"


def test_the_ledger_is_derived_from_the_ids_of_operations(client, make):
    last = (1 << 32) - 1
    target = make("trades", TRADE_COLUMNS, [trade(9, last), trade(10, 0, 5), trade(19, last, 5), trade(20, 0)])
    staging = make("trades_staging", TRADE_COLUMNS, [trade(10), trade(19, last)])
    run(client, publish(TRADES, target, staging, unchanged(column for column, _ in TRADE_COLUMNS), RANGE))
    assert rows(client, f"SELECT op >> 32, n FROM {target} ORDER BY op") == [(9, 0), (10, 0), (19, 0), (20, 0)]
    run(client, delete_range(TRADES, target, LedgerRange(10, 19)))
    assert rows(client, f"SELECT op >> 32 FROM {target} ORDER BY op") == [(9,), (20,)]


def test_allowed_duplicates_are_no_fault_and_keep_their_number(client, make):
    table = Table("events", "events", keys=("ledger_sequence", "name"), unique=False)
    target = make("events", EVENT_COLUMNS, [event(10), event(10), event(10)])
    staging = make("events_staging", EVENT_COLUMNS, [event(12), event(12)])
    run(client, publish(table, target, staging, unchanged(column for column, _ in EVENT_COLUMNS), RANGE))
    assert rows(client, f"SELECT ledger_sequence FROM {target}") == [(12,), (12,)]
