"""Accounts made and merged, payments, and payments along a path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from local.sample_network.encode import MAX, NATIVE, account_id, array, i64, pool_parameters
from local.sample_network.entries import Account, Pool, pool_key
from local.sample_network.exchange import Rounding, pool_asks, pool_pays
from local.sample_network.funds import (
    AUTH_IMMUTABLE,
    account_exists,
    change_sponsored,
    change_sponsoring,
    credit,
    debit,
    move,
)
from local.sample_network.keys import sha256
from local.sample_network.orderbook import Claim, SelfCross, Taken, take
from local.sample_network.run import Failed, Operation, Party, Run


@dataclass(frozen=True)
class CreateAccount(Operation):
    """A new account with a starting balance; its reserve may be sponsored."""

    number: ClassVar[int] = 0
    destination: bytes
    amount: int

    @property
    def body(self) -> bytes:
        """`CreateAccountOp`."""
        return account_id(self.destination) + i64(self.amount)

    def apply(self, run: Run) -> bytes:
        """Make the account."""
        if account_exists(run, self.destination):
            raise Failed(-4)  # ALREADY_EXIST
        sponsor = run.sponsors.get(self.destination)
        if sponsor is None and self.amount < 2 * run.chain.base_reserve:
            raise Failed(-3)  # LOW_RESERVE
        if sponsor is not None:
            if run.available(sponsor) < 2 * run.chain.base_reserve:
                raise Failed(-3)
            change_sponsoring(run, sponsor, 2)
        debit(run, run.source.key, NATIVE, self.amount, no_trust=-2, not_authorized=-2, underfunded=-2)
        made = Account(owner=self.destination, balance=self.amount, sequence=run.chain.sequence << 32, sponsor=sponsor)
        run.state.put(made)
        if sponsor is not None:
            change_sponsored(run, self.destination, 2)
        run.paid(NATIVE, Party(self.destination), self.amount)
        return b""


@dataclass(frozen=True)
class AccountMerge(Operation):
    """Removes the source; its remaining balance goes to another account."""

    number: ClassVar[int] = 8
    threshold: ClassVar[int] = 3
    destination: Party

    @property
    def body(self) -> bytes:
        """`MuxedAccount`."""
        return self.destination.xdr

    def apply(self, run: Run) -> bytes:
        """Merge; return the transferred balance."""
        if self.destination.key == run.source.key:
            raise Failed(-1)  # MALFORMED
        if not account_exists(run, self.destination.key):
            raise Failed(-2)  # NO_ACCOUNT
        account = run.account(run.source.key)
        if account.flags & AUTH_IMMUTABLE:
            raise Failed(-3)  # IMMUTABLE_SET
        if account.subentries != len(account.signers):
            raise Failed(-4)  # HAS_SUB_ENTRIES
        if account.sequence >= run.chain.sequence << 32:
            raise Failed(-5)  # SEQNUM_TOO_FAR
        if account.sponsoring:
            raise Failed(-7)  # IS_SPONSOR
        move(run, self.destination.key, NATIVE, account.balance)
        for signer in account.signers:
            if signer.sponsor is not None:
                change_sponsoring(run, signer.sponsor, -1)
        if account.sponsor is not None:
            change_sponsoring(run, account.sponsor, -2)
        run.state.remove(account.key)
        run.paid(NATIVE, self.destination, account.balance)
        return i64(account.balance)


@dataclass(frozen=True)
class Payment(Operation):
    """An amount of an asset for another account."""

    number: ClassVar[int] = 1
    destination: Party
    asset: bytes
    amount: int

    @property
    def body(self) -> bytes:
        """`PaymentOp`."""
        return self.destination.xdr + self.asset + i64(self.amount)

    def apply(self, run: Run) -> bytes:
        """Pay."""
        if self.amount <= 0:
            raise Failed(-1)  # MALFORMED
        if not account_exists(run, self.destination.key):
            raise Failed(-5)  # NO_DESTINATION
        _receive(run, self.destination.key, self.asset, self.amount)
        _send(run, self.asset, self.amount)
        run.paid(self.asset, self.destination, self.amount)
        return b""


def _send(run: Run, asset: bytes, amount: int) -> None:
    debit(run, run.source.key, asset, amount, no_trust=-3, not_authorized=-4, underfunded=-2)


def _receive(run: Run, owner: bytes, asset: bytes, amount: int) -> None:
    credit(run, owner, asset, amount, no_trust=-6, not_authorized=-7, full=-8)


def _result(claims: list[Claim], destination: Party, asset: bytes, amount: int) -> bytes:
    return array(claim.xdr for claim in claims) + account_id(destination.key) + asset + i64(amount)


def _emit(run: Run, claims: list[Claim], destination: Party, asset: bytes, amount: int) -> None:
    for claim in claims:
        claim.emit(run)
    run.paid(asset, destination, amount)


def _hop(run: Run, sheep: bytes, sheep_most: int, wheat: bytes, wheat_most: int, rounding: Rounding) -> Taken:
    """Convert one asset into the next by the book or the pool, whichever gives more for less.

    A tie goes to the pool.
    """
    by_pool = _pool_offer(run, sheep, sheep_most, wheat, wheat_most, rounding)
    try:
        with run.state.attempt() as attempt:
            taken = _by_book(run, sheep, sheep_most, wheat, wheat_most, rounding)
            attempt.undone = by_pool is not None and by_pool.sheep * taken.wheat <= taken.sheep * by_pool.wheat
        if not attempt.undone:
            return taken
    except Failed:
        if by_pool is None:
            raise
    assert by_pool is not None
    _trade_with_pool(run, by_pool)
    return by_pool


def _by_book(run: Run, sheep: bytes, sheep_most: int, wheat: bytes, wheat_most: int, rounding: Rounding) -> Taken:
    try:
        taken = take(run, sheep, sheep_most, wheat, wheat_most, rounding)
    except SelfCross:
        raise Failed(-11) from None  # OFFER_CROSS_SELF
    reached = taken.sheep == sheep_most if rounding is Rounding.STRICT_SEND else taken.wheat == wheat_most
    if not reached:
        raise Failed(-10)  # TOO_FEW_OFFERS
    return taken


def _pool_offer(
    run: Run, sheep: bytes, sheep_most: int, wheat: bytes, wheat_most: int, rounding: Rounding
) -> Taken | None:
    """The trade with the pool of two assets, None if it is impossible."""
    first, second = sorted((sheep, wheat))
    pool = run.state.get(Pool, pool_key(sha256(pool_parameters(first, second))))
    if pool is None or not pool.shares:
        return None
    reserve_in, reserve_out = pool.reserve_first, pool.reserve_second
    if pool.first != sheep:
        reserve_in, reserve_out = reserve_out, reserve_in
    if rounding is Rounding.STRICT_SEND:
        paid, got = sheep_most, pool_pays(reserve_in, reserve_out, sheep_most)
    else:
        cost, got = pool_asks(reserve_in, reserve_out, wheat_most), wheat_most
        if cost is None or cost > sheep_most:
            return None
        paid = cost
    if not got or paid > MAX - reserve_in:
        return None
    return Taken((Claim(pool, wheat, got, sheep, paid),), got, paid, stopped=False)


def _trade_with_pool(run: Run, taken: Taken) -> None:
    claim = taken.claims[0]
    pool = claim.maker
    assert isinstance(pool, Pool)
    gained, lost = claim.bought, -claim.sold
    if pool.first != claim.bought_asset:
        gained, lost = lost, gained
    run.state.put(replace(pool, reserve_first=pool.reserve_first + gained, reserve_second=pool.reserve_second + lost))


@dataclass(frozen=True)
class PathPaymentStrictReceive(Operation):
    """Exactly an amount for another account, at most an amount from the source, through the assets of a path."""

    number: ClassVar[int] = 2
    send_asset: bytes
    send_most: int
    destination: Party
    asset: bytes
    amount: int
    path: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """`PathPaymentStrictReceiveOp`."""
        sent = self.send_asset + i64(self.send_most)
        return sent + self.destination.xdr + self.asset + i64(self.amount) + array(self.path)

    def apply(self, run: Run) -> bytes:
        """Pay, from the last hop back to the first."""
        if not account_exists(run, self.destination.key):
            raise Failed(-5)  # NO_DESTINATION
        _receive(run, self.destination.key, self.asset, self.amount)
        wanted, amount = self.asset, self.amount
        claims: list[Claim] = []
        for asset in (*reversed(self.path), self.send_asset):
            if asset == wanted:
                continue
            taken = _hop(run, asset, MAX, wanted, amount, Rounding.STRICT_RECEIVE)
            claims = [*taken.claims, *claims]
            wanted, amount = asset, taken.sheep
        if amount > self.send_most:
            raise Failed(-12)  # OVER_SENDMAX
        _send(run, self.send_asset, amount)
        _emit(run, claims, self.destination, self.asset, self.amount)
        return _result(claims, self.destination, self.asset, self.amount)


@dataclass(frozen=True)
class PathPaymentStrictSend(Operation):
    """Exactly an amount from the source, at least an amount for another account, through the assets of a path."""

    number: ClassVar[int] = 13
    send_asset: bytes
    send_amount: int
    destination: Party
    asset: bytes
    least: int
    path: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """`PathPaymentStrictSendOp`."""
        sent = self.send_asset + i64(self.send_amount)
        return sent + self.destination.xdr + self.asset + i64(self.least) + array(self.path)

    def apply(self, run: Run) -> bytes:
        """Pay, from the first hop to the last."""
        if not account_exists(run, self.destination.key):
            raise Failed(-5)  # NO_DESTINATION
        _send(run, self.send_asset, self.send_amount)
        current, amount = self.send_asset, self.send_amount
        claims: list[Claim] = []
        for asset in (*self.path, self.asset):
            if asset == current:
                continue
            taken = _hop(run, current, amount, asset, MAX, Rounding.STRICT_SEND)
            claims += taken.claims
            current, amount = asset, taken.wheat
        if amount < self.least:
            raise Failed(-12)  # UNDER_DESTMIN
        _receive(run, self.destination.key, self.asset, amount)
        _emit(run, claims, self.destination, self.asset, amount)
        return _result(claims, self.destination, self.asset, amount)
