"""Take-over of another deployment's tables: the rows equal a fresh load's, for any layout and interruption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.bigquery.tables import NETWORK_LABEL, network_hash
from stellar_etl_airflow.model.schema import read_schema
from stellar_etl_airflow.take_over import TAKEN, TakeOver, TakeOverError, take_over
from tests.dags.sql.statements import aged_records, reversed_records
from tests.local import emulators
from tests.shared import REPO

THEIRS = "local.theirs"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, LAST = 11, 70
GAP = range(41, 46)
HELD = [ledger for ledger in range(FIRST, LAST + 1) if ledger not in GAP]
TYPES = ("ledgers", "assets", "trades", "token_transfers", "offers")


def closed_at(ledger):
    return (BEGIN + timedelta(seconds=5 * ledger)).strftime("%Y-%m-%dT%H:%M:%SZ")


def load_of(ledger, again=False):
    """The batch columns of a ledger's first load, which took place once an hour, and of the repeated load."""
    return {
        "batch_id": f"scheduled__{ledger // 10}",
        "batch_run_date": "2026-02-01T00:00:00" if again else "2026-01-01T00:00:00",
        "batch_insert_ts": "2026-02-01T00:00:00Z" if again else "2026-01-01T00:00:00Z",
    }


def rows_of(data_type, ledger):
    """Return the rows of a ledger in a fresh load."""
    common = {"closed_at": closed_at(ledger), **load_of(ledger)}
    if data_type == "ledgers":
        return [{"sequence": ledger, "ledger_hash": f"h{ledger}", "previous_ledger_hash": f"h{ledger - 1}", **common}]
    if data_type == "assets":
        code = {"asset_code": f"A{ledger % 7}", "asset_issuer": "G", "asset_type": "credit_alphanum4"}
        return [{**code, "asset_id": ledger % 7, "ledger_sequence": ledger, **common}]
    if data_type == "trades":
        own = {"ledger_closed_at": common.pop("closed_at"), "price_n": ledger, **common}
        return [{"history_operation_id": (ledger << 32) + 4097, "order": order, **own} for order in (0, 1)]
    if data_type == "token_transfers":  # two identical rows of one load are two transfers
        texts = dict.fromkeys(
            ("transaction_hash", "event_topic", "asset", "asset_type", "amount_raw", "contract_id"), "x"
        )
        return [{"transaction_id": ledger, "amount": 1.5, **texts, "ledger_sequence": ledger, **common}] * 2
    entry = {"offer_id": ledger % 5, "amount": ledger, "deleted": ledger % 9 == 0, "ledger_sequence": ledger}
    return [{**entry, **common}]


@pytest.fixture(scope="module")
def theirs(warehouse_server):
    """Another deployment's tables, partitioned by month of `batch_run_date`.

    Ledgers 21 to 30 are loaded twice. Each table has an additional column and lacks `sponsor`.
    """
    server, folder = warehouse_server
    client = emulators.bigquery_client(server)
    client.create_dataset(THEIRS)
    for data_type in TYPES:
        table = TAKEN[data_type]
        fields = [field for field in read_schema(str(REPO / "schemas"), table.table_id) if field["name"] != "sponsor"]
        fields.append({"name": "of_theirs", "type": "STRING"})
        made = bq.Table(f"{THEIRS}.{table.table_id}", [bq.SchemaField.from_api_repr(field) for field in fields])
        made.time_partitioning = bq.TimePartitioning("MONTH", "batch_run_date")
        client.create_table(made)
        rows = [row for ledger in HELD for row in rows_of(data_type, ledger)]
        rows += [row | load_of(0, again=True) for ledger in range(21, 31) for row in rows_of(data_type, ledger)]
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "theirs.txt").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_APPEND")
        client.load_table_from_uri("gs://exports/theirs.txt", made.reference, job_config=config).result()
    yield THEIRS
    client.delete_dataset(THEIRS, delete_contents=True)


@pytest.fixture
def variables(tmp_path):
    """The shipped Variables, for the laptop's warehouse."""
    shipped = json.loads((REPO / "airflow_variables.json").read_text())
    own = {"bq_project": "local", "bq_dataset": "stellar", "schema_filepath": str(REPO / "schemas")}
    (tmp_path / "variables.json").write_text(json.dumps(shipped | own))
    return shipped | own


@pytest.fixture
def work(client, theirs, variables):
    said = []
    made = TakeOver(client, variables.get, theirs, chunk=7, say=said.append)
    made.said = said
    return made


@pytest.fixture
def contents(client):
    """Return the rows of one of our tables, without the columns of loads, as a sorted list of texts."""

    def contents(table_id, dataset="stellar"):
        rows = client.query(f"SELECT * FROM local.{dataset}.{table_id}").result()
        left_out = ("batch_id", "batch_run_date", "batch_insert_ts", "of_theirs")
        plain = [{key: value for key, value in row.items() if key not in left_out and value} for row in rows]
        return sorted(json.dumps(row, default=str, sort_keys=True) for row in plain)

    return contents


def fresh(data_type):
    """Return the fresh load of all ledgers in the same form."""
    return [row for ledger in HELD for row in rows_of(data_type, ledger)]


def check_assets(client):
    assets = client.query("SELECT asset_code, ledger_sequence FROM local.stellar.history_assets").result()
    assert sorted(tuple(row.values()) for row in assets) == sorted((f"A{n % 7}", n) for n in range(11, 18))


def check_all(contents, client):
    for data_type in ("ledgers", "trades", "token_transfers", "offers"):
        found = contents(TAKEN[data_type].table_id)
        assert len(found) == len(fresh(data_type)), data_type
    ledgers = [row.sequence for row in client.query("SELECT sequence FROM local.stellar.history_ledgers").result()]
    assert sorted(ledgers) == HELD
    trades = client.query(
        "SELECT history_operation_id >> 32, `order`, price_n FROM local.stellar.history_trades"
    ).result()
    assert sorted(tuple(row.values()) for row in trades) == [(n, order, n) for n in HELD for order in (0, 1)]
    transfers = client.query("SELECT transaction_id FROM local.stellar.token_transfers_raw").result()
    assert sorted(row.transaction_id for row in transfers) == sorted([*HELD, *HELD])
    check_assets(client)
    current = client.query("SELECT offer_id, amount FROM local.stellar.offers_current ORDER BY 1").result()
    newest = {n % 5: n for n in HELD}
    assert [tuple(row.values()) for row in current] == [(key, n) for key, n in sorted(newest.items()) if n % 9]


def test_without_go_the_command_reports_and_writes_nothing(client, work):
    take_over(work, TYPES, go=False)
    assert list(client.list_tables("local.stellar")) == []
    assert NETWORK_LABEL not in client.get_dataset("local.stellar").labels
    said = "\n".join(work.said)
    assert "history_ledgers: 65 rows, ledgers 11 to 70, 10 duplicates" in said
    assert "history_trades: 130 rows, ledgers 11 to 70, 20 duplicates" in said
    assert "token_transfers_raw: 130 rows, ledgers 11 to 70, 20 duplicates" in said
    assert "ledgers 41 to 45 are missing in the source" in said
    assert "columns that it lacks, which stay empty: sponsor" in said
    assert "columns that are not copied: of_theirs" in said


def test_an_asset_that_is_twice_in_a_chunk_keeps_its_first_ledger(client, theirs, variables):
    """Also if a later ledger of it was loaded last."""
    take_over(TakeOver(client, variables.get, theirs, chunk=30), ["assets"], go=True)
    check_assets(client)


def test_the_rows_equal_a_fresh_load_also_after_a_repeat(client, work, contents, variables):
    before = {table.table_id: contents(table.table_id, "theirs") for table in map(TAKEN.get, TYPES)}
    for _ in range(2):
        take_over(work, TYPES, go=True)
        check_all(contents, client)
    assert {table_id: contents(table_id, "theirs") for table_id in before} == before
    table = client.get_table("local.stellar.offers")
    assert table.time_partitioning.field == "closed_at"
    assert table.clustering_fields == variables["cluster_fields"]["offers"]
    assert "of_theirs" not in [field.name for field in table.schema]
    label = client.get_dataset("local.stellar").labels[NETWORK_LABEL]
    assert label == network_hash("Public Global Stellar Network ; September 2015")
    stats = client.query(
        "SELECT table_id, MIN(start_ledger), MAX(end_ledger), SUM(ledgers), SUM(row_count), COUNT(*) FROM "
        "local.stellar.history_archives_dag_runs GROUP BY 1 ORDER BY 1"
    ).result()
    found = {row[0]: tuple(row.values())[1:] for row in stats}
    assert found["history_trades"] == (FIRST, LAST, len(HELD), 2 * len(HELD), 9)
    assert found.keys() == {TAKEN[data_type].table_id for data_type in TYPES}


def command(server, folder, chunk):
    program = [sys.executable, "-m", "stellar_etl_airflow.take_over"]
    return subprocess.Popen(
        [*program, THEIRS, "--variables", folder / "variables.json", "--chunk", chunk, "--tables", *TYPES, "--go"],
        env={**os.environ, "PYTHONPATH": "dags", "BIGQUERY_EMULATOR_HOST": server.url},
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_next_start_completes_a_killed_take_over(client, theirs, variables, contents, warehouse_server, tmp_path):
    """The next run uses larger chunks, and begins where the first one stopped."""
    server, _ = warehouse_server
    first = command(server, tmp_path, chunk="7")
    while "history_trades: ledgers 18 to 24" not in (line := first.stdout.readline()):
        assert line, first.stderr.read()
    first.kill()
    first.communicate()
    assert 0 < len(contents("history_trades")) < 2 * len(HELD)
    out, error = (second := command(server, tmp_path, chunk="20")).communicate()
    assert second.returncode == 0, error
    assert "history_ledgers: ledgers" not in out, "it was copied before the kill"
    assert "history_trades: ledgers 18 to 24" not in out
    check_all(contents, client)


@pytest.fixture
def spoilt(client, theirs):
    """The same tables, with one column of another type."""
    dataset = f"{theirs}_spoilt"
    client.create_dataset(dataset)
    for table_id in (TAKEN[data_type].table_id for data_type in TYPES):
        client.copy_table(f"{theirs}.{table_id}", f"{dataset}.{table_id}").result()
    client.query(
        f"CREATE OR REPLACE TABLE {dataset}.offers AS SELECT * REPLACE (CAST(amount AS STRING) AS amount) "
        f"FROM {theirs}.offers"
    ).result()
    yield dataset
    client.delete_dataset(dataset, delete_contents=True)


def test_a_column_of_another_type_is_named_and_nothing_is_copied(client, variables, spoilt):
    with pytest.raises(TakeOverError, match="offers: column amount is STRING .* in the table and FLOAT"):
        take_over(TakeOver(client, variables.get, spoilt, chunk=7), TYPES, go=True)
    assert list(client.list_tables("local.stellar")) == []


def test_nested_columns_in_another_order_are_copied_by_name(client, variables, warehouse_server):
    _, folder = warehouse_server
    nested = f"{THEIRS}_nested"
    client.create_dataset(nested)
    claimants = [{"destination": f"G{n}", "predicate": [{"rel_before": n, "unconditional": False}]} for n in range(2)]
    entry = {"balance_id": "b", "claimants": claimants, "deleted": False, "ledger_sequence": FIRST}
    rows = {
        "ledgers": rows_of("ledgers", FIRST),
        "claimable_balances": [entry | {"closed_at": closed_at(FIRST)} | load_of(FIRST)],
    }
    (folder / "exports").mkdir(parents=True, exist_ok=True)
    for data_type, lines in rows.items():
        table_id = TAKEN[data_type].table_id
        fields = aged_records(reversed_records(read_schema(str(REPO / "schemas"), table_id)))
        table = client.create_table(bq.Table(f"{nested}.{table_id}", [*map(bq.SchemaField.from_api_repr, fields)]))
        (folder / "exports" / "theirs.txt").write_text("".join(json.dumps(line) + "\n" for line in lines))
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", ignore_unknown_values=True)
        client.load_table_from_uri("gs://exports/theirs.txt", table.reference, job_config=config).result()
    said = []
    work = TakeOver(client, variables.get, nested, say=said.append)
    take_over(work, list(rows), go=False)
    assert "  columns that are not copied: claimants.of_an_older_release" in "\n".join(said)
    assert "  columns that it lacks, which stay empty: claimants.destination" in "\n".join(said)
    take_over(work, list(rows), go=True)
    (row,) = client.query("SELECT claimants FROM local.stellar.claimable_balances").result()
    found = [(one["destination"], one["predicate"][0]["rel_before"]) for one in row.claimants]
    assert found == [(None, 0), (None, 1)]
    client.delete_dataset(nested, delete_contents=True)


def test_a_dataset_of_another_network_or_of_this_deployment_is_refused(client, variables, theirs):
    with pytest.raises(TakeOverError, match="the Variables name local.stellar as our dataset"):
        take_over(TakeOver(client, variables.get, "local.stellar"), TYPES, go=False)
    with pytest.raises(TakeOverError, match="dataset local.nowhere does not exist"):
        take_over(TakeOver(client, variables.get, "local.nowhere"), TYPES, go=False)
