"""Stories of claimable balances, of regulated assets, and of sponsorships."""

from __future__ import annotations

from collections.abc import Iterator

from local.sample_network.encode import NATIVE, ed25519_signer, pool_parameters
from local.sample_network.entries import ClaimableBalance, account_key, balance_key, data_key, trustline_key
from local.sample_network.keys import sha256
from local.sample_network.operations.accounts import ManageData, SetOptions
from local.sample_network.operations.balances import (
    ALWAYS,
    ClaimClaimableBalance,
    ClawbackClaimableBalance,
    CreateClaimableBalance,
    balance_id,
    before,
    both,
    either,
    negated,
    within,
)
from local.sample_network.operations.offers import ManageSellOffer
from local.sample_network.operations.payments import AccountMerge, CreateAccount
from local.sample_network.operations.pools import LiquidityPoolDeposit
from local.sample_network.operations.sponsoring import (
    BeginSponsoring,
    EndSponsoring,
    RevokeSignerSponsorship,
    RevokeSponsorship,
)
from local.sample_network.operations.trust import AllowTrust, ChangeTrust, Clawback, SetTrustLineFlags, TrustPool
from local.sample_network.scenario.cast import LIMIT, XLM, Cast, Step


def _next_balance(cast: Cast, role: str, operation: int = 0) -> bytes:
    """The id of the balance that an actor's next transaction makes."""
    return balance_id(cast.key(role), cast.account(role).sequence + 1, operation)


def balances(cast: Cast) -> Iterator[Step]:
    """Amounts reserved under conditions, claimed by several claimants at several times."""
    usd = cast.asset("USD")
    yield [cast.found("issuer", "giver", "heir", "friend", amount=500 * XLM)]
    yield from cast.endow(usd, "issuer", "giver", "heir")
    now = cast.engine.chain.close_time
    soon, later = before(now + 3_600), before(now + 86_400)
    claimants = (
        (cast.key("heir"), both(soon, negated(before(now - 60)))),
        (cast.key("friend"), either(both(later, negated(within(600))), negated(ALWAYS))),
        (cast.key("giver"), negated(soon)),
    )
    first, second = (_next_balance(cast, "giver", number) for number in range(2))
    yield [
        cast.does(
            "giver",
            CreateClaimableBalance(usd, 25 * XLM, claimants),
            CreateClaimableBalance(NATIVE, 12 * XLM, ((cast.key("friend"), ALWAYS), (cast.key("heir"), within(5)))),
        )
    ]
    yield [
        cast.does("heir", ClaimClaimableBalance(first)),
        cast.does("giver", ClaimClaimableBalance(second), expected=(-2,)),  # CANNOT_CLAIM
    ]
    yield [
        cast.does("friend", ClaimClaimableBalance(second)),
        cast.does("heir", ClaimClaimableBalance(first), expected=(-1,)),  # DOES_NOT_EXIST
    ]
    third = _next_balance(cast, "giver")
    yield [cast.does("giver", CreateClaimableBalance(usd, 3 * XLM, ((cast.key("friend"), ALWAYS),)))]
    yield [
        cast.does("friend", ClaimClaimableBalance(third), expected=(-4,)),  # NO_TRUST
        cast.does("issuer", ClawbackClaimableBalance(third), expected=(-3,)),  # NOT_CLAWBACK_ENABLED
        # UNDERFUNDED
        cast.does("giver", CreateClaimableBalance(usd, LIMIT, ((cast.key("heir"), ALWAYS),)), expected=(-5,)),
    ]


def regulated(cast: Cast) -> Iterator[Step]:
    """An issuer who decides who may hold its asset, takes it back, and revokes with offers and pool shares in place."""
    bond = cast.asset("BOND")
    pool = sha256(pool_parameters(NATIVE, bond))
    line = cast.key("holder")
    yield [cast.found("issuer", "holder", "other")]
    yield [cast.does("issuer", SetOptions(set_flags=1 | 2 | 8, home_domain="regulated.example"))]
    yield [
        cast.does("holder", ChangeTrust(bond, LIMIT)),
        cast.does("other", ChangeTrust(bond, LIMIT)),
    ]
    yield [cast.does("issuer", cast.pays("holder", XLM, bond), expected=(-7,))]  # NOT_AUTHORIZED
    yield [cast.does("issuer", AllowTrust(line, "BOND", 1), SetTrustLineFlags(cast.key("other"), bond, 0, 1))]
    yield [cast.does("issuer", cast.pays("holder", 900 * XLM, bond), cast.pays("other", 100 * XLM, bond))]
    yield [
        cast.does("holder", ManageSellOffer(bond, NATIVE, 50 * XLM, 3, 2), TrustPool(NATIVE, bond, LIMIT)),
        cast.does("issuer", Clawback(bond, cast.party("other", 5), 40 * XLM)),
    ]
    yield [
        cast.does("holder", LiquidityPoolDeposit(pool, 100 * XLM, 60 * XLM, (1, 1), (2, 1))),
        cast.does("issuer", Clawback(bond, cast.party("other"), LIMIT), expected=(-4,)),  # UNDERFUNDED
        cast.does("other", Clawback(bond, cast.party("holder"), XLM), expected=(-1,)),  # MALFORMED
    ]
    balance = _next_balance(cast, "other")
    yield [
        cast.does("issuer", AllowTrust(line, "BOND", 2)),
        cast.does("other", CreateClaimableBalance(bond, 9 * XLM, ((line, ALWAYS),))),
    ]
    yield [
        cast.does("holder", ClaimClaimableBalance(balance), expected=(-5,)),  # NOT_AUTHORIZED
        cast.does("issuer", AllowTrust(cast.key("issuer 2"), "BOND", 1), expected=(-2,)),  # NO_TRUST_LINE
        # NOT_ISSUER
        cast.does("other", ClawbackClaimableBalance(balance), expected=(-2,)),
    ]
    # No right at all: the offer goes, and the pool shares become claimable balances.
    yield [cast.does("issuer", SetTrustLineFlags(line, bond, 2, 0), ClawbackClaimableBalance(balance))]
    yield [
        cast.does("issuer", SetTrustLineFlags(line, bond, 0, 1)),
        cast.does("issuer", SetTrustLineFlags(cast.key("issuer"), bond, 0, 1), expected=(-2,)),  # NO_TRUST_LINE
        cast.does("issuer", SetTrustLineFlags(cast.key("other"), bond, 0, 2), expected=(-4,)),  # INVALID_STATE
    ]
    claimable = sorted(
        entry.number
        for entry in cast.engine.state.entries.values()
        if isinstance(entry, ClaimableBalance) and entry.sponsor == line
    )
    yield [cast.does("holder", *(ClaimClaimableBalance(number) for number in claimable))]
    yield [
        cast.does("issuer", SetOptions(clear_flags=2 | 8), SetOptions(set_flags=4)),
        cast.does("other", cast.pays("issuer", 51 * XLM, bond), ChangeTrust(bond, 0)),
    ]
    yield [
        cast.does("issuer", AllowTrust(line, "BOND", 0), expected=(-4,)),  # CANT_REVOKE
        cast.does("issuer", SetOptions(set_flags=2), expected=(-5,)),  # CANT_CHANGE
        cast.does("issuer", AccountMerge(cast.party("other")), expected=(-3,)),  # IMMUTABLE_SET
    ]


def sponsors(cast: Cast) -> Iterator[Step]:
    """Sponsored reserves, for every kind of entry, then handed over and ended."""
    usd, ward = cast.asset("USD"), cast.key("ward")
    key = ed25519_signer(cast.key("ward's second key"))
    begin, end = BeginSponsoring(ward), EndSponsoring(source=cast.party("ward"))
    by_ward = cast.party("ward")
    yield [cast.found("issuer", "sponsor", "heir")]
    yield [cast.does("sponsor", begin, CreateAccount(ward, 0), end)]
    yield [cast.does("sponsor", cast.pays("ward", 20 * XLM))]
    balance = _next_balance(cast, "sponsor", 4)
    yield [
        cast.does(
            "sponsor",
            begin,
            ChangeTrust(usd, LIMIT, source=by_ward),
            ManageData("sponsored", b"by another", source=by_ward),
            SetOptions(signer=(key, 1), source=by_ward),
            CreateClaimableBalance(NATIVE, XLM, ((cast.key("heir"), ALWAYS),), source=by_ward),
            end,
        )
    ]
    yield [
        # An offer with a sponsored reserve.
        cast.does("sponsor", begin, ManageSellOffer(NATIVE, usd, 2 * XLM, 9, 1, source=by_ward), end),
    ]
    # Handed over to another sponsor.
    yield [
        cast.does(
            "heir",
            BeginSponsoring(cast.key("sponsor")),
            RevokeSponsorship(trustline_key(ward, usd), source=cast.party("sponsor")),
            RevokeSponsorship(data_key(ward, "sponsored"), source=cast.party("sponsor")),
            RevokeSponsorship(balance_key(balance), source=cast.party("sponsor")),
            RevokeSignerSponsorship(ward, key, source=cast.party("sponsor")),
            RevokeSponsorship(account_key(ward), source=cast.party("sponsor")),
            EndSponsoring(source=cast.party("sponsor")),
        )
    ]
    yield [
        cast.does("sponsor", RevokeSponsorship(trustline_key(ward, usd)), expected=(-2,)),  # NOT_SPONSOR
        cast.does("heir", RevokeSponsorship(balance_key(balance)), expected=(-4,)),  # ONLY_TRANSFERABLE
        cast.does("heir", RevokeSponsorship(account_key(cast.key("nobody"))), expected=(-1,)),  # DOES_NOT_EXIST
    ]
    # Back to the one whose reserves they are.
    (offer,) = cast.offers("ward")
    yield [
        cast.does("sponsor", RevokeSponsorship(offer.key)),
        cast.does(
            "heir",
            RevokeSponsorship(data_key(ward, "sponsored")),
            RevokeSignerSponsorship(ward, key),
            RevokeSponsorship(trustline_key(ward, usd)),
        ),
    ]
    # And from the owner to a sponsor.
    yield [cast.does("sponsor", begin, RevokeSponsorship(data_key(ward, "sponsored"), source=by_ward), end)]
    yield [
        cast.does("ward", EndSponsoring(), expected=(-1,)),  # NOT_SPONSORED
        cast.does("sponsor", begin, expected=-14),  # a sponsorship that nobody ended
        # RECURSIVE
        cast.does(
            "sponsor",
            begin,
            BeginSponsoring(cast.key("heir"), source=by_ward),
            expected=(0, -3),
        ),
    ]
    yield [
        cast.does("sponsor", BeginSponsoring(cast.key("sponsor")), expected=(-1,)),  # MALFORMED
        cast.does("heir", ClaimClaimableBalance(balance), AccountMerge(cast.party("issuer")), expected=(0, -7)),
    ]
    yield [
        cast.does(
            "ward",
            ManageSellOffer(NATIVE, usd, 0, 9, 1, offer.number),
            ChangeTrust(usd, 0),
            ManageData("sponsored", None),
            SetOptions(signer=(key, 0)),
        )
    ]
    yield [cast.does("ward", AccountMerge(cast.party("heir", 2**63)))]
    # One that stays sponsored.
    child = cast.party("child")
    yield [
        cast.does(
            "sponsor",
            BeginSponsoring(child.key),
            CreateAccount(child.key, XLM),
            ChangeTrust(usd, LIMIT, source=child),
            ManageData("sponsored", b"still", source=child),
            SetOptions(signer=(key, 1), source=child),
            EndSponsoring(source=child),
        )
    ]
