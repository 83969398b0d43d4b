"""Rows of `trust_lines`: one per trust line that a ledger changed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.farmhash import signed_fingerprint64
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.entries import change_columns, liabilities, of_type, sponsor
from stellar_etl.transforms.shared.values import account_id, amount, asset_parts, camel, pool_details
from stellar_etl.xdr import names

ENTRY_TYPE = names.TRUSTLINE

items = of_type(ENTRY_TYPE)

_NO_POOL = {"liquidity_pool_id": "", "liquidity_pool_id_strkey": ""}


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """One trust line's row; that of a pool's shares has a pool and no code or issuer."""
    line = change.content
    kind, asset = line["asset"]
    shares = kind == names.ASSET_TYPE_POOL_SHARE
    type_, code, issuer, _ = ("pool_share", "", "", 0) if shares else asset_parts(line["asset"])
    return {
        "ledger_key": base64(change.key),
        "account_id": account_id(line["accountID"]),
        "asset_code": code,
        "asset_issuer": issuer,
        "asset_type": type_,
        "asset_id": _asset_id(kind, code, issuer),
        "balance": amount(line["balance"]),
        "trust_line_limit": line["limit"],
        **(pool_details(asset) if shares else _NO_POOL),
        **liabilities(line),
        "flags": line["flags"],
        "sponsor": sponsor(change.entry),
        **change_columns(ledger, change.kind, change.entry),
    }


@lru_cache(maxsize=65536)
def _asset_id(kind: int, code: str, issuer: str) -> int:
    """An asset's id in the form of this table only: the reference exporter spells the type differently here."""
    return signed_fingerprint64(f"{code}{issuer}AssetType{camel(names.AssetType[kind])}".encode())
