"""Deposits into liquidity pools and withdrawals (CAP-38)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import ClassVar

from local.sample_network import scval
from local.sample_network.encode import i32, i64, pool_share
from local.sample_network.entries import Pool, Trustline, pool_key
from local.sample_network.exchange import divided_up
from local.sample_network.funds import move, room, spendable, trustline
from local.sample_network.run import Failed, Operation, Run


def _line_and_pool(run: Run, pool: bytes) -> tuple[Trustline, Pool]:
    line = trustline(run, run.source.key, pool_share(pool))
    if line is None:
        raise Failed(-2)  # NO_TRUST
    found = run.state.get(Pool, pool_key(pool))
    assert found is not None
    return line, found


@dataclass(frozen=True)
class LiquidityPoolDeposit(Operation):
    """Deposits at most two amounts into a pool, if their price is between two fractions."""

    number: ClassVar[int] = 22
    pool: bytes
    most_first: int
    most_second: int
    least_price: tuple[int, int]
    most_price: tuple[int, int]

    @property
    def body(self) -> bytes:
        """`LiquidityPoolDepositOp`."""
        prices = b"".join(map(i32, (*self.least_price, *self.most_price)))
        return self.pool + i64(self.most_first) + i64(self.most_second) + prices

    def apply(self, run: Run) -> bytes:
        """Deposit."""
        line, pool = _line_and_pool(run, self.pool)
        owner = run.source.key
        if pool.shares:
            shares = min(
                pool.shares * self.most_first // pool.reserve_first,
                pool.shares * self.most_second // pool.reserve_second,
            )
            first = divided_up(shares * pool.reserve_first, pool.shares)
            second = divided_up(shares * pool.reserve_second, pool.shares)
        else:
            first, second = self.most_first, self.most_second
            shares = isqrt(first * second)
        if spendable(run, owner, pool.first) < first or spendable(run, owner, pool.second) < second:
            raise Failed(-4)  # UNDERFUNDED
        (least_n, least_d), (most_n, most_d) = self.least_price, self.most_price
        if not shares or first * least_d < second * least_n or first * most_d > second * most_n:
            raise Failed(-6)  # BAD_PRICE
        if line.limit - line.balance < shares:
            raise Failed(-5)  # LINE_FULL
        move(run, owner, pool.first, -first)
        move(run, owner, pool.second, -second)
        run.state.put(replace(line, balance=line.balance + shares))
        grown = replace(
            pool,
            reserve_first=pool.reserve_first + first,
            reserve_second=pool.reserve_second + second,
            shares=pool.shares + shares,
        )
        run.state.put(grown)
        source, target = scval.of_account(owner), scval.of_pool(self.pool)
        run.moved(pool.first, source, target, first)
        run.moved(pool.second, source, target, second)
        return b""


@dataclass(frozen=True)
class LiquidityPoolWithdraw(Operation):
    """Redeems shares for at least two amounts."""

    number: ClassVar[int] = 23
    pool: bytes
    shares: int
    least_first: int
    least_second: int

    @property
    def body(self) -> bytes:
        """`LiquidityPoolWithdrawOp`."""
        return self.pool + i64(self.shares) + i64(self.least_first) + i64(self.least_second)

    def apply(self, run: Run) -> bytes:
        """Withdraw."""
        line, pool = _line_and_pool(run, self.pool)
        owner = run.source.key
        if line.balance < self.shares:
            raise Failed(-3)  # UNDERFUNDED
        first = self.shares * pool.reserve_first // pool.shares
        second = self.shares * pool.reserve_second // pool.shares
        if first < self.least_first or second < self.least_second:
            raise Failed(-5)  # UNDER_MINIMUM
        if room(run, owner, pool.first) < first or room(run, owner, pool.second) < second:
            raise Failed(-4)  # LINE_FULL
        move(run, owner, pool.first, first)
        move(run, owner, pool.second, second)
        run.state.put(replace(line, balance=line.balance - self.shares))
        shrunk = replace(
            pool,
            reserve_first=pool.reserve_first - first,
            reserve_second=pool.reserve_second - second,
            shares=pool.shares - self.shares,
        )
        run.state.put(shrunk)
        source, target = scval.of_pool(self.pool), scval.of_account(owner)
        run.moved(pool.first, source, target, first)
        run.moved(pool.second, source, target, second)
        return b""
