"""Rows of `token_transfers_raw`: one per movement of tokens, including fees, from the unified events (CAP-67)."""

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
from stellar_etl.transforms.shared.contract_values import address
from stellar_etl.transforms.shared.events import OPERATION, TRANSACTION, Event, events, integer, moved_amount
from stellar_etl.transforms.shared.values import number
from stellar_etl.xdr import names

FEE = (names.SCV_SYMBOL, b"fee")

_PARTIES: dict[bytes, tuple[int | None, int | None, int]] = {
    b"transfer": (1, 2, 3),
    b"mint": (None, 1, 2),
    b"burn": (1, None, 2),
    b"clawback": (1, None, 2),
}
"""For each event of the token interface (SEP-41): the topics of sender and receiver, and the first topic after them."""

_ASSET_NAME = re.compile(rb"([0-9A-Za-z]{1,12}):(G[A-Z2-7]{55})")

_UNIFIED_META = 4

_REFUNDS_LAST = 23
"""From this protocol on fees are refunded after all transactions, before it after each transaction."""


@dataclass(eq=False, slots=True)
class MissingFee:
    """A transaction whose meta lacks the event of its fee.

    Attributes:
        transaction: the transaction.
        index: -1, as for every event that no operation published.
    """

    transaction: Transaction
    index: int = -1


class _Movement(NamedTuple):
    topic: str
    sender: tuple[int, Any] | None
    receiver: tuple[int, Any] | None
    amount: int
    asset: str
    muxed_id: int | None = None


def items(ledger: Ledger) -> Iterator[Event | MissingFee]:
    """Yield the ledger's events in the order of effects: fees, then each transaction's operations, then refunds."""
    found = [(transaction, list(events(transaction))) for transaction in ledger.transactions]
    fees = [_fees(transaction, some) for transaction, some in found]
    refunds_last = ledger.header["ledgerVersion"] >= _REFUNDS_LAST
    for some in fees:
        yield from some[:1]
    for (transaction, all_), some in zip(found, fees, strict=True):
        if transaction.meta[0] >= _UNIFIED_META and transaction.successful:
            yield from (event for event in all_ if event.source == OPERATION)
        if not refunds_last:
            yield from some[1:]
    if refunds_last:
        for some in fees:
            yield from some[1:]


def _fees(transaction: Transaction, all_: list[Event]) -> list[Event] | list[MissingFee]:
    """Return the events of a transaction's fee: the charge and the refund."""
    found = [event for event in all_ if event.source == TRANSACTION and event.event["body"][1]["topics"][:1] == [FEE]]
    # A fee of 0 has no event; any other fee lacks its event if unified events were not recorded.
    if transaction.meta[0] < _UNIFIED_META or (not found and transaction.result["feeCharged"]):
        return [MissingFee(transaction)]
    return found


def row(ledger: Ledger, item: Event | MissingFee) -> dict[str, Any] | None:
    """Return one event's row, None if it is not an event of the token interface: contracts can publish any event.

    Raises:
        ValueError: a fee's event is missing, or is not one of lumens.
    """
    transaction = item.transaction
    if isinstance(item, MissingFee):
        raise ValueError(  # noqa: TRY004 the ledger's meta is at fault, not the caller
            f"its meta, of version {transaction.meta[0]}, holds no unified events: read a lake that was recorded with "
            "EMIT_CLASSIC_EVENTS and BACKFILL_STELLAR_ASSET_EVENTS"
        )
    event = item.event
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
        # Multiply, don't divide: the last digit differs, and the recorded rows are multiplied.
        "amount": number(stroops * 0.0000001),
        "amount_raw": str(stroops),
        "contract_id": strkey.contract(event["contractID"]),
        "ledger_sequence": ledger.sequence,
        "closed_at": ledger.closed_at,
        **_muxed_columns(receiver, muxed_id),
        "event_index": item.event_index,
    }


def _fee(ledger: Ledger, event: dict[str, Any]) -> _Movement:
    topics, data = event["body"][1]["topics"], event["body"][1]["data"]
    if event["contractID"] != contract_id(ledger.network, "native"):
        raise ValueError("a fee's event is not of the contract of lumens")
    if len(topics) != 2 or topics[1][0] != names.SCV_ADDRESS or data[0] != names.SCV_I128:
        raise ValueError("a fee's event does not hold one address and one amount")
    return _Movement("fee", topics[1][1], None, integer(data[1]), "native")


def _movement(ledger: Ledger, event: dict[str, Any]) -> _Movement | None:
    topics, data = event["body"][1]["topics"], event["body"][1]["data"]
    if event["type"] != names.CONTRACT or event["contractID"] is None or not topics:
        return None
    kind, name = topics[0]
    places = _PARTIES.get(name) if kind == names.SCV_SYMBOL else None
    if places is None or len(topics) < places[2]:
        return None
    giver, receiver, rest = places
    value = moved_amount(data)
    if value is None or any(kind != names.SCV_ADDRESS for kind, _ in topics[1:rest]):
        return None
    gave, got = (None if place is None else topics[place][1] for place in (giver, receiver))
    amount, muxed_id = value
    return _Movement(name.decode(), gave, got, amount, _asset(ledger, event, topics[rest:]), muxed_id)


def _asset(ledger: Ledger, event: dict[str, Any], rest: list[tuple[int, Any]]) -> str:
    """`native`, or `CODE:ISSUER`; empty unless it is that asset's own contract: any contract can claim a name."""
    if len(rest) != 1 or rest[0][0] != names.SCV_STRING:
        return ""
    return _own_name(ledger.network, event["contractID"], rest[0][1])


@lru_cache(maxsize=16384)
def _own_name(network: bytes, contract: bytes, name: bytes) -> str:
    """Return the asset of a name if the contract is that asset's, otherwise empty."""
    if name.lower() == b"native":
        text = "native"
    elif _ASSET_NAME.fullmatch(name):
        text = name.decode()
    else:
        return ""
    return text if contract_id(network, text) == contract else ""


@lru_cache(maxsize=16384)
def contract_id(network: bytes, asset: str) -> bytes:
    """Return the id of an asset's contract on a network: `native`, or `CODE:ISSUER`."""
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
    # Only an account has a muxed form; the reference exporter leaves it empty for others.
    account = receiver is not None and receiver[0] == names.SC_ADDRESS_TYPE_ACCOUNT
    muxed = strkey.muxed_account(receiver[1][1], muxed_id) if account and receiver else ""
    return {"to_muxed": muxed, "to_muxed_id": str(muxed_id)}
