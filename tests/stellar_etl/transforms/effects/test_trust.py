"""Effects of operations on trust lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    AllowTrust,
    ChangeTrust,
    Claimant,
    ClaimPredicate,
    SetTrustLineFlags,
    TrustLineFlags,
    xdr,
)
from stellar_sdk.operation.allow_trust import TrustLineEntryFlag as Allowed

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    ISSUER,
    LONG,
    NATIVE,
    POOL_ID,
    USD,
    change,
    claimable_balance,
    muxed,
    pool,
    trust_line,
)
from tests.stellar_etl.transforms.effects.making import (
    USD_NAME,
    USD_PARTS,
    Effects,
    balance_hex,
    one,
    pool_details,
)

effects = Effects()
FAMILY = frozenset(
    (
        "trustline_created",
        "trustline_removed",
        "trustline_updated",
        "trustline_flags_updated",
        "claimable_balance_created",
        "claimable_balance_claimant_created",
        "claimable_balance_sponsorship_created",
        "liquidity_pool_revoked",
    )
)
"""The types of effects that the tests of this file see."""


@pytest.mark.parametrize("outcome", ["created", "updated", "removed"])
def test_change_trust_has_effects(tmp_path: Path, outcome: str) -> None:
    before = None if outcome == "created" else trust_line(asset=LONG)
    after = None if outcome == "removed" else trust_line(asset=LONG)
    details = {
        "limit": "3.0000000",
        "asset_type": "credit_alphanum12",
        "asset_code": "LONGCODE",
        "asset_issuer": ISSUER,
    }
    assert effects(tmp_path, one(ChangeTrust(LONG, "3"), change(before, after))) == [
        (ALICE, f"trustline_{outcome}", details)
    ]


def test_an_issuers_trust_line_to_itself_has_no_effect(tmp_path: Path) -> None:
    assert effects(tmp_path, one(ChangeTrust(USD, "3"), source=ISSUER)) == []


@pytest.mark.filterwarnings("ignore:Use .*SetTrustLineFlags:DeprecationWarning")  # old ledgers have such trust lines
@pytest.mark.parametrize(
    ("allowed", "flags"),
    [
        (Allowed.AUTHORIZED_FLAG, {"authorized_flag": True}),
        (Allowed.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG, {"authorized_to_maintain_liabilites": True}),
        (Allowed.UNAUTHORIZED_FLAG, {"authorized_flag": False, "authorized_to_maintain_liabilites": False}),
    ],
)
def test_allow_trust_has_effects(tmp_path: Path, allowed: Any, flags: dict[str, bool]) -> None:
    details = {"trustor": BOB, **USD_PARTS}
    source = muxed(ISSUER, 1)
    assert effects(tmp_path, one(AllowTrust(BOB, "USD", allowed), source=source)) == [
        (source, "trustline_flags_updated", details),
        (source, "trustline_flags_updated", details | flags),
    ]


def test_set_trust_line_flags_has_effects(tmp_path: Path) -> None:
    operation = SetTrustLineFlags(
        BOB,
        USD,
        clear_flags=TrustLineFlags.AUTHORIZED_FLAG | TrustLineFlags.TRUSTLINE_CLAWBACK_ENABLED_FLAG,
        set_flags=TrustLineFlags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG,
    )
    flags = {
        "authorized_flag": False,
        "clawback_enabled_flag": False,
        "authorized_to_maintain_liabilites": True,
    }
    assert effects(tmp_path, one(operation, source=ISSUER)) == [
        (ISSUER, "trustline_flags_updated", {"trustor": BOB, **USD_PARTS, **flags})
    ]


def test_set_trust_line_flags_without_a_flag_has_no_effect(tmp_path: Path) -> None:
    assert effects(tmp_path, one(SetTrustLineFlags(BOB, USD), source=ISSUER)) == [
        (ISSUER, "trustline_flags_updated", {"trustor": BOB, **USD_PARTS})
    ]


def test_a_revoked_authorization_withdraws_assets_from_a_pool(tmp_path: Path) -> None:
    always = xdr.ClaimPredicate(xdr.ClaimPredicateType.CLAIM_PREDICATE_UNCONDITIONAL)
    owner = Claimant(BOB, ClaimPredicate.from_xdr_object(always)).to_xdr_object()
    tx = one(
        SetTrustLineFlags(BOB, USD, clear_flags=TrustLineFlags.AUTHORIZED_FLAG),
        # The order of changes is undefined: effects are sorted by asset, lumens first.
        change(None, claimable_balance(1, USD, 20, [owner], sponsor=BOB, clawback=True)),
        change(None, claimable_balance(2, NATIVE, 10, [owner], sponsor=BOB)),
        change(pool(110, 220, 150, 2), pool(100, 200, 140, 1)),
        change(trust_line(BOB, POOL_ID), None),
        source=ISSUER,
    )
    usd, native = balance_hex(1), balance_hex(2)
    flag = {"claimable_balance_clawback_enabled_flag": True}
    predicate = {"predicate": {"unconditional": True}}
    for_usd = {"balance_id": usd, "asset": USD_NAME, "amount": "0.0000020"}
    for_native = {"balance_id": native, "asset": "native", "amount": "0.0000010"}
    assert effects(tmp_path, tx) == [
        (ISSUER, "trustline_flags_updated", {"trustor": BOB, **USD_PARTS, "authorized_flag": False}),
        (ISSUER, "claimable_balance_created", for_native),
        (BOB, "claimable_balance_claimant_created", for_native | predicate),
        (ISSUER, "claimable_balance_created", for_usd | flag),
        (BOB, "claimable_balance_claimant_created", for_usd | predicate),
        (
            ISSUER,
            "liquidity_pool_revoked",
            {
                "liquidity_pool": pool_details("0.0000100", "0.0000200", "0.0000140"),
                "reserves_revoked": [
                    {"asset": "native", "amount": "0.0000010", "claimable_balance_id": native},
                    {"asset": USD_NAME, "amount": "0.0000020", "claimable_balance_id": usd},
                ],
                "shares_revoked": "0.0000010",
            },
        ),
        # In the order of the changes' keys.
        (ISSUER, "claimable_balance_sponsorship_created", {"sponsor": BOB, "balance_id": usd}),
        (ISSUER, "claimable_balance_sponsorship_created", {"sponsor": BOB, "balance_id": native}),
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
