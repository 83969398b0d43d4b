"""Effects of operations on claimable balances."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    ClawbackClaimableBalance,
    CreateClaimableBalance,
)

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    ISSUER,
    NATIVE,
    USD,
    balance_id,
    change,
    claimable_balance,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    USD_NAME,
    USD_PARTS,
    Effects,
    balance_hex,
    one,
)

effects = Effects()
FAMILY = frozenset(
    (
        "account_credited",
        "account_debited",
        "claimable_balance_created",
        "claimable_balance_claimant_created",
        "claimable_balance_claimed",
        "claimable_balance_sponsorship_created",
        "claimable_balance_sponsorship_removed",
        "claimable_balance_clawed_back",
    )
)
"""The types of effects that the tests of this file see."""


def test_create_claimable_balance_keeps_the_operations_relative_times(tmp_path: Path) -> None:
    relative = Claimant(BOB, ClaimPredicate.predicate_before_relative_time(60))
    absolute = Claimant(BOB, ClaimPredicate.predicate_before_absolute_time(1714979349)).to_xdr_object()
    tx = one(
        CreateClaimableBalance(USD, "0.0000050", [relative]),
        change(None, claimable_balance(7, USD, 50, [absolute], sponsor=CAROL)),
        content=balance_id(7),
        source=ALICE_7,
    )
    details = {"balance_id": balance_hex(7), "asset": USD_NAME, "amount": "0.0000050"}
    assert effects(tmp_path, tx) == [
        (ALICE_7, "claimable_balance_created", details),
        (BOB, "claimable_balance_claimant_created", {**details, "predicate": {"rel_before": "60"}}),
        (ALICE_7, "account_debited", {"amount": "0.0000050", **USD_PARTS}),
        (ALICE_7, "claimable_balance_sponsorship_created", {"sponsor": CAROL, "balance_id": balance_hex(7)}),
    ]


def test_claim_claimable_balance_has_effects(tmp_path: Path) -> None:
    tx = one(
        ClaimClaimableBalance(balance_hex(7)),
        change(claimable_balance(7, NATIVE, 50, sponsor=CAROL, clawback=True), None),
    )
    details = {
        "balance_id": balance_hex(7),
        "asset": "native",
        "amount": "0.0000050",
        "claimable_balance_clawback_enabled_flag": True,
    }
    assert effects(tmp_path, tx) == [
        (ALICE, "claimable_balance_claimed", details),
        (ALICE, "account_credited", {"amount": "0.0000050", "asset_type": "native"}),
        (ALICE, "claimable_balance_sponsorship_removed", {"former_sponsor": CAROL, "balance_id": balance_hex(7)}),
    ]


def test_clawback_of_a_claimable_balance_has_effects(tmp_path: Path) -> None:
    tx = one(ClawbackClaimableBalance(balance_hex(7)), change(claimable_balance(7, USD, 50), None), source=ISSUER)
    assert effects(tmp_path, tx) == [
        (ISSUER, "claimable_balance_clawed_back", {"balance_id": balance_hex(7)}),
        (ISSUER, "account_credited", {"amount": "0.0000050", **USD_PARTS}),
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
