"""What an operation is, and what it sees while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from local.sample_network import encode, scval
from local.sample_network.encode import NATIVE, ZERO, i32, issuer_of
from local.sample_network.entries import Account, Entry
from local.sample_network.keys import asset_name, contract_of
from local.sample_network.state import State


class Failed(Exception):  # noqa: N818
    """An operation's failure, by its result code, with what that result holds.

    `outer` failures are of the operation's frame (`opBAD_AUTH` and the like), not of its type.
    """

    def __init__(self, code: int, payload: bytes = b"", *, outer: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.payload = payload
        self.outer = outer


@dataclass(frozen=True)
class Party:
    """An account as a transaction names it: its key, and an id if it is multiplexed (SEP-23)."""

    key: bytes
    number: int | None = None

    @property
    def xdr(self) -> bytes:
        """`MuxedAccount`."""
        return encode.muxed(self.key, self.number)


@dataclass
class Chain:
    """What the header carries from ledger to ledger."""

    sequence: int
    close_time: int = 0
    protocol: int = 25
    base_fee: int = 100
    base_reserve: int = 5_000_000
    max_tx_set_size: int = 1000
    fee_pool: int = 0
    id_pool: int = 0


@dataclass
class Run:
    """One transaction while it is applied.

    Attributes:
        transaction: the source's key and the sequence number: they name what the transaction makes.
        memo: what a payment's event tells of the transaction's memo, as `SCVal`; None if there is none.
        source: of the operation that runs.
        operation: its place in the transaction, from 0.
        sponsors: who sponsors whose future reserves right now.
        events: of the operation that runs.
        returned: what the host function gave back, as `SCVal`.
        rent: stroops that living longer cost.
        archive: entries that were evicted and can come back, by ledger key.
        diagnostics: diagnostic events, each with whether the call succeeded.
    """

    state: State
    chain: Chain
    transaction: tuple[bytes, int]
    archive: dict[bytes, Entry]
    memo: bytes | None = None
    source: Party = Party(bytes(32))
    operation: int = 0
    sponsors: dict[bytes, bytes] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)
    returned: bytes | None = None
    rent: int = 0
    diagnostics: list[bytes] = field(default_factory=list)

    def account(self, owner: bytes) -> Account:
        """An account that is known to be there."""
        found = self.state.account(owner)
        assert found is not None
        return found

    def available(self, owner: bytes) -> int:
        """Stroops that may be spent: reserve and what offers promise stay."""
        account = self.account(owner)
        return account.balance - account.units * self.chain.base_reserve - account.selling

    # Events (CAP-67) ---------------------------------------------------------------------------------------------

    def emit(self, name: str, asset: bytes, parties: Sequence[bytes], data: bytes) -> None:
        """Tells what became of an asset."""
        topics = [scval.symbol(name), *map(scval.address, parties), scval.string(asset_name(asset))]
        self.events.append(scval.contract_event(contract_of(asset), topics, data))

    def moved(self, asset: bytes, source: bytes, destination: bytes, amount: int, number: bytes | None = None) -> None:
        """Tells of a payment: mint from an issuer, burn to one, else transfer.

        Args:
            asset: what moves.
            source: whence, `SCAddress`.
            destination: where to, `SCAddress`.
            amount: in stroops.
            number: the destination's id, `SCVal`.
        """
        data = scval.i128(amount)
        issuer = None if asset == NATIVE else issuer_of(asset)
        issued = issuer is not None and source == scval.of_account(issuer)
        returned = issuer is not None and destination == scval.of_account(issuer)
        if number is not None and not (returned and not issued):
            data = scval.record(amount=data, to_muxed_id=number)
        if issued and not returned:
            self.emit("mint", asset, [destination], data)
        elif returned and not issued:
            self.emit("burn", asset, [source], data)
        else:
            self.emit("transfer", asset, [source, destination], data)

    def paid(self, asset: bytes, destination: Party, amount: int) -> None:
        """Tells of a payment by the operation's source to an account, with the id or memo that says whose it is."""
        number = self.memo if destination.number is None else scval.of_u64(destination.number)
        self.moved(asset, scval.of_account(self.source.key), scval.of_account(destination.key), amount, number)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What an actor asks for.

    Attributes:
        source: the operation's own source, None if it is the transaction's.
        number: the protocol's number of its type.
        threshold: which of its source's thresholds it needs: 1 low, 2 medium, 3 high.
    """

    source: Party | None = None
    number: ClassVar[int]
    threshold: ClassVar[int] = 2

    @property
    def body(self) -> bytes:
        """`OperationBody` without its type."""
        raise NotImplementedError

    def apply(self, run: Run) -> bytes:
        """Does it; gives what the result's success holds.

        Raises:
            Failed: it can't be done; whoever calls undoes what was changed.
        """
        raise NotImplementedError

    @property
    def needs(self) -> int:
        """The threshold that this one needs."""
        return self.threshold

    @property
    def xdr(self) -> bytes:
        """`Operation`."""
        source = ZERO if self.source is None else encode.present(self.source.xdr)
        return source + i32(self.number) + self.body
