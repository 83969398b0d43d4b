"""A ledger engine: applies transactions to accounts and trust lines, and writes what stellar-core would write.

It holds the whole state, charges fees, counts sequence numbers, rolls back what fails, and records each change with the
state before it. The hash of the bucket list is a stand-in that depends on every change: there are no buckets yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from nacl.signing import SigningKey

from local.sample_network import encode
from local.sample_network.encode import NATIVE, ZERO, array, i32, i64, opaque, u32, u64

PASSPHRASE = "Stellar Sample Network ; generated, not real ; 2026"  # noqa: S105 - public: it names the network
PROTOCOL = 25
BASE_FEE = 100
BASE_RESERVE = 5_000_000
TOTAL_COINS = 8_000_000_000_000_000
"""Stroops. Below 9 * 10^15, so that every sum is exact in a FLOAT column."""

CREATE_ACCOUNT, PAYMENT, CHANGE_TRUST = 0, 1, 6


def sha256(data: bytes) -> bytes:
    """The hash of all of Stellar."""
    return hashlib.sha256(data).digest()


NETWORK = sha256(PASSPHRASE.encode())


@cache
def signing_key(name: str) -> SigningKey:
    """An actor's key: the same name always has the same."""
    return SigningKey(sha256(f"{PASSPHRASE}/{name}".encode()))


@cache
def public_key(name: str) -> bytes:
    """An actor's public key, 32 bytes."""
    return bytes(signing_key(name).verify_key)


@cache
def contract_of(asset: bytes) -> bytes:
    """The id of an asset's contract: the hash of its preimage (CAP-46-02)."""
    return sha256(u32(8) + NETWORK + u32(1) + asset)


@dataclass(frozen=True)
class Asset:
    """A credit, or lumens if the code is empty."""

    code: str = ""
    issuer: str = ""

    @property
    def xdr(self) -> bytes:
        """`Asset`."""
        return encode.credit(self.code, public_key(self.issuer)) if self.code else NATIVE

    @property
    def name(self) -> str:
        """As events spell it."""
        from stellar_etl.strkey import account

        return f"{self.code}:{account(public_key(self.issuer))}" if self.code else "native"


LUMENS = Asset()


@dataclass(frozen=True)
class Account:
    """An account's state."""

    owner: str
    balance: int
    sequence: int
    subentries: int = 0
    modified: int = 0

    @property
    def entry(self) -> bytes:
        """`LedgerEntry`."""
        return (
            u32(self.modified)
            + u32(0)
            + encode.account_id(public_key(self.owner))
            + i64(self.balance)
            + i64(self.sequence)
            + u32(self.subentries)
            + ZERO  # inflation destination
            + ZERO  # flags
            + opaque(b"")  # home domain
            + b"\1\0\0\0"  # thresholds
            + ZERO  # signers
            + ZERO
            + ZERO
        )

    @property
    def available(self) -> int:
        """Stroops that may be spent: the reserve stays."""
        return self.balance - (2 + self.subentries) * BASE_RESERVE


@dataclass(frozen=True)
class Trustline:
    """A trust line's state."""

    owner: str
    asset: Asset
    balance: int = 0
    limit: int = 0
    modified: int = 0

    @property
    def entry(self) -> bytes:
        """`LedgerEntry`."""
        return (
            u32(self.modified)
            + u32(1)
            + encode.account_id(public_key(self.owner))
            + self.asset.xdr
            + i64(self.balance)
            + i64(self.limit)
            + u32(1)  # authorized
            + ZERO
            + ZERO
        )

    @property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return u32(1) + encode.account_id(public_key(self.owner)) + self.asset.xdr


Entry = Account | Trustline
Key = str | tuple[str, Asset]


@dataclass(frozen=True)
class Operation:
    """What an actor asks for. `kind` is the protocol's number."""

    kind: int
    destination: str = ""
    asset: Asset = LUMENS
    amount: int = 0

    @property
    def xdr(self) -> bytes:
        """`Operation`."""
        if self.kind == CREATE_ACCOUNT:
            body = encode.account_id(public_key(self.destination)) + i64(self.amount)
        elif self.kind == PAYMENT:
            body = encode.account_id(public_key(self.destination)) + self.asset.xdr + i64(self.amount)
        else:
            body = self.asset.xdr + i64(self.amount)
        return encode.operation(self.kind, body)


@dataclass(frozen=True)
class Request:
    """A transaction that an actor wants."""

    source: str
    operations: tuple[Operation, ...]
    memo: str = ""


class Failed(Exception):  # noqa: N818
    """An operation's failure, by its result code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Engine:
    """The network's state and its chain.

    Attributes:
        sequence: of the ledger that closed last.
        entries: every entry by its key: an account by its owner, a trust line by owner and asset.
    """

    sequence: int
    entries: dict[Key, Entry] = field(default_factory=dict)
    fee_pool: int = 0
    previous_hash: bytes = sha256(f"{PASSPHRASE}/genesis".encode())
    bucket_list_hash: bytes = bytes(32)
    _changes: list[bytes] = field(default_factory=list)
    _undo: dict[Key, Entry | None] = field(default_factory=dict)

    # Entries -----------------------------------------------------------------------------------------------------

    def account(self, owner: str) -> Account | None:
        """An account, None if there is none."""
        found = self.entries.get(owner)
        assert found is None or isinstance(found, Account)
        return found

    def trustline(self, owner: str, asset: Asset) -> Trustline | None:
        """A trust line, None if there is none."""
        found = self.entries.get((owner, asset))
        assert found is None or isinstance(found, Trustline)
        return found

    def _put(self, key: Key, entry: Entry) -> None:
        before = self.entries.get(key)
        self._undo.setdefault(key, before)
        entry = replace(entry, modified=self.sequence)
        self.entries[key] = entry
        if before is None:
            self._changes.append(encode.CREATED + entry.entry)
        else:
            self._changes += [encode.STATE + before.entry, encode.UPDATED + entry.entry]

    def _remove(self, key: Key) -> None:
        before = self.entries.pop(key)
        assert isinstance(before, Trustline)
        self._undo.setdefault(key, before)
        self._changes += [encode.STATE + before.entry, encode.REMOVED + before.key]

    def _taken(self) -> bytes:
        """The changes since the last call, as `LedgerEntryChanges`."""
        taken, self._changes = self._changes, []
        return array(taken)

    def _roll_back(self, undo: dict[Key, Entry | None]) -> None:
        """Puts entries back as they were."""
        for key, before in undo.items():
            if before is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = before
        self._changes = []

    # Operations --------------------------------------------------------------------------------------------------

    def _add(self, owner: str, asset: Asset, amount: int, *, missing: int, full: int, underfunded: int) -> None:
        """Changes a balance; an issuer has as much of its own asset as it likes."""
        if asset == LUMENS:
            account = self.account(owner)
            if account is None:
                raise Failed(missing)
            if account.available + amount < 0 and amount < 0:
                raise Failed(underfunded)
            self._put(owner, replace(account, balance=account.balance + amount))
            return
        if owner == asset.issuer:
            return
        line = self.trustline(owner, asset)
        if line is None:
            raise Failed(missing)
        if line.balance + amount < 0:
            raise Failed(underfunded)
        if line.balance + amount > line.limit:
            raise Failed(full)
        self._put((owner, asset), replace(line, balance=line.balance + amount))

    def _create_account(self, source: str, asked: Operation) -> list[bytes]:
        if self.account(asked.destination) is not None:
            raise Failed(-4)  # ALREADY_EXIST
        if asked.amount < 2 * BASE_RESERVE:
            raise Failed(-3)  # LOW_RESERVE
        self._add(source, LUMENS, -asked.amount, missing=-2, full=-2, underfunded=-2)
        self._put(asked.destination, Account(asked.destination, asked.amount, self.sequence << 32))
        return [_moved(LUMENS, source, asked.destination, asked.amount)]

    def _payment(self, source: str, asked: Operation) -> list[bytes]:
        if self.account(asked.destination) is None:
            raise Failed(-5)  # NO_DESTINATION
        self._add(source, asked.asset, -asked.amount, missing=-3, full=-3, underfunded=-2)
        self._add(asked.destination, asked.asset, asked.amount, missing=-6, full=-8, underfunded=-2)
        return [_moved(asked.asset, source, asked.destination, asked.amount)]

    def _change_trust(self, source: str, asked: Operation) -> list[bytes]:
        if self.account(asked.asset.issuer) is None:
            raise Failed(-2)  # NO_ISSUER
        account, line = self.account(source), self.trustline(source, asked.asset)
        assert account is not None
        if line is not None:
            if asked.amount < line.balance:
                raise Failed(-3)  # INVALID_LIMIT
            if asked.amount == 0:
                self._remove((source, asked.asset))
                self._put(source, replace(account, subentries=account.subentries - 1))
            else:
                self._put((source, asked.asset), replace(line, limit=asked.amount))
            return []
        if asked.amount == 0:
            raise Failed(-3)  # INVALID_LIMIT
        if account.available < BASE_RESERVE:
            raise Failed(-4)  # LOW_RESERVE
        self._put((source, asked.asset), Trustline(source, asked.asset, limit=asked.amount))
        self._put(source, replace(account, subentries=account.subentries + 1))
        return []

    def _apply(self, source: str, asked: Operation) -> list[bytes]:
        """Applies an operation; gives its events."""
        apply: dict[int, Callable[[str, Operation], list[bytes]]] = {
            CREATE_ACCOUNT: self._create_account,
            PAYMENT: self._payment,
            CHANGE_TRUST: self._change_trust,
        }
        return apply[asked.kind](source, asked)

    # Transactions ------------------------------------------------------------------------------------------------

    def _signed(self, request: Request, max_time: int) -> tuple[bytes, bytes]:
        """The envelope and the hash of a request."""
        account = self.account(request.source)
        assert account is not None, f"{request.source} has no account"
        body = (
            encode.account_id(public_key(request.source))
            + u32(BASE_FEE * len(request.operations))
            + i64(account.sequence + 1)
            + (u32(1) + u64(0) + u64(max_time))
            + (u32(1) + opaque(request.memo.encode()) if request.memo else ZERO)
            + array(operation.xdr for operation in request.operations)
            + ZERO
        )
        digest = sha256(NETWORK + u32(2) + body)
        key = signing_key(request.source)
        signature = public_key(request.source)[-4:] + opaque(key.sign(digest).signature)
        return u32(2) + body + array([signature]), digest

    def _charge(self, request: Request) -> bytes:
        """Takes the fee; gives the changes."""
        account = self.account(request.source)
        assert account is not None
        fee = BASE_FEE * len(request.operations)
        self._put(request.source, replace(account, balance=account.balance - fee))
        self.fee_pool += fee
        return self._taken()

    def _run(self, request: Request) -> tuple[bytes, bytes]:
        """Runs a transaction whose fee is taken; gives its `TransactionResult` and its `TransactionMeta`."""
        account = self.account(request.source)
        assert account is not None
        self._put(request.source, replace(account, sequence=account.sequence + 1))
        before = self._taken()
        at_start: dict[Key, Entry | None] = {}
        results, metas, failed = [], [], False
        for asked in request.operations:
            self._undo = {}
            try:
                events = self._apply(request.source, asked)
                code = 0
            except Failed as failure:
                events, code, failed = [], failure.code, True
                self._roll_back(self._undo)
            at_start = self._undo | at_start
            results.append(i32(0) + i32(asked.kind) + i32(code))
            metas.append(ZERO + self._taken() + array(events))
        fee = BASE_FEE * len(request.operations)
        if failed:
            self._roll_back(at_start)
            metas = []
        result = i64(fee) + i32(-1 if failed else 0) + array(results) + ZERO
        fee_event = encode.contract_event(
            contract_of(NATIVE),
            [encode.symbol("fee"), encode.address(public_key(request.source))],
            encode.i128(fee),
        )
        meta = (
            u32(4)
            + ZERO
            + before
            + array(metas)
            + ZERO  # changes after the operations
            + ZERO  # no contract was called
            + array([i32(0) + fee_event])
            + ZERO  # diagnostic events
        )
        return result, meta

    # Ledgers -----------------------------------------------------------------------------------------------------

    def close(self, requests: Sequence[Request], close_time: int) -> bytes:
        """Closes a ledger with these transactions, one a source at most, in this order; gives `LedgerCloseMeta`."""
        self.sequence += 1
        signed = [self._signed(request, close_time + 300) for request in requests]
        fees = [self._charge(request) for request in requests]
        pairs, processing = [], []
        for request, (_, digest), fee in zip(requests, signed, fees, strict=True):
            result, meta = self._run(request)
            pairs.append(digest + result)
            processing.append(ZERO + digest + result + fee + meta + ZERO)
        tx_set = self._tx_set([envelope for envelope, _ in signed])
        self.bucket_list_hash = sha256(self.bucket_list_hash + b"".join(processing))
        header = self._header(sha256(tx_set), close_time, sha256(array(pairs)))
        digest = sha256(header)
        self.previous_hash = digest
        return (
            u32(2)
            + ZERO
            + (digest + header + ZERO)
            + tx_set
            + array(processing)
            + ZERO  # upgrades
            + ZERO  # consensus messages
            + u64(0)  # live contract state
            + ZERO  # evicted keys
        )

    def _tx_set(self, envelopes: list[bytes]) -> bytes:
        """`GeneralizedTransactionSet`: a classic phase, its transactions sorted by hash, and an empty one."""
        component = i32(0) + ZERO + array(sorted(envelopes, key=sha256))
        classic = ZERO + array([component] if envelopes else [])
        return u32(1) + self.previous_hash + array([classic, ZERO + ZERO])

    def _header(self, tx_set_hash: bytes, close_time: int, result_hash: bytes) -> bytes:
        """`LedgerHeader`, its value signed by the one validator."""
        signature = signing_key("validator").sign(NETWORK + i32(4) + tx_set_hash + u64(close_time)).signature
        value = (
            tx_set_hash
            + u64(close_time)
            + ZERO
            + (i32(1) + encode.account_id(public_key("validator")) + opaque(signature))
        )
        return (
            u32(PROTOCOL)
            + self.previous_hash
            + value
            + result_hash
            + self.bucket_list_hash
            + u32(self.sequence)
            + i64(TOTAL_COINS)
            + i64(self.fee_pool)
            + u32(0)
            + u64(0)
            + u32(BASE_FEE)
            + u32(BASE_RESERVE)
            + u32(1000)
            + bytes(4 * 32)
            + ZERO
        )


def _moved(asset: Asset, source: str, destination: str, amount: int) -> bytes:
    """The event of a payment (CAP-67): mint from an issuer, burn to one, else transfer."""
    if asset.code and source == asset.issuer:
        kind, parties = "mint", [destination]
    elif asset.code and destination == asset.issuer:
        kind, parties = "burn", [source]
    else:
        kind, parties = "transfer", [source, destination]
    topics = [encode.symbol(kind), *(encode.address(public_key(party)) for party in parties), encode.string(asset.name)]
    return encode.contract_event(contract_of(asset.xdr), topics, encode.i128(amount))


def genesis(first_ledger: int) -> Engine:
    """The state before the first ledger: one account holds every lumen."""
    root: dict[Any, Any] = {"root": Account("root", TOTAL_COINS, 0, modified=1)}
    return Engine(sequence=first_ledger - 1, entries=root)
