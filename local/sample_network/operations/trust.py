"""Trust lines, and issuers' operations on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from local.sample_network import scval
from local.sample_network.encode import (
    NATIVE,
    account_id,
    credit,
    i64,
    issuer_of,
    padded_code,
    pool_parameters,
    pool_share,
    u32,
)
from local.sample_network.entries import (
    ClaimableBalance,
    Pool,
    Trustline,
    pool_key,
)
from local.sample_network.funds import (
    AUTH_CLAWBACK,
    AUTH_REQUIRED,
    AUTH_REVOCABLE,
    AUTHORIZED,
    CLAWBACK_ENABLED,
    MAINTAIN,
    add_subentry,
    change_sponsoring,
    remove_subentry,
    trustline,
)
from local.sample_network.keys import sha256
from local.sample_network.orderbook import drop, release
from local.sample_network.run import Failed, Operation, Party, Run


@dataclass(frozen=True)
class ChangeTrust(Operation):
    """A trust line's limit: a new one's, a known one's, or 0 to remove it."""

    number: ClassVar[int] = 6
    asset: bytes
    limit: int

    @property
    def body(self) -> bytes:
        """`ChangeTrustOp`."""
        return self.asset + i64(self.limit)

    def apply(self, run: Run) -> bytes:
        """Change the trust line."""
        owner, issuer = run.source.key, issuer_of(self.asset)
        assert issuer is not None
        if issuer == owner:
            raise Failed(-1)  # MALFORMED
        line = trustline(run, owner, self.asset)
        if line is not None:
            if self.limit < line.balance + line.buying:
                raise Failed(-3)  # INVALID_LIMIT
            if self.limit:
                run.state.put(replace(line, limit=self.limit))
                return b""
            if line.pools:
                raise Failed(-7)  # CANNOT_DELETE
            remove_subentry(run, owner, line)
            return b""
        if not self.limit:
            raise Failed(-3)  # INVALID_LIMIT
        account = run.state.account(issuer)
        if account is None:
            raise Failed(-2)  # NO_ISSUER
        flags = 0 if account.flags & AUTH_REQUIRED else AUTHORIZED
        flags |= CLAWBACK_ENABLED if account.flags & AUTH_CLAWBACK else 0
        new = Trustline(owner=owner, asset=self.asset, limit=self.limit, flags=flags)
        add_subentry(run, owner, -4, lambda sponsor: replace(new, sponsor=sponsor))  # LOW_RESERVE
        return b""


@dataclass(frozen=True)
class TrustPool(Operation):
    """A trust line to a pool's shares: the first one creates the pool, the end of the last one removes it."""

    number: ClassVar[int] = 6
    first: bytes
    second: bytes
    limit: int

    @property
    def body(self) -> bytes:
        """`ChangeTrustOp`."""
        return u32(3) + pool_parameters(self.first, self.second) + i64(self.limit)

    def apply(self, run: Run) -> bytes:
        """Change the trust line."""
        owner = run.source.key
        share = pool_share(sha256(pool_parameters(self.first, self.second)))
        line = trustline(run, owner, share)
        if line is not None:
            if self.limit < line.balance:
                raise Failed(-3)  # INVALID_LIMIT
            if self.limit:
                run.state.put(replace(line, limit=self.limit))
            else:
                remove_pool_line(run, line)
            return b""
        if not self.limit:
            raise Failed(-3)  # INVALID_LIMIT
        for asset in (self.first, self.second):
            use = trustline(run, owner, asset)
            if asset == NATIVE or issuer_of(asset) == owner:
                continue
            if use is None:
                raise Failed(-6)  # TRUST_LINE_MISSING
            if not use.flags & (AUTHORIZED | MAINTAIN):
                raise Failed(-8)  # NOT_AUTH_MAINTAIN_LIABILITIES
            run.state.put(replace(use, pools=use.pools + 1, level=2))
        new = Trustline(owner=owner, asset=share, limit=self.limit, flags=0)
        add_subentry(run, owner, -4, lambda sponsor: replace(new, sponsor=sponsor))  # LOW_RESERVE
        pool = run.state.get(Pool, pool_key(share[4:])) or Pool(first=self.first, second=self.second)
        run.state.put(replace(pool, lines=pool.lines + 1))
        return b""


def remove_pool_line(run: Run, line: Trustline) -> None:
    """Remove a trust line to a pool's shares, and the pool with its last one."""
    pool = run.state.get(Pool, pool_key(line.asset[4:]))
    assert pool is not None
    remove_subentry(run, line.owner, line)
    for asset in (pool.first, pool.second):
        use = trustline(run, line.owner, asset)
        if use is not None:
            run.state.put(replace(use, pools=use.pools - 1))
    if pool.lines == 1:
        run.state.remove(pool.key)
    else:
        run.state.put(replace(pool, lines=pool.lines - 1))


# What issuers do ------------------------------------------------------------------------------------------------


def _authorize(run: Run, line: Trustline, flags: int, low_reserve: int) -> None:
    """Set a trust line's flags; one without any authorization loses its offers and pool shares too (CAP-38)."""
    if line.flags & (AUTHORIZED | MAINTAIN) and not flags & (AUTHORIZED | MAINTAIN):
        _revoke(run, line, low_reserve)
    now = trustline(run, line.owner, line.asset)
    assert now is not None
    run.state.put(replace(now, flags=flags))
    if bool(line.flags & AUTHORIZED) != bool(flags & AUTHORIZED):
        allowed = scval.of_bool(bool(flags & AUTHORIZED))
        run.emit("set_authorized", line.asset, [scval.of_account(line.owner)], allowed)


def _revoke(run: Run, line: Trustline, low_reserve: int) -> None:
    owner, asset = line.owner, line.asset
    offers = [entry for book in run.state.books.values() for entry in book.values() if entry.seller == owner]
    for offer in sorted(offers, key=lambda offer: offer.number):
        if asset in (offer.selling, offer.buying):
            release(run, offer)
            drop(run, offer)
    pools = [entry for entry in run.state.entries.values() if isinstance(entry, Pool)]
    for pool in sorted(pools, key=lambda pool: pool.number):
        shares = trustline(run, owner, pool_share(pool.number))
        if shares is not None and asset in (pool.first, pool.second):
            _redeem(run, shares, pool, low_reserve)


def _redeem(run: Run, shares: Trustline, pool: Pool, low_reserve: int) -> None:
    """Turn pool shares into claimable balances of their assets, with the sponsor of the trust line."""
    sponsor = shares.sponsor or shares.owner
    first = shares.balance * pool.reserve_first // pool.shares if pool.shares else 0
    second = shares.balance * pool.reserve_second // pool.shares if pool.shares else 0
    left = replace(
        pool,
        reserve_first=pool.reserve_first - first,
        reserve_second=pool.reserve_second - second,
        shares=pool.shares - shares.balance,
    )
    run.state.put(left)
    remove_pool_line(run, shares)
    for asset, amount in ((pool.first, first), (pool.second, second)):
        # The issuer's own asset is burnt instead: it needs no balance.
        if not amount or issuer_of(asset) == shares.owner:
            continue
        if run.available(sponsor) < run.chain.base_reserve:
            raise Failed(low_reserve)
        account, sequence = run.transaction
        named = account_id(account) + i64(sequence) + u32(run.operation) + pool.number + asset
        line = trustline(run, shares.owner, asset)
        made = ClaimableBalance(
            number=sha256(u32(7) + named),
            claimants=((shares.owner, u32(0)),),
            asset=asset,
            amount=amount,
            clawback=line is not None and bool(line.flags & CLAWBACK_ENABLED),
            sponsor=sponsor,
        )
        change_sponsoring(run, sponsor, 1)
        run.state.put(made)
        run.moved(asset, scval.of_pool(pool.number), scval.of_balance(made.number), amount)


@dataclass(frozen=True)
class AllowTrust(Operation):
    """An issuer's authorization of a trust line: none (0), authorized (1), or only to keep offers (2)."""

    number: ClassVar[int] = 7
    threshold: ClassVar[int] = 1
    trustor: bytes
    code: str
    authorize: int

    @property
    def body(self) -> bytes:
        """`AllowTrustOp`."""
        asset = credit(self.code, bytes(32))
        return account_id(self.trustor) + asset[:4] + padded_code(asset) + u32(self.authorize)

    def apply(self, run: Run) -> bytes:
        """Set the flags."""
        issuer = run.account(run.source.key)
        if not issuer.flags & AUTH_REVOCABLE and self.authorize != AUTHORIZED:
            raise Failed(-4)  # CANT_REVOKE
        line = trustline(run, self.trustor, credit(self.code, issuer.owner))
        if line is None:
            raise Failed(-2)  # NO_TRUST_LINE
        _authorize(run, line, line.flags & CLAWBACK_ENABLED | self.authorize, -6)
        return b""


@dataclass(frozen=True)
class SetTrustLineFlags(Operation):
    """An issuer's change of a trust line's flags."""

    number: ClassVar[int] = 21
    threshold: ClassVar[int] = 1
    trustor: bytes
    asset: bytes
    clear: int = 0
    set_flags: int = 0

    @property
    def body(self) -> bytes:
        """`SetTrustLineFlagsOp`."""
        return account_id(self.trustor) + self.asset + u32(self.clear) + u32(self.set_flags)

    def apply(self, run: Run) -> bytes:
        """Set the flags."""
        if issuer_of(self.asset) != run.source.key:
            raise Failed(-1)  # MALFORMED
        issuer = run.account(run.source.key)
        if not issuer.flags & AUTH_REVOCABLE and self.clear & (AUTHORIZED | MAINTAIN):
            raise Failed(-3)  # CANT_REVOKE
        line = trustline(run, self.trustor, self.asset)
        if line is None:
            raise Failed(-2)  # NO_TRUST_LINE
        flags = line.flags & ~self.clear | self.set_flags
        if flags & AUTHORIZED and flags & MAINTAIN:
            raise Failed(-4)  # INVALID_STATE
        _authorize(run, line, flags, -5)
        return b""


@dataclass(frozen=True)
class Clawback(Operation):
    """An issuer takes an amount of its asset back."""

    number: ClassVar[int] = 19
    asset: bytes
    holder: Party
    amount: int

    @property
    def body(self) -> bytes:
        """`ClawbackOp`."""
        return self.asset + self.holder.xdr + i64(self.amount)

    def apply(self, run: Run) -> bytes:
        """Burn it."""
        if issuer_of(self.asset) != run.source.key:
            raise Failed(-1)  # MALFORMED
        line = trustline(run, self.holder.key, self.asset)
        if line is None:
            raise Failed(-3)  # NO_TRUST
        if not line.flags & CLAWBACK_ENABLED:
            raise Failed(-2)  # NOT_CLAWBACK_ENABLED
        if line.balance - line.selling < self.amount:
            raise Failed(-4)  # UNDERFUNDED
        run.state.put(replace(line, balance=line.balance - self.amount))
        run.emit("clawback", self.asset, [scval.of_account(self.holder.key)], scval.i128(self.amount))
        return b""
