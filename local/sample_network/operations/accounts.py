"""Operations on an account itself: options, signers, data, sequence number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from local.sample_network.encode import account_id, ed25519_signer, i64, opaque, optional, u32
from local.sample_network.entries import Account, Data, Signer, data_key
from local.sample_network.funds import (
    AUTH_CLAWBACK,
    AUTH_IMMUTABLE,
    AUTH_REVOCABLE,
    account_exists,
    add_subentry,
    give_back_reserve,
    remove_subentry,
    sponsored_level,
    take_reserve,
)
from local.sample_network.run import Failed, Operation, Run


@dataclass(frozen=True)
class SetOptions(Operation):
    """Changes an account's options; None keeps an option. `signer` is a key with its weight, 0 to remove it."""

    number: ClassVar[int] = 5
    inflation_destination: bytes | None = None
    clear_flags: int | None = None
    set_flags: int | None = None
    master: int | None = None
    low: int | None = None
    medium: int | None = None
    high: int | None = None
    home_domain: str | None = None
    signer: tuple[bytes, int] | None = None

    @property
    def needs(self) -> int:
        """High for changes of signers, otherwise medium."""
        signing = (self.master, self.low, self.medium, self.high, self.signer)
        return 2 if all(value is None for value in signing) else 3

    @property
    def body(self) -> bytes:
        """`SetOptionsOp`."""
        destination, domain = self.inflation_destination, self.home_domain
        numbers = (self.clear_flags, self.set_flags, self.master, self.low, self.medium, self.high)
        return (
            optional(None if destination is None else account_id(destination))
            + b"".join(optional(None if number is None else u32(number)) for number in numbers)
            + optional(None if domain is None else opaque(domain.encode()))
            + optional(None if self.signer is None else self.signer[0] + u32(self.signer[1]))
        )

    def apply(self, run: Run) -> bytes:
        """Change the options."""
        account = run.account(run.source.key)
        if self.inflation_destination is not None:
            if not account_exists(run, self.inflation_destination):
                raise Failed(-4)  # INVALID_INFLATION
            account = replace(account, inflation_destination=self.inflation_destination)
        account = self._flags(account)
        if self.home_domain is not None:
            account = replace(account, home_domain=self.home_domain)
        requested = (self.master, self.low, self.medium, self.high)
        if any(value is not None and value > 255 for value in requested):
            raise Failed(-7)  # THRESHOLD_OUT_OF_RANGE
        pairs = zip(requested, account.thresholds, strict=True)
        account = replace(account, thresholds=bytes(old if new is None else new for new, old in pairs))
        run.state.put(account)
        if self.signer is not None:
            self._sign(run, *self.signer)
        return b""

    def _flags(self, account: Account) -> Account:
        flags = account.flags
        if self.clear_flags or self.set_flags:
            if flags & AUTH_IMMUTABLE:
                raise Failed(-5)  # CANT_CHANGE
            if (self.clear_flags or 0) & (self.set_flags or 0):
                raise Failed(-3)  # BAD_FLAGS
            flags = flags & ~(self.clear_flags or 0) | (self.set_flags or 0)
            if flags & AUTH_CLAWBACK and not flags & AUTH_REVOCABLE:
                raise Failed(-10)  # AUTH_REVOCABLE_REQUIRED
        return replace(account, flags=flags)

    def _sign(self, run: Run, key: bytes, weight: int) -> None:
        owner = run.source.key
        if key == ed25519_signer(owner) or weight > 255:
            raise Failed(-8)  # BAD_SIGNER
        known = next((signer for signer in run.account(owner).signers if signer.key == key), None)
        if not weight:
            if known is not None:
                remove_signer(run, owner, known)
            return
        if known is None:
            if len(run.account(owner).signers) == 20:
                raise Failed(-2)  # TOO_MANY_SIGNERS
            sponsor = take_reserve(run, owner, 1, -1)  # LOW_RESERVE
            added = Signer(key, weight, sponsor)
            put_signers(run, owner, (*run.account(owner).signers, added), sponsored=sponsor is not None)
        else:
            kept = (signer for signer in run.account(owner).signers if signer != known)
            put_signers(run, owner, (*kept, replace(known, weight=weight)))


def put_signers(run: Run, owner: bytes, signers: tuple[Signer, ...], *, sponsored: bool = False) -> None:
    """Give an account these signers, in the order of their keys."""
    account = run.account(owner)
    level = sponsored_level(account) if sponsored else account.level
    ordered = tuple(sorted(signers, key=lambda signer: signer.key))
    run.state.put(replace(account, signers=ordered, level=level))


def remove_signer(run: Run, owner: bytes, signer: Signer) -> None:
    """Remove a signer from an account, and return its reserve."""
    account = run.account(owner)
    run.state.put(replace(account, signers=tuple(kept for kept in account.signers if kept != signer)))
    give_back_reserve(run, owner, 1, signer.sponsor)


@dataclass(frozen=True)
class ManageData(Operation):
    """Sets a data entry of the account, or removes it (None)."""

    number: ClassVar[int] = 10
    name: str
    value: bytes | None

    @property
    def body(self) -> bytes:
        """`ManageDataOp`."""
        return opaque(self.name.encode()) + optional(None if self.value is None else opaque(self.value))

    def apply(self, run: Run) -> bytes:
        """Set or remove it."""
        owner = run.source.key
        known = run.state.get(Data, data_key(owner, self.name))
        if self.value is None:
            if known is None:
                raise Failed(-2)  # NAME_NOT_FOUND
            remove_subentry(run, owner, known)
        elif known is not None:
            run.state.put(replace(known, value=self.value))
        else:
            new = Data(owner=owner, name=self.name, value=self.value)
            add_subentry(run, owner, -3, lambda sponsor: replace(new, sponsor=sponsor))  # LOW_RESERVE
        return b""


@dataclass(frozen=True)
class BumpSequence(Operation):
    """Raises the account's sequence number."""

    number: ClassVar[int] = 11
    threshold: ClassVar[int] = 1
    to: int

    @property
    def body(self) -> bytes:
        """`BumpSequenceOp`."""
        return i64(self.to)

    def apply(self, run: Run) -> bytes:
        """Raise it, if it is lower."""
        if self.to < 0:
            raise Failed(-1)  # BAD_SEQ
        account = run.account(run.source.key)
        raised = max(account.sequence, self.to)
        changed = replace(account, sequence=raised)
        run.state.put(replace(changed, sequence_ledger=run.chain.sequence, sequence_time=run.chain.close_time, level=3))
        return b""


@dataclass(frozen=True)
class Inflation(Operation):
    """Always fails: the protocol stopped inflation (CAP-26)."""

    number: ClassVar[int] = 9
    threshold: ClassVar[int] = 1

    @property
    def body(self) -> bytes:
        """Nothing."""
        return b""

    def apply(self, run: Run) -> bytes:  # noqa: ARG002 every operation is applied in a run
        """Fail."""
        raise Failed(-1)  # NOT_TIME
