"""Effects of operations on an account itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    AccountMerge,
    BumpSequence,
    CreateAccount,
    Inflation,
    ManageData,
    SetOptions,
    SignedPayloadSigner,
    SignerKey,
    xdr,
)
from stellar_sdk.operation.set_options import AuthorizationFlag

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    account,
    account_id,
    change,
    data,
    muxed,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    Effects,
    hash_x,
    one,
    text_of,
)

effects = Effects()
FAMILY = frozenset(
    (
        "account_created",
        "account_removed",
        "account_credited",
        "account_debited",
        "account_thresholds_updated",
        "account_home_domain_updated",
        "account_flags_updated",
        "account_inflation_destination_updated",
        "signer_created",
        "signer_removed",
        "signer_updated",
        "data_created",
        "data_removed",
        "data_updated",
        "sequence_bumped",
    )
)
"""The types of effects that the tests of this file see."""


def test_create_account_by_a_muxed_source_has_effects(tmp_path: Path) -> None:
    assert effects(tmp_path, one(CreateAccount(BOB, "10"), source=ALICE_7)) == [
        (BOB, "account_created", {"starting_balance": "10.0000000"}),
        (ALICE_7, "account_debited", {"asset_type": "native", "amount": "10.0000000"}),
        (BOB, "signer_created", {"public_key": BOB, "weight": 1}),
    ]


def test_account_merge_has_effects(tmp_path: Path) -> None:
    tx = one(AccountMerge(muxed(BOB, 9)), content=xdr.Int64(12345678), source=ALICE_7)
    money = {"amount": "1.2345678", "asset_type": "native"}
    assert effects(tmp_path, tx) == [
        (ALICE_7, "account_debited", money),
        (muxed(BOB, 9), "account_credited", money),
        (ALICE_7, "account_removed", {}),
    ]


def test_inflation_has_effects(tmp_path: Path) -> None:
    payouts = [xdr.InflationPayout(account_id(BOB), xdr.Int64(5)), xdr.InflationPayout(account_id(CAROL), xdr.Int64(6))]
    assert effects(tmp_path, one(Inflation(), content=payouts)) == [
        (BOB, "account_credited", {"amount": "0.0000005", "asset_type": "native"}),
        (CAROL, "account_credited", {"amount": "0.0000006", "asset_type": "native"}),
    ]


def test_bump_sequence_has_effects(tmp_path: Path) -> None:
    tx = one(BumpSequence(9), change(account(seq=5), account(seq=9)))
    assert effects(tmp_path, tx) == [(ALICE, "sequence_bumped", {"new_seq": 9})]


@pytest.mark.parametrize(
    ("before", "after", "outcome", "value"),
    [(None, b"new", "created", "bmV3"), (b"old", b"new", "updated", "bmV3"), (b"old", None, "removed", None)],
)
def test_manage_data_has_effects(
    tmp_path: Path, before: bytes | None, after: bytes | None, outcome: str, value: str | None
) -> None:
    entries = [None if stored is None else data("name", stored) for stored in (before, after)]
    details = {"name": "name"} if value is None else {"name": "name", "value": value}
    assert effects(tmp_path, one(ManageData("name", after), change(*entries))) == [(ALICE, f"data_{outcome}", details)]


def test_set_options_has_effects_of_all_kinds(tmp_path: Path) -> None:
    keys = sorted((hash_x(1), hash_x(2), hash_x(3)), key=text_of)
    payload = SignerKey.ed25519_signed_payload(SignedPayloadSigner(BOB, b"hello")).to_xdr_object()
    before = account(master=1, signers=[(keys[0], 1, None), (keys[1], 2, None)])
    after = account(master=5, signers=[(keys[1], 9, None), (keys[2], 3, None), (payload, 4, None)])
    operation = SetOptions(
        inflation_dest=CAROL,
        clear_flags=AuthorizationFlag.AUTHORIZATION_IMMUTABLE | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED,
        set_flags=AuthorizationFlag.AUTHORIZATION_REQUIRED | AuthorizationFlag.AUTHORIZATION_REVOCABLE,
        low_threshold=0,
        high_threshold=9,
        home_domain="",
    )
    flags = {
        "auth_required_flag": True,
        "auth_revocable_flag": True,
        "auth_immutable_flag": False,
        "auth_clawback_enabled_flag": False,
    }
    assert effects(tmp_path, one(operation, change(before, after), source=ALICE_7)) == [
        (ALICE_7, "account_home_domain_updated", {"home_domain": ""}),
        (ALICE_7, "account_thresholds_updated", {"low_threshold": 0, "high_threshold": 9}),
        (ALICE_7, "account_flags_updated", flags),
        (ALICE_7, "account_inflation_destination_updated", {"inflation_destination": CAROL}),
        # First existing signers in the order of their text, then new ones.
        (ALICE_7, "signer_updated", {"public_key": ALICE, "weight": 5}),
        (ALICE_7, "signer_removed", {"public_key": text_of(keys[0])}),
        (ALICE_7, "signer_updated", {"public_key": text_of(keys[1]), "weight": 9}),
        (ALICE_7, "signer_created", {"public_key": text_of(payload), "weight": 4}),
        (ALICE_7, "signer_created", {"public_key": text_of(keys[2]), "weight": 3}),
    ]


def test_the_master_key_is_a_signer_that_can_be_removed(tmp_path: Path) -> None:
    tx = one(SetOptions(master_weight=0), change(account(master=1), account(master=0)))
    assert effects(tmp_path, tx) == [(ALICE, "signer_removed", {"public_key": ALICE})]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
