"""Claimable balances: amounts reserved for others, under conditions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from local.sample_network import scval
from local.sample_network.encode import NATIVE, ZERO, account_id, array, i64, issuer_of, present, u32
from local.sample_network.entries import ClaimableBalance, balance_key
from local.sample_network.funds import (
    AUTH_CLAWBACK,
    CLAWBACK_ENABLED,
    change_sponsoring,
    credit,
    debit,
    trustline,
    units_of,
)
from local.sample_network.keys import sha256
from local.sample_network.run import Failed, Operation, Run

ALWAYS = u32(0)
"""The predicate that always holds."""


def both(first: bytes, second: bytes) -> bytes:
    """Both predicates."""
    return u32(1) + array((first, second))


def either(first: bytes, second: bytes) -> bytes:
    """One of two predicates."""
    return u32(2) + array((first, second))


def negated(predicate: bytes) -> bytes:
    """The opposite of a predicate."""
    return u32(3) + present(predicate)


def before(moment: int) -> bytes:
    """Before a time, in seconds since 1970."""
    return u32(4) + i64(moment)


def within(seconds: int) -> bytes:
    """Within some seconds of the balance's creation: the balance itself stores the time."""
    return u32(5) + i64(seconds)


def _absolute(predicate: bytes, now: int) -> tuple[bytes, bytes]:
    """A predicate with absolute times, and the remaining bytes."""
    (kind,) = struct.unpack_from(">I", predicate)
    rest = predicate[4:]
    if kind in (1, 2):
        first, rest = _absolute(rest[4:], now)
        second, rest = _absolute(rest, now)
        return u32(kind) + array((first, second)), rest
    if kind == 3:
        inner, rest = _absolute(rest[4:], now)
        return negated(inner), rest
    if kind == 5:
        return before(now + int.from_bytes(rest[:8], "big")), rest[8:]
    size = 8 if kind else 0
    return predicate[: 4 + size], rest[size:]


def _holds(predicate: bytes, now: int) -> tuple[bool, bytes]:
    """Whether an absolute predicate holds, and the remaining bytes."""
    (kind,) = struct.unpack_from(">I", predicate)
    rest = predicate[4:]
    if kind in (1, 2):
        first, rest = _holds(rest[4:], now)
        second, rest = _holds(rest, now)
        return (first and second) if kind == 1 else (first or second), rest
    if kind == 3:
        inner, rest = _holds(rest[4:], now)
        return not inner, rest
    if kind == 4:
        return now < int.from_bytes(rest[:8], "big"), rest[8:]
    return True, rest


def balance_id(source: bytes, sequence: int, operation: int) -> bytes:
    """The id of the balance that an operation creates, from its transaction's source and sequence number."""
    return sha256(u32(6) + account_id(source) + i64(sequence) + u32(operation))


@dataclass(frozen=True)
class CreateClaimableBalance(Operation):
    """Reserves an amount for claimants, each with a predicate."""

    number: ClassVar[int] = 14
    asset: bytes
    amount: int
    claimants: tuple[tuple[bytes, bytes], ...]

    @property
    def body(self) -> bytes:
        """`CreateClaimableBalanceOp`."""
        claimants = array(ZERO + account_id(claimant) + predicate for claimant, predicate in self.claimants)
        return self.asset + i64(self.amount) + claimants

    def apply(self, run: Run) -> bytes:
        """Make the balance; return its id."""
        owner = run.source.key
        if self.amount <= 0 or not self.claimants:
            raise Failed(-1)  # MALFORMED
        debit(run, owner, self.asset, self.amount, no_trust=-3, not_authorized=-4, underfunded=-5)
        sponsor = run.sponsors.get(owner, owner)
        line = trustline(run, owner, self.asset)
        issued = issuer_of(self.asset) == owner and self.asset != NATIVE and run.account(owner).flags & AUTH_CLAWBACK
        made = ClaimableBalance(
            number=balance_id(*run.transaction, run.operation),
            claimants=tuple(
                (claimant, _absolute(predicate, run.chain.close_time)[0]) for claimant, predicate in self.claimants
            ),
            asset=self.asset,
            amount=self.amount,
            clawback=bool(issued or (line is not None and line.flags & CLAWBACK_ENABLED)),
            sponsor=sponsor,
        )
        if run.available(sponsor) < units_of(made) * run.chain.base_reserve:
            raise Failed(-2)  # LOW_RESERVE
        change_sponsoring(run, sponsor, units_of(made))
        run.state.put(made)
        run.moved(self.asset, scval.of_account(owner), scval.of_balance(made.number), self.amount)
        return ZERO + made.number


def _end(run: Run, balance: ClaimableBalance) -> None:
    assert balance.sponsor is not None
    change_sponsoring(run, balance.sponsor, -units_of(balance))
    run.state.remove(balance.key)


@dataclass(frozen=True)
class ClaimClaimableBalance(Operation):
    """Claims a claimable balance."""

    number: ClassVar[int] = 15
    balance: bytes

    @property
    def body(self) -> bytes:
        """`ClaimClaimableBalanceOp`."""
        return ZERO + self.balance

    def apply(self, run: Run) -> bytes:
        """Claim it."""
        owner = run.source.key
        balance = run.state.get(ClaimableBalance, balance_key(self.balance))
        if balance is None:
            raise Failed(-1)  # DOES_NOT_EXIST
        predicate = dict(balance.claimants).get(owner)
        if predicate is None or not _holds(predicate, run.chain.close_time)[0]:
            raise Failed(-2)  # CANNOT_CLAIM
        credit(run, owner, balance.asset, balance.amount, no_trust=-4, not_authorized=-5, full=-3)
        _end(run, balance)
        run.moved(balance.asset, scval.of_balance(balance.number), scval.of_account(owner), balance.amount)
        return b""


@dataclass(frozen=True)
class ClawbackClaimableBalance(Operation):
    """An issuer takes back a claimable balance."""

    number: ClassVar[int] = 20
    balance: bytes

    @property
    def body(self) -> bytes:
        """`ClawbackClaimableBalanceOp`."""
        return ZERO + self.balance

    def apply(self, run: Run) -> bytes:
        """Burn it."""
        balance = run.state.get(ClaimableBalance, balance_key(self.balance))
        if balance is None:
            raise Failed(-1)  # DOES_NOT_EXIST
        if balance.asset == NATIVE or issuer_of(balance.asset) != run.source.key:
            raise Failed(-2)  # NOT_ISSUER
        if not balance.clawback:
            raise Failed(-3)  # NOT_CLAWBACK_ENABLED
        _end(run, balance)
        run.emit("clawback", balance.asset, [scval.of_balance(balance.number)], scval.i128(balance.amount))
        return b""
