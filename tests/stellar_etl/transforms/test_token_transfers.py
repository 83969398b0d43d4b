"""Token transfers from unified events of crafted transactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Asset, Payment, StrKey, scval, xdr

from stellar_etl.errors import ExportError
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    CLOSED_AT,
    ISSUER,
    LONG,
    NATIVE,
    PASSPHRASE,
    SEQUENCE,
    USD,
    Tx,
    contract_of,
    event,
    fee_event,
    ledger,
    muxed,
    token_event,
)
from tests.stellar_etl.program import Row

PAYMENT = Payment(BOB, USD, "1")
TRANSACTION_ID = SEQUENCE << 32 | 1 << 12
OWN = b"\5" * 32
"""The id of a contract that is not an asset's."""


def transfers(folder: Path, *transactions: Tx, protocol: int = 22) -> list[Row]:
    made = ledger(*transactions, protocol=protocol)
    return export(folder, [made], PASSPHRASE, "token_transfers").rows["token_transfers"]


def of(folder: Path, *events: xdr.ContractEvent) -> list[Row]:
    """Return the rows of an operation's events."""
    fee, *rest = transfers(folder, Tx([PAYMENT], events=[events]))
    assert fee["event_topic"] == "fee"
    return rest


def data(amount: int, muxed_id: xdr.SCVal | None = None) -> xdr.SCVal:
    fields = {scval.to_symbol("amount"): scval.to_int128(amount)}
    return scval.to_map(fields if muxed_id is None else {**fields, scval.to_symbol("to_muxed_id"): muxed_id})


def contract(asset: Asset) -> str:
    return StrKey.encode_contract(contract_of(asset))


def test_a_transfer_and_its_fee_have_rows(tmp_path: Path) -> None:
    fee, row = transfers(tmp_path, Tx([PAYMENT], events=[[token_event("transfer", ALICE, BOB, amount=100)]]))
    assert row == {
        "transaction_hash": fee["transaction_hash"],
        "transaction_id": TRANSACTION_ID,
        "operation_id": TRANSACTION_ID | 1,
        "event_topic": "transfer",
        "from": ALICE,
        "to": BOB,
        "asset": f"credit_alphanum4:USD:{ISSUER}",
        "asset_type": "credit_alphanum4",
        "asset_code": "USD",
        "asset_issuer": ISSUER,
        "amount": 0.000009999999999999999,
        "amount_raw": "100",
        "contract_id": contract(USD),
        "ledger_sequence": SEQUENCE,
        "closed_at": CLOSED_AT,
        "to_muxed": None,
        "to_muxed_id": None,
        "event_index": 1,
    }
    assert fee == {
        **row,
        "event_index": 0,
        "operation_id": None,
        "event_topic": "fee",
        "to": None,
        "asset": "native",
        "asset_type": "native",
        "asset_code": None,
        "asset_issuer": None,
        "contract_id": contract(NATIVE),
    }


@pytest.mark.parametrize(
    ("name", "parties", "sender", "receiver"),
    [
        ("transfer", (ALICE, BOB), ALICE, BOB),
        ("mint", (BOB,), None, BOB),
        ("burn", (ALICE,), ALICE, None),
        ("clawback", (ALICE,), ALICE, None),
    ],
)
@pytest.mark.parametrize("asset", [NATIVE, USD, LONG], ids=["native", "short", "long"])
def test_events_of_an_assets_own_contract_have_rows(
    tmp_path: Path, name: str, parties: Sequence[str], sender: str | None, receiver: str | None, asset: Asset
) -> None:
    (row,) = of(tmp_path, token_event(name, *parties, amount=7, asset=asset))
    assert (row["event_topic"], row["from"], row["to"]) == (name, sender, receiver)
    assert row["amount_raw"] == "7"
    assert row["asset_type"] == asset.type
    assert row["contract_id"] == contract(asset)


@pytest.mark.parametrize(
    ("muxed_id", "address", "number"),
    [
        (scval.to_uint64(2**64 - 1), muxed(BOB, 2**64 - 1), str(2**64 - 1)),
        (scval.to_uint64(0), muxed(BOB, 0), "0"),
        # A memo that is not a number is not an account's id.
        (scval.to_bytes(b"\1" * 32), None, None),
        (scval.to_string("memo"), None, None),
        (None, None, None),
    ],
    ids=["number", "zero", "hash", "text", "none"],
)
def test_receivers_with_an_id_have_a_muxed_address(
    tmp_path: Path, muxed_id: xdr.SCVal, address: str | None, number: str | None
) -> None:
    (row,) = of(tmp_path, token_event("transfer", ALICE, BOB, amount=data(7, muxed_id)))
    assert (row["to"], row["to_muxed"], row["to_muxed_id"], row["amount_raw"]) == (BOB, address, number, "7")


def test_a_contract_has_no_muxed_address(tmp_path: Path) -> None:
    to = StrKey.encode_contract(OWN)
    (row,) = of(tmp_path, token_event("transfer", ALICE, to, amount=data(7, scval.to_uint64(1))))
    assert (row["to"], row["to_muxed"], row["to_muxed_id"]) == (to, "", "1")


def test_holders_may_be_neither_accounts_nor_contracts(tmp_path: Path) -> None:
    balance, pool = StrKey.encode_claimable_balance(b"\0" + b"\6" * 32), StrKey.encode_liquidity_pool(b"\7" * 32)
    (row,) = of(tmp_path, token_event("transfer", balance, pool, amount=7))
    assert (row["from"], row["to"]) == (balance, pool)


def token(name: str, *topics: Any, content: xdr.SCVal | None = None, kind: int = 1) -> xdr.ContractEvent:
    return event(OWN, [scval.to_symbol(name), *topics], content or scval.to_int128(7), kind)


WHO = scval.to_address(ALICE)


def test_tokens_without_an_asset_have_rows(tmp_path: Path) -> None:
    claim = scval.to_string(f"USD:{ISSUER}")
    large = scval.to_int128(2**100)
    made = of(tmp_path, token("transfer", WHO, WHO), token("mint", WHO, claim), token("burn", WHO, content=large))
    assert [(row["asset"], row["asset_type"], row["asset_code"]) for row in made] == [("", "", None)] * 3
    assert [row["amount_raw"] for row in made] == ["7", "7", str(2**100)]
    assert {row["contract_id"] for row in made} == {StrKey.encode_contract(OWN)}


def test_events_without_tokens_have_no_row(tmp_path: Path) -> None:
    amount = scval.to_int128(7)
    wrong_key = scval.to_map({scval.to_uint32(1): amount})
    assert not of(
        tmp_path,
        token("approve", WHO, WHO),
        token("transfer", WHO),
        token("transfer", WHO, scval.to_uint32(1)),
        token("mint"),
        token("mint", WHO, content=scval.to_uint64(7)),
        token("mint", WHO, content=scval.to_map({})),
        token("mint", WHO, content=wrong_key),
        token("mint", WHO, content=scval.to_map({scval.to_symbol("amount"): scval.to_uint64(7)})),
        token("mint", WHO, content=data(7, scval.to_uint32(1))),
        token("mint", WHO, kind=0),
        event(None, [scval.to_symbol("mint"), WHO], amount),
        event(OWN, [scval.to_string("mint"), WHO], amount),
        event(OWN, [], amount),
    )


def refunded(payer: str) -> Tx:
    transfer = token_event("transfer", payer, BOB, amount=1)
    return Tx([PAYMENT], events=[[transfer]], fees=[fee_event(payer, 500), fee_event(payer, -400)])


FEES = [("fee", ALICE), ("fee", CAROL)]


@pytest.mark.parametrize(
    ("protocol", "order"),
    [
        (
            22,
            [("fee", ALICE), ("fee", CAROL), ("transfer", ALICE), ("fee", ALICE), ("transfer", CAROL), ("fee", CAROL)],
        ),
        (
            23,
            [("fee", ALICE), ("fee", CAROL), ("transfer", ALICE), ("transfer", CAROL), ("fee", ALICE), ("fee", CAROL)],
        ),
    ],
)
def test_a_refund_is_a_negative_fee_after_the_transaction_or_after_all_transactions(
    tmp_path: Path, protocol: int, order: list[tuple[str, str]]
) -> None:
    made = transfers(tmp_path, refunded(ALICE), refunded(CAROL), protocol=protocol)
    assert [(row["event_topic"], row["from"]) for row in made] == order
    fees = [(row["amount_raw"], row["operation_id"]) for row in made if row["event_topic"] == "fee"]
    assert sorted(fees) == [("-400", None)] * 2 + [("500", None)] * 2


def test_a_failed_transaction_has_only_its_fee_event(tmp_path: Path) -> None:
    undone = token_event("transfer", ALICE, BOB, amount=1)
    made = transfers(tmp_path, Tx([PAYMENT], failed=True, events=[[undone]]))
    assert [(row["event_topic"], row["amount_raw"]) for row in made] == [("fee", "100")]


@pytest.mark.parametrize(
    ("fee", "problem"),
    [
        (event(OWN, fee_event(ALICE, 1).body.v0.topics, scval.to_int128(1)), "not of the contract of lumens"),
        (event(contract_of(NATIVE), [scval.to_symbol("fee")], scval.to_int128(1)), "one address and one amount"),
        (event(contract_of(NATIVE), [scval.to_symbol("fee"), WHO], scval.to_uint32(1)), "one address and one amount"),
    ],
)
def test_an_invalid_fee_is_an_error(tmp_path: Path, fee: xdr.ContractEvent, problem: str) -> None:
    with pytest.raises(ExportError, match=problem):
        transfers(tmp_path, Tx([PAYMENT], fees=[fee]))
