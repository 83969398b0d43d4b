"""Accounts and their subentries."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from local.sample_network.encode import ZERO, account_id, array, i32, i64, is_pool_share, opaque, optional, u32, u64
from local.sample_network.entries.base import Entry
from local.sample_network.entries.keys import account_key, data_key, offer_key, trustline_key
from local.sample_network.keys import asset_name
from stellar_etl.ledgers import strkey


@dataclass(frozen=True)
class Signer:
    """A signer of an account, with the sponsor of its reserve."""

    key: bytes
    weight: int
    sponsor: bytes | None = None

    @property
    def name(self) -> str:
        """Its StrKey."""
        version = (strkey.ACCOUNT, strkey.PRE_AUTH_TX, strkey.HASH_X, strkey.SIGNED_PAYLOAD)[self.key[3]]
        return strkey.encode(version, self.key[4:])


@dataclass(frozen=True, kw_only=True)
class Account(Entry):
    """An account. `level` is how far its extensions go: liabilities, sponsorship, the last sequence number's time."""

    plural = "accounts"

    owner: bytes
    balance: int
    sequence: int
    subentries: int = 0
    inflation_destination: bytes | None = None
    flags: int = 0
    home_domain: str = ""
    thresholds: bytes = b"\1\0\0\0"
    signers: tuple[Signer, ...] = ()
    buying: int = 0
    selling: int = 0
    sponsored: int = 0
    sponsoring: int = 0
    sequence_ledger: int = 0
    sequence_time: int = 0
    level: int = 0

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return account_key(self.owner)

    @cached_property
    def content(self) -> bytes:
        """`AccountEntry`."""
        destination = self.inflation_destination
        return (
            account_id(self.owner)
            + i64(self.balance)
            + i64(self.sequence)
            + u32(self.subentries)
            + optional(None if destination is None else account_id(destination))
            + u32(self.flags)
            + opaque(self.home_domain.encode())
            + self.thresholds
            + array(signer.key + u32(signer.weight) for signer in self.signers)
            + self._extensions
        )

    @property
    def _extensions(self) -> bytes:
        if not self.level:
            return ZERO
        made = u32(1) + i64(self.buying) + i64(self.selling)
        if self.level == 1:
            return made + ZERO
        sponsors = (None if signer.sponsor is None else account_id(signer.sponsor) for signer in self.signers)
        made += u32(2) + u32(self.sponsored) + u32(self.sponsoring) + array(optional(sponsor) for sponsor in sponsors)
        if self.level == 2:
            return made + ZERO
        return made + u32(3) + ZERO + u32(self.sequence_ledger) + u64(self.sequence_time)

    @property
    def units(self) -> int:
        """The number of base reserves that the account must keep."""
        return 2 + self.subentries + self.sponsoring - self.sponsored

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        destination = self.inflation_destination
        return {
            "account_id": strkey.account(self.owner),
            "balance": self.balance,
            "sequence_number": self.sequence,
            "num_subentries": self.subentries,
            "inflation_destination": None if destination is None else strkey.account(destination),
            "flags": self.flags,
            "home_domain": self.home_domain,
            "thresholds": list(self.thresholds),
            "signers": [
                {
                    "signer": signer.name,
                    "weight": signer.weight,
                    "sponsor": None if signer.sponsor is None else strkey.account(signer.sponsor),
                }
                for signer in self.signers
            ],
            "buying_liabilities": self.buying,
            "selling_liabilities": self.selling,
            "num_sponsored": self.sponsored,
            "num_sponsoring": self.sponsoring,
            "sequence_ledger": self.sequence_ledger,
            "sequence_time": self.sequence_time,
        }


@dataclass(frozen=True, kw_only=True)
class Trustline(Entry):
    """A trust line, to a credit or to a pool's shares."""

    plural = "trustlines"

    owner: bytes
    asset: bytes
    balance: int = 0
    limit: int = 0
    flags: int = 1
    buying: int = 0
    selling: int = 0
    pools: int = 0
    level: int = 0

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return trustline_key(self.owner, self.asset)

    @cached_property
    def content(self) -> bytes:
        """`TrustLineEntry`."""
        extension = ZERO
        if self.level:
            extension = u32(1) + i64(self.buying) + i64(self.selling)
            extension += ZERO if self.level == 1 else u32(2) + i32(self.pools) + ZERO
        return self.key[4:] + i64(self.balance) + i64(self.limit) + u32(self.flags) + extension

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        shares = is_pool_share(self.asset)
        return {
            "account_id": strkey.account(self.owner),
            "asset": None if shares else asset_name(self.asset),
            "liquidity_pool_id": strkey.liquidity_pool(self.asset[4:]) if shares else None,
            "balance": self.balance,
            "limit": self.limit,
            "flags": self.flags,
            "buying_liabilities": self.buying,
            "selling_liabilities": self.selling,
            "liquidity_pool_use_count": self.pools,
        }


@dataclass(frozen=True, kw_only=True)
class Offer(Entry):
    """An offer: `amount` of `selling` at `n / d` of `buying` each."""

    plural = "offers"

    seller: bytes
    number: int
    selling: bytes
    buying: bytes
    amount: int
    n: int
    d: int
    passive: bool = False

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return offer_key(self.seller, self.number)

    @cached_property
    def price(self) -> Fraction:
        """Of one unit of what is sold."""
        return Fraction(self.n, self.d)

    @cached_property
    def content(self) -> bytes:
        """`OfferEntry`."""
        terms = i64(self.amount) + i32(self.n) + i32(self.d) + u32(int(self.passive))
        return self.key[4:] + self.selling + self.buying + terms + ZERO

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {
            "seller_id": strkey.account(self.seller),
            "offer_id": self.number,
            "selling": asset_name(self.selling),
            "buying": asset_name(self.buying),
            "amount": self.amount,
            "price_n": self.n,
            "price_d": self.d,
            "flags": int(self.passive),
        }


@dataclass(frozen=True, kw_only=True)
class Data(Entry):
    """A data entry of an account."""

    plural = "data"

    owner: bytes
    name: str
    value: bytes

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return data_key(self.owner, self.name)

    @cached_property
    def content(self) -> bytes:
        """`DataEntry`."""
        return self.key[4:] + opaque(self.value) + ZERO

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {"account_id": strkey.account(self.owner), "data_name": self.name, "data_value": self.value.hex()}
