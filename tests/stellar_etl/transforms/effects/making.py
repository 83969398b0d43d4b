"""Operations that no recorded ledger has, and their effects as an export writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    MuxedAccount,
    Operation,
    SignerKey,
    xdr,
)

from stellar_etl.transforms.effects import TYPES
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    CLOSED_AT,
    ISSUER,
    PASSPHRASE,
    POOL_ID,
    SEQUENCE,
    Tx,
    balance_id,
    ledger,
    muxed,
    succeeded,
)

Effect = tuple[str, str, dict[str, Any]]

OPERATION_ID = SEQUENCE << 32 | 1 << 12 | 1
USD_PARTS = {"asset_type": "credit_alphanum4", "asset_code": "USD", "asset_issuer": ISSUER}
USD_NAME, LONG_NAME = f"USD:{ISSUER}", f"LONGCODE:{ISSUER}"
ALICE_7 = muxed(ALICE, 7)
MUXED_SELLER = {"seller": ALICE, "seller_muxed": ALICE_7, "seller_muxed_id": 7}
ALL_FOUR = ["trade", "offer_updated", "offer_removed", "offer_created"]


class Effects:
    """Export effects, and record their types."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, folder: Path, *transactions: Tx, version: int = 1) -> list[Effect]:
        """Return the account, type and details of each effect; the rest of the row is checked here."""
        made = export(folder, [ledger(*transactions, version=version)], PASSPHRASE, "effects").rows["effects"]
        of_operation: dict[int, int] = {}
        for row in made:
            index = of_operation.setdefault(row["operation_id"], 0)
            of_operation[row["operation_id"]] += 1
            assert (row["index"], row["id"]) == (index, f"{row['operation_id']}-{index}")
            assert (row["closed_at"], row["ledger_sequence"]) == (CLOSED_AT, SEQUENCE)
            assert row["type"] == TYPES[row["type_string"]]
            if row["address_muxed"] is not None:
                assert MuxedAccount.from_account(row["address_muxed"]).account_id == row["address"]
        self.seen.update(row["type_string"] for row in made)
        return [(row["address_muxed"] or row["address"], row["type_string"], row["details"]) for row in made]

    def assert_seen(self, types: frozenset[str], request: pytest.FixtureRequest) -> None:
        """Check that the tests of a file saw exactly these types, if all of them ran."""
        tests = {name for name in vars(request.module) if name.startswith("test_")}
        ran = {
            item.originalname
            for item in request.session.items
            if isinstance(item, pytest.Function) and item.module is request.module
        }
        if not ran >= tests:
            pytest.skip("needs all tests of this file")
        assert self.seen == types


def one(operation: Operation, *changed: Sequence[xdr.LedgerEntryChange], content: Any = None, **attributes: Any) -> Tx:
    """Return a transaction with one operation, its changes, and the content of its result."""
    changes = [[entry for some in changed for entry in some]]
    result = succeeded(operation.to_xdr_object(), content)
    return Tx([operation], results=[result], changes=changes, **attributes)


def hash_x(number: int) -> xdr.SignerKey:
    return SignerKey.sha256_hash(bytes([number]) * 32).to_xdr_object()


def text_of(key: xdr.SignerKey) -> str:
    return SignerKey.from_xdr_object(key).encoded_signer_key


def pool_details(a: str, b: str, shares: str, lines: str = "1") -> dict[str, Any]:
    return {
        "id": POOL_ID.hex(),
        "fee_bp": 30,
        "type": "constant_product",
        "total_trustlines": lines,
        "total_shares": shares,
        "reserves": [{"asset": "native", "amount": a}, {"asset": USD_NAME, "amount": b}],
    }


def balance_hex(number: int) -> str:
    return balance_id(number).to_xdr_bytes().hex()


def sides(seller: str, buyer: str, buyer_details: dict[str, Any], types: Sequence[str]) -> list[Effect]:
    """Return both sides' effects of one claim of 3 USD for 6 lumens, in stroops."""
    usd = {"asset_type": "credit_alphanum4", "asset_code": "USD", "asset_issuer": ISSUER}
    bought = {f"bought_{key}": value for key, value in usd.items()}
    sold = {f"sold_{key}": value for key, value in usd.items()}
    for_buyer = {
        "offer_id": 77,
        "seller": seller,
        "bought_amount": "0.0000003",
        "sold_amount": "0.0000006",
        **bought,
        "sold_asset_type": "native",
    }
    for_seller = {
        "offer_id": 77,
        **buyer_details,
        "bought_amount": "0.0000006",
        "sold_amount": "0.0000003",
        **sold,
        "bought_asset_type": "native",
    }
    return [made for type_ in types for made in ((buyer, type_, for_buyer), (seller, type_, for_seller))]
