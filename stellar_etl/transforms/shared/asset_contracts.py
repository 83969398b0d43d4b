"""Assets in contracts: their XDR, their own contract, and the events of that contract."""

from __future__ import annotations

import hashlib
from base64 import b32decode
from functools import lru_cache
from typing import Any, NamedTuple

from stellar_etl.ledgers import strkey
from stellar_etl.transforms.shared.events import moved_amount
from stellar_etl.transforms.shared.values import text
from stellar_etl.xdr import names


def asset_xdr(asset: tuple[int, Any]) -> bytes:
    """The XDR of an `Asset` or a `TrustLineAsset`."""
    kind, value = asset
    data = kind.to_bytes(4, "big")
    if kind == names.ASSET_TYPE_NATIVE:
        return data
    if kind == names.ASSET_TYPE_POOL_SHARE:
        return data + bytes(value)
    return data + bytes(value["assetCode"]) + bytes(4) + bytes(value["issuer"][1])


def pool_id(parameters: tuple[int, Any]) -> bytes:
    """The id of the pool with these parameters: the SHA-256 of their XDR."""
    kind, content = parameters
    assets, fee = asset_xdr(content["assetA"]) + asset_xdr(content["assetB"]), int(content["fee"])
    return hashlib.sha256(kind.to_bytes(4, "big") + assets + fee.to_bytes(4, "big", signed=True)).digest()


class AssetEvent(NamedTuple):
    """A change of balances, as an asset's own contract reports it.

    Attributes:
        name: `transfer`, `mint`, `clawback` or `burn`.
        asset: the asset, an `Asset`.
        giver: the `SCAddress` that lost it, None for a mint.
        receiver: the one that received it, None for a clawback or a burn.
        stroops: how much.
    """

    name: str
    asset: tuple[int, Any]
    giver: tuple[int, Any] | None
    receiver: tuple[int, Any] | None
    stroops: int


_MOVES: dict[tuple[bytes, int], tuple[int | None, int | None]] = {
    (b"transfer", 4): (1, 2),
    (b"mint", 3): (None, 1),
    (b"clawback", 3): (1, None),
    (b"burn", 3): (1, None),
    # Before protocol 23 the administrator came first (CAP-67).
    (b"mint", 4): (None, 2),
    (b"clawback", 4): (2, None),
}
"""For each event of an asset's contract and its number of topics: the topics of the giver and of the receiver.

The reference exporter supports only the forms from before protocol 23, and no amount with a receiver's muxed id
(https://github.com/stellar/go-stellar-sdk/issues/5662).
"""


def asset_event(event: dict[str, Any], network: bytes) -> AssetEvent | None:
    """Return the change of balances in a `ContractEvent`, None for any other event than an asset's own contract's."""
    topics, data = event["body"][1]["topics"], event["body"][1]["data"]
    if not 3 <= len(topics) <= 4 or topics[0][0] != names.SCV_SYMBOL or event["type"] != names.CONTRACT:
        return None
    parties = _MOVES.get((topics[0][1], len(topics)))
    *addresses, last = (kind for kind, _ in topics[1:])
    if parties is None or last != names.SCV_STRING or any(kind != names.SCV_ADDRESS for kind in addresses):
        return None
    moved = moved_amount(data)
    asset = asset_of_contract(event["contractID"], topics[-1][1], network)
    if moved is None or asset is None:
        return None
    gave, got = (None if place is None else topics[place][1] for place in parties)
    return AssetEvent(text(topics[0][1]), asset, gave, got, moved[0])


@lru_cache(maxsize=65536)
def asset_of_contract(contract: bytes | None, name: bytes, network: bytes) -> tuple[int, Any] | None:
    """The asset that a contract names, None if it is not that asset's contract: any contract can claim a name."""
    asset = _asset_by_name(name)
    if asset is None:
        return None
    preimage = names.CONTRACT_ID_PREIMAGE_FROM_ASSET.to_bytes(4, "big") + asset_xdr(asset)
    own = hashlib.sha256(names.ENVELOPE_TYPE_CONTRACT_ID.to_bytes(4, "big") + network + preimage).digest()
    return asset if contract == own else None


def _asset_by_name(name: bytes) -> tuple[int, Any] | None:
    """Return the asset of `native` or `CODE:ISSUER`, None for other texts."""
    if name == b"native":
        return names.ASSET_TYPE_NATIVE, None
    code, _, issuer = name.partition(b":")
    try:
        key = b32decode(issuer)[1:33]
    except ValueError:
        return None
    if not 1 <= len(code) <= 12 or strkey.account(key).encode() != issuer:
        return None
    short = len(code) <= 4
    kind = names.ASSET_TYPE_CREDIT_ALPHANUM4 if short else names.ASSET_TYPE_CREDIT_ALPHANUM12
    return kind, {"assetCode": code.ljust(4 if short else 12, b"\0"), "issuer": (names.PUBLIC_KEY_TYPE_ED25519, key)}
