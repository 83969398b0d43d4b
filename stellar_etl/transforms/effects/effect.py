"""One effect, and the numbers of the types of effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers.ledger import Operation, Transaction

Details = dict[str, Any]
Account = tuple[int, Any]
"""A `MuxedAccount`, or an `AccountID`: an account that isn't muxed looks the same."""
Made = tuple[Account, str, Details]
"""An effect of an operation: the account, the effect's type, its details."""

TYPES = {
    "account_created": 0,
    "account_removed": 1,
    "account_credited": 2,
    "account_debited": 3,
    "account_thresholds_updated": 4,
    "account_home_domain_updated": 5,
    "account_flags_updated": 6,
    "account_inflation_destination_updated": 7,
    "signer_created": 10,
    "signer_removed": 11,
    "signer_updated": 12,
    "trustline_created": 20,
    "trustline_removed": 21,
    "trustline_updated": 22,
    "trustline_flags_updated": 26,
    "offer_created": 30,
    "offer_removed": 31,
    "offer_updated": 32,
    "trade": 33,
    "data_created": 40,
    "data_removed": 41,
    "data_updated": 42,
    "sequence_bumped": 43,
    "claimable_balance_created": 50,
    "claimable_balance_claimant_created": 51,
    "claimable_balance_claimed": 52,
    "account_sponsorship_created": 60,
    "account_sponsorship_updated": 61,
    "account_sponsorship_removed": 62,
    "trustline_sponsorship_created": 63,
    "trustline_sponsorship_updated": 64,
    "trustline_sponsorship_removed": 65,
    "data_sponsorship_created": 66,
    "data_sponsorship_updated": 67,
    "data_sponsorship_removed": 68,
    "claimable_balance_sponsorship_created": 69,
    "claimable_balance_sponsorship_updated": 70,
    "claimable_balance_sponsorship_removed": 71,
    "signer_sponsorship_created": 72,
    "signer_sponsorship_updated": 73,
    "signer_sponsorship_removed": 74,
    "claimable_balance_clawed_back": 80,
    "liquidity_pool_deposited": 90,
    "liquidity_pool_withdrew": 91,
    "liquidity_pool_trade": 92,
    "liquidity_pool_created": 93,
    "liquidity_pool_removed": 94,
    "liquidity_pool_revoked": 95,
    "contract_credited": 96,
    "contract_debited": 97,
    "extend_footprint_ttl": 98,
    "restore_footprint": 99,
}
"""The number of each type. Three more for trust lines (23 to 25) were replaced by the update of flags."""


@dataclass(slots=True)
class Effect:
    """One effect, or the error of an operation's effects.

    Attributes:
        operation: the operation.
        number: its position among the operation's effects, from 0.
        account: the affected account.
        type: its type.
        details: the columns of only some types.
        error: set if the operation's effects can't be determined; it is then the operation's only item.
    """

    operation: Operation
    number: int
    account: Account
    type: str
    details: Details
    error: Exception | None = None

    @property
    def index(self) -> int:
        """The operation's position in its transaction, from 0."""
        return self.operation.index

    @property
    def transaction(self) -> Transaction:
        """The operation's transaction."""
        return self.operation.transaction
