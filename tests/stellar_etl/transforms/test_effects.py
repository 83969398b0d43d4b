"""Effects of operations that no recorded ledger holds, as the reference exporter would write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    AccountMerge,
    AllowTrust,
    Asset,
    BeginSponsoringFutureReserves,
    BumpSequence,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    Clawback,
    ClawbackClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    CreatePassiveSellOffer,
    EndSponsoringFutureReserves,
    ExtendFootprintTTL,
    Inflation,
    InvokeHostFunction,
    LiquidityPoolDeposit,
    LiquidityPoolWithdraw,
    ManageBuyOffer,
    ManageData,
    ManageSellOffer,
    MuxedAccount,
    Operation,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Payment,
    Price,
    RestoreFootprint,
    RevokeSponsorship,
    SetOptions,
    SetTrustLineFlags,
    SignedPayloadSigner,
    SignerKey,
    StrKey,
    TrustLineFlags,
    scval,
    xdr,
)
from stellar_sdk.operation.allow_trust import TrustLineEntryFlag as Allowed
from stellar_sdk.operation.set_options import AuthorizationFlag

from stellar_etl.transforms.effects import TYPES
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    CLOSED_AT,
    DAVE,
    ISSUER,
    LONG,
    NATIVE,
    PASSPHRASE,
    POOL,
    POOL_ID,
    SEQUENCE,
    USD,
    Tx,
    account,
    account_id,
    balance_id,
    change,
    claim,
    claim_pool,
    claim_v0,
    claimable_balance,
    data,
    event,
    ledger,
    muxed,
    offers_claimed,
    paid,
    pool,
    restored,
    succeeded,
    token_event,
    trust_line,
    ttl,
)

Changes = Sequence[Sequence[xdr.LedgerEntryChange]]
Effect = tuple[str, str, dict[str, Any]]

OPERATION_ID = SEQUENCE << 32 | 1 << 12 | 1
EVERY_MADE: set[str] = set()
"""The types that the tests of this file have seen."""


def effects(folder: Path, *transactions: Tx, version: int = 1) -> list[Effect]:
    """Whom each effect befell, its type and its details; the rest of the row is checked here."""
    made = export(folder, [ledger(*transactions, version=version)], PASSPHRASE, "effects").rows["effects"]
    of_operation: dict[int, int] = {}
    for row in made:
        index = of_operation.setdefault(row["operation_id"], 0)
        of_operation[row["operation_id"]] += 1
        assert (row["index"], row["id"]) == (index, f"{row['operation_id']}-{index}")
        assert (row["closed_at"], row["ledger_sequence"]) == (CLOSED_AT, SEQUENCE)
        assert row["type"] == TYPES[row["type_string"]]
        if row["address_muxed"] is not None:
            assert MuxedAccount.from_account(row["address_muxed"]).account_id == row["address"]
    EVERY_MADE.update(row["type_string"] for row in made)
    return [(row["address_muxed"] or row["address"], row["type_string"], row["details"]) for row in made]


def one(operation: Operation, *changed: Sequence[xdr.LedgerEntryChange], content: Any = None, **attributes: Any) -> Tx:
    """A transaction of one operation: what it changed, and what its result holds."""
    changes = [[entry for some in changed for entry in some]]
    result = succeeded(operation.to_xdr_object(), content)
    return Tx([operation], results=[result], changes=changes, **attributes)


USD_PARTS = {"asset_type": "credit_alphanum4", "asset_code": "USD", "asset_issuer": ISSUER}
USD_NAME, LONG_NAME = f"USD:{ISSUER}", f"LONGCODE:{ISSUER}"
ALICE_7 = muxed(ALICE, 7)


# Accounts -------------------------------------------------------------------------------------------------------


def test_create_account_by_a_muxed_source(tmp_path: Path) -> None:
    assert effects(tmp_path, one(CreateAccount(BOB, "10"), source=ALICE_7)) == [
        (BOB, "account_created", {"starting_balance": "10.0000000"}),
        (ALICE_7, "account_debited", {"asset_type": "native", "amount": "10.0000000"}),
        (BOB, "signer_created", {"public_key": BOB, "weight": 1}),
    ]


def test_payment_between_muxed_accounts(tmp_path: Path) -> None:
    money = {"amount": "0.0000001", **USD_PARTS}
    tx = one(Payment(muxed(BOB, 8), USD, "0.0000001", source=ALICE_7), source=CAROL)
    assert effects(tmp_path, tx) == [
        (muxed(BOB, 8), "account_credited", money),
        (ALICE_7, "account_debited", money),
    ]


def test_account_merge(tmp_path: Path) -> None:
    tx = one(AccountMerge(muxed(BOB, 9)), content=xdr.Int64(12345678), source=ALICE_7)
    money = {"amount": "1.2345678", "asset_type": "native"}
    assert effects(tmp_path, tx) == [
        (ALICE_7, "account_debited", money),
        (muxed(BOB, 9), "account_credited", money),
        (ALICE_7, "account_removed", {}),
    ]


def test_inflation(tmp_path: Path) -> None:
    payouts = [xdr.InflationPayout(account_id(BOB), xdr.Int64(5)), xdr.InflationPayout(account_id(CAROL), xdr.Int64(6))]
    assert effects(tmp_path, one(Inflation(), content=payouts)) == [
        (BOB, "account_credited", {"amount": "0.0000005", "asset_type": "native"}),
        (CAROL, "account_credited", {"amount": "0.0000006", "asset_type": "native"}),
    ]


def test_bump_sequence(tmp_path: Path) -> None:
    tx = one(BumpSequence(9), change(account(seq=5), account(seq=9)))
    assert effects(tmp_path, tx) == [(ALICE, "sequence_bumped", {"new_seq": 9})]


@pytest.mark.parametrize(
    ("before", "after", "outcome", "value"),
    [(None, b"new", "created", "bmV3"), (b"old", b"new", "updated", "bmV3"), (b"old", None, "removed", None)],
)
def test_manage_data(
    tmp_path: Path, before: bytes | None, after: bytes | None, outcome: str, value: str | None
) -> None:
    entries = [None if held is None else data("name", held) for held in (before, after)]
    details = {"name": "name"} if value is None else {"name": "name", "value": value}
    assert effects(tmp_path, one(ManageData("name", after), change(*entries))) == [(ALICE, f"data_{outcome}", details)]


def hash_x(number: int) -> xdr.SignerKey:
    return SignerKey.sha256_hash(bytes([number]) * 32).to_xdr_object()


def text_of(key: xdr.SignerKey) -> str:
    return SignerKey.from_xdr_object(key).encoded_signer_key


def test_set_options_of_all_kinds(tmp_path: Path) -> None:
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
        # What was there in the order of its text, then what is new.
        (ALICE_7, "signer_updated", {"public_key": ALICE, "weight": 5}),
        (ALICE_7, "signer_removed", {"public_key": text_of(keys[0])}),
        (ALICE_7, "signer_updated", {"public_key": text_of(keys[1]), "weight": 9}),
        (ALICE_7, "signer_created", {"public_key": text_of(payload), "weight": 4}),
        (ALICE_7, "signer_created", {"public_key": text_of(keys[2]), "weight": 3}),
    ]


def test_the_master_key_is_a_signer_that_can_be_removed(tmp_path: Path) -> None:
    tx = one(SetOptions(master_weight=0), change(account(master=1), account(master=0)))
    assert effects(tmp_path, tx) == [(ALICE, "signer_removed", {"public_key": ALICE})]


# Trust ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["created", "updated", "removed"])
def test_change_trust(tmp_path: Path, outcome: str) -> None:
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


def test_an_issuer_s_trust_in_itself_changes_nothing(tmp_path: Path) -> None:
    assert effects(tmp_path, one(ChangeTrust(USD, "3"), source=ISSUER)) == []


def pool_details(a: str, b: str, shares: str, lines: str = "1") -> dict[str, Any]:
    return {
        "id": POOL_ID.hex(),
        "fee_bp": 30,
        "type": "constant_product",
        "total_trustlines": lines,
        "total_shares": shares,
        "reserves": [{"asset": "native", "amount": a}, {"asset": USD_NAME, "amount": b}],
    }


def test_trust_in_a_pool_s_shares_makes_the_pool_and_its_removal_ends_it(tmp_path: Path) -> None:
    line = change(None, trust_line(asset=POOL_ID))
    # The line for the pool's asset counts one more pool that uses it: that is no effect.
    asset_line = change(trust_line(), trust_line())
    shares = {
        "asset_type": "liquidity_pool_shares",
        "liquidity_pool_id": POOL_ID.hex(),
        "liquidity_pool_id_strkey": StrKey.encode_liquidity_pool(POOL_ID),
    }
    made = one(ChangeTrust(POOL, "3"), change(None, pool(0, 0, 0)), asset_line, line)
    assert effects(tmp_path / "made", made) == [
        (ALICE, "trustline_created", {"limit": "3.0000000", **shares}),
        (
            ALICE,
            "liquidity_pool_created",
            {"liquidity_pool": pool_details("0.0000000", "0.0000000", "0.0000000")},
        ),
    ]
    gone = one(ChangeTrust(POOL, "0"), change(trust_line(asset=POOL_ID), None), asset_line, change(pool(0, 0, 0), None))
    assert effects(tmp_path / "gone", gone) == [
        (ALICE, "trustline_removed", {"limit": "0.0000000", **shares}),
        (ALICE, "liquidity_pool_removed", {"liquidity_pool_id": POOL_ID.hex()}),
    ]


@pytest.mark.filterwarnings("ignore:Use .*SetTrustLineFlags:DeprecationWarning")  # it is what old ledgers hold
@pytest.mark.parametrize(
    ("allowed", "flags"),
    [
        (Allowed.AUTHORIZED_FLAG, {"authorized_flag": True}),
        (Allowed.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG, {"authorized_to_maintain_liabilites": True}),
        (Allowed.UNAUTHORIZED_FLAG, {"authorized_flag": False, "authorized_to_maintain_liabilites": False}),
    ],
)
def test_allow_trust(tmp_path: Path, allowed: Any, flags: dict[str, bool]) -> None:
    details = {"trustor": BOB, **USD_PARTS}
    source = muxed(ISSUER, 1)
    assert effects(tmp_path, one(AllowTrust(BOB, "USD", allowed), source=source)) == [
        (source, "trustline_flags_updated", details),
        (source, "trustline_flags_updated", details | flags),
    ]


def test_set_trust_line_flags(tmp_path: Path) -> None:
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


def test_set_trust_line_flags_without_a_flag(tmp_path: Path) -> None:
    assert effects(tmp_path, one(SetTrustLineFlags(BOB, USD), source=ISSUER)) == [
        (ISSUER, "trustline_flags_updated", {"trustor": BOB, **USD_PARTS})
    ]


def test_a_withdrawn_authorization_takes_assets_out_of_a_pool(tmp_path: Path) -> None:
    always = xdr.ClaimPredicate(xdr.ClaimPredicateType.CLAIM_PREDICATE_UNCONDITIONAL)
    owner = Claimant(BOB, ClaimPredicate.from_xdr_object(always)).to_xdr_object()
    tx = one(
        SetTrustLineFlags(BOB, USD, clear_flags=TrustLineFlags.AUTHORIZED_FLAG),
        # In no certain order: effects go by the asset, lumens first.
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


# Claimable balances and clawback --------------------------------------------------------------------------------


def balance_hex(number: int) -> str:
    return balance_id(number).to_xdr_bytes().hex()


def test_create_claimable_balance_keeps_the_operation_s_relative_times(tmp_path: Path) -> None:
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


def test_claim_claimable_balance(tmp_path: Path) -> None:
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


def test_clawback_of_a_muxed_account(tmp_path: Path) -> None:
    money = {"amount": "2.0000000", **USD_PARTS}
    assert effects(tmp_path, one(Clawback(USD, muxed(BOB, 3), "2"), source=ISSUER)) == [
        (ISSUER, "account_credited", money),
        (muxed(BOB, 3), "account_debited", money),
    ]


def test_clawback_of_a_claimable_balance(tmp_path: Path) -> None:
    tx = one(ClawbackClaimableBalance(balance_hex(7)), change(claimable_balance(7, USD, 50), None), source=ISSUER)
    assert effects(tmp_path, tx) == [
        (ISSUER, "claimable_balance_clawed_back", {"balance_id": balance_hex(7)}),
        (ISSUER, "account_credited", {"amount": "0.0000050", **USD_PARTS}),
    ]


# Sponsorship ----------------------------------------------------------------------------------------------------

HANDOVERS = {
    (None, CAROL): ("created", {"sponsor": CAROL}),
    (CAROL, DAVE): ("updated", {"former_sponsor": CAROL, "new_sponsor": DAVE}),
    (CAROL, None): ("removed", {"former_sponsor": CAROL}),
}


@pytest.mark.parametrize("sponsors", HANDOVERS, ids=lambda sponsors: HANDOVERS[sponsors][0])
def test_sponsorships_of_every_kind(tmp_path: Path, sponsors: tuple[str | None, str | None]) -> None:
    former, new = sponsors
    outcome, told = HANDOVERS[sponsors]
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
        (BOB, f"account_sponsorship_{outcome}", told),
        (BOB, f"signer_sponsorship_{outcome}", {"signer": text_of(key), **told}),
        (BOB, f"trustline_sponsorship_{outcome}", {"asset": LONG_NAME, **told}),
        (
            BOB,
            f"trustline_sponsorship_{outcome}",
            {"asset_type": "liquidity_pool", "liquidity_pool_id": POOL_ID.hex(), **told},
        ),
        # The last two befall the operation's source, whoever owns the entry.
        (ALICE_7, f"data_sponsorship_{outcome}", {"data_name": "name", **told}),
        (ALICE_7, f"claimable_balance_sponsorship_{outcome}", {"balance_id": balance_hex(7), **told}),
    ]


def test_sponsorships_of_new_and_removed_entries(tmp_path: Path) -> None:
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


# Trades and pools -----------------------------------------------------------------------------------------------


def sides(seller: str, buyer: str, buyer_details: dict[str, Any], types: Sequence[str]) -> list[Effect]:
    """Both sides' effects of one claim of 3 USD for 6 lumens, in stroops."""
    usd = {"asset_type": "credit_alphanum4", "asset_code": "USD", "asset_issuer": ISSUER}
    bought = {f"bought_{key}": value for key, value in usd.items()}
    sold = {f"sold_{key}": value for key, value in usd.items()}
    for_buyer = {
        "offer_id": 77,
        "seller": seller,
        "bought_amount": "0.0000003",
        "sold_amount": "0.0000006",
        **bought,
        "sold_asset_type": "native",
    }
    for_seller = {
        "offer_id": 77,
        **buyer_details,
        "bought_amount": "0.0000006",
        "sold_amount": "0.0000003",
        **sold,
        "bought_asset_type": "native",
    }
    return [made for type_ in types for made in ((buyer, type_, for_buyer), (seller, type_, for_seller))]


ALL_FOUR = ["trade", "offer_updated", "offer_removed", "offer_created"]
MUXED_SELLER = {"seller": ALICE, "seller_muxed": ALICE_7, "seller_muxed_id": 7}


@pytest.mark.parametrize("make", [claim, claim_v0])
@pytest.mark.parametrize("type_", ["sell", "buy", "passive", "passive as core once recorded it"])
def test_offers(tmp_path: Path, make: Any, type_: str) -> None:
    price = Price(2, 1)
    operation: Operation = {
        "sell": ManageSellOffer(NATIVE, USD, "1", price),
        "buy": ManageBuyOffer(NATIVE, USD, "1", price),
    }.get(type_, CreatePassiveSellOffer(NATIVE, USD, "1", price))
    # A claim of nothing for nothing is no trade.
    claims = offers_claimed([make(BOB, 78, USD, 0, NATIVE, 0), make(BOB, 77, USD, 3, NATIVE, 6)])
    odd = "MANAGE_SELL_OFFER" if type_.endswith("it") else None
    result = succeeded(operation.to_xdr_object(), claims, odd)
    assert effects(tmp_path, Tx([operation], results=[result], source=ALICE_7)) == sides(
        BOB, ALICE_7, MUXED_SELLER, ALL_FOUR
    )


def test_a_path_payment_through_an_offer_and_a_pool(tmp_path: Path) -> None:
    change_of_pool = change(pool(1000, 1000, 1000), pool(1006, 995, 1000))
    claims = [claim_pool(USD, 5, NATIVE, 6), claim(BOB, 77, USD, 3, NATIVE, 6)]
    receive = PathPaymentStrictReceive(muxed(CAROL, 1), NATIVE, "9", USD, "0.0000008", [])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, claims, USD, 8, CAROL)
    traded = {
        "liquidity_pool": pool_details("0.0001006", "0.0000995", "0.0001000"),
        "sold": {"asset": USD_NAME, "amount": "0.0000005"},
        "bought": {"asset": "native", "amount": "0.0000006"},
    }
    assert effects(tmp_path / "receive", one(receive, change_of_pool, content=success, source=ALICE_7)) == [
        (muxed(CAROL, 1), "account_credited", {"amount": "0.0000008", **USD_PARTS}),
        (ALICE_7, "account_debited", {"amount": "0.0000012", "asset_type": "native"}),
        (ALICE_7, "liquidity_pool_trade", traded),
        *sides(BOB, ALICE_7, MUXED_SELLER, ALL_FOUR),
    ]
    send = PathPaymentStrictSend(CAROL, NATIVE, "0.0000012", USD, "0.0000001", [])
    success = paid(xdr.PathPaymentStrictSendResultSuccess, claims, USD, 8, CAROL)
    assert effects(tmp_path / "send", one(send, change_of_pool, content=success)) == [
        (CAROL, "account_credited", {"amount": "0.0000008", **USD_PARTS}),
        (ALICE, "account_debited", {"amount": "0.0000012", "asset_type": "native"}),
        (ALICE, "liquidity_pool_trade", traded),
        # Of a strict send alone no offer is said to have been created.
        *sides(BOB, ALICE, {"seller": ALICE}, ALL_FOUR[:3]),
    ]


def test_a_strict_receive_through_two_hops_debits_the_first_one(tmp_path: Path) -> None:
    claims = [claim(BOB, 1, USD, 3, NATIVE, 6), claim(BOB, 2, USD, 3, NATIVE, 7), claim(BOB, 3, LONG, 9, USD, 6)]
    receive = PathPaymentStrictReceive(CAROL, NATIVE, "9", LONG, "0.0000009", [USD])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, claims, LONG, 9, CAROL)
    made = effects(tmp_path / "two", one(receive, content=success))
    assert made[1] == (ALICE, "account_debited", {"amount": "0.0000013", "asset_type": "native"})
    # Without a claim the asset itself was paid.
    direct = PathPaymentStrictReceive(CAROL, LONG, "9", LONG, "0.0000009", [])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, [], LONG, 9, CAROL)
    made = effects(tmp_path / "none", one(direct, content=success))
    assert [details["amount"] for _, _, details in made] == ["0.0000009", "0.0000009"]


def test_deposit_and_withdrawal(tmp_path: Path) -> None:
    deposit = LiquidityPoolDeposit(POOL.liquidity_pool_id, "1", "1", Price(1, 2), Price(2, 1))
    both = [{"asset": "native", "amount": "0.0000010"}, {"asset": USD_NAME, "amount": "0.0000020"}]
    tx = one(deposit, change(pool(100, 200, 140), pool(110, 220, 154)), source=ALICE_7)
    assert effects(tmp_path / "deposit", tx) == [
        (
            ALICE_7,
            "liquidity_pool_deposited",
            {
                "liquidity_pool": pool_details("0.0000110", "0.0000220", "0.0000154"),
                "reserves_deposited": both,
                "shares_received": "0.0000014",
            },
        )
    ]
    withdraw = LiquidityPoolWithdraw(POOL.liquidity_pool_id, "0.0000014", "0", "0")
    tx = one(withdraw, change(pool(110, 220, 154), pool(100, 200, 140)))
    assert effects(tmp_path / "withdraw", tx) == [
        (
            ALICE,
            "liquidity_pool_withdrew",
            {
                "liquidity_pool": pool_details("0.0000100", "0.0000200", "0.0000140"),
                "reserves_received": both,
                "shares_redeemed": "0.0000014",
            },
        )
    ]


# Smart contracts ------------------------------------------------------------------------------------------------

CONTRACT = StrKey.encode_contract(b"\5" * 32)
INVOKE = InvokeHostFunction(
    xdr.HostFunction(
        xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT,
        invoke_contract=xdr.InvokeContractArgs(
            scval.to_address(CONTRACT).address, xdr.SCSymbol(b"call"), [scval.to_uint32(1)]
        ),
    ),
    [],
)


@pytest.mark.parametrize("meta", [3, 4])
def test_events_of_an_asset_s_own_contract(tmp_path: Path, meta: int) -> None:
    events = [
        token_event("transfer", BOB, CONTRACT, amount=1),
        token_event("transfer", CONTRACT, BOB, amount=2, asset=NATIVE),
        token_event("mint", ISSUER, BOB, amount=3),
        token_event("clawback", ISSUER, BOB, amount=4),
        token_event("burn", CONTRACT, amount=5),
        # Another contract may name an asset, but it isn't the asset's; and approval moves nothing.
        event(b"\5" * 32, token_event("burn", BOB, amount=9).body.v0.topics, scval.to_int128(9)),
        token_event("approve", BOB, CONTRACT, amount=6),
    ]
    tx = one(INVOKE, content=xdr.Hash(bytes(32)), events=[events], meta=meta, soroban=True, source=ALICE_7)

    def money(amount: int, name: str, **more: str) -> dict[str, str]:
        return {"amount": f"0.000000{amount}", **USD_PARTS, "contract_event_type": name, **more}

    lumens = {"amount": "0.0000002", "asset_type": "native", "contract_event_type": "transfer"}
    assert effects(tmp_path, tx) == [
        (BOB, "account_debited", money(1, "transfer")),
        (ALICE_7, "contract_credited", money(1, "transfer", contract=CONTRACT)),
        (ALICE_7, "contract_debited", {**lumens, "contract": CONTRACT}),
        (BOB, "account_credited", lumens),
        (BOB, "account_credited", money(3, "mint")),
        (BOB, "account_debited", money(4, "clawback")),
        (ALICE_7, "contract_debited", money(5, "burn", contract=CONTRACT)),
    ]


def test_events_in_the_form_since_protocol_23(tmp_path: Path) -> None:
    def to_muxed(amount: int) -> xdr.SCVal:
        memo = {scval.to_symbol("to_muxed_id"): scval.to_uint64(7)}
        return scval.to_map({scval.to_symbol("amount"): scval.to_int128(amount), **memo})

    events = [
        token_event("mint", BOB, amount=1),
        token_event("mint", BOB, amount=to_muxed(2)),
        token_event("transfer", BOB, CAROL, amount=to_muxed(3)),
        token_event("clawback", CONTRACT, amount=4),
        # Neither is in one of the forms of an asset's own contract.
        token_event("transfer", BOB, amount=5),
        token_event("mint", BOB, amount=scval.to_uint64(6)),
    ]
    tx = one(INVOKE, content=xdr.Hash(bytes(32)), events=[events], soroban=True, source=ALICE_7)

    def money(amount: int, name: str, **more: str) -> dict[str, str]:
        return {"amount": f"0.000000{amount}", **USD_PARTS, "contract_event_type": name, **more}

    assert effects(tmp_path, tx) == [
        (BOB, "account_credited", money(1, "mint")),
        (BOB, "account_credited", money(2, "mint")),
        (BOB, "account_debited", money(3, "transfer")),
        (CAROL, "account_credited", money(3, "transfer")),
        (ALICE_7, "contract_debited", money(4, "clawback", contract=CONTRACT)),
    ]


def test_footprints(tmp_path: Path) -> None:
    def key(number: int) -> str:
        key_ttl = xdr.LedgerKeyTtl(xdr.Hash(bytes([number]) * 32))
        return xdr.LedgerKey(xdr.LedgerEntryType.TTL, ttl=key_ttl).to_xdr()

    lived = [change(ttl(2, 10), ttl(2, 90)), change(account(), account()), change(ttl(1, 10), ttl(1, 90))]
    extend = one(ExtendFootprintTTL(90), *lived, soroban=True, meta=3, source=ALICE_7)
    assert effects(tmp_path / "extend", extend) == [
        (ALICE_7, "extend_footprint_ttl", {"entries": [key(1), key(2)], "extend_to": 90})
    ]
    restore = one(RestoreFootprint(), restored(ttl(3, 90)), change(None, ttl(1, 90)), soroban=True)
    assert effects(tmp_path / "restore", restore, version=2) == [
        (ALICE, "restore_footprint", {"entries": [key(1), key(3)]})
    ]


def test_effects_count_anew_for_each_operation_and_a_failed_transaction_has_none(tmp_path: Path) -> None:
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


def test_every_type_was_seen(request: pytest.FixtureRequest) -> None:
    ran = {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}
    if not ran >= {name for name in globals() if name.startswith("test_")}:
        pytest.skip("needs all tests of this file")
    assert set(TYPES) == EVERY_MADE
