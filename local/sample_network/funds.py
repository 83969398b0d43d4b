"""Balances: spendable and receivable amounts, liabilities of offers, sponsors of reserves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from local.sample_network.encode import MAX, NATIVE, is_pool_share, issuer_of
from local.sample_network.entries import Account, ClaimableBalance, Entry, Trustline, account_key, trustline_key
from local.sample_network.run import Failed, Run

AUTHORIZED, MAINTAIN, CLAWBACK_ENABLED = 1, 2, 4
"""A trust line's flags."""

AUTH_REQUIRED, AUTH_REVOCABLE, AUTH_IMMUTABLE, AUTH_CLAWBACK = 1, 2, 4, 8
"""An account's flags."""


def trustline(run: Run, owner: bytes, asset: bytes) -> Trustline | None:
    """A trust line, None if there is none."""
    return run.state.get(Trustline, trustline_key(owner, asset))


def _free(owner: bytes, asset: bytes) -> bool:
    """Whether the owner is the issuer, whose amount is unlimited."""
    return asset != NATIVE and issuer_of(asset) == owner


def spendable(run: Run, owner: bytes, asset: bytes) -> int:
    """The most that an owner can send; 0 without a trust line."""
    if _free(owner, asset):
        return MAX
    if asset == NATIVE:
        return max(run.available(owner), 0)
    line = trustline(run, owner, asset)
    return line.balance - line.selling if line is not None and line.flags & (AUTHORIZED | MAINTAIN) else 0


def room(run: Run, owner: bytes, asset: bytes) -> int:
    """The most that an owner can receive; 0 without a trust line."""
    if _free(owner, asset):
        return MAX
    if asset == NATIVE:
        account = run.account(owner)
        return MAX - account.balance - account.buying
    line = trustline(run, owner, asset)
    return line.limit - line.balance - line.buying if line is not None and line.flags & (AUTHORIZED | MAINTAIN) else 0


def move(run: Run, owner: bytes, asset: bytes, amount: int) -> None:
    """Change a balance that is known to allow it."""
    if _free(owner, asset) or not amount:
        return
    if asset == NATIVE:
        account = run.account(owner)
        run.state.put(replace(account, balance=account.balance + amount))
        return
    line = trustline(run, owner, asset)
    assert line is not None
    assert 0 <= line.balance + amount <= line.limit
    run.state.put(replace(line, balance=line.balance + amount))


def debit(
    run: Run, owner: bytes, asset: bytes, amount: int, *, no_trust: int, not_authorized: int, underfunded: int
) -> None:
    """Take an amount from an owner, or fail with these codes."""
    if asset != NATIVE and not _free(owner, asset):
        line = trustline(run, owner, asset)
        if line is None:
            raise Failed(no_trust)
        if not line.flags & AUTHORIZED:
            raise Failed(not_authorized)
    if spendable(run, owner, asset) < amount:
        raise Failed(underfunded)
    move(run, owner, asset, -amount)


def credit(run: Run, owner: bytes, asset: bytes, amount: int, *, no_trust: int, not_authorized: int, full: int) -> None:
    """Give an amount to an owner, or fail with these codes."""
    if asset != NATIVE and not _free(owner, asset):
        line = trustline(run, owner, asset)
        if line is None:
            raise Failed(no_trust)
        if not line.flags & AUTHORIZED:
            raise Failed(not_authorized)
    if room(run, owner, asset) < amount:
        raise Failed(full)
    move(run, owner, asset, amount)


def promise(run: Run, owner: bytes, asset: bytes, *, buying: int = 0, selling: int = 0) -> None:
    """Change the buying or selling liabilities of an owner (CAP-3)."""
    if _free(owner, asset):
        return
    holder = run.account(owner) if asset == NATIVE else trustline(run, owner, asset)
    assert holder is not None
    made = replace(holder, buying=holder.buying + buying, selling=holder.selling + selling, level=max(holder.level, 1))
    run.state.put(made)


# Reserves -------------------------------------------------------------------------------------------------------


def sponsored_level(account: Account) -> int:
    """The extension level that an account needs for sponsorships."""
    return max(account.level, 2)


def change_sponsoring(run: Run, sponsor: bytes, units: int) -> None:
    """Change the number of reserves that an account sponsors."""
    account = run.account(sponsor)
    run.state.put(replace(account, sponsoring=account.sponsoring + units, level=sponsored_level(account)))


def change_sponsored(run: Run, owner: bytes, units: int) -> None:
    """Change the number of an account's sponsored reserves."""
    account = run.account(owner)
    run.state.put(replace(account, sponsored=account.sponsored + units, level=sponsored_level(account)))


def _affordable(run: Run, payer: bytes, units: int, low_reserve: int) -> None:
    if run.available(payer) < units * run.chain.base_reserve:
        raise Failed(low_reserve)


def take_reserve(run: Run, owner: bytes, units: int, low_reserve: int) -> bytes | None:
    """Ensure that a new subentry's reserve is paid, and count it.

    Returns:
        Its sponsor, None if the owner pays it.
    """
    sponsor = run.sponsors.get(owner)
    _affordable(run, owner if sponsor is None else sponsor, units, low_reserve)
    if sponsor is not None:
        change_sponsoring(run, sponsor, units)
        change_sponsored(run, owner, units)
    account = run.account(owner)
    run.state.put(replace(account, subentries=account.subentries + units))
    return sponsor


def add_subentry(run: Run, owner: bytes, low_reserve: int, make: Callable[[bytes | None], Entry]) -> None:
    """Add a new subentry, made from its sponsor."""
    units = units_of(make(None))
    run.state.put(make(take_reserve(run, owner, units, low_reserve)))


def remove_subentry(run: Run, owner: bytes, entry: Entry) -> None:
    """Remove a subentry, and return its reserve to its sponsor."""
    units = units_of(entry)
    run.state.remove(entry.key)
    give_back_reserve(run, owner, units, entry.sponsor)


def give_back_reserve(run: Run, owner: bytes, units: int, sponsor: bytes | None) -> None:
    """Count a removed subentry."""
    if sponsor is not None:
        change_sponsoring(run, sponsor, -units)
        change_sponsored(run, owner, -units)
    account = run.account(owner)
    run.state.put(replace(account, subentries=account.subentries - units))


def units_of(entry: Entry) -> int:
    """The number of base reserves of an entry (CAP-33, CAP-38)."""
    if isinstance(entry, ClaimableBalance):
        return len(entry.claimants)
    if isinstance(entry, Account):
        return 2
    return 2 if isinstance(entry, Trustline) and is_pool_share(entry.asset) else 1


def account_exists(run: Run, owner: bytes) -> bool:
    """Whether the account exists."""
    return account_key(owner) in run.state.entries
