"""Smart contract operations: their calls and the entries that they use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Transaction
from stellar_etl.transforms.shared.asset_contracts import asset_event
from stellar_etl.transforms.shared.contract_values import ARMS, address, forms, value_text
from stellar_etl.transforms.shared.values import amount_text, asset_canonical, asset_details, code_name
from stellar_etl.xdr import names


def _asset_balance_changes(transaction: Transaction) -> Iterator[dict[str, Any]]:
    """Return the changes of balances by assets' own contracts.

    Like the reference exporter, this reads only the diagnostic events: a node that records them repeats all other
    events among them. Without diagnostic events there are no changes.
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
    pairs = [forms(raw, value) for raw, value in zip(raws, values, strict=True)]
    types = [ARMS[kind] for kind, _ in values]
    return {
        "parameters": [{"type": type_, "value": encoded} for type_, (encoded, _) in zip(types, pairs, strict=True)],
        "parameters_decoded": [
            {"type": type_, "value": value_text(value)} for type_, value in zip(types, values, strict=True)
        ],
        "parameters_json": [encoded for encoded, _ in pairs],
        "parameters_json_decoded": [decoded for _, decoded in pairs],
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

    They do not identify the contract's code: like the reference exporter since April 2026
    (https://github.com/stellar/stellar-etl/issues/402), this leaves the code's hash null.
    """
    raws = _footprint(transaction)
    return {
        "contract_code_hash": None,
        "ledger_key_hash": [hashlib.sha256(raw).hexdigest() for raw in raws] or None,
    }


def _contract_id(transaction: Transaction) -> str:
    """Return the contract that the transaction declared: from its written keys first."""
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
