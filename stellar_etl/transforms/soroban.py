"""Smart contract operations: what they call and what they touch."""

from __future__ import annotations

import hashlib
from base64 import b32decode
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Transaction
from stellar_etl.transforms.contract_values import ARMS, address, forms, value_text
from stellar_etl.transforms.events import moved_amount
from stellar_etl.transforms.values import amount_text, asset_canonical, asset_details, code_name, text
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
    """The id of the pool that these parameters make: the SHA-256 of their XDR."""
    kind, content = parameters
    assets, fee = asset_xdr(content["assetA"]) + asset_xdr(content["assetB"]), int(content["fee"])
    return hashlib.sha256(kind.to_bytes(4, "big") + assets + fee.to_bytes(4, "big", signed=True)).digest()


class AssetEvent(NamedTuple):
    """What an asset's own contract reported.

    Attributes:
        name: `transfer`, `mint`, `clawback` or `burn`.
        asset: the asset, an `Asset`.
        giver: the `SCAddress` that has less of it now, None for a mint.
        receiver: the one that has more of it now, None for a clawback or a burn.
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
"""For each event of an asset's contract and its number of topics which topic gives, and which receives.

The reference exporter knows the forms from before protocol 23 only, and no amount beside a receiver's muxed id
(https://github.com/stellar/go-stellar-sdk/issues/5662).
"""


def asset_event(event: dict[str, Any], network: bytes) -> AssetEvent | None:
    """What a `ContractEvent` tells of an asset's balances, None if it is no such event of an asset's own contract."""
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
    """The asset that a contract names as its own, None if the contract isn't that asset's: any contract may claim."""
    asset = _asset_by_name(name)
    if asset is None:
        return None
    preimage = names.CONTRACT_ID_PREIMAGE_FROM_ASSET.to_bytes(4, "big") + asset_xdr(asset)
    own = hashlib.sha256(names.ENVELOPE_TYPE_CONTRACT_ID.to_bytes(4, "big") + network + preimage).digest()
    return asset if contract == own else None


def _asset_by_name(name: bytes) -> tuple[int, Any] | None:
    """The asset that `native` or `CODE:ISSUER` means, None if it means none."""
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


def _asset_balance_changes(transaction: Transaction) -> Iterator[dict[str, Any]]:
    """What assets' own contracts did to balances.

    Like the reference exporter, this reads the diagnostic events alone: a node that records them repeats all other
    events among them, and where none are recorded there are no changes to see.
    """
    version, meta = transaction.meta[0], transaction.meta[1]
    holder = meta if version > 3 else meta["sorobanMeta"] if version == 3 else None
    for diagnostic in holder["diagnosticEvents"] if holder else ():
        moved = asset_event(diagnostic["event"], transaction.network)
        if moved is not None and diagnostic["inSuccessfulContractCall"]:
            yield {
                **({"from": address(moved.giver)} if moved.giver else {}),
                **({"to": address(moved.receiver)} if moved.receiver else {}),
                "type": moved.name,
                "amount": amount_text(moved.stroops),
                **asset_details(moved.asset, with_id=False),
            }


def parameters(values: list[tuple[int, Any]], raws: list[bytes]) -> dict[str, Any]:
    """A call's parameters in the four forms of the row: typed base64, typed text, base64, and decoded JSON."""
    told = [forms(raw, value) for raw, value in zip(raws, values, strict=True)]
    types = [ARMS[kind] for kind, _ in values]
    return {
        "parameters": [{"type": type_, "value": encoded} for type_, (encoded, _) in zip(types, told, strict=True)],
        "parameters_decoded": [
            {"type": type_, "value": value_text(value)} for type_, value in zip(types, values, strict=True)
        ],
        "parameters_json": [encoded for encoded, _ in told],
        "parameters_json_decoded": [decoded for _, decoded in told],
    }


def _footprint(transaction: Transaction) -> list[bytes]:
    """The XDR of the ledger keys that the transaction declared, read-only ones first."""
    data = transaction.soroban_data
    if data is None:
        return []
    footprint = data["resources"]["footprint"]
    raws: list[bytes] = footprint["readOnly_raw"] + footprint["readWrite_raw"]
    return raws


def _touched(transaction: Transaction) -> dict[str, Any]:
    """The keys that the transaction declared.

    They do not say which code is the contract's: like the reference exporter since April 2026
    (https://github.com/stellar/stellar-etl/issues/402), this leaves the code's hash null.
    """
    raws = _footprint(transaction)
    return {
        "contract_code_hash": None,
        "ledger_key_hash": [hashlib.sha256(raw).hexdigest() for raw in raws] or None,
    }


def _contract_id(transaction: Transaction) -> str:
    """The contract that the transaction declared: of its written keys first."""
    data = transaction.soroban_data
    if data is None:
        return ""
    footprint = data["resources"]["footprint"]
    for kind, key in footprint["readWrite"] + footprint["readOnly"]:
        if kind == names.CONTRACT_DATA and key["contract"][0] == names.SC_ADDRESS_TYPE_CONTRACT:
            return strkey.contract(key["contract"][1])
    return ""


def footprint_details(transaction: Transaction) -> dict[str, Any]:
    """The details of an operation on the footprint itself."""
    return {"contract_id": _contract_id(transaction), **_touched(transaction)}


def host_function_details(transaction: Transaction, function: tuple[int, Any]) -> dict[str, Any]:
    """The details of `invoke_host_function`."""
    kind, content = function
    name = code_name("HostFunctionType", kind)
    if kind == names.HOST_FUNCTION_TYPE_INVOKE_CONTRACT:
        values = [
            (names.SCV_ADDRESS, content["contractAddress"]),
            (names.SCV_SYMBOL, content["functionName"]),
            *content["args"],
        ]
        raws = [
            names.SCV_ADDRESS.to_bytes(4, "big") + content["contractAddress_raw"],
            names.SCV_SYMBOL.to_bytes(4, "big") + content["functionName_raw"],
            *content["args_raw"],
        ]
        return {
            "function": name,
            "type": "invoke_contract",
            "contract_id": address(content["contractAddress"]),
            **_touched(transaction),
            **parameters(values, raws),
            "asset_balance_changes": list(_asset_balance_changes(transaction)),
        }
    if kind == names.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM:
        return {"function": name, "type": "upload_wasm", **_touched(transaction)}
    v2 = kind == names.HOST_FUNCTION_TYPE_CREATE_CONTRACT_V2
    made = {
        "function": name,
        "type": "create_contract_v2" if v2 else "create_contract",
        "contract_id": _contract_id(transaction),
        **_touched(transaction),
        **_preimage(content["contractIDPreimage"]),
    }
    return made | parameters(content["constructorArgs"], content["constructorArgs_raw"]) if v2 else made


def _preimage(preimage: tuple[int, Any]) -> dict[str, str]:
    kind, content = preimage
    if kind == names.CONTRACT_ID_PREIMAGE_FROM_ADDRESS:
        return {"from": "address", "address": address(content["address"])}
    return {"from": "asset", "asset": asset_canonical(content)}
