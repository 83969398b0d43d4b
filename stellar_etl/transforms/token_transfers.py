"""Rows of `token_transfers_raw`: one a movement of tokens, fees too, as the unified events tell it (CAP-67)."""

from __future__ import annotations

import hashlib
import re
from base64 import b32decode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, Transaction
from stellar_etl.transforms.contract_values import address
from stellar_etl.transforms.values import number
from stellar_etl.xdr import names

FEE = (names.SCV_SYMBOL, b"fee")

_PARTIES: dict[bytes, tuple[int | None, int | None, int]] = {
    b"transfer": (1, 2, 3),
    b"mint": (None, 1, 2),
    b"burn": (1, None, 2),
    b"clawback": (1, None, 2),
}
"""For each event of the token interface (SEP-41) which topic is the sender, which the receiver, and the first after."""

_ASSET_NAME = re.compile(rb"([0-9A-Za-z]{1,12}):(G[A-Z2-7]{55})")

_UNIFIED_META = 4

_REFUNDS_LAST = 23
"""From this protocol on fees are given back after all transactions, before it after each."""


@dataclass(eq=False, slots=True)
class Event:
    """One event that may tell of tokens.

    Attributes:
        transaction: the transaction.
        index: its operation's place in the transaction, from 0; -1 for a fee.
        event: `ContractEvent`, None if the transaction's meta lacks the event of its fee.
    """

    transaction: Transaction
    index: int
    event: dict[str, Any] | None


class _Movement(NamedTuple):
    topic: str
    sender: tuple[int, Any] | None
    receiver: tuple[int, Any] | None
    amount: int
    asset: str
    muxed_id: int | None = None


def items(ledger: Ledger) -> Iterator[Event]:
    """The ledger's events in the order of what they tell: fees, then each transaction's operations, then refunds."""
    fees = list(map(_fees, ledger.transactions))
    refunds_last = ledger.header["ledgerVersion"] >= _REFUNDS_LAST
    for events in fees:
        yield from events[:1]
    for transaction, events in zip(ledger.transactions, fees, strict=True):
        yield from _of_operations(transaction)
        if not refunds_last:
            yield from events[1:]
    if refunds_last:
        for events in fees:
            yield from events[1:]


def _fees(transaction: Transaction) -> list[Event]:
    version, meta = transaction.meta[0], transaction.meta[1]
    staged = meta["events"] if version >= _UNIFIED_META else []
    told = [event["event"] for event in staged if event["event"]["body"][1]["topics"][:1] == [FEE]]
    # A fee of nothing is told by no event; that of any other is missing where unified events were not recorded.
    if version < _UNIFIED_META or (not told and transaction.result["feeCharged"]):
        return [Event(transaction, -1, None)]
    return [Event(transaction, -1, event) for event in told]


def _of_operations(transaction: Transaction) -> Iterator[Event]:
    if transaction.meta[0] < _UNIFIED_META or not transaction.successful:
        return
    for index, operation in enumerate(transaction.meta[1]["operations"]):
        for event in operation["events"]:
            yield Event(transaction, index, event)


def row(ledger: Ledger, item: Event) -> dict[str, Any] | None:
    """One event's row, None if it is no event of the token interface: contracts may publish what they like.

    Raises:
        ValueError: a fee's event is not there, or is none of lumens.
    """
    transaction, event = item.transaction, item.event
    if event is None:
        raise ValueError(
            f"its meta, of version {transaction.meta[0]}, holds no unified events: read a lake that was recorded with "
            "EMIT_CLASSIC_EVENTS and BACKFILL_STELLAR_ASSET_EVENTS"
        )
    movement = _fee(ledger, event) if item.index < 0 else _movement(ledger, event)
    if movement is None:
        return None
    topic, sender, receiver, stroops, asset, muxed_id = movement
    return {
        "transaction_hash": transaction.hash_text,
        "transaction_id": transaction.id,
        "operation_id": None if item.index < 0 else transaction.id | item.index + 1,
        "event_topic": topic,
        "from": sender and address(sender),
        "to": receiver and address(receiver),
        **_asset_columns(asset),
        # Multiplied, not divided: the last digit differs, and the recorded rows have it so.
        "amount": number(stroops * 0.0000001),
        "amount_raw": str(stroops),
        "contract_id": strkey.contract(event["contractID"]),
        "ledger_sequence": ledger.sequence,
        "closed_at": ledger.closed_at,
        **_muxed_columns(receiver, muxed_id),
    }


def _fee(ledger: Ledger, event: dict[str, Any]) -> _Movement:
    topics, data = event["body"][1]["topics"], event["body"][1]["data"]
    if event["contractID"] != contract_id(ledger.network, "native"):
        raise ValueError("a fee's event is not of the contract of lumens")
    if len(topics) != 2 or topics[1][0] != names.SCV_ADDRESS or data[0] != names.SCV_I128:
        raise ValueError("a fee's event does not hold one address and one amount")
    return _Movement("fee", topics[1][1], None, _integer(data[1]), "native")


def _movement(ledger: Ledger, event: dict[str, Any]) -> _Movement | None:
    topics, data = event["body"][1]["topics"], event["body"][1]["data"]
    if event["type"] != names.CONTRACT or event["contractID"] is None or not topics:
        return None
    kind, name = topics[0]
    places = _PARTIES.get(name) if kind == names.SCV_SYMBOL else None
    if places is None or len(topics) < places[2]:
        return None
    giver, receiver, rest = places
    value = _value(data)
    if value is None or any(kind != names.SCV_ADDRESS for kind, _ in topics[1:rest]):
        return None
    gave, got = (None if place is None else topics[place][1] for place in (giver, receiver))
    amount, muxed_id = value
    return _Movement(name.decode(), gave, got, amount, _asset(ledger, event, topics[rest:]), muxed_id)


def _integer(parts: dict[str, int]) -> int:
    return (parts["hi"] << 64) + parts["lo"]


def _value(data: tuple[int, Any]) -> tuple[int, int | None] | None:
    """The amount, and the id of a muxed receiver; None if the data is not in one of the interface's two forms."""
    kind, content = data
    if kind == names.SCV_I128:
        return _integer(content), None
    if kind != names.SCV_MAP:
        return None
    amount = muxed_id = None
    for entry in content or ():
        (key_kind, key), (kind, value) = entry["key"], entry["val"]
        if key_kind != names.SCV_SYMBOL:
            return None
        if key == b"amount":
            if kind != names.SCV_I128:
                return None
            amount = _integer(value)
        elif key == b"to_muxed_id":
            if kind not in (names.SCV_U64, names.SCV_BYTES, names.SCV_STRING):
                return None
            # A memo that is no number comes out as 0, as the reference exporter has it.
            muxed_id = value if kind == names.SCV_U64 else 0
    return None if amount is None else (amount, muxed_id)


def _asset(ledger: Ledger, event: dict[str, Any], rest: list[tuple[int, Any]]) -> str:
    """`native`, or `CODE:ISSUER`; empty unless the contract is that asset's own: any contract may claim a name."""
    if len(rest) != 1 or rest[0][0] != names.SCV_STRING:
        return ""
    return _own_name(ledger.network, event["contractID"], rest[0][1])


@lru_cache(maxsize=16384)
def _own_name(network: bytes, contract: bytes, name: bytes) -> str:
    """The asset of a name, if the contract is that asset's, else empty."""
    if name.lower() == b"native":
        text = "native"
    elif _ASSET_NAME.fullmatch(name):
        text = name.decode()
    else:
        return ""
    return text if contract_id(network, text) == contract else ""


@lru_cache(maxsize=16384)
def contract_id(network: bytes, asset: str) -> bytes:
    """The id of the contract that a network keeps for an asset: `native`, or `CODE:ISSUER`."""
    if asset == "native":
        encoded = names.ASSET_TYPE_NATIVE.to_bytes(4, "big")
    else:
        code, issuer = asset.encode().split(b":")
        short = len(code) <= 4
        kind = names.ASSET_TYPE_CREDIT_ALPHANUM4 if short else names.ASSET_TYPE_CREDIT_ALPHANUM12
        key = names.PUBLIC_KEY_TYPE_ED25519.to_bytes(4, "big") + b32decode(issuer)[1:33]
        encoded = kind.to_bytes(4, "big") + code.ljust(4 if short else 12, b"\0") + key
    preimage = names.CONTRACT_ID_PREIMAGE_FROM_ASSET.to_bytes(4, "big") + encoded
    return hashlib.sha256(names.ENVELOPE_TYPE_CONTRACT_ID.to_bytes(4, "big") + network + preimage).digest()


@lru_cache(maxsize=16384)
def _asset_columns(asset: str) -> dict[str, str | None]:
    if asset in ("", "native"):
        return {"asset": asset, "asset_type": asset, "asset_code": None, "asset_issuer": None}
    code, issuer = asset.split(":")
    type_ = "credit_alphanum4" if len(code) <= 4 else "credit_alphanum12"
    return {"asset": f"{type_}:{asset}", "asset_type": type_, "asset_code": code, "asset_issuer": issuer}


_NOT_MUXED: dict[str, str | None] = {"to_muxed": None, "to_muxed_id": None}


def _muxed_columns(receiver: tuple[int, Any] | None, muxed_id: int | None) -> dict[str, str | None]:
    if muxed_id is None:
        return _NOT_MUXED
    # Only an account has a muxed form; the reference exporter leaves the others' empty.
    account = receiver is not None and receiver[0] == names.SC_ADDRESS_TYPE_ACCOUNT
    muxed = strkey.muxed_account(receiver[1][1], muxed_id) if account and receiver else ""
    return {"to_muxed": muxed, "to_muxed_id": str(muxed_id)}
