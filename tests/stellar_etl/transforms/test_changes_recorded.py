"""Rows of ledger entries of the reference exporter: stated by its unit tests, and recorded from mainnet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Asset, BumpSequence, Keypair, xdr

from stellar_etl.transforms.registry import STATE
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import PASSPHRASE, Tx, change, ledger, restored
from tests.stellar_etl.program import Row, as_set, rows, succeed
from tests.stellar_etl.transforms.test_vectors import VECTORS, kept

pytestmark = needs_shared

EXAMPLES = SHARED / "golden" / "format-examples"
KINDS = {"accounts", "signers", "trustlines", "offers", "contract_code", "ttl", "config_settings"}

NEVER_NULL = {"sequence_ledger": 0, "sequence_time": 0}
"""Values that the reader of the vectors returned as null: the reference exporter writes 0 for them."""


def cases() -> list[dict[str, Any]]:
    path = VECTORS / "vectors.json"
    return [case for case in json.loads(path.read_text()) if case["kind"] in STATE] if path.exists() else []


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["slug"])
def test_an_export_writes_the_stated_rows(tmp_path: Path, case: dict[str, Any]) -> None:
    sequence = case["ledger_sequence"]
    succeed(
        *("export_ledger_entry_changes", "-s", sequence, "-e", sequence, "-o", tmp_path),
        *("--datastore-path", VECTORS / "lake" / case["slug"], "--no-verify", "--strict-export"),
    )
    stated = [
        row | {key: value for key, value in NEVER_NULL.items() if key in row and row[key] is None}
        for row in case["expected_in_lake"]
    ]
    written = rows(tmp_path / f"{sequence}-{sequence}-{case['kind']}.txt")
    assert kept(written, case["ignore_columns"]) == kept(stated, case["ignore_columns"])


def test_all_kinds_of_changes_are_stated() -> None:
    assert {case["kind"] for case in cases()} == KINDS


# Recorded rows without their ledgers: each entry is built from its row, and must give the row again ------------------


def recorded(type_: str) -> list[Row]:
    path = EXAMPLES / f"{type_}.ndjson"
    return rows(path) if path.exists() else []


def account_id(address: str) -> xdr.AccountID:
    return Keypair.from_public_key(address).xdr_account_id()


def asset(row: Row, prefix: str) -> xdr.Asset:
    native = row[f"{prefix}type"] == "native"
    found = Asset.native() if native else Asset(row[f"{prefix}code"], row[f"{prefix}issuer"])
    return found.to_xdr_object()


def stroops(units: float) -> xdr.Int64:
    return xdr.Int64(round(units * 10**7))


def hashed(hexadecimal: str) -> xdr.Hash:
    return xdr.Hash(bytes.fromhex(hexadecimal))


def claimable_balance(row: Row) -> dict[str, Any]:
    v1 = xdr.ClaimableBalanceEntryExtensionV1(xdr.ClaimableBalanceEntryExtensionV1Ext(0), xdr.Uint32(row["flags"]))
    assert all(one["predicate"] == {"unconditional": True} for one in row["claimants"])
    always = xdr.ClaimPredicate(xdr.ClaimPredicateType.CLAIM_PREDICATE_UNCONDITIONAL)
    claimants = [xdr.ClaimantV0(account_id(one["destination"]), always) for one in row["claimants"]]
    return {
        "claimable_balance": xdr.ClaimableBalanceEntry(
            xdr.ClaimableBalanceID.from_xdr_bytes(bytes.fromhex(row["balance_id"])),
            [xdr.Claimant(xdr.ClaimantType.CLAIMANT_TYPE_V0, v0) for v0 in claimants],
            asset(row, "asset_"),
            stroops(row["asset_amount"]),
            xdr.ClaimableBalanceEntryExt(1, v1) if row["flags"] else xdr.ClaimableBalanceEntryExt(0),
        )
    }


def liquidity_pool(row: Row) -> dict[str, Any]:
    parameters = xdr.LiquidityPoolConstantProductParameters(
        asset(row, "asset_a_"), asset(row, "asset_b_"), xdr.Int32(row["fee"])
    )
    amounts = (stroops(row[name]) for name in ("asset_a_amount", "asset_b_amount", "pool_share_count"))
    product = xdr.LiquidityPoolEntryConstantProduct(parameters, *amounts, xdr.Int64(row["trustline_count"]))
    body = xdr.LiquidityPoolEntryBody(xdr.LiquidityPoolType.LIQUIDITY_POOL_CONSTANT_PRODUCT, product)
    id_ = xdr.PoolID(hashed(row["liquidity_pool_id"]))
    return {"liquidity_pool": xdr.LiquidityPoolEntry(id_, body)}


def contract_data(row: Row) -> dict[str, Any]:
    return {"contract_data": xdr.ContractDataEntry.from_xdr(row["contract_data_xdr"])}


def contract_code(row: Row) -> dict[str, Any]:
    ext = xdr.ContractCodeEntryExt(row["contract_code_ext_v"])
    return {"contract_code": xdr.ContractCodeEntry(ext, hashed(row["contract_code_hash"]), b"")}


def ttl(row: Row) -> dict[str, Any]:
    return {"ttl": xdr.TTLEntry(hashed(row["key_hash"]), xdr.Uint32(row["live_until_ledger_seq"]))}


def restored_entry(row: Row) -> dict[str, Any]:
    key = xdr.LedgerKey.from_xdr(row["ledger_key_hash"])
    if key.ttl is not None:
        return {"ttl": xdr.TTLEntry(key.ttl.key_hash, xdr.Uint32(0))}
    data = key.contract_data
    assert data is not None
    nothing = xdr.SCVal(xdr.SCValType.SCV_VOID)
    ext = xdr.ExtensionPoint(0)
    return {"contract_data": xdr.ContractDataEntry(ext, data.contract, data.key, data.durability, nothing)}


MAKERS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "claimable_balances": claimable_balance,
    "liquidity_pools": liquidity_pool,
    "contract_data": contract_data,
    "contract_code": contract_code,
    "ttl": ttl,
    "restored_key": restored_entry,
}


def entry(type_: str, row: Row, last_modified: int) -> xdr.LedgerEntry:
    data = MAKERS[type_](row)
    (name,) = data
    ext = xdr.LedgerEntryExt(0)
    if row.get("sponsor"):
        sponsor = xdr.SponsorshipDescriptor(account_id(row["sponsor"]))
        ext = xdr.LedgerEntryExt(1, xdr.LedgerEntryExtensionV1(sponsor, xdr.LedgerEntryExtensionV1Ext(0)))
    kind = xdr.LedgerEntryType[name.upper()]
    return xdr.LedgerEntry(xdr.Uint32(last_modified), xdr.LedgerEntryData(kind, **data), ext)


def changes(type_: str, row: Row) -> Sequence[xdr.LedgerEntryChange]:
    now = entry(type_, row, row["last_modified_ledger"])
    if type_ == "restored_key":
        return restored(now)
    before = entry(type_, row, row["last_modified_ledger"] - 1)
    return {0: change(None, now), 1: change(before, now), 2: change(now, None)}[row["ledger_entry_change"]]


@pytest.mark.parametrize("type_", MAKERS)
def test_an_entry_built_from_a_recorded_row_gives_that_row(tmp_path: Path, type_: str) -> None:
    found = recorded(type_)
    assert found
    for number, row in enumerate(found):
        closed = int(datetime.fromisoformat(row["closed_at"]).timestamp())
        tx = Tx([BumpSequence(1)], changes=[changes(type_, row)])
        data = ledger(tx, sequence=row["ledger_sequence"], close_time=closed)
        made = export(tmp_path / str(number), [data], PASSPHRASE, type_)
        assert as_set(made.rows[type_]) == as_set([row])


def json_type(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.fixture(scope="module")
def sample(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changes")
    succeed("export_ledger_entry_changes", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", folder)
    return folder


@pytest.mark.parametrize("type_", [*MAKERS, "config_settings"])
def test_every_column_has_the_recorded_type(sample: Path, type_: str) -> None:
    written, examples = rows(sample / f"3-42-{type_}.txt"), recorded(type_)
    assert written
    recorded_types: dict[str, set[str]] = {}
    for row in examples:
        for column, value in row.items():
            recorded_types.setdefault(column, set()).add(json_type(value))
    for row in written:
        assert row.keys() == recorded_types.keys()
        assert set(row) == set(STATE[type_].columns)
        for column, value in row.items():
            if value is not None and not column.endswith("_decoded"):  # JSON of any type
                assert json_type(value) in recorded_types[column] | ({"str"} if column == "sponsor" else set()), column
