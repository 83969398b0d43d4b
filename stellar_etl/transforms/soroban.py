"""Smart contract operations: what they call and what they touch."""

from __future__ import annotations

import hashlib
from typing import Any

from stellar_etl import strkey
from stellar_etl.ledger import Transaction
from stellar_etl.transforms.values import account_id, asset_canonical, base64, code_name
from stellar_etl.xdr import names

ARMS = {
    names.SCV_BOOL: "B",
    names.SCV_VOID: "",
    names.SCV_ERROR: "Error",
    names.SCV_U32: "U32",
    names.SCV_I32: "I32",
    names.SCV_U64: "U64",
    names.SCV_I64: "I64",
    names.SCV_TIMEPOINT: "Timepoint",
    names.SCV_DURATION: "Duration",
    names.SCV_U128: "U128",
    names.SCV_I128: "I128",
    names.SCV_U256: "U256",
    names.SCV_I256: "I256",
    names.SCV_BYTES: "Bytes",
    names.SCV_STRING: "Str",
    names.SCV_SYMBOL: "Sym",
    names.SCV_VEC: "Vec",
    names.SCV_MAP: "Map",
    names.SCV_ADDRESS: "Address",
    names.SCV_CONTRACT_INSTANCE: "Instance",
    names.SCV_LEDGER_KEY_CONTRACT_INSTANCE: "",
    names.SCV_LEDGER_KEY_NONCE: "NonceKey",
}
"""The type of a contract value, as the reference exporter names it."""


def pool_id(parameters: tuple[int, Any]) -> bytes:
    """The id of the pool that these parameters make: the SHA-256 of their XDR."""
    kind, constant_product = parameters
    data = kind.to_bytes(4, "big")
    for asset_kind, asset in (constant_product["assetA"], constant_product["assetB"]):
        data += asset_kind.to_bytes(4, "big")
        if asset is not None:
            data += asset["assetCode"] + asset["issuer"][0].to_bytes(4, "big") + asset["issuer"][1]
    return hashlib.sha256(data + constant_product["fee"].to_bytes(4, "big", signed=True)).digest()


def address(value: tuple[int, Any]) -> str:
    """An `SCAddress` as text."""
    kind, key = value
    if kind == names.SC_ADDRESS_TYPE_ACCOUNT:
        return account_id(key)
    if kind == names.SC_ADDRESS_TYPE_CONTRACT:
        return strkey.contract(key)
    if kind == names.SC_ADDRESS_TYPE_MUXED_ACCOUNT:
        return strkey.muxed_account(key["ed25519"], key["id"])
    if kind == names.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE:
        return strkey.claimable_balance(key[1])
    return strkey.liquidity_pool(key)


def value_text(value: tuple[int, Any]) -> str:
    """A contract value as the reference exporter prints it."""
    kind, content = value
    if kind == names.SCV_BOOL:
        return "true" if content else "false"
    if kind == names.SCV_VOID:
        return "(void)"
    if kind in (names.SCV_U128, names.SCV_I128):
        return str((content["hi"] << 64) + content["lo"])
    if kind in (names.SCV_U256, names.SCV_I256):
        high = (content["hi_hi"] << 64) + content["hi_lo"]
        return str((((high << 64) + content["lo_hi"]) << 64) + content["lo_lo"])
    if kind == names.SCV_BYTES:
        return str(content.hex())
    if kind in (names.SCV_STRING, names.SCV_SYMBOL):
        return str(content.decode("utf-8", "replace"))
    if kind == names.SCV_VEC:
        return "[" + " ".join(value_text(part) for part in content or ()) + "]"
    if kind == names.SCV_MAP:
        entries = (f"{{{value_text(entry['key'])} {value_text(entry['val'])}}}" for entry in content or ())
        return "[" + " ".join(entries) + "]"
    if kind == names.SCV_ADDRESS:
        return address(content)
    if kind == names.SCV_ERROR:
        return str(content[1])
    return str(content)


def parameters(values: list[tuple[int, Any]], raws: list[bytes]) -> dict[str, Any]:
    """A call's parameters in the four forms of the row: typed base64, typed text, base64, and decoded JSON."""
    from stellar_sdk.xdr import SCVal  # imported late: half a second that a range without contracts needs not spend

    typed = [{"type": ARMS[kind], "value": base64(raw)} for (kind, _), raw in zip(values, raws, strict=True)]
    decoded = [{"type": ARMS[value[0]], "value": value_text(value)} for value in values]
    return {
        "parameters": typed,
        "parameters_decoded": decoded,
        "parameters_json": [base64(raw) for raw in raws],
        "parameters_json_decoded": [SCVal.from_xdr_bytes(raw).to_json_dict() for raw in raws],
    }


def _footprint(transaction: Transaction) -> tuple[list[Any], list[bytes]]:
    """The ledger keys that the transaction declared, read-only ones first, and their XDR."""
    data = transaction.soroban_data
    if data is None:
        return [], []
    footprint = data["resources"]["footprint"]
    return footprint["readOnly"] + footprint["readWrite"], footprint["readOnly_raw"] + footprint["readWrite_raw"]


def _touched(transaction: Transaction) -> dict[str, Any]:
    """The code and the keys that the transaction declared."""
    keys, raws = _footprint(transaction)
    code = next((key["hash"].hex() for kind, key in keys if kind == names.CONTRACT_CODE), None)
    return {
        "contract_code_hash": code,
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
            "asset_balance_changes": [],
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
