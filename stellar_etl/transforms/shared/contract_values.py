"""Contract values in rows: as text, and as JSON (SEP-51)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import base64
from stellar_etl.transforms.shared.go_times import go_text
from stellar_etl.transforms.shared.values import account_id, camel, text
from stellar_etl.xdr import names

Value = tuple[int, Any]
"""A decoded `SCVal`."""

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
    names.SCV_EXECUTABLE_TAG: "ExecutableTag",
}
"""The type of a contract value, as the reference exporter names it."""


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


def value_text(value: Value) -> str:
    """Return a contract value as the reference exporter prints it, like Go's `ScVal.String()`."""
    kind, content = value
    if kind == names.SCV_BOOL:
        return "true" if content else "false"
    if kind in _TEXT:
        return text(content)
    if kind == names.SCV_ADDRESS:
        return address(content)
    return _OTHER_TEXTS.get(kind, _digits)(content)


def _digits(content: Any) -> str:
    """Bytes as hex, and integers of any size as decimals."""
    if isinstance(content, bytes):
        return content.hex()
    if isinstance(content, int):
        return str(content)
    number = 0
    for part in content.values():  # the parts of a long integer, the highest first
        number = (number << 64) + part
    return str(number)


def _vec_text(values: list[Value] | None) -> str:
    return "nil" if values is None else f"[{' '.join(map(value_text, values))}]"


def _map_text(entries: list[dict[str, Value]] | None) -> str:
    if entries is None:
        return "nil"
    return "[" + " ".join(f"{{{value_text(entry['key'])} {value_text(entry['val'])}}}" for entry in entries) + "]"


def _error_text(error: tuple[int, int]) -> str:
    kind, code = error
    # A contract defines its own error numbers.
    code_text = code if kind == names.SCE_CONTRACT else f"ScErrorCode{camel(names.SCErrorCode[code])}"
    return f"ScErrorType{camel(names.SCErrorType[kind])}({code_text})"


def _instance_text(instance: dict[str, Any]) -> str:
    kind, content = instance["executable"]
    stellar_asset = kind == names.CONTRACT_EXECUTABLE_STELLAR_ASSET
    executable = "(StellarAssetContract)" if stellar_asset else content.hex() if isinstance(content, bytes) else ""
    return f"{executable}: {_map_text(instance['storage'])}" if instance["storage"] else executable


_OTHER_TEXTS: dict[int, Callable[[Any], str]] = {
    names.SCV_VOID: lambda _: "(void)",
    names.SCV_ERROR: _error_text,
    names.SCV_TIMEPOINT: go_text,
    names.SCV_VEC: _vec_text,
    names.SCV_MAP: _map_text,
    names.SCV_CONTRACT_INSTANCE: _instance_text,
    names.SCV_LEDGER_KEY_CONTRACT_INSTANCE: lambda _: "(LedgerKeyContractInstance)",
    names.SCV_LEDGER_KEY_NONCE: lambda key: f"{{{key['nonce']:X}}}",
}


_JSON_NAMES = {kind: name.removeprefix("SCV_").lower() for kind, name in names.SCValType.items()}

_ESCAPES = {
    **{byte: f"\\x{byte:02x}" for byte in range(256) if not 0x20 <= byte <= 0x7E},
    ord("\0"): "\\0",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\\"): "\\\\",
}
"""The escapes of bytes outside printable ASCII (SEP-51)."""


def value_json(value: Value) -> Any:
    """A contract value as JSON (SEP-51): the same as the SDK's `SCVal.to_json_dict()`, without its objects."""
    kind, content = value
    return _JSON_NAMES[kind] if content is None and kind in _VOID else {_JSON_NAMES[kind]: _content_json(kind, content)}


_VOID = {names.SCV_VOID, names.SCV_LEDGER_KEY_CONTRACT_INSTANCE}
_TEXT = {names.SCV_STRING, names.SCV_SYMBOL, names.SCV_EXECUTABLE_TAG}
_AS_THEY_ARE = {names.SCV_BOOL, names.SCV_U32, names.SCV_I32}

_COME_AGAIN = _TEXT | {names.SCV_ADDRESS}
_MOST, _LONGEST = 1 << 14, 128
_remembered: dict[bytes, tuple[str, Any]] = {}


def forms(raw: bytes, value: Value) -> tuple[str, Any]:
    """Return a value as base64 and as JSON, given its XDR too. The result is shared and must not be changed."""
    if value[0] not in _COME_AGAIN or len(raw) > _LONGEST:
        return base64(raw), value_json(value)
    # Names and addresses repeat often, amounts rarely.
    found = _remembered.get(raw)
    if found is None:
        if len(_remembered) >= _MOST:
            _remembered.clear()
        found = _remembered[raw] = base64(raw), value_json(value)
    return found


def _content_json(kind: int, content: Any) -> Any:
    if kind in _TEXT:
        return _escaped(content)
    if kind == names.SCV_ADDRESS:
        return address(content)
    if kind in _AS_THEY_ARE:
        return content
    if kind == names.SCV_VEC:
        return content and [value_json(part) for part in content]
    if kind == names.SCV_MAP:
        return _map_json(content)
    if kind == names.SCV_ERROR:
        return _error_json(*content)
    if kind == names.SCV_LEDGER_KEY_NONCE:
        return {"nonce": str(content["nonce"])}
    if kind == names.SCV_CONTRACT_INSTANCE:
        return {"executable": _executable_json(content["executable"]), "storage": _map_json(content["storage"])}
    # The remaining types are bytes, which are hex there too, and the longer integers, which are decimal text.
    return _digits(content)


def _escaped(content: bytes) -> str:
    return content.decode("latin-1").translate(_ESCAPES)


def _map_json(entries: list[dict[str, Value]] | None) -> list[Any] | None:
    return entries and [{"key": value_json(entry["key"]), "val": value_json(entry["val"])} for entry in entries]


def _error_json(kind: int, code: int) -> dict[str, Any]:
    name = names.SCErrorType[kind].removeprefix("SCE_").lower()
    # A contract defines its own error numbers.
    own = kind == names.SCE_CONTRACT
    return {name: code if own else names.SCErrorCode[code].removeprefix("SCEC_").lower()}


def _executable_json(executable: tuple[int, Any]) -> Any:
    kind, content = executable
    if kind == names.CONTRACT_EXECUTABLE_WASM:
        return {"wasm": content.hex()}
    if kind == names.CONTRACT_EXECUTABLE_STELLAR_ASSET:
        return "stellar_asset"
    owner = address(content["executable_owner"])
    return {"external_ref": {"executable_owner": owner, "tag": _escaped(content["tag"])}}
