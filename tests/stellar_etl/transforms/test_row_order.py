"""The order of rows, where the reference exporter has one."""

from __future__ import annotations

from pathlib import Path

from stellar_sdk import Asset, BumpSequence, ManageSellOffer, Payment, Price, xdr

from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    BOB,
    ISSUER,
    KEYS,
    PASSPHRASE,
    USD,
    Tx,
    account,
    change,
    ledger,
    offers_claimed,
    succeeded,
)


def test_assets_are_in_the_order_of_the_transaction_set(tmp_path: Path) -> None:
    codes = ["CCC", "AAA", "BBB"]
    transactions = [Tx([Payment(BOB, Asset(code, ISSUER), "1")]) for code in codes]
    sell = ManageSellOffer(USD, Asset.native(), "1", Price(1, 1))
    transactions.append(Tx([sell], results=[succeeded(sell.to_xdr_object(), offers_claimed([]))]))
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger(*transactions))
    assert meta.v1 is not None
    meta.v1.tx_processing.reverse()  # applied in another order
    made = export(tmp_path, [meta.to_xdr_bytes()], PASSPHRASE, "assets", verify=False)
    assert [row["asset_code"] for row in made.rows["assets"]] == [*codes, "USD"]


def test_changes_of_an_operation_are_in_the_order_of_ledger_keys(tmp_path: Path) -> None:
    addresses = [key.public_key for key in KEYS[:6]]
    first, second = addresses[3:], addresses[:3]
    lists = [
        [one for address in some for one in change(account(address, 1), account(address, 2))]
        for some in (first, second)
    ]
    made = export(tmp_path, [ledger(Tx([BumpSequence(1)] * 2, changes=lists))], PASSPHRASE, "accounts")
    raw = {key.public_key: key.raw_public_key() for key in KEYS}
    expected = [*sorted(first, key=raw.__getitem__), *sorted(second, key=raw.__getitem__)]
    assert [row["account_id"] for row in made.rows["accounts"]] == expected
