"""Transactions: requests, XDR and signatures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from local.sample_network import scval
from local.sample_network.encode import (
    ZERO,
    array,
    ed25519_signer,
    hash_x,
    i64,
    opaque,
    optional,
    signed_payload,
    u32,
    u64,
)
from local.sample_network.keys import NETWORK, sha256, sign
from local.sample_network.operations.contracts import ContractOperation
from local.sample_network.run import Operation, Party

# The cost of a contract transaction before rent: the same for all in this network.
INSTRUCTIONS = 2_500_000
NON_REFUNDABLE = 41_237
RESOURCE_FEE = 400_000
"""Stroops; the part that rent and events do not use is refunded."""


@dataclass(frozen=True)
class Memo:
    """A memo: its type by the protocol's number, and its content."""

    kind: int = 0
    value: str | int | bytes = b""

    @property
    def xdr(self) -> bytes:
        """`Memo`."""
        if self.kind == 0:
            return ZERO
        if isinstance(self.value, int):
            return u32(2) + u64(self.value)
        return u32(self.kind) + (opaque(self.value.encode()) if isinstance(self.value, str) else self.value)

    @property
    def event_value(self) -> bytes | None:
        """The form in a payment's event, None without a memo."""
        if self.kind == 0:
            return None
        if isinstance(self.value, int):
            return scval.of_u64(self.value)
        return scval.string(self.value) if isinstance(self.value, str) else scval.of_bytes(self.value)


def memo_text(text: str) -> Memo:
    """A text of up to 28 bytes."""
    return Memo(1, text) if text else Memo()


def memo_id(number: int) -> Memo:
    """A number."""
    return Memo(2, number)


def memo_hash(digest: bytes) -> Memo:
    """A hash."""
    return Memo(3, digest)


def memo_return(digest: bytes) -> Memo:
    """The hash of the transaction that is refunded."""
    return Memo(4, digest)


@dataclass(frozen=True)
class Conditions:
    """When a transaction is valid (CAP-21); the time bounds are seconds after the ledger's close."""

    until: int | None = 300
    ledgers: tuple[int, int] | None = None
    least_sequence: int | None = None
    least_age: int = 0
    least_gap: int = 0
    extra_signers: tuple[bytes, ...] = ()

    def xdr(self, close_time: int) -> bytes:
        """`Preconditions`."""
        times = None if self.until is None else u64(0) + u64(close_time + self.until)
        if self == Conditions(until=self.until):
            return ZERO if times is None else u32(1) + times
        ledgers = None if self.ledgers is None else u32(self.ledgers[0]) + u32(self.ledgers[1])
        least = None if self.least_sequence is None else i64(self.least_sequence)
        made = u32(2) + optional(times) + optional(ledgers) + optional(least)
        return made + u64(self.least_age) + u32(self.least_gap) + array(self.extra_signers)


@dataclass(frozen=True)
class Payload:
    """A signature of a payload, for a signer that needs one."""

    key: bytes
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Request:
    """A transaction that an actor requests.

    Attributes:
        source: the account of its sequence number.
        sequence: its sequence number, None for the next one.
        signers: public keys, secrets (`str`) and payloads that sign; None for the keys of all sources.
        fee_source: the payer of the fee (a fee bump), None if the source pays.
        bid: the most that it pays per operation.
        resource_fee: stroops that a contract transaction offers for its resources.
        expected: the operations' result codes, or the transaction's own code if it fails as a whole; None if any are
            fine. Another result than expected is an error.
    """

    source: Party
    operations: tuple[Operation, ...]
    memo: Memo = Memo()
    conditions: Conditions = Conditions()
    sequence: int | None = None
    signers: tuple[bytes | str | Payload, ...] | None = None
    fee_source: Party | None = None
    bid: int = 1000
    resource_fee: int = RESOURCE_FEE
    expected: tuple[int, ...] | int | None = None

    @property
    def contract(self) -> ContractOperation | None:
        """Its operation, if it is a contract transaction."""
        first = self.operations[0]
        return first if isinstance(first, ContractOperation) else None


@dataclass(frozen=True)
class Signed:
    """A transaction as it goes into a set.

    Attributes:
        request: the request.
        sequence: its sequence number.
        digest: its hash; of a fee bump, the hash of the bump.
        inner: the hash of the wrapped transaction of a fee bump, otherwise its own.
        envelope: `TransactionEnvelope`.
        signs: the `SignerKey`s that its signatures satisfy.
    """

    request: Request
    sequence: int
    digest: bytes
    inner: bytes
    envelope: bytes
    signs: frozenset[bytes]

    @cached_property
    def place(self) -> bytes:
        """The hash of the whole envelope: transactions are ordered by it within a set."""
        return sha256(self.envelope)

    @property
    def payer(self) -> bytes:
        """The payer of the fee."""
        return (self.request.fee_source or self.request.source).key

    def fee(self, base_fee: int) -> int:
        """The fee that is charged first, in stroops."""
        operations = len(self.request.operations) + (self.request.fee_source is not None)
        return base_fee * operations + (self.request.resource_fee if self.request.contract else 0)


def _resources(request: Request) -> bytes:
    """`SorobanTransactionData` as the transaction's extension."""
    operation = request.contract
    if operation is None:
        return ZERO
    read, written = map(sorted, operation.touched)
    back = [u32(written.index(key)) for key in operation.restoring]
    footprint = (u32(1) + array(sorted(back)) if back else ZERO) + array(read) + array(written)
    return u32(1) + footprint + u32(INSTRUCTIONS) + u32(20_000) + u32(20_000) + i64(request.resource_fee)


def signed(request: Request, sequence: int, close_time: int) -> Signed:
    """Write and sign a transaction."""
    resource_fee = request.resource_fee if request.contract else 0
    fee = request.bid * len(request.operations) + resource_fee
    body = (
        request.source.xdr
        + u32(fee)
        + i64(sequence)
        + request.conditions.xdr(close_time)
        + request.memo.xdr
        + array(operation.xdr for operation in request.operations)
        + _resources(request)
    )
    inner = sha256(NETWORK + u32(2) + body)
    signers = request.signers
    if signers is None:
        sources = (operation.source for operation in request.operations)
        signers = tuple(dict.fromkeys((request.source.key, *(source.key for source in sources if source))))
    pairs = [_signature(signer, inner) for signer in signers]
    envelope = u32(2) + body + array(signature for signature, _ in pairs)
    signs = frozenset(key for _, key in pairs)
    if request.fee_source is None:
        return Signed(request, sequence, inner, inner, envelope, signs)
    bump = request.fee_source.xdr + i64(fee + request.bid) + envelope + ZERO
    digest = sha256(NETWORK + u32(5) + bump)
    signature, _ = _signature(request.fee_source.key, digest)
    return Signed(request, sequence, digest, inner, u32(5) + bump + array([signature]), signs)


def _signature(signer: bytes | str | Payload, digest: bytes) -> tuple[bytes, bytes]:
    """`DecoratedSignature`, and the `SignerKey` that it satisfies."""
    if isinstance(signer, bytes):
        return signer[-4:] + opaque(sign(signer, digest)), ed25519_signer(signer)
    if isinstance(signer, str):
        secret = signer.encode()
        return sha256(secret)[-4:] + opaque(secret), hash_x(sha256(secret))
    tail = signer.payload[-4:].ljust(4, b"\0")
    hint = bytes(a ^ b for a, b in zip(signer.key[-4:], tail, strict=True))
    return hint + opaque(sign(signer.key, signer.payload)), signed_payload(signer.key, signer.payload)
