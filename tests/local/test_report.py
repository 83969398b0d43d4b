"""The report finds planted gaps and duplicates in real tables."""

from __future__ import annotations

import json

import pytest
from google.cloud import bigquery

from local.plan import parse_time
from local.report import stage_reports, state_reports, table_reports, watermark_reports
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS, TABLES, WATERMARKS_VIEW_ID
from stellar_etl_airflow.model.versions import OPEN_LEDGER
from stellar_etl_airflow.sql.versions import ENDS
from tests.local import emulators
from tests.shared import REPO

START, END = parse_time("t", "2026-01-01T00:00:00Z"), parse_time("t", "2026-01-01T01:00:00Z")

ROW = {"id": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"}
COLUMNS = {
    "history_ledgers": {
        "sequence": "INTEGER",
        "closed_at": "TIMESTAMP",
        "successful_transaction_count": "INTEGER",
        "failed_transaction_count": "INTEGER",
        "tx_set_operation_count": "INTEGER",
    },
    "history_transactions": ROW,
    "history_operations": ROW,
    "history_effects": {"id": "STRING", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"},
    "history_trades": {"history_operation_id": "INTEGER", "order": "INTEGER", "ledger_closed_at": "TIMESTAMP"},
    "history_contract_events": {"transaction_id": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"},
    "token_transfers_raw": {"transaction_id": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"},
    "enriched_history_operations": {"op_id": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"},
    "ledger_watermarks": {
        "dataset": "STRING",
        "table_id": "STRING",
        "complete_from": "INTEGER",
        "complete_through": "INTEGER",
        "table_count": "INTEGER",
        "tables_not_loaded": "INTEGER",
    },
    "offers_history": {"offer_id": "INTEGER", "ledger_sequence": "INTEGER", "valid_to_ledger": "INTEGER"},
    "history_archives_dag_runs": {"table_id": "STRING", "start_ledger": "INTEGER", "end_ledger": "INTEGER"},
    "history_assets": {
        "asset_type": "STRING",
        "asset_code": "STRING",
        "asset_issuer": "STRING",
        "ledger_sequence": "INTEGER",
        "closed_at": "TIMESTAMP",
    },
}
"""The columns that the report reads; a test compares them with the schema files."""

MERGES = [
    *({"dag_id": "history", "task_id": f"{data_type}.merge", "state": "success"} for data_type in TABLES),
    {"dag_id": ENRICHED_OPERATIONS.dag_id, "task_id": f"{ENRICHED_OPERATIONS.data_type}.merge", "state": "success"},
]

LEDGER = {"successful_transaction_count": 1, "failed_transaction_count": 1, "tx_set_operation_count": 3}


def rows_of(sequences):
    """Return ledgers with two transactions and three operations each."""
    closed = {sequence: f"2026-01-01T00:00:{sequence:02d}Z" for sequence in sequences}
    return {
        "history_ledgers": [{"sequence": n, "closed_at": closed[n], **LEDGER} for n in sequences],
        "history_transactions": [
            {"id": n * 10 + i, "ledger_sequence": n, "closed_at": closed[n]} for n in sequences for i in range(2)
        ],
        "history_operations": [
            {"id": n * 10 + i, "ledger_sequence": n, "closed_at": closed[n]} for n in sequences for i in range(3)
        ],
        "history_effects": [{"id": f"{n}-0", "ledger_sequence": n, "closed_at": closed[n]} for n in sequences],
        "history_trades": [
            {"history_operation_id": n << 32 | 4097, "order": 0, "ledger_closed_at": closed[n]} for n in sequences
        ],
        "history_contract_events": [
            {"transaction_id": n, "ledger_sequence": n, "closed_at": closed[n]} for n in sequences for _ in range(2)
        ],
        "token_transfers_raw": [
            {"transaction_id": n, "ledger_sequence": n, "closed_at": closed[n]} for n in sequences for _ in range(2)
        ],
        "enriched_history_operations": [
            {"op_id": n * 10 + i, "ledger_sequence": n, "closed_at": closed[n]} for n in sequences for i in range(3)
        ],
        "history_assets": [
            {"asset_type": "native", "asset_code": "", "asset_issuer": "", "ledger_sequence": 1, "closed_at": closed[1]}
        ],
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A warehouse, and the folder of its bucket."""
    folder = tmp_path_factory.mktemp("warehouse")
    bucket = folder / "gcs" / emulators.BUCKET
    bucket.mkdir(parents=True)
    with emulators.running(emulators.warehouse(folder)) as server:
        yield server, bucket


@pytest.fixture
def report(server):
    """Load rows into new tables, and report on them by table."""
    warehouse, bucket = server
    client = emulators.bigquery_client(warehouse)
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")

    def query(sql):
        config = bigquery.QueryJobConfig(default_dataset="local.stellar")
        return [dict(row.items()) for row in client.query(sql, job_config=config, job_retry=None).result()]

    def load(table_id, rows):
        (bucket / f"{table_id}.txt").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
        client.load_table_from_uri(
            f"gs://{emulators.BUCKET}/{table_id}.txt", f"local.stellar.{table_id}", job_config=config
        ).result()

    def make(tables, task_instances=MERGES, requested=None):
        for table_id, rows in tables.items():
            schema = [bigquery.SchemaField(name, kind) for name, kind in COLUMNS[table_id].items()]
            client.create_table(bigquery.Table(f"local.stellar.{table_id}", schema=schema))
            if rows:
                load(table_id, rows)
        reports = table_reports(query, START, END, requested, task_instances)
        return {found.table: found for found in reports}

    make.query = query
    return make


@pytest.mark.parametrize("table_id", sorted(COLUMNS.keys() - {WATERMARKS_VIEW_ID}))
def test_the_columns_equal_the_schema_files(table_id):
    fields = json.loads((REPO / "schemas" / f"{table_id.removesuffix('_history')}_schema.json").read_text())
    types = {field["name"]: field["type"] for field in [*fields, *(ENDS if table_id == "offers_history" else ())]}
    assert {name: types[name] for name in COLUMNS[table_id]} == COLUMNS[table_id]


def test_complete_tables_are_good(report):
    found = report(rows_of(range(1, 6)))
    assert all(table.good for table in found.values())
    ledgers = found["history_ledgers"]
    assert (ledgers.rows, ledgers.first_ledger, ledgers.last_ledger, ledgers.gaps) == (5, 1, 5, 0)
    assert found["history_operations"].rows == 15
    assert found["history_assets"].gaps is None
    assert (found["history_trades"].first_ledger, found["history_trades"].last_ledger) == (1, 5)
    assert found["token_transfers_raw"].duplicates is None


def test_a_missing_ledger_is_a_gap(report):
    found = report(rows_of([1, 2, 4, 5]))
    assert found["history_ledgers"].gaps == 1
    assert not found["history_ledgers"].good


def test_a_missing_row_is_a_gap_of_its_ledger(report):
    tables = rows_of(range(1, 6))
    del tables["history_transactions"][3]
    found = report(tables)
    assert found["history_transactions"].gaps == 1
    assert found["history_operations"].gaps == 0


def test_rows_of_an_unknown_ledger_are_a_gap(report):
    tables = rows_of(range(1, 6))
    tables["history_operations"].append({"id": 77, "ledger_sequence": 7, "closed_at": "2026-01-01T00:00:07Z"})
    assert report(tables)["history_operations"].gaps == 1


def test_repeated_rows_are_duplicates(report):
    tables = rows_of(range(1, 6))
    tables["history_operations"] += tables["history_operations"][:2]
    found = report(tables)
    assert found["history_operations"].duplicates == 2
    assert not found["history_operations"].good


def test_a_range_without_ledgers_is_a_gap_and_one_without_trades_is_not(report):
    found = report({**rows_of(range(1, 6)), "history_ledgers": [], "history_trades": []})
    assert not found["history_ledgers"].good
    assert found["history_trades"].good


def loads_of(tables, *ranges):
    """Return batch stats for loads of each range into each table."""
    names = [table_id for table_id in tables if table_id != "history_ledgers"]
    return [{"table_id": name, "start_ledger": low, "end_ledger": high} for name in names for low, high in ranges]


def test_requested_ledgers_without_a_load_make_a_table_incomplete(report):
    tables, stats = rows_of(range(1, 6)), "history_archives_dag_runs"
    found = report({**tables, stats: loads_of(tables, (1, 3), (3, 5))}, requested=LedgerRange(1, 8))
    missing = {name: table.not_loaded for name, table in found.items()}
    assert missing == {**dict.fromkeys(tables, 3), "enriched_history_operations": None}
    assert not any(table.good for name, table in found.items() if missing[name])
    assert found["history_ledgers"].gaps == 0, "no ledger is missing between the first and the last one"


def test_loads_that_cover_the_request_are_complete(report):
    tables, stats = rows_of(range(1, 6)), "history_archives_dag_runs"
    found = report({**tables, stats: loads_of(tables, (1, 2), (2, 9))}, requested=LedgerRange(2, 4))
    assert all(table.good for table in found.values())


def test_failed_checks_are_counted_per_table(report):
    task = {"dag_id": "history", "task_id": "operations.check", "state": "failed"}
    found = report(rows_of(range(1, 6)), [*MERGES, task])
    assert found["history_operations"].failed_checks == 1
    assert found["history_transactions"].failed_checks == 0
    assert not found["history_operations"].good


def test_the_report_has_only_loaded_tables(report):
    tables = {"history_transactions": rows_of([1])["history_transactions"]}
    found = report(tables, [{"dag_id": "history", "task_id": "transactions.merge", "state": "success"}])
    assert list(found) == ["history_transactions"]
    assert found["history_transactions"].gaps is None, "unknown without the ledgers"


def test_point_in_time_views_count_current_and_removed_entries(report):
    ends = ((1, 2, 3), (1, 3, 4), (2, 3, OPEN_LEDGER))
    rows = [{"offer_id": offer, "ledger_sequence": since, "valid_to_ledger": until} for offer, since, until in ends]
    report({"offers_history": rows}, [])
    merge = {"dag_id": "state_table_export", "task_id": "offers.merge", "state": "success"}
    (found,) = state_reports(report.query, [merge, *MERGES])
    assert (found.table, found.entries, found.deleted, found.last_ledger) == ("offers_current", 1, 1, 4)


def test_the_watermark_of_each_dataset_is_reported_after_a_batch(report):
    plain = {"dataset": "local.stellar", "complete_from": 3, "complete_through": 42, "table_count": 19}
    rows = [{**plain, "tables_not_loaded": 4}, {**plain, "table_id": "history_ledgers", "tables_not_loaded": 0}]
    report({"ledger_watermarks": rows}, [])
    assert watermark_reports(report.query, MERGES) == []
    (found,) = watermark_reports(report.query, [{"task_id": "batch_stats", "state": "success"}])
    assert (found.dataset, found.complete_from, found.complete_through) == ("local.stellar", 3, 42)
    assert (found.tables, found.tables_not_loaded) == (19, 4)


def test_the_times_of_stages_are_added_over_tables_in_the_order_of_a_batch():
    def task(task_id, seconds):
        return {
            "task_id": task_id,
            "start_date": "2026-01-01T00:00:00Z",
            "end_date": f"2026-01-01T00:00:{seconds:02d}Z",
        }

    stages = stage_reports([task("a.merge", 4), task("b.merge", 2), task("export", 9)])
    assert [(stage.stage, stage.tasks, stage.total_seconds) for stage in stages] == [
        ("export", 1, 9.0),
        ("merge", 2, 6.0),
    ]
    assert stages[1].longest_seconds == 4.0
