"""Stories of offers, paths and pools."""

from __future__ import annotations

from collections.abc import Iterator

from local.sample_network.encode import NATIVE, pool_parameters, pool_share
from local.sample_network.entries import Trustline, trustline_key
from local.sample_network.keys import public_key, sha256
from local.sample_network.operations.offers import CreatePassiveSellOffer, ManageBuyOffer, ManageSellOffer
from local.sample_network.operations.payments import PathPaymentStrictReceive, PathPaymentStrictSend
from local.sample_network.operations.pools import LiquidityPoolDeposit, LiquidityPoolWithdraw
from local.sample_network.operations.trust import ChangeTrust, TrustPool
from local.sample_network.run import Party
from local.sample_network.scenario.cast import LIMIT, XLM, Cast, Step

STRANGER = Party(public_key("a stranger without an account"))


def _balance(cast: Cast, role: str, asset: bytes) -> int:
    line = cast.engine.state.get(Trustline, trustline_key(cast.key(role), asset))
    assert line is not None
    return line.balance


def offers(cast: Cast) -> Iterator[Step]:
    """A maker and a taker trade in the book; the rest is changed and deleted."""
    usd = cast.asset("USD")
    yield [cast.found("issuer", "maker", "taker", amount=5_000 * XLM)]
    yield from cast.endow(usd, "issuer", "maker", "taker")
    yield [
        cast.does("maker", ManageSellOffer(usd, NATIVE, 100 * XLM, 5, 2), ManageSellOffer(usd, NATIVE, 50 * XLM, 13, 5))
    ]
    # The whole of the first, some of the second.
    yield [cast.does("taker", ManageSellOffer(NATIVE, usd, 300 * XLM, 1, 3))]
    # The rest of the second, and a standing offer for what is missing.
    yield [cast.does("taker", ManageBuyOffer(NATIVE, usd, 50 * XLM, 3, 1))]
    # The same price: a passive offer does not take it.
    yield [cast.does("maker", CreatePassiveSellOffer(usd, NATIVE, 20 * XLM, 3, 1))]
    (standing,) = cast.offers("taker")
    yield [cast.does("taker", ManageBuyOffer(NATIVE, usd, 10 * XLM, 14, 5, standing.number))]
    # A better price than the standing one: a passive offer takes it.
    yield [cast.does("maker", CreatePassiveSellOffer(usd, NATIVE, 30 * XLM, 2, 1))]
    yield [
        cast.does("taker", ManageSellOffer(NATIVE, usd, 5_000_000 * XLM, 1, 100), expected=(-7,)),  # UNDERFUNDED
        cast.does("maker", ManageBuyOffer(usd, NATIVE, XLM, 1, 1, 999_999_999), expected=(-11,)),  # NOT_FOUND
    ]
    own = cast.offers("maker")[0]
    yield [
        cast.does("maker", ManageSellOffer(NATIVE, usd, 10 * XLM, own.d, 4 * own.n), expected=(-8,)),  # CROSS_SELF
        # LINE_FULL
        cast.does("taker", CreatePassiveSellOffer(NATIVE, usd, 1_000 * XLM, 5_000, 1), expected=(-6,)),
    ]
    fake = cast.asset("FAKE")
    yield [
        cast.does("maker", CreatePassiveSellOffer(fake, NATIVE, XLM, 1, 1), expected=(-2,)),  # SELL_NO_TRUST
        cast.does("taker", ManageBuyOffer(NATIVE, fake, XLM, 1, 1), expected=(-3,)),  # BUY_NO_TRUST
    ]
    kept = cast.offers("maker")[0]
    yield [cast.does("maker", ManageSellOffer(usd, NATIVE, 7 * XLM, 7, 2, kept.number))]
    for role in ("maker", "taker"):
        gone = [
            ManageSellOffer(offer.selling, offer.buying, 0, offer.n, offer.d, offer.number)
            for offer in cast.offers(role)
        ]
        if gone:
            yield [cast.does(role, *gone)]


def pools(cast: Cast) -> Iterator[Step]:
    """A pool from its first trust line to its last; payments go through it."""
    usd, eur = sorted((cast.asset("USD"), cast.asset("EURO1")))
    pool = sha256(pool_parameters(usd, eur))
    yield [cast.found("issuer", "owner", "payer", "payee")]
    yield [cast.does("owner", TrustPool(usd, eur, LIMIT), expected=(-6,))]  # TRUST_LINE_MISSING
    yield from cast.endow(usd, "issuer", "owner", "payer")
    yield from cast.endow(eur, "issuer", "owner", "payee")
    yield [cast.does("owner", TrustPool(usd, eur, LIMIT))]

    def deposit(first: int, second: int, least: tuple[int, int], most: tuple[int, int]) -> LiquidityPoolDeposit:
        return LiquidityPoolDeposit(pool, first, second, least, most)

    yield [cast.does("owner", deposit(1_000 * XLM, 800 * XLM, (1, 1), (3, 2)))]
    yield [
        cast.does("owner", deposit(100 * XLM + 7, 90 * XLM + 3, (1, 1), (3, 2))),
        cast.does("payer", PathPaymentStrictSend(usd, 10 * XLM, cast.party("payee"), eur, XLM)),
    ]
    yield [cast.does("payer", PathPaymentStrictReceive(usd, 30 * XLM, cast.party("payee", 77), eur, 12 * XLM + 1))]
    yield [
        cast.does("owner", deposit(10 * XLM, 10 * XLM, (3, 1), (4, 1)), expected=(-6,)),  # BAD_PRICE
        cast.does("payee", deposit(XLM, XLM, (1, 9), (9, 1)), expected=(-2,)),  # NO_TRUST
        # INVALID_LIMIT
        cast.does("owner", ChangeTrust(usd, 2 * LIMIT), ChangeTrust(usd, 1), expected=(0, -3)),
    ]
    yield [
        # All its euros are the pool's or gone: only the pool still keeps the trust line.
        cast.does("owner", cast.pays("issuer", _balance(cast, "owner", eur), eur)),
        # LINE_FULL
        cast.does("issuer", cast.pays("payee", LIMIT, eur), expected=(-8,)),
        cast.does("payee", ChangeTrust(eur, LIMIT // 2)),
    ]
    yield [cast.does("owner", ChangeTrust(eur, 0), expected=(-7,))]  # CANNOT_DELETE
    yield [cast.does("owner", LiquidityPoolWithdraw(pool, 100 * XLM, 50 * XLM, 50 * XLM))]
    yield [
        cast.does("owner", LiquidityPoolWithdraw(pool, XLM, 5 * XLM, 1), expected=(-5,)),  # UNDER_MINIMUM
        cast.does("payer", LiquidityPoolWithdraw(pool, XLM, 1, 1), expected=(-2,)),  # NO_TRUST
    ]
    shares = _balance(cast, "owner", pool_share(pool))
    yield [cast.does("owner", LiquidityPoolWithdraw(pool, shares, 1, 1), TrustPool(usd, eur, 0))]


def paths(cast: Cast) -> Iterator[Step]:
    """Payments along offers, through lumens; a pool beside the book takes those that it serves better."""
    usd, gold = cast.asset("USD"), cast.asset("GOLD")
    pool = sha256(pool_parameters(NATIVE, usd))
    yield [cast.found("issuer", "maker", "payer", "payee", amount=4_000 * XLM)]
    yield from cast.endow(usd, "issuer", "maker", "payer")
    yield from cast.endow(gold, "issuer", "maker", "payee")
    yield [
        cast.does(
            "maker",
            ManageSellOffer(NATIVE, usd, 200 * XLM, 2, 1),
            ManageSellOffer(NATIVE, usd, 300 * XLM, 21, 10),
            ManageSellOffer(gold, NATIVE, 40 * XLM, 20, 1),
            ManageSellOffer(gold, NATIVE, 40 * XLM, 41, 2),
        )
    ]
    payee = cast.party("payee")
    yield [cast.does("payer", PathPaymentStrictReceive(usd, 900 * XLM, payee, gold, 12 * XLM, (NATIVE,)))]
    yield [cast.does("payer", PathPaymentStrictSend(usd, 100 * XLM, payee, gold, XLM, (NATIVE,)))]
    yield [
        cast.does("maker", TrustPool(NATIVE, usd, LIMIT)),
        # OVER_SENDMAX
        cast.does("payer", PathPaymentStrictReceive(usd, XLM, payee, gold, 2 * XLM, (NATIVE,)), expected=(-12,)),
    ]
    yield [cast.does("maker", LiquidityPoolDeposit(pool, 500 * XLM, 1_000 * XLM, (1, 4), (1, 1)))]
    yield [
        # Cheap in the pool, dear in the book: both hops in one payment.
        cast.does("payer", PathPaymentStrictSend(usd, 50 * XLM, payee, gold, 1, (NATIVE,))),
        # UNDER_DESTMIN
        cast.does("payer", PathPaymentStrictSend(usd, XLM, payee, gold, 50 * XLM, (NATIVE,)), expected=(-12,)),
    ]
    yield [
        # TOO_FEW_OFFERS
        cast.does("payer", PathPaymentStrictReceive(usd, LIMIT, payee, gold, 9_000 * XLM, (NATIVE,)), expected=(-10,)),
        # NO_DESTINATION
        cast.does("payer", PathPaymentStrictSend(usd, XLM, STRANGER, usd, 1), expected=(-5,)),
        # NO_TRUST
        cast.does("payee", PathPaymentStrictReceive(gold, XLM, cast.party("payer"), gold, XLM), expected=(-6,)),
    ]
    gone = [
        ManageSellOffer(offer.selling, offer.buying, 0, offer.n, offer.d, offer.number)
        for offer in cast.offers("maker")
    ]
    yield [cast.does("maker", *gone)]
