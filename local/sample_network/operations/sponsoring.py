"""Sponsorships of reserves (CAP-33)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from local.sample_network.encode import account_id, u32
from local.sample_network.entries import Account, ClaimableBalance, Data, Entry, Offer, Trustline
from local.sample_network.funds import change_sponsored, change_sponsoring, units_of
from local.sample_network.operations.accounts import put_signers
from local.sample_network.run import Failed, Operation, Run


@dataclass(frozen=True)
class BeginSponsoring(Operation):
    """From here on the source sponsors another account's new reserves."""

    number: ClassVar[int] = 16
    sponsored: bytes

    @property
    def body(self) -> bytes:
        """`BeginSponsoringFutureReservesOp`."""
        return account_id(self.sponsored)

    def apply(self, run: Run) -> bytes:
        """Begin."""
        sponsor = run.source.key
        if self.sponsored == sponsor:
            raise Failed(-1)  # MALFORMED
        if self.sponsored in run.sponsors:
            raise Failed(-2)  # ALREADY_SPONSORED
        if sponsor in run.sponsors or self.sponsored in run.sponsors.values():
            raise Failed(-3)  # RECURSIVE
        run.sponsors[self.sponsored] = sponsor
        return b""


@dataclass(frozen=True)
class EndSponsoring(Operation):
    """The sponsored account's consent: its sponsorship ends here."""

    number: ClassVar[int] = 17

    @property
    def body(self) -> bytes:
        """Nothing."""
        return b""

    def apply(self, run: Run) -> bytes:
        """End."""
        if run.sponsors.pop(run.source.key, None) is None:
            raise Failed(-1)  # NOT_SPONSORED
        return b""


def _owner(entry: Entry) -> bytes | None:
    """The owner of the reserve; None for a claimable balance, which always has a sponsor."""
    if isinstance(entry, Offer):
        return entry.seller
    return entry.owner if isinstance(entry, Account | Trustline | Data) else None


def _hand_over(
    run: Run, owner: bytes | None, former: bytes | None, units: int, *, old_is_needed: bool = False
) -> bytes | None:
    """Move a reserve from its sponsor to the source's own sponsor, or to the owner; return the new sponsor.

    Raises:
        Failed: the source does not sponsor it, or no account can.
    """
    source = run.source.key
    if source != (owner if former is None else former):
        raise Failed(-2)  # NOT_SPONSOR
    new = run.sponsors.get(source)
    if old_is_needed and new is None:
        raise Failed(-4)  # ONLY_TRANSFERABLE
    payer = owner if new is None or new == owner else new
    assert payer is not None
    if former == payer or (former is None and payer == owner):
        return former
    if run.available(payer) < units * run.chain.base_reserve:
        raise Failed(-3)  # LOW_RESERVE
    now = None if payer == owner else payer
    for sponsor, change in ((former, -units), (now, units)):
        if sponsor is not None:
            change_sponsoring(run, sponsor, change)
            if owner is not None:
                change_sponsored(run, owner, change)
    return now


@dataclass(frozen=True)
class RevokeSponsorship(Operation):
    """The source stops sponsoring an entry's reserve; the source's own sponsor takes it over."""

    number: ClassVar[int] = 18
    key: bytes

    @property
    def body(self) -> bytes:
        """`RevokeSponsorshipOp` of a ledger key."""
        return u32(0) + self.key

    def apply(self, run: Run) -> bytes:
        """Hand the reserve over."""
        entry = run.state.entries.get(self.key)
        if entry is None:
            raise Failed(-1)  # DOES_NOT_EXIST
        fixed = isinstance(entry, ClaimableBalance)
        now = _hand_over(run, _owner(entry), entry.sponsor, units_of(entry), old_is_needed=fixed)
        entry = run.state.entries[self.key]
        run.state.put(replace(entry, sponsor=now, extended=True))
        return b""


@dataclass(frozen=True)
class RevokeSignerSponsorship(Operation):
    """The source stops sponsoring the reserve of an account's signer."""

    number: ClassVar[int] = 18
    account: bytes
    signer: bytes

    @property
    def body(self) -> bytes:
        """`RevokeSponsorshipOp` of a signer."""
        return u32(1) + account_id(self.account) + self.signer

    def apply(self, run: Run) -> bytes:
        """Hand the reserve over."""
        account = run.state.account(self.account)
        known = next((signer for signer in account.signers if signer.key == self.signer), None) if account else None
        if known is None:
            raise Failed(-1)  # DOES_NOT_EXIST
        now = _hand_over(run, self.account, known.sponsor, 1)
        kept = tuple(signer for signer in run.account(self.account).signers if signer != known)
        put_signers(run, self.account, (*kept, replace(known, sponsor=now)), sponsored=True)
        return b""
