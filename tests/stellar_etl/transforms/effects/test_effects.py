"""Effects of operations that no recorded ledger has, as the reference exporter would write them."""

from __future__ import annotations

from pathlib import Path

from stellar_sdk import (
    Asset,
    Payment,
)

from stellar_etl.transforms.effects import TYPES
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    BOB,
    CAROL,
    PASSPHRASE,
    SEQUENCE,
    Tx,
    ledger,
)
from tests.stellar_etl.transforms.effects import (
    test_accounts,
    test_claimable_balances,
    test_contracts,
    test_liquidity_pools,
    test_payments,
    test_sponsorships,
    test_trades,
    test_trust,
)
from tests.stellar_etl.transforms.effects.making import OPERATION_ID


def test_effects_are_numbered_per_operation_and_a_failed_transaction_has_none(tmp_path: Path) -> None:
    payment = Payment(BOB, Asset.native(), "1")
    made = export(
        tmp_path,
        [ledger(Tx([payment, payment]), Tx([payment], failed=True), Tx([payment], fee_source=CAROL))],
        PASSPHRASE,
        "effects",
    )
    third = SEQUENCE << 32 | 3 << 12 | 1
    assert [row["id"] for row in made.rows["effects"]] == [
        *(f"{OPERATION_ID}-0", f"{OPERATION_ID}-1", f"{OPERATION_ID + 1}-0", f"{OPERATION_ID + 1}-1"),
        *(f"{third}-0", f"{third}-1"),
    ]


def test_the_families_of_operations_have_every_type() -> None:
    """The tests of each family see the types that they name."""
    families = (
        test_accounts,
        test_payments,
        test_trust,
        test_liquidity_pools,
        test_claimable_balances,
        test_sponsorships,
        test_trades,
        test_contracts,
    )
    assert frozenset().union(*(family.FAMILY for family in families)) == TYPES.keys()
