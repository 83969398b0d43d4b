"""Rows of `history_contract_events`: one an event in a transaction's meta, diagnostic ones too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any

from stellar_etl import strkey
from stellar_etl.ledger import Ledger, Transaction
from stellar_etl.transforms import soroban
from stellar_etl.transforms.values import base64, code_name
from stellar_etl.xdr import names

Value = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        transaction: the transaction.
        index: its operation's place in the transaction, from 0; -1 if it is told of no operation.
        in_successful_call: whether the call that published it was not undone.
        event: `ContractEvent`.
    """

    transaction: Transaction
    index: int
    in_successful_call: bool
    event: dict[str, Any]


def items(ledger: Ledger) -> Iterator[Event]:
    """The ledger's events: of each transaction its own, then its operations', then the diagnostic ones."""
    for transaction in ledger.transactions:
        version, meta = transaction.meta[0], transaction.meta[1]
        if version == 3 and meta["sorobanMeta"] is not None:
            # Only a smart contract's transaction has events here, and it has one operation.
            yield from (Event(transaction, 0, True, event) for event in meta["sorobanMeta"]["events"])
            yield from _diagnostic(transaction, meta["sorobanMeta"])
        elif version == 4:
            # The stage at which a transaction's own event happened is no column.
            yield from (Event(transaction, -1, True, staged["event"]) for staged in meta["events"])
            for index, operation in enumerate(meta["operations"]):
                yield from (Event(transaction, index, True, event) for event in operation["events"])
            yield from _diagnostic(transaction, meta)


def _diagnostic(transaction: Transaction, holder: dict[str, Any]) -> Iterator[Event]:
    for diagnostic in holder["diagnosticEvents"]:
        yield Event(transaction, -1, diagnostic["inSuccessfulContractCall"], diagnostic["event"])


def row(ledger: Ledger, item: Event) -> dict[str, Any]:
    """One event's row."""
    transaction, event = item.transaction, item.event
    contract, body = event["contractID"], event["body"][1]
    topics, data = [value_xdr(topic) for topic in body["topics"]], value_xdr(body["data"])
    return {
        "transaction_hash": transaction.hash.hex(),
        "transaction_id": transaction.id,
        "successful": transaction.successful,
        "ledger_sequence": ledger.sequence,
        "closed_at": ledger.closed_at,
        "in_successful_contract_call": item.in_successful_call,
        "contract_id": "" if contract is None else strkey.contract(contract),
        "type": event["type"],
        "type_string": code_name("ContractEventType", event["type"]),
        "topics": [base64(topic) for topic in topics],
        "topics_decoded": [value_json(topic) for topic in body["topics"]],
        "data": base64(data),
        "data_decoded": value_json(body["data"]),
        "contract_event_xdr": base64(_event_xdr(item, topics, data)),
        "operation_id": None if item.index < 0 else transaction.id | item.index + 1,
    }


def _event_xdr(item: Event, topics: list[bytes], data: bytes) -> bytes:
    """The event as a `DiagnosticEvent`, which every kind of event is written as."""
    contract = item.event["contractID"]
    publisher = _INT(0) if contract is None else _INT(1) + contract
    # The zeros are the extension's and the body's version: there is one of each.
    head = _PAIR(item.in_successful_call, 0) + publisher + _TRIPLE(item.event["type"], 0, len(topics))
    return b"".join((head, *topics, data))


_INT = Struct(">I").pack
_PAIR = Struct(">II").pack
_TRIPLE = Struct(">III").pack

_NUMBERS: dict[int, Callable[..., bytes]] = {
    names.SCV_BOOL: Struct(">iI").pack,
    names.SCV_U32: Struct(">iI").pack,
    names.SCV_I32: Struct(">ii").pack,
    names.SCV_U64: Struct(">iQ").pack,
    names.SCV_I64: Struct(">iq").pack,
    names.SCV_TIMEPOINT: Struct(">iQ").pack,
    names.SCV_DURATION: Struct(">iQ").pack,
}

_PARTS: dict[int, Callable[..., bytes]] = {
    names.SCV_U128: Struct(">iQQ").pack,
    names.SCV_I128: Struct(">iqQ").pack,
    names.SCV_U256: Struct(">iQQQQ").pack,
    names.SCV_I256: Struct(">iqQQQ").pack,
    names.SCV_LEDGER_KEY_NONCE: Struct(">iq").pack,
}
"""Values whose fields are numbers of fixed size; a decoded struct's fields are in the order of its definition."""

_BYTES = {names.SCV_BYTES, names.SCV_STRING, names.SCV_SYMBOL, names.SCV_EXECUTABLE_TAG}


def value_xdr(value: Value) -> bytes:
    """A contract value's XDR: the decoder keeps no bytes of it, and only these rows need them."""
    kind, content = value
    if kind in _BYTES:
        return _PAIR(kind, len(content)) + bytes(content) + bytes(-len(content) % 4)
    if kind in _PARTS:
        return _PARTS[kind](kind, *content.values())
    if kind == names.SCV_ADDRESS:
        return _INT(kind) + _address_xdr(content)
    if kind in _NUMBERS:
        return _NUMBERS[kind](kind, content)
    if kind == names.SCV_VEC:
        if content is None:
            return _PAIR(kind, 0)
        return b"".join((_TRIPLE(kind, 1, len(content)), *(value_xdr(part) for part in content)))
    if kind == names.SCV_MAP:
        return _INT(kind) + _map_xdr(content)
    if kind == names.SCV_ERROR:
        return _INT(kind) + _PAIR(*content)
    if kind == names.SCV_CONTRACT_INSTANCE:
        return _INT(kind) + _executable_xdr(content["executable"]) + _map_xdr(content["storage"])
    return _INT(kind)


def _map_xdr(entries: list[dict[str, Value]] | None) -> bytes:
    if entries is None:
        return _INT(0)
    return _PAIR(1, len(entries)) + b"".join(value_xdr(part) for entry in entries for part in entry.values())


def _address_xdr(address: tuple[int, Any]) -> bytes:
    kind, key = address
    if kind in (names.SC_ADDRESS_TYPE_ACCOUNT, names.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE):
        return _PAIR(kind, key[0]) + bytes(key[1])
    if kind == names.SC_ADDRESS_TYPE_MUXED_ACCOUNT:
        return _INT(kind) + bytes(key["id"].to_bytes(8, "big") + key["ed25519"])
    return _INT(kind) + bytes(key)


def _executable_xdr(executable: tuple[int, Any]) -> bytes:
    kind, content = executable
    if kind == names.CONTRACT_EXECUTABLE_WASM:
        return _INT(kind) + bytes(content)
    if kind == names.CONTRACT_EXECUTABLE_EXTERNAL_REF:
        tag = value_xdr((names.SCV_STRING, content["tag"]))[4:]
        return _INT(kind) + _address_xdr(content["executable_owner"]) + tag
    return _INT(kind)


_JSON_NAMES = {kind: name.removeprefix("SCV_").lower() for kind, name in names.SCValType.items()}

_ESCAPES = {
    **{byte: f"\\x{byte:02x}" for byte in range(256) if not 0x20 <= byte <= 0x7E},
    ord("\0"): "\\0",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\\"): "\\\\",
}
"""How bytes outside printable ASCII are written (SEP-51)."""


def value_json(value: Value) -> Any:
    """A contract value as JSON (SEP-51): what the SDK's `SCVal.to_json_dict()` gives, without its objects."""
    kind, content = value
    return _JSON_NAMES[kind] if content is None and kind in _VOID else {_JSON_NAMES[kind]: _content_json(kind, content)}


_VOID = {names.SCV_VOID, names.SCV_LEDGER_KEY_CONTRACT_INSTANCE}
_TEXT = {names.SCV_STRING, names.SCV_SYMBOL, names.SCV_EXECUTABLE_TAG}
_AS_THEY_ARE = {names.SCV_BOOL, names.SCV_U32, names.SCV_I32}


def _content_json(kind: int, content: Any) -> Any:
    if kind in _TEXT:
        return _escaped(content)
    if kind == names.SCV_ADDRESS:
        return soroban.address(content)
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
    # What is left are bytes, which are hex there too, and the longer integers, whose decimals are text.
    return soroban.value_text((kind, content))


def _escaped(content: bytes) -> str:
    return content.decode("latin-1").translate(_ESCAPES)


def _map_json(entries: list[dict[str, Value]] | None) -> list[Any] | None:
    return entries and [{"key": value_json(entry["key"]), "val": value_json(entry["val"])} for entry in entries]


def _error_json(kind: int, code: int) -> dict[str, Any]:
    name = names.SCErrorType[kind].removeprefix("SCE_").lower()
    # A contract numbers its errors itself.
    own = kind == names.SCE_CONTRACT
    return {name: code if own else names.SCErrorCode[code].removeprefix("SCEC_").lower()}


def _executable_json(executable: tuple[int, Any]) -> Any:
    kind, content = executable
    if kind == names.CONTRACT_EXECUTABLE_WASM:
        return {"wasm": content.hex()}
    if kind == names.CONTRACT_EXECUTABLE_STELLAR_ASSET:
        return "stellar_asset"
    owner = soroban.address(content["executable_owner"])
    return {"external_ref": {"executable_owner": owner, "tag": _escaped(content["tag"])}}
