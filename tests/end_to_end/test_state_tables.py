"""The point-in-time tables against what the sample network's own generator says it holds in the end."""

from __future__ import annotations

import json

import pytest
from stellar_sdk import xdr

from stellar_etl import strkey
from stellar_etl.ledger import network_id
from stellar_etl.transforms.token_transfers import contract_id
from stellar_etl_airflow.tables import CHANGES
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import Field, canonical, schema
from tests.end_to_end.test_sample_network import FIRST, trigger, wait_for
from tests.stellar_etl.made import ledger_key
from tests.stellar_etl.replay import Id, Row, compare, id_of, identity, is_told, values

pytestmark = pytest.mark.end_to_end

DAG = "state_table_export"


@pytest.fixture(scope="module")
def whole(sample: Sample) -> Sample:
    """The stack with all of the lake's changes, newer ones first, and some of them again."""
    newest = max(int(path.name.split("--")[1].split(".")[0]) for path in sample.stack.sample_lake.glob("*/*.zst"))
    for run_id, (first, last) in {"newer": (200, newest), "older": (FIRST, 230), "late": (40, 90)}.items():
        trigger(sample.stack, DAG, run_id, {"start_ledger": first, "end_ledger": last})
        sample.stack.rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        assert wait_for(sample.stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed", seconds=300) == "success"
    return sample


def current(sample: Sample, type_: str) -> dict[Id, Row]:
    rows = sample.stack.query(f"SELECT * FROM {CHANGES[type_].table_id}_current")
    found = {id_of(type_, row): row for row in rows}
    assert len(found) == len(rows), f"an entry of {type_} stands there twice"
    return found


def test_every_entry_is_there_and_none_else(whole: Sample) -> None:
    held: dict[str, dict[Id, Row]] = {}
    for group in json.loads((whole.stack.sample_lake / "state.json").read_text())["entries"].values():
        for one in group:
            entry = xdr.LedgerEntry.from_xdr(one["ledger_entry"])
            if is_told(key := ledger_key(entry)):
                type_, id_ = identity(key)
                held.setdefault(type_, {})[id_] = values(entry)
    assert held.keys() == CHANGES.keys() - {"signers", "restored_key"}
    for type_, entries in held.items():
        fields = schema(CHANGES[type_].table_id)
        found = {id_: told(row, fields, entries.get(id_, {})) for id_, row in current(whole, type_).items()}
        compare(found, {id_: told(row, fields, row) for id_, row in entries.items()}, type_)


def told(row: Row, fields: list[Field], columns: Row) -> Row:
    """Some columns of a row, in the form that the table's schema gives them."""
    return canonical(row, [field for field in fields if field["name"] in columns])


def test_signers_are_those_of_the_accounts(whole: Sample) -> None:
    state = json.loads((whole.stack.sample_lake / "state.json").read_text())["entries"]["accounts"]
    others = {
        (account["account_id"], one["signer"]): (one["weight"], one["sponsor"])
        for account in state
        for one in account["signers"]
    }
    found = {id_: (row["weight"], row["sponsor"]) for id_, row in current(whole, "signers").items()}
    assert {id_: told for id_, told in found.items() if id_[0] != id_[1]} == others


def test_lumens_are_as_many_as_the_headers_say(whole: Sample) -> None:
    sums = " + ".join(
        f"(SELECT COALESCE(SUM(CAST(ROUND({column} * 1e7) AS INT64)), 0) FROM {table}_current WHERE {where})"
        for table, column, where in (
            ("accounts", "balance", "TRUE"),
            ("claimable_balances", "asset_amount", "asset_type = 'native'"),
            ("liquidity_pools", "asset_a_amount", "asset_a_type = 'native'"),
        )
    )
    state = json.loads((whole.stack.sample_lake / "state.json").read_text())
    lumens = strkey.contract(contract_id(network_id(state["network_passphrase"]), "native"))
    contracts = (
        "(SELECT COALESCE(SUM(CAST(balance AS INT64)), 0) FROM contract_data_current "
        f"WHERE contract_id = '{lumens}' AND balance <> '')"
    )
    (row,) = whole.stack.query(f"SELECT {sums} + {contracts} AS lumens")
    assert row["lumens"] + state["fee_pool"] == state["total_coins"]
