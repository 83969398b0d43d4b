"""Offers: to sell, to buy, and passive ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from local.sample_network.encode import MAX, NATIVE, array, i32, i64, issuer_of
from local.sample_network.entries import Offer, offer_key
from local.sample_network.exchange import Rounding, adjusted, promised
from local.sample_network.funds import (
    AUTHORIZED,
    give_back_reserve,
    move,
    remove_subentry,
    room,
    spendable,
    take_reserve,
    trustline,
)
from local.sample_network.orderbook import SelfCross, acquire, release, take
from local.sample_network.run import Failed, Operation, Run


@dataclass(frozen=True)
class _Terms:
    """Any of the three kinds, as an offer to sell at n / d.

    Attributes:
        sell_most: the most to sell.
        buy_most: the most to buy.
    """

    offer: Offer
    sell_most: int
    buy_most: int


def _check(run: Run, asset: bytes, *, no_trust: int, not_authorized: int) -> None:
    owner = run.source.key
    if asset == NATIVE or issuer_of(asset) == owner:
        return
    line = trustline(run, owner, asset)
    if line is None:
        raise Failed(no_trust)
    if not line.flags & AUTHORIZED:
        raise Failed(not_authorized)


def _manage(run: Run, terms: _Terms, *, delete: bool) -> bytes:
    """Make, change or delete an offer: trade it with matching offers; the rest stays in the book.

    Returns `ManageOfferSuccessResult`.
    """
    owner, requested = run.source.key, terms.offer
    if not delete:
        _check(run, requested.selling, no_trust=-2, not_authorized=-4)
        _check(run, requested.buying, no_trust=-3, not_authorized=-5)
    known = run.state.get(Offer, offer_key(owner, requested.number)) if requested.number else None
    if requested.number and known is None:
        raise Failed(-11)  # NOT_FOUND
    if known is not None:
        release(run, known)
        requested = replace(requested, sponsor=known.sponsor, extended=known.extended, passive=known.passive)
        if delete:
            remove_subentry(run, owner, known)
            return array(()) + i32(2)
    else:
        # Take the reserve before the trade, so that the trade can't spend it.
        requested = replace(requested, sponsor=take_reserve(run, owner, 1, -12))  # LOW_RESERVE
    selling, buying = promised(requested.n, requested.d, requested.amount)
    if room(run, owner, requested.buying) < buying:
        raise Failed(-6)  # LINE_FULL
    if spendable(run, owner, requested.selling) < selling:
        raise Failed(-7)  # UNDERFUNDED
    return _trade(run, terms, requested, known)


def _trade(run: Run, terms: _Terms, requested: Offer, known: Offer | None) -> bytes:
    owner = run.source.key
    sells = min(terms.sell_most, spendable(run, owner, requested.selling))
    buys = min(terms.buy_most, room(run, owner, requested.buying))
    limit = Fraction(requested.d, requested.n)
    try:
        taken = take(
            run,
            *(requested.selling, sells, requested.buying, buys),
            rounding=Rounding.NORMAL,
            acceptable=lambda offer: offer.price < limit if requested.passive else offer.price <= limit,
        )
    except SelfCross:
        raise Failed(-8) from None  # CROSS_SELF
    move(run, owner, requested.buying, taken.wheat)
    move(run, owner, requested.selling, -taken.sheep)
    left = 0
    if taken.stopped:
        sells, buys = terms.sell_most - taken.sheep, terms.buy_most - taken.wheat
        left = adjusted(
            requested.n,
            requested.d,
            min(sells, spendable(run, owner, requested.selling)),
            min(buys, room(run, owner, requested.buying)),
        )
    for claim in taken.claims:
        claim.emit(run)
    claims = array(claim.xdr for claim in taken.claims)
    if not left:
        if known is not None:
            remove_subentry(run, owner, known)
        else:
            _give_back(run, requested)
        return claims + i32(2)
    number = requested.number
    if known is None:
        run.chain.id_pool += 1
        number = run.chain.id_pool
    remaining = replace(requested, number=number, amount=left)
    run.state.put(remaining)
    acquire(run, remaining)
    return claims + i32(0 if known is None else 1) + remaining.content


def _give_back(run: Run, requested: Offer) -> None:
    give_back_reserve(run, requested.seller, 1, requested.sponsor)


def _price(n: int, d: int) -> bytes:
    return i32(n) + i32(d)


@dataclass(frozen=True)
class ManageSellOffer(Operation):
    """An offer to sell an amount at n / d of the other asset each; amount 0 deletes offer `offer`."""

    number: ClassVar[int] = 3
    selling: bytes
    buying: bytes
    amount: int
    n: int
    d: int
    offer: int = 0

    @property
    def body(self) -> bytes:
        """`ManageSellOfferOp`."""
        return self.selling + self.buying + i64(self.amount) + _price(self.n, self.d) + i64(self.offer)

    def apply(self, run: Run) -> bytes:
        """Make, change or delete the offer."""
        terms = Offer(
            seller=run.source.key,
            number=self.offer,
            selling=self.selling,
            buying=self.buying,
            amount=self.amount,
            n=self.n,
            d=self.d,
        )
        return _manage(run, _Terms(terms, self.amount, MAX), delete=not self.amount)


@dataclass(frozen=True)
class ManageBuyOffer(Operation):
    """An offer to buy an amount at n / d of the other asset each; amount 0 deletes offer `offer`."""

    number: ClassVar[int] = 12
    selling: bytes
    buying: bytes
    amount: int
    n: int
    d: int
    offer: int = 0

    @property
    def body(self) -> bytes:
        """`ManageBuyOfferOp`."""
        return self.selling + self.buying + i64(self.amount) + _price(self.n, self.d) + i64(self.offer)

    def apply(self, run: Run) -> bytes:
        """Make, change or delete the offer, as one to sell at the inverse price."""
        # The amount to sell for the amount to buy: the book has only offers to sell.
        amount = adjusted(self.d, self.n, MAX, self.amount)
        terms = Offer(
            seller=run.source.key,
            number=self.offer,
            selling=self.selling,
            buying=self.buying,
            amount=amount,
            n=self.d,
            d=self.n,
        )
        return _manage(run, _Terms(terms, MAX, self.amount), delete=not self.amount)


@dataclass(frozen=True)
class CreatePassiveSellOffer(Operation):
    """An offer to sell that does not take an offer of the very same price."""

    number: ClassVar[int] = 4
    selling: bytes
    buying: bytes
    amount: int
    n: int
    d: int

    @property
    def body(self) -> bytes:
        """`CreatePassiveSellOfferOp`."""
        return self.selling + self.buying + i64(self.amount) + _price(self.n, self.d)

    def apply(self, run: Run) -> bytes:
        """Make the offer."""
        terms = Offer(
            seller=run.source.key,
            number=0,
            selling=self.selling,
            buying=self.buying,
            amount=self.amount,
            n=self.n,
            d=self.d,
            passive=True,
        )
        return _manage(run, _Terms(terms, self.amount, MAX), delete=False)
