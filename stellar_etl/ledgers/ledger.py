"""One ledger as the transforms read it: header, transactions in the order they were applied, verified hashes."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from stellar_etl.errors import ExportError
from stellar_etl.ledgers.changes import Change, compacted
from stellar_etl.xdr import names


class LedgerError(ExportError):
    """A ledger contradicts itself, its neighbour or its network; the message names it."""


T = TypeVar("T")


class cached(Generic[T]):  # noqa: N801 named as what it stands for is
    """`functools.cached_property` without its lock, which costs more than most of these values up to Python 3.11.

    https://github.com/python/cpython/issues/87634
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        """The value, which from now on is the instance's own attribute."""
        value: T = self._make(instance)
        instance.__dict__[self._name] = value
        return value


FEE_BUMP_INNER_SUCCESS = names.txFEE_BUMP_INNER_SUCCESS
FEE_BUMP_INNER_FAILED = names.txFEE_BUMP_INNER_FAILED


def base64(data: bytes) -> str:
    """Standard base64."""
    return b2a_base64(data, newline=False).decode("ascii")


class Link(NamedTuple):
    """A ledger's sequence number, its hash and the hash of the ledger before."""

    sequence: int
    hash: bytes
    previous_hash: bytes
    closed_at: str

    def check_follows(self, previous: Link) -> None:
        """Check the hash chain from the previous ledger to this one.

        Raises:
            LedgerError: this ledger belongs to another chain.
        """
        if self.previous_hash != previous.hash:
            raise LedgerError(
                f"ledger {self.sequence} follows {self.previous_hash.hex()}, but ledger {previous.sequence} of this "
                f"lake is {previous.hash.hex()}: the lake holds two chains"
            )


def network_id(passphrase: str) -> bytes:
    """The first bytes of the input of a network's transaction hashes."""
    return hashlib.sha256(passphrase.encode()).digest()


def transaction_hash(envelope: tuple[Any, ...], network: bytes) -> bytes:
    """The hash of an envelope's transaction, which the signatures sign."""
    kind, content = envelope[0], envelope[1]
    if kind == names.ENVELOPE_TYPE_TX_V0:
        # A V0 transaction is signed as the equivalent V1 transaction: it lacks only the key type of the source.
        tagged = b"\0\0\0\2" + b"\0\0\0\0" + content["tx_raw"]
    elif kind == names.ENVELOPE_TYPE_TX:
        tagged = b"\0\0\0\2" + content["tx_raw"]
    else:
        tagged = b"\0\0\0\5" + content["tx_raw"]
    return hashlib.sha256(network + tagged).digest()


@dataclass(eq=False)
class Transaction:
    """One applied transaction.

    Attributes:
        index: its place in the ledger, from 1.
        hash: its hash.
        envelope: `TransactionEnvelope`.
        outcome: `TransactionResultMeta` or `TransactionResultMetaV1`.
        network: the network's id.
    """

    ledger_sequence: int
    index: int
    hash: bytes
    envelope: tuple[Any, ...]
    outcome: dict[str, Any]
    network: bytes

    @cached
    def id(self) -> int:
        """Its TOID, with operation order 0 (SEP-35)."""
        return self.ledger_sequence << 32 | self.index << 12

    @cached
    def hash_text(self) -> str:
        """Its hash in hex."""
        return self.hash.hex()

    @cached
    def envelope_text(self) -> str:
        """Its envelope's XDR in base64."""
        return base64(self.envelope[2])

    @cached
    def meta_text(self) -> str:
        """The XDR of its changes and events, in base64."""
        return base64(self.meta[2])

    @cached
    def fee_meta_text(self) -> str:
        """The XDR of the changes by its fee, in base64."""
        return base64(self.outcome["feeProcessing_raw"])

    @cached
    def is_fee_bump(self) -> bool:
        """Whether it wraps another transaction."""
        return bool(self.envelope[0] == names.ENVELOPE_TYPE_TX_FEE_BUMP)

    @cached
    def inner_envelope(self) -> tuple[int, dict[str, Any]]:
        """The envelope that holds the operations: the wrapped one of a fee bump, else its own."""
        if self.is_fee_bump:
            wrapped: tuple[int, dict[str, Any]] = self.envelope[1]["tx"]["innerTx"]
            return wrapped
        return self.envelope[0], self.envelope[1]

    @cached
    def tx(self) -> dict[str, Any]:
        """`Transaction` or `TransactionV0`."""
        tx: dict[str, Any] = self.inner_envelope[1]["tx"]
        return tx

    @cached
    def source(self) -> tuple[int, Any]:
        """The source as a `MuxedAccount`."""
        if self.inner_envelope[0] == names.ENVELOPE_TYPE_TX_V0:
            return names.KEY_TYPE_ED25519, self.tx["sourceAccountEd25519"]
        source: tuple[int, Any] = self.tx["sourceAccount"]
        return source

    @property
    def operation_count(self) -> int:
        """How many operations it has."""
        return len(self.tx["operations"])

    def operations(self) -> list[Operation]:
        """Its operations, in order. They refer to it, so it doesn't store them: there must be no reference cycle."""
        return [
            Operation(self, index, kind, body, operation["sourceAccount"] or self.source)
            for index, operation in enumerate(self.tx["operations"])
            for kind, body in (operation["body"],)
        ]

    @cached
    def result(self) -> dict[str, Any]:
        """`TransactionResult`."""
        result: dict[str, Any] = self.outcome["result"]["result"]
        return result

    @cached
    def successful(self) -> bool:
        """Whether its operations took effect."""
        return self.result["result"][0] in (names.txSUCCESS, FEE_BUMP_INNER_SUCCESS)

    @cached
    def operation_results(self) -> list[tuple[int, Any]]:
        """`OperationResult` for each operation; empty if it failed before its operations were tried."""
        code, value = self.result["result"]
        if code in (FEE_BUMP_INNER_SUCCESS, FEE_BUMP_INNER_FAILED):
            code, value = value["result"]["result"]
        return value if code in (names.txSUCCESS, names.txFAILED) else []

    @cached
    def soroban_data(self) -> dict[str, Any] | None:
        """`SorobanTransactionData`, None for a classic transaction."""
        ext = self.tx["ext"]
        return ext[1] if ext[0] == 1 else None

    @cached
    def meta(self) -> tuple[Any, ...]:
        """`TransactionMeta`."""
        meta: tuple[Any, ...] = self.outcome["txApplyProcessing"]
        return meta

    def operation_changes(self, index: int) -> list[tuple[int, Any]]:
        """The ledger entry changes of an operation, empty if it made none."""
        version, meta = self.meta[0], self.meta[1]
        operations = meta if version == 0 else meta["operations"]
        return operations[index]["changes"] if index < len(operations) else []


@dataclass(eq=False, slots=True)
class Operation:
    """One operation with data of its transaction.

    Attributes:
        transaction: the transaction.
        index: its place in the transaction, from 0.
        type: its `OperationType`.
        body: its content, None where the type has none.
        source: its own source account, or else the transaction's, a `MuxedAccount`.
    """

    transaction: Transaction
    index: int
    type: int
    body: Any
    source: tuple[int, Any]

    @property
    def id(self) -> int:
        """Its TOID: operations count from 1."""
        return self.transaction.id | self.index + 1

    @property
    def result(self) -> tuple[int, Any] | None:
        """Its `OperationResult`, None if the transaction failed before its operations were tried."""
        results = self.transaction.operation_results
        return results[self.index] if self.index < len(results) else None

    def success(self) -> Any:
        """The content of its result, if its transaction was successful."""
        assert self.result is not None
        return self.result[1][1][1]


@dataclass(eq=False)
class Ledger:
    """One closed ledger.

    Attributes:
        version: of `LedgerCloseMeta`: 0, 1 or 2.
        meta: its content.
        network: the network's id, for transaction hashes.
    """

    version: int
    meta: dict[str, Any]
    network: bytes

    @cached
    def header(self) -> dict[str, Any]:
        """`LedgerHeader`."""
        header: dict[str, Any] = self.meta["ledgerHeader"]["header"]
        return header

    @cached
    def sequence(self) -> int:
        """Its sequence number."""
        return int(self.header["ledgerSeq"])

    @property
    def hash(self) -> bytes:
        """The hash of its header, as the network recorded it."""
        value: bytes = self.meta["ledgerHeader"]["hash"]
        return value

    @cached
    def link(self) -> Link:
        """Its link to the previous ledger."""
        return Link(self.sequence, self.hash, self.header["previousLedgerHash"], self.closed_at)

    @cached
    def closed_at(self) -> str:
        """Its close time, RFC 3339 UTC, whole seconds.

        Raises:
            LedgerError: it is after year 9999.
        """
        try:
            return f"{datetime.fromtimestamp(self.close_time, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except (OSError, OverflowError, ValueError):
            raise LedgerError(
                f"ledger {self.sequence}: {self.close_time} is not a valid close time: it is damaged"
            ) from None

    @property
    def close_time(self) -> int:
        """Its close time in seconds since 1970."""
        return int(self.header["scpValue"]["closeTime"])

    @cached
    def header_entry_text(self) -> str:
        """Its `LedgerHeaderHistoryEntry` in base64; the entry's extension has one form only, an empty one."""
        history = self.meta["ledgerHeader"]
        return base64(self.hash + history["header"]["raw"] + history["ext"][0].to_bytes(4, "big"))

    def envelopes(self) -> Iterator[tuple[Any, ...]]:
        """The transaction set's envelopes, in the set's order."""
        tx_set = self.meta["txSet"]
        if self.version == 0:
            yield from tx_set["txs"]
            return
        for kind, phase in tx_set[1]["phases"]:
            if kind == 0:
                for _, component in phase:
                    yield from component["txs"]
            else:
                for stage in phase["executionStages"]:
                    for cluster in stage:
                        yield from cluster

    @cached
    def transactions(self) -> list[Transaction]:
        """Its transactions, in the order they were applied.

        Raises:
            LedgerError: a result belongs to no transaction of the set: the ledger is damaged or another network's.
        """
        by_hash = {transaction_hash(envelope, self.network): envelope for envelope in self.envelopes()}
        found = []
        for index, outcome in enumerate(self.meta["txProcessing"], start=1):
            key = outcome["result"]["transactionHash"]
            if key not in by_hash:
                raise LedgerError(
                    f"ledger {self.sequence}: result {index} is of transaction {key.hex()}, which is not in the "
                    f"ledger: it belongs to another network than the lake's configuration names, or is damaged"
                )
            found.append(Transaction(self.sequence, index, key, by_hash[key], outcome, self.network))
        return found

    @cached
    def operations(self) -> list[Operation]:
        """Its transactions' operations, in the order they were applied."""
        return [operation for transaction in self.transactions for operation in transaction.operations()]

    @cached
    def changes(self) -> dict[int, list[Change]]:
        """Its ledger entry changes, by `LedgerEntryType`."""
        return compacted(self.meta)

    @property
    def transaction_set_hash(self) -> bytes:
        """The hash of its transaction set, from the set's bytes; the older form begins with the ledger before it."""
        tx_set = self.meta["txSet"]
        if self.version == 0:
            content = tx_set["previousLedgerHash"] + b"".join(envelope[2] for envelope in tx_set["txs"])
        else:
            content = tx_set[2]
        return hashlib.sha256(content).digest()

    def verify_header(self) -> None:
        """Check the header against its hash.

        Raises:
            LedgerError: it doesn't match.
        """
        if hashlib.sha256(self.header["raw"]).digest() != self.hash:
            raise LedgerError(f"ledger {self.sequence}: the header's hash is not {self.hash.hex()}: it is damaged")

    def verify(self) -> None:
        """Check the hashes of the header, the transactions and the results.

        Raises:
            LedgerError: naming the ledger and what doesn't match.
        """
        self.verify_header()
        if self.transaction_set_hash != self.header["scpValue"]["txSetHash"]:
            raise LedgerError(f"ledger {self.sequence}: its transactions' hash is not the header's: it is damaged")
        results = len(self.meta["txProcessing"]).to_bytes(4, "big") + b"".join(
            outcome["result_raw"] for outcome in self.meta["txProcessing"]
        )
        if hashlib.sha256(results).digest() != self.header["txSetResultHash"]:
            raise LedgerError(f"ledger {self.sequence}: its results' hash is not the header's: it is damaged")
