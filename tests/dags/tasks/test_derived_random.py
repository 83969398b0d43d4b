"""Every derived table equals one full recomputation, for any order and chunks of its sources."""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSET_SUPPLY, BALANCES, BATCH_COLUMNS, DERIVED, sources_of
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.tasks.build_bq_insert_job_task import are_complete
from tests.bytes_read import bytes_read
from tests.dags.tasks.derived_chain import run_chain
from tests.shared import REPO
from tests.stellar_etl.program import rows, succeed

FIRST, LAST = 3, 42
STEP = timedelta(days=3) / (LAST - FIRST + 1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STATS = "local.stellar.history_archives_dag_runs"
SOURCES = {
    source.data_type: source
    for table in DERIVED.values()
    for source in sources_of(table).values()
    if source.derivation is None
}
BATCH = {"batch_id": "r", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}


def closed_at(ledger):
    return f"{BEGIN + (ledger - FIRST) * STEP:%Y-%m-%dT%H:%M:%SZ}"


def ledger_of(table, row):
    return row[table.ledger_column] >> table.ledger_shift


def export(lake, folder, last):
    """Return the rows of the sample network's ledgers up to `last` by data type, with close times far apart."""
    arguments = ("-s", FIRST, "-e", last, "--datastore-path", lake, "-o", folder)
    succeed("export_all_history", *arguments)
    succeed("export_ledger_entry_changes", *arguments, "-b", last)
    found = {}
    for data_type, table in SOURCES.items():
        found[data_type] = [
            {**row, **BATCH, table.closed_at_column: closed_at(ledger_of(table, row))}
            for row in rows(folder / f"{FIRST}-{last}-{data_type}.txt")
        ]
        assert found[data_type], data_type
    return found


@pytest.fixture(scope="module")
def exported(lake, tmp_path_factory):
    """By data type the rows of the sample network, whose ledgers are spread over three days."""
    return export(lake, tmp_path_factory.mktemp("export"), LAST)


class Network:
    """The sources of the derived tables, and their published ranges."""

    def __init__(self, client, folder, exported, make_context):
        self.client, self.folder, self.make_context = client, folder, make_context
        self.rows = {data_type: [dict(row) for row in some] for data_type, some in exported.items()}
        self.warehouse = Warehouse(client, settings(WarehouseSettings))
        self.warehouse.ensure_batch_stats()
        (target,) = self.warehouse.config.targets
        for table in SOURCES.values():
            self.warehouse.ensure_published(table)
            if table.entry_keys:
                Versions(self.warehouse, table, target).ensure()
        self.runs = 0

    def publish(self, ledgers, data_types=tuple(SOURCES)):
        """Load a range into sources, replacing their rows of it, and record it in the batch stats."""
        for data_type in data_types:
            table, (start, end) = SOURCES[data_type], (ledgers.start, ledgers.end)
            name = f"local.stellar.{table.table_id}"
            column = f"`{table.ledger_column}`" + (f" >> {table.ledger_shift}" if table.ledger_shift else "")
            self.client.query(f"DELETE FROM {name} WHERE {column} BETWEEN {start} AND {end}").result()
            chosen = [row for row in self.rows[data_type] if start <= ledger_of(table, row) <= end]
            (self.folder / "bucket").mkdir(parents=True, exist_ok=True)
            (self.folder / "bucket" / data_type).write_text("".join(json.dumps(row) + "\n" for row in chosen))
            fields = json.loads((REPO / "schemas" / f"{table.table_id}_schema.json").read_text())
            config = bq.LoadJobConfig(
                source_format="NEWLINE_DELIMITED_JSON",
                schema=[bq.SchemaField.from_api_repr(field) for field in fields],
                write_disposition="WRITE_APPEND",
            )
            self.client.load_table_from_uri(f"gs://bucket/{data_type}", name, job_config=config).result()
        ids = [SOURCES[data_type].table_id for data_type in data_types]
        where = f"table_id IN UNNEST({ids}) AND start_ledger = {ledgers.start} AND end_ledger = {ledgers.end}"
        self.client.query(f"DELETE FROM {STATS} WHERE {where}").result()
        self.client.query(
            f"INSERT INTO {STATS} (table_id, start_ledger, end_ledger, first_closed_at, last_closed_at, published_at) "
            f"SELECT table_id, {ledgers.start}, {ledgers.end}, TIMESTAMP '{closed_at(ledgers.start)}', "
            f"TIMESTAMP '{closed_at(ledgers.end)}', CURRENT_TIMESTAMP() FROM UNNEST({ids}) AS table_id"
        ).result()

    def doubt_supply(self):
        """Record a finding that no load resolves: the corrections of this test contradict each other."""
        self.warehouse.ensure_watermarks()
        self.client.query(
            "INSERT INTO local.stellar.ledger_coverage (table_id, fault, start_ledger, end_ledger, checked_at) "
            f"VALUES ('token_transfers_raw', 'lost_rows', {FIRST}, {LAST}, TIMESTAMP '2100-01-01')"
        ).result()

    def correct(self, ledgers):
        """Change rows of some ledgers in the sources, and publish them again."""
        for data_type, column, value in (
            ("trades", "selling_amount", 12.5),
            ("transactions", "fee_charged", 7777),
            ("token_transfers", "amount_raw", "31337"),
            ("operations", "source_account", "GCORRECTED"),
            ("accounts", "balance", 12.25),
            ("trustlines", "deleted", True),
        ):
            table = SOURCES[data_type]
            for row in self.rows[data_type]:
                if ledgers.start <= ledger_of(table, row) <= ledgers.end:
                    row[column] = value
        self.publish(ledgers)

    def run(self, table, params=None):
        """Run the table's DAG once; return whether it derived anything."""
        self.runs += 1
        try:
            run_chain(self.make_context, table, params or {}, run_id=f"run {self.runs}")
        except AirflowSkipException:
            return False
        return True

    def derive_all(self):
        """Run the DAG of each table until nothing is pending."""
        for table in DERIVED.values():
            while self.run(table):
                pass

    def contents(self, table):
        """Return a table's rows in a fixed order, without the batch columns."""
        columns = [name for name in self.warehouse.columns(table.table_id) if name not in BATCH_COLUMNS]
        listed = ", ".join(f"`{name}`" for name in columns)
        keys = ", ".join(f"`{key}`" for key in table.keys)
        found = self.client.query(f"SELECT {listed} FROM local.stellar.{table.table_id} ORDER BY {keys}").result()
        return [tuple(row.values()) for row in found]

    def recompute(self):
        """Create every derived table again from empty tables, by one run over all ledgers."""
        for table in DERIVED.values():
            self.client.delete_table(f"local.stellar.{table.table_id}", not_found_ok=True)
        self.client.query(f"DELETE FROM {STATS} WHERE table_id IN UNNEST({DERIVED_IDS})").result()
        for table in DERIVED.values():
            assert self.run(table, {"start_ledger": FIRST, "end_ledger": LAST})


DERIVED_IDS = [table.table_id for table in DERIVED.values()]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "chunks"), [(1, 3), *((seed, 5) for seed in range(2, 8))])
def test_each_derived_table_equals_one_full_recomputation(
    client, warehouse_server, warehouse_environment, make_context, exported, seed, chunks
):
    chance = random.Random(seed)
    network = Network(client, warehouse_server[1], exported, make_context)
    network.doubt_supply()
    cuts = sorted({FIRST, LAST + 1, *chance.sample(range(FIRST + 1, LAST), chunks - 1)})
    ranges = [LedgerRange(start, end - 1) for start, end in itertools.pairwise(cuts)]
    late, gap = chance.sample(range(len(ranges)), 2)
    lacking = chance.choice([data_type for data_type in SOURCES if data_type != "ledgers"])
    order = [number for number in range(len(ranges)) if number != late]
    chance.shuffle(order)
    for number in order:
        kept = [data_type for data_type in SOURCES if number != gap or data_type != lacking]
        network.publish(ranges[number], tuple(kept))
        for table in DERIVED.values():
            if chance.random() < 0.5:  # a scheduled run may come later
                network.run(table)
    network.publish(ranges[late])
    network.derive_all()
    network.publish(ranges[gap], (lacking,))
    first = chance.randrange(FIRST, LAST - 5)
    network.correct(LedgerRange(first, first + chance.randrange(5)))
    for table in DERIVED.values():
        network.run(table)
    network.publish(LedgerRange(FIRST, LAST))
    network.derive_all()
    found = {table.table_id: network.contents(table) for table in DERIVED.values()}
    assert all(found.values())
    network.recompute()
    assert found == {table.table_id: network.contents(table) for table in DERIVED.values()}


@pytest.mark.slow
def test_days_of_balances_that_earlier_ledgers_corrected_are_derived_again(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    late = LedgerRange(FIRST, (FIRST + LAST) // 2)
    for ledgers in (LedgerRange(late.end + 1, LAST), late):
        network.publish(ledgers)
        for table in (BALANCES, ASSET_SUPPLY):
            while network.run(table):
                pass
    found = network.contents(ASSET_SUPPLY)
    network.run(ASSET_SUPPLY, {"start_ledger": FIRST, "end_ledger": LAST})
    assert found == network.contents(ASSET_SUPPLY)


@pytest.mark.slow
def test_a_run_reads_the_same_bytes_when_its_sources_grow_a_hundredfold(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    network.publish(LedgerRange(FIRST, LAST))
    newest = {"start_ledger": LAST - 3, "end_ledger": LAST}
    statements = {}
    for table in DERIVED.values():
        if table is ASSET_SUPPLY:
            assert network.run(BALANCES)  # other days of the sources
        assert network.run(table, newest)
        (job,) = [one for one in client.list_jobs() if f"_{table.data_type}_load_derive_" in one.job_id][:1]
        statements[table.table_id] = client.get_job(job.job_id)

    def read(job):
        values = {one.name: one.value for one in job.query_parameters if one.name.endswith("closed_at")}
        times = {"first_closed_at": values["first_closed_at"].isoformat()}
        times["last_closed_at"] = values.get("newest_closed_at", values["last_closed_at"]).isoformat()

        def query(sql, given):
            parameters = [bq.ScalarQueryParameter(name, "TIMESTAMP", value) for name, value in given.items()]
            return client.query(sql, bq.QueryJobConfig(query_parameters=parameters)).result()

        return bytes_read(job.query, times, query)

    def rows_of_sources():
        counts = (f"(SELECT COUNT(*) FROM local.stellar.{table.table_id})" for table in SOURCES.values())
        (row,) = client.query(f"SELECT {' + '.join(counts)} AS n").result()
        return row.n

    before, rows_before = {name: read(job) for name, job in statements.items()}, rows_of_sources()
    assert sum(map(bool, before.values())) > 4, "there are no trades on the last day"
    for table in SOURCES.values():
        shift = 100 << table.ledger_shift
        client.query(
            f"INSERT INTO local.stellar.{table.table_id} SELECT * EXCEPT (days) REPLACE ("
            f"{table.ledger_column} - days * {shift} AS {table.ledger_column}, "
            f"TIMESTAMP_SUB({table.closed_at_column}, INTERVAL days DAY) AS {table.closed_at_column}) "
            f"FROM (SELECT * FROM local.stellar.{table.table_id}) CROSS JOIN UNNEST(GENERATE_ARRAY(4, 102)) AS days"
        ).result()
    assert rows_of_sources() == 100 * rows_before
    assert {name: read(job) for name, job in statements.items()} == before


@pytest.mark.slow
def test_volumes_and_counts_equal_the_sums_of_the_sources(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    network.publish(LedgerRange(FIRST, LAST))
    network.derive_all()

    def one(sql):
        (row,) = client.query(sql).result()
        return tuple(row.values())

    volumes = "SELECT SUM(trade_count), SUM(base_volume) + SUM(counter_volume) FROM local.stellar.trade_ohlc"
    traded = (
        "SELECT COUNT(*), SUM(CAST(selling_amount AS NUMERIC)) + SUM(CAST(buying_amount AS NUMERIC)) "
        "FROM local.stellar.history_trades"
    )
    for bucket in ("hour", "day"):
        assert one(f"{volumes} WHERE bucket = '{bucket}'") == one(traded)
        counted = (
            "SELECT SUM(ledger_count), SUM(transaction_count), SUM(operation_count), SUM(payment_count), "
            f"SUM(fee_charged) FROM local.stellar.network_stats WHERE bucket = '{bucket}'"
        )
        assert one(counted) == (
            *one("SELECT COUNT(*) FROM local.stellar.history_ledgers"),
            *one("SELECT COUNT(*) FROM local.stellar.history_transactions"),
            *one("SELECT COUNT(*), COUNTIF(type = 1) FROM local.stellar.history_operations"),
            *one("SELECT SUM(fee_charged) FROM local.stellar.history_transactions"),
        )


def test_an_assets_supply_equals_its_balances_and_lumens_equal_the_headers(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    network.publish(LedgerRange(FIRST, LAST))
    for table in (BALANCES, ASSET_SUPPLY):
        assert network.run(table)

    def one(sql):
        (row,) = client.query(sql).result()
        return tuple(row.values())

    supply = "SELECT COUNT(DISTINCT asset), COUNTIF(inexact_changes > 0), COUNTIF(difference <> 0) "
    assert one(f"{supply} FROM local.stellar.asset_supply_daily WHERE asset_type <> 'native'") == (9, 0, 0)
    columns = "accounts_change + claimable_balances_change + liquidity_pools_change + contracts_change"
    (lumens,) = one(
        f"SELECT CAST(SUM({columns}) AS INT64) FROM local.stellar.asset_supply_daily "
        "WHERE asset = 'native' AND day > TIMESTAMP '2026-01-01'"
    )
    (coins,) = one(
        "SELECT MAX_BY(total_coins - fee_pool, sequence) - MAX_BY(IF(closed_at < TIMESTAMP '2026-01-02', "
        "total_coins - fee_pool, NULL), IF(closed_at < TIMESTAMP '2026-01-02', sequence, NULL)) "
        "FROM local.stellar.history_ledgers"
    )
    assert lumens == pytest.approx(coins, rel=0, abs=256), "the account with nearly all lumens is a FLOAT64"
    assert abs(coins) > 500_000
    totals = "SELECT asset, supply, in_trust_lines + in_claimable_balances + in_liquidity_pools + in_contracts "
    for asset, minted, found in client.query(
        f"{totals} FROM local.stellar.asset_supply WHERE asset <> 'native'"
    ).result():
        assert minted == found, asset


def final_balances(rows):
    """Return the balances of each credit asset in stroops: trust lines, claimable balances, pools and contracts.

    Args:
        rows: the changes of ledger entries by data type, in the order of ledgers.
    """
    latest = {
        (data_type, row[key]): row
        for data_type, key in (
            ("trustlines", "ledger_key"),
            ("claimable_balances", "balance_id"),
            ("liquidity_pools", "liquidity_pool_id"),
            ("contract_data", "ledger_key_hash"),
        )
        for row in sorted(rows[data_type], key=lambda row: row["ledger_sequence"])
        if data_type != "contract_data" or row["balance"]  # an evicted balance stays with its holder
    }
    contracts = {row["contract_id"]: row["asset"] for row in rows["token_transfers"] if row["asset_code"]}
    balances = Counter()
    for (data_type, _), row in latest.items():
        if row["deleted"]:
            continue
        if data_type == "trustlines" and row["asset_type"] != "pool_share":
            balances[row["asset_code"], row["asset_issuer"]] += round(row["balance"] * 10**7)
        elif data_type == "claimable_balances" and row["asset_type"] != "native":
            balances[row["asset_code"], row["asset_issuer"]] += round(row["asset_amount"] * 10**7)
        elif data_type == "liquidity_pools":
            for side in ("a", "b"):
                asset = (row[f"asset_{side}_code"], row[f"asset_{side}_issuer"])
                balances[asset] += round(row[f"asset_{side}_amount"] * 10**7)
        elif data_type == "contract_data" and row["contract_id"] in contracts:
            balances[tuple(contracts[row["contract_id"]].split(":")[-2:])] += int(row["balance"])
    return {":".join(asset): amount for asset, amount in balances.items() if asset[0]}


@pytest.mark.slow
def test_the_supply_of_every_asset_of_the_sample_network_equals_its_balances(
    client, warehouse_server, warehouse_environment, make_context, tmp_path, record_property
):
    """The network is that of `./run_local.sh`, ledger by ledger over a month, with balances derived in parts."""
    subprocess.run(
        [sys.executable, "-m", "local.sample_network", "--out", str(tmp_path / "lake")],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    last = FIRST + 399
    exported = export(tmp_path / "lake", tmp_path, last)
    network = Network(client, warehouse_server[1], exported, make_context)
    network.publish(LedgerRange(FIRST, last))
    middle = (FIRST + last) // 2
    for ledgers in (LedgerRange(middle, last), LedgerRange(FIRST, middle - 1)):
        assert network.run(BALANCES, {"start_ledger": ledgers.start, "end_ledger": ledgers.end})
    assert network.run(ASSET_SUPPLY)
    assert are_complete(network.warehouse, ASSET_SUPPLY, LedgerRange(FIRST, last)), "the sources are complete"
    supply = client.query(
        "SELECT asset, CAST(SUM(supply_change) AS INT64), CAST(SUM(difference) AS INT64), SUM(inexact_changes) "
        "FROM local.stellar.asset_supply_daily WHERE asset_type NOT IN ('native', 'contract') GROUP BY asset"
    ).result()
    found = {asset: rest for asset, *rest in (row.values() for row in supply)}
    balances = final_balances(exported)
    record_property("assets", len(found))
    print(f"{sum(amount == balances.get(asset, 0) for asset, (amount, _, _) in found.items())} of {len(found)} assets")
    assert len(found) > 50
    assert found.keys() >= balances.keys()
    assert {asset: (balances.get(asset, 0), 0, 0) for asset in found} == {
        key: tuple(rest) for key, rest in found.items()
    }


def lose_a_mint(network):
    """Remove one token event that mints an asset; give the asset and the amount."""
    lost = next(row for row in network.rows["token_transfers"] if row["event_topic"] == "mint" and row["asset_code"])
    network.rows["token_transfers"].remove(lost)
    return f"{lost['asset_code']}:{lost['asset_issuer']}", int(lost["amount_raw"])


def supply_rows(network, where="difference <> 0"):
    sql = f"SELECT asset, CAST(difference AS INT64) FROM local.stellar.asset_supply_daily WHERE {where}"
    return [tuple(row.values()) for row in network.client.query(sql).result()]


def test_a_day_whose_supply_differs_from_the_balances_is_refused_if_its_sources_are_complete(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    asset, amount = lose_a_mint(network)
    network.publish(LedgerRange(FIRST, LAST))
    assert network.run(BALANCES)
    with pytest.raises(AirflowFailException, match="1 assets whose supply according to token events differs") as error:
        network.run(ASSET_SUPPLY)
    assert supply_rows(network, "TRUE") == []
    (query,) = re.findall(r"shows them:\n(.*)", str(error.value), re.DOTALL)
    (row,) = client.query(query).result()
    assert (row.asset, int(row.held_changed_by - row.changed_by)) == (asset, amount)


def test_a_day_whose_lumens_differ_from_the_headers_is_refused_however_large_the_accounts_are(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    for header in network.rows["ledgers"]:
        if header["sequence"] >= LAST - 5:
            header["total_coins"] += 10_000
    network.publish(LedgerRange(FIRST, LAST))
    assert network.run(BALANCES)
    with pytest.raises(AirflowFailException, match="1 assets .* or lumens that differ from the ledger headers"):
        network.run(ASSET_SUPPLY, {"start_ledger": LAST, "end_ledger": LAST})
    assert supply_rows(network, "TRUE") == []


@pytest.mark.slow
def test_a_difference_is_published_while_ledgers_before_or_later_corrections_are_missing(
    client, warehouse_server, warehouse_environment, make_context, exported
):
    network = Network(client, warehouse_server[1], exported, make_context)
    asset, amount = lose_a_mint(network)
    middle = LedgerRange(FIRST + 10, FIRST + 12)
    network.publish(LedgerRange(FIRST, middle.start - 1))
    network.publish(LedgerRange(middle.end + 1, LAST))
    network.publish(middle, tuple(data_type for data_type in SOURCES if data_type != "trustlines"))
    while network.run(BALANCES):
        pass
    assert network.run(ASSET_SUPPLY, {"start_ledger": FIRST, "end_ledger": LAST})
    assert (asset, -amount) in supply_rows(network)
    network.publish(middle, ("trustlines",))
    assert network.run(ASSET_SUPPLY, {"start_ledger": FIRST, "end_ledger": LAST}), "the balances are not up to date"
    while network.run(BALANCES):
        pass
    with pytest.raises(AirflowFailException, match="1 assets whose supply"):
        network.run(ASSET_SUPPLY, {"start_ledger": FIRST, "end_ledger": LAST})
    client.query(
        "INSERT INTO local.stellar.ledger_coverage (table_id, fault, start_ledger, end_ledger, checked_at) "
        f"VALUES ('token_transfers_raw', 'lost_rows', {LAST}, {LAST}, CURRENT_TIMESTAMP())"
    ).result()
    assert network.run(ASSET_SUPPLY, {"start_ledger": FIRST, "end_ledger": LAST}), "a coverage check has a finding"
