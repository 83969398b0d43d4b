"""Rows of `contract_data`: one per entry of contracts' storage that a ledger changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.asset_contracts import asset_of_contract
from stellar_etl.transforms.shared.contract_values import Value, forms
from stellar_etl.transforms.shared.entries import change_columns, key_columns
from stellar_etl.transforms.shared.values import asset_parts, camel, code_name
from stellar_etl.xdr import names

ENTRY_TYPE = names.CONTRACT_DATA

_BEFORE_KEY = 4 + 4 + 32
"""The bytes of a ledger key before the entry's own key: the entry's type, then the contract's address."""

_INFO = (names.SCV_VEC, [(names.SCV_SYMBOL, b"AssetInfo")])
_BALANCE = (names.SCV_SYMBOL, b"Balance")
_CREDITS = ((names.SCV_SYMBOL, b"AlphaNum4"), (names.SCV_SYMBOL, b"AlphaNum12"))


def items(ledger: Ledger) -> Iterator[Change]:
    """The changed entries except nonces, which only the network writes."""
    for change in ledger.changes.get(ENTRY_TYPE, ()):
        if change.content["key"][0] != names.SCV_LEDGER_KEY_NONCE:
            yield change


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """Return one entry's row; the value of an evicted entry is unknown.

    Raises:
        ValueError: it is not a contract's entry.
    """
    data = change.content
    kind, contract = data["contract"]
    if kind != names.SC_ADDRESS_TYPE_CONTRACT:
        raise ValueError(f"its owner is a {names.SCAddressType[kind]}, not a contract")
    key = data["key"]
    encoded_key, decoded_key = forms(change.key[_BEFORE_KEY:-4], key)
    value = data.get("val")
    encoded, decoded = forms(data["val_raw"], value) if value else (None, None)
    asset = _asset(contract, key, value, ledger.network) if value else None
    type_, code, issuer, _ = asset_parts(asset) if asset else ("", "", "", 0)
    holder, balance = (_balance(key, value) if value else None) or ("", "")
    return {
        "contract_id": strkey.contract(contract),
        "contract_key_type": f"ScValType{camel(names.SCValType[key[0]])}",
        "contract_durability": code_name("ContractDataDurability", data["durability"]),
        "asset_code": code,
        "asset_issuer": issuer,
        "asset_type": type_,
        "balance_holder": holder,
        "balance": balance,
        **key_columns(change),
        "key": encoded_key,
        "key_decoded": decoded_key,
        "val": encoded,
        "val_decoded": decoded,
        "contract_data_xdr": base64(data["raw"]) if value else None,
        **change_columns(ledger, change.kind, change.entry),
    }


def _asset(contract: bytes, key: Value, value: Value, network: bytes) -> tuple[int, Any] | None:
    """The asset of its own contract, if the entry is the contract itself; the contract of lumens names no asset.

    Any contract can claim to be an asset's contract, so its id decides
    (https://github.com/stellar/rs-soroban-env, `native_contract/token/asset_info.rs`).
    """
    if key[0] != names.SCV_LEDGER_KEY_CONTRACT_INSTANCE or value[0] != names.SCV_CONTRACT_INSTANCE:
        return None
    info = next((entry["val"] for entry in value[1]["storage"] or () if entry["key"] == _INFO), None)
    match info:
        case (names.SCV_VEC, [credit, (names.SCV_MAP, [code, issuer])]) if credit in _CREDITS:
            pass
        case _:
            return None
    match code, issuer:
        case (
            {"key": (names.SCV_SYMBOL, b"asset_code"), "val": (names.SCV_STRING, text)},
            {"key": (names.SCV_SYMBOL, b"issuer"), "val": (names.SCV_BYTES, account)},
        ):
            return asset_of_contract(contract, text + b":" + strkey.account(account).encode(), network)
    return None


def _balance(key: Value, value: Value) -> tuple[str, str] | None:
    """A contract that holds an asset, and its stroops, from the entry of the asset's contract.

    Other contracts whose entries have the same form count too
    (https://github.com/stellar/rs-soroban-env, `native_contract/token/storage_types.rs`).
    """
    match key, value:
        case (
            (names.SCV_VEC, [balance, (names.SCV_ADDRESS, (names.SC_ADDRESS_TYPE_CONTRACT, holder))]),
            (
                names.SCV_MAP,
                [
                    {"key": (names.SCV_SYMBOL, b"amount"), "val": (names.SCV_I128, amount)},
                    {"key": (names.SCV_SYMBOL, b"authorized"), "val": (names.SCV_BOOL, _)},
                    {"key": (names.SCV_SYMBOL, b"clawback"), "val": (names.SCV_BOOL, _)},
                ],
            ),
        ) if balance == _BALANCE and amount["hi"] >= 0:
            return strkey.contract(holder), str((amount["hi"] << 64) + amount["lo"])
    return None
