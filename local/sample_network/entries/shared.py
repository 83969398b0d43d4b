"""Claimable balances and liquidity pools: entries without an owner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.sample_network.encode import POOL_FEE, ZERO, account_id, array, i32, i64, pool_parameters, u32
from local.sample_network.entries.base import Entry
from local.sample_network.entries.keys import balance_key, pool_key
from local.sample_network.keys import asset_name, sha256
from stellar_etl.ledgers import strkey


@dataclass(frozen=True, kw_only=True)
class ClaimableBalance(Entry):
    """A claimable balance; its claimants' predicates are XDR. `clawback` is None while its flags were never set."""

    plural = "claimable_balances"

    number: bytes
    claimants: tuple[tuple[bytes, bytes], ...]
    asset: bytes
    amount: int
    clawback: bool = False

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return balance_key(self.number)

    @cached_property
    def content(self) -> bytes:
        """`ClaimableBalanceEntry`."""
        claimants = array(ZERO + account_id(claimant) + predicate for claimant, predicate in self.claimants)
        extension = u32(1) + ZERO + u32(1) if self.clawback else ZERO
        return self.key[4:] + claimants + self.asset + i64(self.amount) + extension

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {
            "balance_id": strkey.claimable_balance(self.number),
            "claimants": [strkey.account(claimant) for claimant, _ in self.claimants],
            "asset": asset_name(self.asset),
            "amount": self.amount,
            "flags": int(self.clawback),
        }


@dataclass(frozen=True, kw_only=True)
class Pool(Entry):
    """A liquidity pool of constant product."""

    plural = "liquidity_pools"

    first: bytes
    second: bytes
    reserve_first: int = 0
    reserve_second: int = 0
    shares: int = 0
    lines: int = 0

    @cached_property
    def number(self) -> bytes:
        """Its id."""
        return sha256(pool_parameters(self.first, self.second))

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return pool_key(self.number)

    @cached_property
    def content(self) -> bytes:
        """`LiquidityPoolEntry`."""
        amounts = i64(self.reserve_first) + i64(self.reserve_second) + i64(self.shares) + i64(self.lines)
        return self.number + ZERO + self.first + self.second + i32(POOL_FEE) + amounts

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {
            "liquidity_pool_id": strkey.liquidity_pool(self.number),
            "fee": POOL_FEE,
            "asset_a": asset_name(self.first),
            "asset_b": asset_name(self.second),
            "reserve_a": self.reserve_first,
            "reserve_b": self.reserve_second,
            "total_pool_shares": self.shares,
            "pool_shares_trust_line_count": self.lines,
        }
