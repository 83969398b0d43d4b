"""The point-in-time tables, compared with the final state of the sample network's generator."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from stellar_sdk import xdr

from local.stack import Stack
from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import network_id
from stellar_etl.transforms.token_transfers import contract_id
from stellar_etl_airflow.model.tables import CHANGES
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import Field, canonical, schema
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.stellar_etl.made import ledger_key
from tests.stellar_etl.replay import Id, Row, compare, id_of, identity, is_exported, values
from tests.waiting import RUN_PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

CHECKPOINT = 255
"""A checkpoint in the middle of the sample network's ledgers."""


def newest_ledger(stack: Stack) -> int:
    return max(int(path.name.split("--")[1].split(".")[0]) for path in stack.sample_lake.glob("*/*.zst"))


def load(stack: Stack, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    trigger(stack, dag_id, run_id, conf)
    stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
    assert wait_for(stack, f"dags/{dag_id}/dagRuns/{run_id}", "success", "failed") == "success"


@pytest.fixture(scope="module")
def replayed(sample: Sample) -> str:
    """The sample's dataset with the ledgers of its runs, after a late older batch."""
    load(sample.stack, "state_table_export", "newest", {"start_ledger": 340, "end_ledger": newest_ledger(sample.stack)})
    return "stellar"


@pytest.fixture(scope="module")
def begun(sample: Sample) -> Iterator[str]:
    """A dataset that begins with a full load, and has changes after and before it."""
    stack = sample.stack
    stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": "local", "datasetId": "begun"}})
    set_variable(stack, "bq_dataset", "begun")
    load(stack, "bucket_list_export", "full", {"checkpoint_ledger": CHECKPOINT})
    changes = {"start_ledger": CHECKPOINT - 40, "end_ledger": newest_ledger(stack)}
    load(stack, "state_table_export", "after", changes)
    yield "begun"
    set_variable(stack, "bq_dataset", "stellar")


@pytest.fixture(params=["replayed", pytest.param("begun", marks=pytest.mark.slow)])
def dataset(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def current(sample: Sample, dataset: str, type_: str) -> dict[Id, Row]:
    rows = sample.stack.query(f"SELECT * FROM {dataset}.{CHANGES[type_].table_id}_current")
    found = {id_of(type_, row): row for row in rows}
    assert len(found) == len(rows), f"an entry of {type_} appears twice"
    return found


def test_exactly_the_existing_entries_are_in_the_tables(sample: Sample, dataset: str) -> None:
    expected: dict[str, dict[Id, Row]] = {}
    for group in json.loads((sample.stack.sample_lake / "state.json").read_text())["entries"].values():
        for one in group:
            entry = xdr.LedgerEntry.from_xdr(one["ledger_entry"])
            if is_exported(key := ledger_key(entry)):
                type_, id_ = identity(key)
                expected.setdefault(type_, {})[id_] = values(entry)
    assert expected.keys() == CHANGES.keys() - {"signers", "restored_key"}
    for type_, entries in expected.items():
        fields = schema(CHANGES[type_].table_id)
        found = {
            id_: comparable(row, fields, entries.get(id_, {})) for id_, row in current(sample, dataset, type_).items()
        }
        compare(found, {id_: comparable(row, fields, row) for id_, row in entries.items()}, type_)


def comparable(row: Row, fields: list[Field], columns: Row) -> Row:
    """Return some columns of a row, in the form of the table's schema."""
    return canonical(row, [field for field in fields if field["name"] in columns])


def test_signers_belong_to_their_accounts(sample: Sample, dataset: str) -> None:
    state = json.loads((sample.stack.sample_lake / "state.json").read_text())["entries"]["accounts"]
    others = {
        (account["account_id"], one["signer"]): (one["weight"], one["sponsor"])
        for account in state
        for one in account["signers"]
    }
    found = {id_: (row["weight"], row["sponsor"]) for id_, row in current(sample, dataset, "signers").items()}
    assert {id_: comparable for id_, comparable in found.items() if id_[0] != id_[1]} == others


def test_lumens_agree_with_the_headers(sample: Sample, dataset: str) -> None:
    sums = " + ".join(
        f"(SELECT COALESCE(SUM(CAST(ROUND({column} * 1e7) AS INT64)), 0) FROM {dataset}.{table}_current WHERE {where})"
        for table, column, where in (
            ("accounts", "balance", "TRUE"),
            ("claimable_balances", "asset_amount", "asset_type = 'native'"),
            ("liquidity_pools", "asset_a_amount", "asset_a_type = 'native'"),
        )
    )
    state = json.loads((sample.stack.sample_lake / "state.json").read_text())
    lumens = strkey.contract(contract_id(network_id(state["network_passphrase"]), "native"))
    contracts = (
        f"(SELECT COALESCE(SUM(CAST(balance AS INT64)), 0) FROM {dataset}.contract_data_current "
        f"WHERE contract_id = '{lumens}' AND balance <> '')"
    )
    (row,) = sample.stack.query(f"SELECT {sums} + {contracts} AS lumens")
    assert row["lumens"] + state["fee_pool"] == state["total_coins"]


WAITING = ("awaiting_input", "deferred")
"""The states of a task that waits for an approval."""
RECORDS = {
    "history_archives_dag_runs",
    "ledger_batches",
    "ledger_coverage",
    "ledger_ranges",
    "ledger_watermarks",
}
"""The tables and views of the project's records, which a reset keeps."""


@pytest.mark.slow
def test_a_reset_waits_for_approval_and_then_leaves_only_records(sample: Sample, begun: str) -> None:
    stack, dag_id = sample.stack, "dataset_reset"
    path = f"dags/{dag_id}/dagRuns/reset"
    trigger(stack, dag_id, "reset", {"what": "dataset", "dry_run": False})
    stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
    wait_for(stack, f"{path}/taskInstances/approve", *WAITING)
    details = stack.rest("GET", f"{path}/taskInstances/approve/-1/hitlDetails")
    assert "`begun.accounts_" not in details["body"]
    assert f"`begun.accounts`: {count(stack, 'begun.accounts')} rows, the whole table" in details["body"]
    # The test waits, as a user does: a task that resumes before the scheduler has noted its deferral counts as killed
    # and is retried. On a busy machine that takes longer, and the next try asks again.
    time.sleep(5)
    approved: set[int] = set()

    def is_done() -> str:
        approve = stack.rest("GET", f"{path}/taskInstances/approve")
        if approve["state"] in WAITING and approve["try_number"] not in approved:
            stack.rest("PATCH", f"{path}/taskInstances/approve/-1/hitlDetails", {"chosen_options": ["Approve"]})
            approved.add(approve["try_number"])
        state = str(stack.rest("GET", path)["state"])
        return state if state in ("success", "failed") else ""

    assert wait_until(is_done, f"{path} does not end", RUN_PATIENCE, pause=0.5) == "success"
    listed = stack.bigquery("GET", "datasets/begun/tables?maxResults=1000").get("tables", [])
    assert {table["tableReference"]["tableId"] for table in listed} == RECORDS
    assert count(stack, "begun.history_archives_dag_runs") == 0
    assert "stellar_network" not in stack.bigquery("GET", "datasets/begun").get("labels", {})


def count(stack: Stack, table: str) -> int:
    (row,) = stack.query(f"SELECT COUNT(*) AS n FROM {table}")
    return int(row["n"])
