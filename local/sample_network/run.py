"""The base of operations, and their context while they run."""

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
    """An operation's failure, by its result code, with the result's content.

    `outer` failures are of the operation's frame (`opBAD_AUTH` and the like), not of its type.
    """

    def __init__(self, code: int, payload: bytes = b"", *, outer: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.payload = payload
        self.outer = outer


@dataclass(frozen=True)
class Party:
    """An account in a transaction: its key, and an id if it is multiplexed (SEP-23)."""

    key: bytes
    number: int | None = None

    @property
    def xdr(self) -> bytes:
        """`MuxedAccount`."""
        return encode.muxed(self.key, self.number)


@dataclass
class Chain:
    """The values that the header carries from ledger to ledger."""

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
        transaction: the source's key and the sequence number: ids of created entries are made from them.
        memo: the transaction's memo for events of payments, as `SCVal`; None without one.
        source: of the operation that runs.
        operation: its position in the transaction, from 0.
        sponsors: the current sponsors of future reserves, by account.
        events: of the operation that runs.
        returned: the result of the host function, as `SCVal`.
        rent: stroops of rent.
        archive: evicted entries that can be restored, by ledger key.
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
        """An account that is known to exist."""
        found = self.state.account(owner)
        assert found is not None
        return found

    def available(self, owner: bytes) -> int:
        """Spendable stroops: without the reserve and the liabilities of offers."""
        account = self.account(owner)
        return account.balance - account.units * self.chain.base_reserve - account.selling

    # Events (CAP-67) ---------------------------------------------------------------------------------------------

    def emit(self, name: str, asset: bytes, parties: Sequence[bytes], data: bytes) -> None:
        """Publish an event of an asset."""
        topics = [scval.symbol(name), *map(scval.address, parties), scval.string(asset_name(asset))]
        self.events.append(scval.contract_event(contract_of(asset), topics, data))

    def moved(self, asset: bytes, source: bytes, destination: bytes, amount: int, number: bytes | None = None) -> None:
        """Publish the event of a payment: mint from an issuer, burn to one, otherwise transfer.

        Args:
            asset: the asset.
            source: the sender, `SCAddress`.
            destination: the receiver, `SCAddress`.
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
        """Publish the event of a payment by the operation's source to an account, with the receiver's id or memo."""
        number = self.memo if destination.number is None else scval.of_u64(destination.number)
        self.moved(asset, scval.of_account(self.source.key), scval.of_account(destination.key), amount, number)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation that an actor requests.

    Attributes:
        source: the operation's own source, None if it is the transaction's.
        number: the protocol's number of its type.
        threshold: the threshold of its source: 1 low, 2 medium, 3 high.
    """

    source: Party | None = None
    number: ClassVar[int]
    threshold: ClassVar[int] = 2

    @property
    def body(self) -> bytes:
        """`OperationBody` without its type."""
        raise NotImplementedError

    def apply(self, run: Run) -> bytes:
        """Run it; return the content of the successful result.

        Raises:
            Failed: it can't be done; the caller undoes its changes.
        """
        raise NotImplementedError

    @property
    def needs(self) -> int:
        """The threshold of this operation."""
        return self.threshold

    @property
    def xdr(self) -> bytes:
        """`Operation`."""
        source = ZERO if self.source is None else encode.present(self.source.xdr)
        return source + i32(self.number) + self.body
