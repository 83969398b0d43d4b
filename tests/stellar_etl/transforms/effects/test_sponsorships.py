"""Effects of sponsorships."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    AccountMerge,
    BeginSponsoringFutureReserves,
    CreateAccount,
    EndSponsoringFutureReserves,
    RevokeSponsorship,
    xdr,
)

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    LONG,
    POOL_ID,
    Tx,
    account,
    change,
    claimable_balance,
    data,
    trust_line,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    LONG_NAME,
    Effects,
    balance_hex,
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
        "signer_created",
        "account_sponsorship_created",
        "account_sponsorship_updated",
        "account_sponsorship_removed",
        "trustline_sponsorship_created",
        "trustline_sponsorship_updated",
        "trustline_sponsorship_removed",
        "data_sponsorship_created",
        "data_sponsorship_updated",
        "data_sponsorship_removed",
        "claimable_balance_sponsorship_created",
        "claimable_balance_sponsorship_updated",
        "claimable_balance_sponsorship_removed",
        "signer_sponsorship_created",
        "signer_sponsorship_updated",
        "signer_sponsorship_removed",
    )
)
"""The types of effects that the tests of this file see."""


HANDOVERS = {
    (None, CAROL): ("created", {"sponsor": CAROL}),
    (CAROL, DAVE): ("updated", {"former_sponsor": CAROL, "new_sponsor": DAVE}),
    (CAROL, None): ("removed", {"former_sponsor": CAROL}),
}


@pytest.mark.parametrize("sponsors", HANDOVERS, ids=lambda sponsors: HANDOVERS[sponsors][0])
def test_sponsorships_of_every_kind_have_effects(tmp_path: Path, sponsors: tuple[str | None, str | None]) -> None:
    former, new = sponsors
    outcome, details = HANDOVERS[sponsors]
    key = hash_x(1)
    tx = one(
        RevokeSponsorship.revoke_account_sponsorship(BOB),
        change(claimable_balance(sponsor=former), claimable_balance(sponsor=new)),
        change(data("name", b"1", former), data("name", b"1", new)),
        change(trust_line(BOB, POOL_ID, sponsor=former), trust_line(BOB, POOL_ID, sponsor=new)),
        change(trust_line(BOB, LONG, sponsor=former), trust_line(BOB, LONG, sponsor=new, sponsored=True)),
        change(
            account(BOB, signers=[(key, 1, former)], sponsor=former), account(BOB, signers=[(key, 1, new)], sponsor=new)
        ),
        source=ALICE_7,
    )
    assert effects(tmp_path, tx) == [
        (BOB, f"account_sponsorship_{outcome}", details),
        (BOB, f"signer_sponsorship_{outcome}", {"signer": text_of(key), **details}),
        (BOB, f"trustline_sponsorship_{outcome}", {"asset": LONG_NAME, **details}),
        (
            BOB,
            f"trustline_sponsorship_{outcome}",
            {"asset_type": "liquidity_pool", "liquidity_pool_id": POOL_ID.hex(), **details},
        ),
        # The last two concern the operation's source, and not the entry's owner.
        (ALICE_7, f"data_sponsorship_{outcome}", {"data_name": "name", **details}),
        (ALICE_7, f"claimable_balance_sponsorship_{outcome}", {"balance_id": balance_hex(7), **details}),
    ]


def test_sponsorships_of_new_and_removed_entries_have_effects(tmp_path: Path) -> None:
    begin = BeginSponsoringFutureReserves(BOB, source=CAROL)
    create = CreateAccount(BOB, "0", source=CAROL)
    end = EndSponsoringFutureReserves(source=BOB)
    changes = [[], change(None, account(BOB, sponsor=CAROL)), []]
    assert [effect for _, effect, _ in effects(tmp_path / "new", Tx([begin, create, end], changes=changes))] == [
        "account_created",
        "account_debited",
        "signer_created",
        "account_sponsorship_created",
    ]
    removed = change(account(signers=[(hash_x(1), 1, DAVE)], sponsor=CAROL), None)
    assert effects(tmp_path / "gone", one(AccountMerge(BOB), removed, content=xdr.Int64(0)))[3:] == [
        (ALICE, "account_sponsorship_removed", {"former_sponsor": CAROL}),
        (ALICE, "signer_sponsorship_removed", {"signer": text_of(hash_x(1)), "former_sponsor": DAVE}),
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
