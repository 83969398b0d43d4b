"""The lumens of all entries equal the total in the ledger's header: a coverage check adds them up once a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stellar_sdk import Asset

from stellar_etl_airflow.bigquery.versions import ensure_versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import LUMENS_TYPES, Fault
from stellar_etl_airflow.model.network import PASSPHRASES, native_contract
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LEDGERS, STATES
from stellar_etl_airflow.model.versions import Folded
from stellar_etl_airflow.operators.bigquery_jobs import client_for
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAD_TASK,
    build_coverage_check_task,
    build_plan_healing_task,
    build_report_task,
    found_by,
    is_daily,
)

PASSPHRASE = "The network of this test"
CONTRACT = native_contract(PASSPHRASE)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LAST = 9
FEES = 700
COINS = FEES + 70_000_000 + 15_000_000 + 22_500_000 + 11 + 5_000_000
"""The fees, and the stroops of each entry that `ledgers` makes."""


def closed_at(ledger):
    return BEGIN + timedelta(days=ledger)


def literal(value):
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    return repr(value) if isinstance(value, str) else str(value)


class Ledgers:
    """Tables of entries, from the network's first ledgers on."""

    def __init__(self, client):
        self.client = client

    def sql(self, text):
        return self.client.query(text).result()

    def insert(self, into, **row):
        columns, values = ", ".join(row), ", ".join(map(literal, row.values()))
        self.sql(f"INSERT INTO local.stellar.{into} ({columns}) VALUES ({values})")

    def change(self, table_id, ledger, deleted=False, **row):
        self.insert(table_id, ledger_sequence=ledger, closed_at=closed_at(ledger), deleted=deleted, **row)

    def load(self, table_id, start=2, end=LAST):
        times = {"first_closed_at": closed_at(start), "last_closed_at": closed_at(end), "published_at": closed_at(99)}
        (count,) = self.sql(f"SELECT COUNT(*) AS n FROM local.stellar.{table_id}")
        ledgers = {"start_ledger": start, "end_ledger": end}
        self.insert(BATCH_STATS_TABLE_ID, table_id=table_id, row_count=count["n"], **ledgers, **times)


def contract_balance(holder, stroops, contract=CONTRACT):
    kind = "ScValTypeScvVec"
    return {"contract_id": contract, "ledger_key_hash": holder, "contract_key_type": kind, "balance": str(stroops)}


@pytest.fixture
def ledgers(client, warehouse_environment):
    """Load an account, a claimable balance, a pool and two contracts that hold lumens; one contract is evicted."""
    warehouse_environment(network_passphrase=PASSPHRASE)
    tables = [LEDGERS, *(STATES[data_type] for data_type in LUMENS_TYPES)]
    config = settings(WarehouseSettings)
    warehouse = Warehouse(client_for(config), config)
    warehouse.ensure_batch_stats()
    for table in tables:
        warehouse.ensure_published(table)
        ensure_versions(warehouse, table)
    made = Ledgers(client)
    rows = ", ".join(f"({n}, {literal(closed_at(n))}, {COINS}, {FEES})" for n in range(2, LAST + 1))
    made.sql(f"INSERT INTO local.stellar.history_ledgers (sequence, closed_at, total_coins, fee_pool) VALUES {rows}")
    made.change("accounts", 3, account_id="GA", balance=5.0)
    made.change("accounts", 8, account_id="GA", balance=7.0)
    made.change("accounts", 4, account_id="GC", balance=100.0)
    made.change("accounts", 5, deleted=True, account_id="GC", balance=100.0)
    made.change("claimable_balances", 5, balance_id="native", asset_type="native", asset_amount=1.5)
    made.change("claimable_balances", 5, balance_id="usd", asset_type="credit_alphanum4", asset_amount=30.0)
    for asset_type in ("native", "credit_alphanum4"):
        amounts = {"asset_a_type": asset_type, "asset_a_amount": 2.25, "asset_b_amount": 90.0}
        made.change("liquidity_pools", 5, liquidity_pool_id=asset_type, **amounts)
    made.change("contract_data", 5, **contract_balance("held", 11))
    made.change("contract_data", 5, **contract_balance("evicted", 5_000_000))
    made.change("contract_data", 7, deleted=True, **contract_balance("evicted", ""))
    made.change("contract_data", 5, **contract_balance("other", 10**30, contract="CB"))
    for table in tables:
        made.load(table.table_id)
    return made


@pytest.fixture
def lumens_findings(ledgers, make_context):
    """Return a function that lists the findings about lumens."""
    newest = {"sequence": LAST, "closed_at": closed_at(LAST).isoformat()}
    make_context.xcoms[HEAD_TASK, "return_value"] = newest

    def lumens_findings(**params):
        task = build_coverage_check_task()
        task.deferrable = False
        context = make_context(task.task_id, params, run_id="a-look")
        context["dag_run"].data_interval_start = context["dag_run"].data_interval_end = None
        task.pre_execute(context)
        make_context.xcoms[task.task_id, "return_value"] = task.execute(context)
        found = found_by(context, task.warehouse)
        return [(one.start_ledger, one.end_ledger, one.count) for one in found if one.fault is Fault.LUMENS]

    return lumens_findings


@pytest.mark.parametrize("passphrase", [*PASSPHRASES.values(), PASSPHRASE])
def test_the_contract_id_of_lumens_is_the_networks(passphrase):
    assert native_contract(passphrase) == Asset.native().contract_id(passphrase)


def test_lumens_of_all_entries_equal_the_header(ledgers, lumens_findings):
    assert lumens_findings() == []
    stroops = 10**17 + 3  # a FLOAT64 of lumens is not exact to the stroop
    ledgers.change("accounts", 4, account_id="GB", balance=stroops / 10**7)
    ledgers.sql(f"UPDATE local.stellar.history_ledgers SET total_coins = total_coins + {stroops} WHERE TRUE")
    assert lumens_findings() == []


CHANGES = [
    ("accounts", "balance = balance + 1", "ledger_sequence = 8", 10_000_000),
    ("accounts", "deleted = FALSE", "account_id = 'GC' AND ledger_sequence = 5", 1_000_000_000),
    ("claimable_balances", "asset_amount = 3", "balance_id = 'native'", 15_000_000),
    ("liquidity_pools", "asset_a_amount = 2.5", "TRUE", 2_500_000),
    ("contract_data", "balance = '12'", "ledger_key_hash = 'held'", 1),
    ("contract_data", "balance = '5000020'", "ledger_key_hash = 'evicted' AND NOT deleted", 20),
]


def test_a_changed_balance_is_found_to_the_stroop_and_fails_the_check(ledgers, lumens_findings, make_context):
    for table_id, change, where, _ in CHANGES:
        ledgers.sql(f"UPDATE local.stellar.{table_id} SET {change} WHERE {where}")
    stroops = sum(change[-1] for change in CHANGES)
    assert lumens_findings() == [(LAST, LAST, stroops)]
    for params in ({}, {"auto_heal": True}):
        plan, report = build_plan_healing_task(), build_report_task()
        planned = make_context(plan.task_id, params, run_id="a-look")
        plan.pre_execute(planned)
        assert not any(plan.execute(planned).values()), "no reload fixes the balance"
        context = make_context(report.task_id, params, run_id="a-look")
        report.pre_execute(context)
        with pytest.raises(AirflowFailException, match=f"accounts, ledgers 9 to 9: {stroops} stroops more or fewer"):
            report.execute(context)


@pytest.mark.slow
def test_one_changed_balance_is_found_and_ranges_and_incomplete_tables_are_not_checked(ledgers, lumens_findings):
    ledgers.sql("UPDATE local.stellar.contract_data SET balance = '12' WHERE ledger_key_hash = 'held'")
    assert lumens_findings() == [(LAST, LAST, 1)]
    assert lumens_findings(start_ledger=5, end_ledger=LAST) == []
    ledgers.sql("UPDATE local.stellar.history_archives_dag_runs SET start_ledger = 4 WHERE table_id = 'accounts'")
    assert lumens_findings() == []


def mark(hours):
    """Return the data interval of an hourly run that is due some hours after midnight."""
    due = BEGIN + timedelta(hours=hours)
    return due - timedelta(microseconds=60), due


@pytest.mark.parametrize(
    ("interval", "daily"),
    [((None, None), True), (mark(0), True), (mark(1), False), (mark(23), False), (mark(24), True)],
)
def test_lumens_are_checked_once_a_day(make_context, interval, daily):
    context = make_context("look", {})
    context["dag_run"].data_interval_start, context["dag_run"].data_interval_end = interval
    assert is_daily(context) == daily


@pytest.mark.slow
def test_after_a_full_load_the_difference_of_the_full_load_is_allowed(ledgers, lumens_findings):
    lacked = 3
    for data_type in LUMENS_TYPES:
        table_id = STATES[data_type].table_id
        ledgers.client.copy_table(f"local.stellar.{table_id}", f"local.stellar.{table_id}_base").result()
        ledgers.sql(f"DELETE FROM local.stellar.{table_id}_base WHERE TRUE")
        versions = ledgers.client.get_table(f"local.stellar.{table_id}_versions")
        versions.labels = {**versions.labels, **Folded(1, BEGIN, 4, closed_at(4)).to_labels()}
        ledgers.client.update_table(versions, ["labels"])
    ledgers.insert("accounts_base", account_id="GB", balance=(COINS - FEES) / 10**7 - lacked)
    for added, is_right in ((-lacked, True), (-lacked - 1, False), (1, False)):
        ledgers.sql(f"UPDATE local.stellar.accounts SET balance = 7.0 + {added} WHERE ledger_sequence = 8")
        assert (lumens_findings() == []) == is_right, added
