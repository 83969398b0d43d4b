"""Derived tables on the laptop's warehouse: complete and repeatable, from loaded sources only."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile, staging_table_id
from stellar_etl_airflow.model.partitions import BEGINNING
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import (
    ACCOUNTS,
    BALANCES,
    ENRICHED_OPERATIONS,
    PUBLISHED,
    TRADE_OHLC,
    TRANSFERS,
    sources_of,
)
from stellar_etl_airflow.operators.runtime import VERIFY_TASK, settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.versions import Note
from stellar_etl_airflow.tasks import build_bq_insert_job_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_bq_insert_job_task import QUERIES, build_publish_derived_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_cross_dependency_task import build_cross_dependency_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.dags.sql.statements import reversed_records
from tests.dags.task_process import START, Supervisor, dag_result, run_task
from tests.dags.tasks.derived_chain import run_chain
from tests.shared import REPO

LEDGERS = range(10, 14)
RANGE = {"start_ledger": 10, "end_ledger": 13}
SOURCES = ("history_ledgers", "history_transactions", "history_operations")
STATS = "local.stellar.history_archives_dag_runs"


def at(ledger):
    return f"2026-01-01T00:10:{ledger}Z"


def sources(ledgers=LEDGERS):
    """Return ledgers with one transaction of two operations each."""
    return {
        "history_ledgers": [
            {
                "sequence": n,
                "closed_at": at(n),
                "ledger_hash": f"hash {n}",
                "successful_transaction_count": 1,
                "failed_transaction_count": 0,
                "tx_set_operation_count": 2,
            }
            for n in ledgers
        ],
        "history_transactions": [
            {"id": n << 32 | 4096, "ledger_sequence": n, "closed_at": at(n), "transaction_hash": f"tx {n}"}
            for n in ledgers
        ],
        "history_operations": [
            {
                "id": (n << 32 | 4096) + i,
                "transaction_id": n << 32 | 4096,
                "ledger_sequence": n,
                "closed_at": at(n),
                "type": 1,
                "details": {"amount": 1.5},
            }
            for n in ledgers
            for i in (1, 2)
        ],
    }


@pytest.fixture
def load(client, warehouse_server):
    """Create the source tables again, with rows."""
    _, folder = warehouse_server

    def load(tables, older=()):
        for table_id, rows in tables.items():
            fields = json.loads((REPO / "schemas" / f"{table_id}_schema.json").read_text())
            fields = reversed_records(fields) if table_id in older else fields
            schema = [bq.SchemaField.from_api_repr(field) for field in fields]
            client.delete_table(f"local.stellar.{table_id}", not_found_ok=True)
            table = bq.Table(f"local.stellar.{table_id}", schema=schema)
            (registered,) = (one for one in PUBLISHED.values() if one.table_id == table_id)
            table.time_partitioning = bq.TimePartitioning(field=registered.closed_at_column)
            table.clustering_fields = list(registered.cluster)
            client.create_table(table)
            (folder / "bucket").mkdir(parents=True, exist_ok=True)
            (folder / "bucket" / table_id).write_text("".join(json.dumps(row) + "\n" for row in rows))
            config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
            client.load_table_from_uri(
                f"gs://bucket/{table_id}", f"local.stellar.{table_id}", job_config=config
            ).result()

    return load


@pytest.fixture
def published(client, warehouse_environment):
    """Record in the batch stats that sources were published, now or at another time."""

    def published(first=10, last=13, tables=SOURCES, moment="CURRENT_TIMESTAMP()"):
        Warehouse(client, settings(WarehouseSettings)).ensure_batch_stats()
        client.query(
            f"DELETE FROM {STATS} WHERE table_id IN UNNEST({list(tables)}) "
            f"AND start_ledger = {first} AND end_ledger = {last}"
        ).result()
        client.query(
            f"INSERT INTO {STATS} (table_id, start_ledger, end_ledger, first_closed_at, last_closed_at, published_at) "
            f"SELECT table_id, {first}, {last}, TIMESTAMP '{at(first)}', TIMESTAMP '{at(last)}', {moment} "
            f"FROM UNNEST({list(tables)}) AS table_id"
        ).result()

    return published


@pytest.fixture
def run(warehouse_environment, make_context):
    """Run the tasks of a derived table's DAG; return the result of the first task."""

    def run(params=RANGE, table=ENRICHED_OPERATIONS, **changes):
        return run_chain(make_context, table, params, **changes)["check_sources"]

    return run


def enriched(client):
    sql = (
        "SELECT op_id, transaction_hash, ledger_hash, ledger_sequence, details.amount, batch_id "
        "FROM local.stellar.enriched_history_operations ORDER BY op_id"
    )
    return [tuple(row.values()) for row in client.query(sql).result()]


def test_operations_get_their_transaction_and_ledger(client, load, run):
    load(sources())
    run(run_id="first")
    found = enriched(client)
    assert len(found) == 8
    assert found[0] == ((10 << 32 | 4096) + 1, "tx 10", "hash 10", 10, 1.5, "first")


@pytest.mark.slow
def test_repeated_and_partial_runs_give_the_same_rows(client, load, run):
    load(sources())
    run(run_id="first")
    before = [row[:-1] for row in enriched(client)]
    run(run_id="second")
    run({"start_ledger": 11, "end_ledger": 12}, run_id="third")
    after = enriched(client)
    assert [row[:-1] for row in after] == before
    assert [row[-1] for row in after] == ["second"] * 2 + ["third"] * 4 + ["second"] * 2


def test_a_change_of_a_source_reaches_the_derived_table(client, load, run):
    load(sources())
    run(run_id="first")
    changed = sources()
    changed["history_operations"][0]["details"] = {"amount": 9.0}
    load(changed)
    run(run_id="second")
    assert enriched(client)[0][4] == 9.0


@pytest.mark.slow
def test_records_of_a_source_with_a_different_field_order_keep_each_value_in_its_field(client, load, run):
    tables = sources()
    details = {"amount": 1.5, "from": "G1", "to": "G2", "path": [{"asset_code": "A", "asset_issuer": "i"}]}
    tables["history_operations"][0]["details"] = details
    load(tables, older=("history_operations",))
    run(run_id="first")
    sql = "SELECT details FROM local.stellar.enriched_history_operations ORDER BY op_id LIMIT 1"
    (row,) = client.query(sql).result()
    assert {key: row.details[key] for key in ("amount", "from", "to")} == {"amount": 1.5, "from": "G1", "to": "G2"}
    assert row.details["path"] == [{"asset_code": "A", "asset_issuer": "i", "asset_type": None}]


# Pending ledgers ---------------------------------------------------------------------------------------------------


def ledgers_of(client):
    return [row.ledger_sequence for row in client.query(f"SELECT DISTINCT ledger_sequence FROM {ENRICHED} ORDER BY 1")]


ENRICHED = "local.stellar.enriched_history_operations"


def test_ledgers_that_all_sources_have_published_are_derived_once(client, load, run, published, make_context):
    load(sources())
    published(tables=SOURCES[:2])
    with pytest.raises(AirflowSkipException, match="no ledgers are pending"):
        run({})
    published(tables=SOURCES[2:])
    result = run({})
    assert (result["batch"]["attempt"]["ledgers"], result["again"]) == ({"start": 10, "end": 13}, [])
    assert ledgers_of(client) == [10, 11, 12, 13]
    closed = make_context.xcoms["check_sources", "plan"]["closed"]
    assert [moment[:19] for moment in closed] == [at(10)[:-1], at(13)[:-1]], "the statement reads only these partitions"
    with pytest.raises(AirflowSkipException):
        run({})


@pytest.mark.slow
def test_a_republished_range_is_derived_again_for_any_chunks(client, load, run, published):
    load(sources())
    published()
    run({}, run_id="first")
    changed = sources()
    changed["history_operations"][4]["details"] = {"amount": 9.0}
    load(changed)
    published(12, 12, tables=SOURCES[2:])
    run({}, run_id="second")
    assert [(row[3], row[4], row[5]) for row in enriched(client)][3:6] == [
        (11, 1.5, "first"),
        (12, 9.0, "second"),
        (12, 1.5, "second"),
    ]
    with pytest.raises(AirflowSkipException):
        run({})


def test_late_ranges_and_repaired_gaps_are_each_derived(client, load, run, published):
    load(sources())
    for first, last in ((10, 10), (13, 13)):
        published(first, last)
    result = run({})
    assert ledgers_of(client) == [10]
    (other,) = result["again"]
    assert other["trigger_dag_id"] == "enriched_history_operations"
    assert other["conf"] == {"start_ledger": 13, "end_ledger": 13, "only_pending": True}
    run(other["conf"], run_id=other["trigger_run_id"])
    assert ledgers_of(client) == [10, 13]
    with pytest.raises(AirflowSkipException):
        run(other["conf"])
    published(11, 12)
    run({})
    assert ledgers_of(client) == [10, 11, 12, 13]


def test_a_late_older_run_does_not_replace_rows_of_newer_sources(client, load, run, published, make_context):
    load(sources())
    published()
    run({}, run_id="newer")
    xcoms = dict(make_context.xcoms)
    batch = xcoms["check_sources", "return_value"]["batch"]
    batch["attempt"]["started_at"] = "2026-01-01T00:00:00+00:00"
    merge = build_publish_derived_task(ENRICHED_OPERATIONS)
    context = make_context(merge.task_id, RANGE, dag_id=ENRICHED_OPERATIONS.dag_id, run_id="newer")
    merge.deferrable = False
    merge.pre_execute(context)
    client.query(
        "UPDATE `local.stellar.{}` SET batch_id = 'older' WHERE TRUE".format(
            staging_table_id("enriched_history_operations", ENRICHED_OPERATIONS.dag_id, "newer")
        )
    ).result()
    merge.execute(context)
    assert {row[5] for row in enriched(client)} == {"newer"}


def test_rows_derived_by_an_earlier_release_are_recorded_and_not_derived_again(client, load, run, published):
    load(sources())
    published()
    page = (REPO / "docs" / "production.md").read_text().partition("### Rows that were derived before")[2]
    statement = re.search(r"```sql\n(.*?)```", page, re.DOTALL)[1].replace("my-project", "local")
    client.query(statement).result()
    with pytest.raises(AirflowSkipException, match="no ledgers are pending"):
        run({})
    published(12, 13)
    assert run({})["batch"]["attempt"]["ledgers"] == {"start": 12, "end": 13}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda tables: tables["history_operations"].pop(), "7 operations are loaded, but the ledgers have 8"),
        (lambda tables: tables["history_transactions"].pop(), "3 transactions are loaded, but the ledgers have 4"),
        (lambda tables: tables["history_ledgers"].pop(1), "1 of 4 ledgers are missing"),
        (lambda tables: tables["history_ledgers"].pop(), "only ledgers 10 to 12 are loaded of"),
    ],
)
def test_incomplete_sources_are_named(load, run, damage, words):
    tables = sources()
    damage(tables)
    load(tables)
    with pytest.raises(AirflowException, match=words):
        run()


def test_a_range_that_is_not_loaded_fails_and_an_interval_without_ledgers_is_skipped(load, run):
    load(sources(()))
    with pytest.raises(AirflowException, match="no ledger of this range is loaded: start_ledger 10, end_ledger 13"):
        run()
    with pytest.raises(AirflowSkipException):
        run({})


def test_a_run_with_a_range_param_waits_for_no_other_dag(make_context):
    task = build_cross_dependency_task("another_dag")
    assert task.execute(make_context(task.task_id, RANGE)) is None


@pytest.mark.parametrize(
    ("run_type", "ahead", "state"),
    [("scheduled", 1, "success"), ("scheduled", 0, "deferred"), ("backfill", 1, "deferred")],
)
def test_a_scheduled_run_does_not_wait_for_a_run_that_airflow_will_not_create(
    airflow_environment, run_type, ahead, state
):
    """The other DAG was behind when the schedule changed, so its next run has a later interval."""
    with DAG("deriving", schedule=None):
        task = build_cross_dependency_task("another_dag")
    planned = START + timedelta(minutes=10 * ahead)
    supervisor = Supervisor(dags={"another_dag": dag_result("another_dag", paused=False, planned=planned)})
    assert run_task(task, supervisor, run_type=run_type) == state


# Chains of rows per entry ------------------------------------------------------------------------------------------

HOLDERS = ("accounts", "trust_lines", "claimable_balances", "liquidity_pools", "contract_data")


def account(ledger, balance, change=1, key="G1"):
    return {
        "account_id": key,
        "balance": balance,
        "deleted": change == 2,
        "ledger_entry_change": change,
        "ledger_sequence": ledger,
        "closed_at": at(ledger),
    }


@pytest.fixture
def publish_accounts(client, load, published, warehouse_environment):
    """Load changes of accounts, and record in the batch stats that their ledgers were published."""
    warehouse = Warehouse(client, settings(WarehouseSettings))

    def publish(rows, first, last):
        empty = {table_id: [] for table_id in HOLDERS[1:]}
        load({"history_ledgers": sources()["history_ledgers"], "accounts": rows, **empty})
        for table in sources_of(BALANCES).values():
            if table.entry_keys:
                Versions(warehouse, table, warehouse.config.targets[0]).ensure()
        published(first, last, tables=("history_ledgers", *HOLDERS))

    return publish


def chain(client):
    sql = (
        "SELECT entry_key, ledger_sequence, CAST(amount_before AS INT64), CAST(amount AS INT64) "
        "FROM local.stellar.balances ORDER BY 1, 2"
    )
    return [tuple(row.values()) for row in client.query(sql).result()]


def test_a_row_has_the_previous_balance_for_any_order_of_ledgers(client, run, publish_accounts):
    rows = [account(10, 2.0, 0), account(11, 5.0), account(12, 1.0, key="G2"), account(13, 5.0, 2)]
    publish_accounts([rows[0], rows[2], rows[3]], 12, 13)
    run({}, table=BALANCES, run_id="newest")
    assert chain(client) == [("G1", 13, 20000000, 0), ("G2", 12, None, 10000000)]
    publish_accounts(rows, 10, 11)
    run({}, table=BALANCES, run_id="late")
    assert chain(client) == [
        ("G1", 10, 0, 20000000),
        ("G1", 11, 20000000, 50000000),
        ("G1", 13, 50000000, 0),
        ("G2", 12, None, 10000000),
    ]


@pytest.mark.slow
def test_a_correction_removes_a_change_and_relinks_the_next_row(client, run, publish_accounts):
    rows = [account(10, 2.0, 0), account(11, 5.0), account(13, 7.0), account(13, 1.0, key="G2")]
    publish_accounts(rows, 10, 13)
    run({}, table=BALANCES, run_id="first")
    publish_accounts([rows[0], *rows[2:]], 11, 11)
    run({}, table=BALANCES, run_id="corrected")
    assert chain(client) == [
        ("G1", 10, 0, 20000000),
        ("G1", 13, 20000000, 70000000),
        ("G2", 13, None, 10000000),
    ]
    by_run = client.query("SELECT entry_key, batch_id FROM local.stellar.balances WHERE ledger_sequence = 13").result()
    assert {tuple(row.values()) for row in by_run} == {("G1", "corrected"), ("G2", "first")}, (
        "the run changes only the affected rows"
    )
    with pytest.raises(AirflowSkipException):
        run({}, table=BALANCES)


@pytest.mark.slow
def test_a_removed_change_that_was_never_derived_relinks_the_next_row(client, run, publish_accounts):
    rows = [account(11, 5.0), account(13, 7.0)]
    publish_accounts(rows, 10, 13)
    run({"start_ledger": 12, "end_ledger": 13}, table=BALANCES, run_id="first")
    assert chain(client) == [("G1", 13, 50000000, 70000000)]
    publish_accounts(rows[1:], 10, 13)
    run({"start_ledger": 10, "end_ledger": 11}, table=BALANCES, run_id="corrected")
    assert chain(client) == [("G1", 13, None, 70000000)]


@pytest.fixture
def load_all_accounts(client, warehouse_server, make_context, warehouse_environment):
    """Run the tasks of a full load of all accounts at a ledger."""
    _, folder = warehouse_server

    def load_all_accounts(ledger, rows):
        lines = "".join(json.dumps({**row, **OF_BATCH}) + "\n" for row in rows)
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "accounts.txt").write_text(lines)
        attempt = ExportAttempt(LedgerRange(ledger, ledger), "full", datetime.now(UTC).isoformat())
        file = ExportedFile("gs://exports/accounts.txt", len(rows), len(lines))
        batch = Batch(attempt, "a network", 1, at(ledger), at(ledger), {"accounts": file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        builders = (build_gcs_to_bq_task, build_check_task, build_keep_full_load_task, build_merge_full_load_task)
        tasks = [build(ACCOUNTS) for build in builders]
        for task in tasks:
            task.task_id = f"accounts.{task.task_id}"
        for task in (*tasks, build_batch_stats([ACCOUNTS], full_load=True)):
            task.deferrable = False
            context = make_context(task.task_id, run_id="full load", dag_id="bucket_list_export")
            task.pre_execute(context)
            make_context.xcoms[task.task_id, "return_value"] = task.execute(context)
        make_context.xcoms.clear()

    return load_all_accounts


OF_BATCH = {"batch_id": "r", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}


@pytest.mark.slow
def test_a_full_load_says_how_much_there_was_before_in_whatever_ranges_rows_are_derived(
    client, run, publish_accounts, load_all_accounts
):
    publish_accounts([account(11, 5.0), account(13, 7.0), account(13, 9.0, key="G3")], 10, 13)
    run({}, table=BALANCES, run_id="before")
    assert chain(client)[-1] == ("G3", 13, None, 90000000)
    load_all_accounts(12, [account(12, 5.0), account(12, 4.0, key="G3")])
    expected = [("G1", 11, None, 50000000), ("G1", 13, 50000000, 70000000), ("G3", 13, 40000000, 90000000)]
    run({}, table=BALANCES, run_id="after")
    assert chain(client) == expected
    with pytest.raises(AirflowSkipException):
        run({}, table=BALANCES)
    for first, last in ((10, 11), (12, 12), (13, 13)):
        run({"start_ledger": first, "end_ledger": last}, table=BALANCES, run_id=f"{first} again")
        assert chain(client) == expected


@pytest.mark.slow
def test_ledgers_wait_for_a_fold_if_the_views_do_not_show_what_was_before(client, run, publish_accounts):
    publish_accounts([account(11, 5.0), account(13, 7.0)], 10, 13)
    warehouse = Warehouse(client, settings(WarehouseSettings))
    versions = Versions(warehouse, ACCOUNTS, warehouse.config.targets[0])
    before = versions.folded()
    versions.do(Note(replace(before, dirty_ledger=9, dirty_time=BEGINNING)))
    with pytest.raises(AirflowSkipException):
        run({}, table=BALANCES)
    versions.do(Note(before))
    run({}, table=BALANCES)
    assert chain(client) == [("G1", 11, None, 50000000), ("G1", 13, 50000000, 70000000)]


# Kinds of derived tables -------------------------------------------------------------------------------------------


def transfers(ledgers, **changes):
    return [
        {
            "transaction_hash": "h",
            "transaction_id": n << 32 | 4096,
            "event_index": i,
            "event_topic": "transfer",
            "asset": "native",
            "asset_type": "native",
            "amount": 1.0,
            "amount_raw": "10000000",
            "contract_id": "C",
            "ledger_sequence": n,
            "closed_at": at(n),
            "from": "G1",
            "to": "G2",
            "batch_id": "r",
            "batch_run_date": "2026-01-01T00:00:00",
            "batch_insert_ts": at(n),
            **changes,
        }
        for n in ledgers
        for i in (0, 1)
    ]


def test_transfers_have_one_row_per_event_with_amounts_as_stored(client, load, run):
    load({"history_ledgers": sources()["history_ledgers"], "token_transfers_raw": transfers(LEDGERS)})
    for _ in range(2):
        run(table=TRANSFERS)
    rows = client.query("SELECT * FROM local.stellar.token_transfers ORDER BY transaction_id, event_index").result()
    found = [(row.ledger_sequence, row.event_index, row.amount_raw) for row in rows]
    assert found == [(n, i, "10000000") for n in LEDGERS for i in (0, 1)]


def test_transfers_without_their_event_are_not_published(client, load, run):
    rows = transfers(LEDGERS)
    del rows[-1]["event_index"]
    load({"history_ledgers": sources()["history_ledgers"], "token_transfers_raw": rows})
    with pytest.raises(AirflowFailException, match="1 rows whose key is NULL"):
        run(table=TRANSFERS)
    assert list(client.query("SELECT * FROM local.stellar.token_transfers").result()) == []


def trade(ledger, closed_at, sold, bought, price, order=0, selling="A", buying="B"):
    def asset(side, code):
        if code == "native":
            return {f"{side}_asset_type": "native"}
        return {f"{side}_asset_type": "credit_alphanum4", f"{side}_asset_code": code, f"{side}_asset_issuer": "I"}

    return {
        "history_operation_id": ledger << 32 | 4097,
        "order": order,
        "ledger_closed_at": closed_at,
        "trade_type": 1,
        "selling_amount": sold,
        "buying_amount": bought,
        "price_n": price[0],
        "price_d": price[1],
        **asset("selling", selling),
        **asset("buying", buying),
    }


TRADES = [
    trade(10, "2026-01-01T00:59:50Z", 2.0, 4.0, (2, 1), order=1),
    trade(10, "2026-01-01T00:59:50Z", 1.0, 1.0, (1, 1), order=0),
    trade(11, "2026-01-01T01:00:00Z", 8.0, 2.0, (1, 4), selling="B", buying="A"),  # 4 B per A
    trade(12, "2026-01-02T00:00:00Z", 1.0, 3.0, (3, 1), selling="native", buying="B"),
]
HEADERS = [{"sequence": one["history_operation_id"] >> 32, "closed_at": one["ledger_closed_at"]} for one in TRADES[1:]]


def ohlc(client):
    rows = client.query(
        "SELECT bucket, CAST(bucket_start AS STRING) AS since, base_asset, counter_asset, trade_count, base_volume, "
        "counter_volume, open_price, high_price, low_price, close_price FROM local.stellar.trade_ohlc "
        "ORDER BY 1, 2, 3, 4"
    ).result()
    return [
        (
            *(row.bucket, row.since[:13], row.base_asset[0], row.counter_asset[0], row.trade_count),
            *(float(value) for value in list(row.values())[5:]),
        )
        for row in rows
    ]


BOTH_DAYS = [
    ("day", "2026-01-01 00", "A", "B", 3, 5.0, 13.0, 1.0, 4.0, 1.0, 4.0),
    ("day", "2026-01-02 00", "B", "n", 1, 3.0, 1.0, 1 / 3, 1 / 3, 1 / 3, 1 / 3),
    ("hour", "2026-01-01 00", "A", "B", 2, 3.0, 5.0, 1.0, 2.0, 1.0, 2.0),
    ("hour", "2026-01-01 01", "A", "B", 1, 2.0, 8.0, 4.0, 4.0, 4.0, 4.0),
    ("hour", "2026-01-02 00", "B", "n", 1, 3.0, 1.0, 1 / 3, 1 / 3, 1 / 3, 1 / 3),
]


def test_buckets_whose_volume_differs_from_the_trades_are_not_published(client, load, run, monkeypatch, tmp_path):
    text = (QUERIES / "trade_ohlc.sql").read_text()
    (tmp_path / "trade_ohlc.sql").write_text(
        text.replace("WHERE {trades_range}", "WHERE {trades_range} AND t.`order` = 0")
    )
    monkeypatch.setattr(build_bq_insert_job_task, "QUERIES", tmp_path)
    load({"history_ledgers": HEADERS, "history_trades": [{**one, "order": 1} for one in TRADES[:1]] + TRADES[1:]})
    with pytest.raises(AirflowFailException, match="2 volumes or trade counts that differ from the trades"):
        run({"start_ledger": 10, "end_ledger": 12}, table=TRADE_OHLC)
    assert ohlc(client) == []


def test_days_that_another_run_has_derived_meanwhile_are_not_published(client, load, run, make_context):
    load({"history_ledgers": HEADERS, "history_trades": TRADES})
    run({"start_ledger": 10, "end_ledger": 12}, table=TRADE_OHLC)
    make_context.xcoms["check_sources", "return_value"]["batch"]["attempt"]["started_at"] = "2026-01-01T00:00:00+00:00"
    merge = build_publish_derived_task(TRADE_OHLC)
    context = make_context(merge.task_id, {}, dag_id=TRADE_OHLC.dag_id)
    merge.deferrable = False
    merge.pre_execute(context)
    with pytest.raises(AirflowSkipException, match="another run has derived these days"):
        merge.execute(context)
    assert ohlc(client) == BOTH_DAYS


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((10, 11, 12), marks=pytest.mark.slow, id="as they closed"),
        pytest.param((12, 11, 10), id="backwards"),
    ],
)
def test_days_are_recomputed_completely_for_any_order_of_ledgers(client, load, run, order):
    seen = []
    for ledger in order:
        seen.append(ledger)
        load(
            {
                "history_ledgers": [one for one in HEADERS if one["sequence"] in seen],
                "history_trades": [one for one in TRADES if one["history_operation_id"] >> 32 in seen],
            }
        )
        run({"start_ledger": ledger, "end_ledger": ledger}, table=TRADE_OHLC, run_id=str(ledger))
    assert ohlc(client) == BOTH_DAYS


def test_a_bucket_without_trades_is_removed(client, load, run):
    load({"history_ledgers": HEADERS, "history_trades": TRADES})
    run({"start_ledger": 10, "end_ledger": 12}, table=TRADE_OHLC)
    assert ohlc(client) == BOTH_DAYS
    load({"history_ledgers": HEADERS, "history_trades": TRADES[:2] + TRADES[3:]})
    run({"start_ledger": 11, "end_ledger": 11}, table=TRADE_OHLC, run_id="corrected")
    assert [row for row in ohlc(client) if row[0] == "hour"] == [BOTH_DAYS[2], BOTH_DAYS[4]]
