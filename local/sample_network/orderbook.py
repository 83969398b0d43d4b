"""Matching of offers: taking the best ones of a book, and their claims in the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from local.sample_network import scval
from local.sample_network.encode import account_id, i64, u32
from local.sample_network.entries import Offer, Pool
from local.sample_network.exchange import Rounding, adjusted, exchange, promised
from local.sample_network.funds import move, promise, remove_subentry, room, spendable
from local.sample_network.run import Run


@dataclass(frozen=True)
class Claim:
    """A trade with an offer or a pool: what it sold, and what it received."""

    maker: Offer | Pool
    sold_asset: bytes
    sold: int
    bought_asset: bytes
    bought: int

    @property
    def xdr(self) -> bytes:
        """`ClaimAtom`."""
        if isinstance(self.maker, Offer):
            made = u32(1) + account_id(self.maker.seller) + i64(self.maker.number)
        else:
            made = u32(2) + self.maker.number
        return made + self.sold_asset + i64(self.sold) + self.bought_asset + i64(self.bought)

    def emit(self, run: Run) -> None:
        """The two events of it."""
        taker = scval.of_account(run.source.key)
        maker = (
            scval.of_account(self.maker.seller) if isinstance(self.maker, Offer) else scval.of_pool(self.maker.number)
        )
        run.moved(self.bought_asset, taker, maker, self.bought)
        run.moved(self.sold_asset, maker, taker, self.sold)


class SelfCross(Exception):  # noqa: N818
    """The best offer is the buyer's own."""


@dataclass(frozen=True)
class Taken:
    """The result of taking from a book.

    Attributes:
        claims: the trades with each offer.
        wheat: the received amount.
        sheep: the sent amount.
        stopped: whether the remaining offers were not good enough, or none remained.
    """

    claims: tuple[Claim, ...]
    wheat: int
    sheep: int
    stopped: bool


def release(run: Run, offer: Offer) -> None:
    """Remove the liabilities of an offer."""
    selling, buying = promised(offer.n, offer.d, offer.amount)
    promise(run, offer.seller, offer.selling, selling=-selling)
    promise(run, offer.seller, offer.buying, buying=-buying)


def acquire(run: Run, offer: Offer) -> None:
    """Add the liabilities of an offer."""
    selling, buying = promised(offer.n, offer.d, offer.amount)
    promise(run, offer.seller, offer.selling, selling=selling)
    promise(run, offer.seller, offer.buying, buying=buying)


def drop(run: Run, offer: Offer) -> None:
    """Delete an offer that can neither sell nor buy any more."""
    remove_subentry(run, offer.seller, offer)


def best(run: Run, selling: bytes, buying: bytes) -> Offer | None:
    """The cheapest offer of a book, the oldest of the cheapest."""
    book = run.state.books.get((selling, buying))
    return min(book.values(), key=lambda offer: (offer.price, offer.number)) if book else None


def take(
    run: Run,
    sheep_asset: bytes,
    sheep_most: int,
    wheat_asset: bytes,
    wheat_most: int,
    rounding: Rounding,
    acceptable: Callable[[Offer], bool] | None = None,
) -> Taken:
    """Buy wheat for sheep from the best offers, up to an amount of either; do not change the buyer's balances.

    Raises:
        SelfCross: the next best offer is the buyer's own.
    """
    claims: list[Claim] = []
    wheat = sheep = 0
    while wheat < wheat_most and sheep < sheep_most:
        offer = best(run, wheat_asset, sheep_asset)
        if offer is None or (acceptable is not None and not acceptable(offer)):
            return Taken(tuple(claims), wheat, sheep, stopped=True)
        if offer.seller == run.source.key:
            raise SelfCross
        stays, claim = _cross(run, offer, wheat_most - wheat, sheep_most - sheep, rounding)
        claims.append(claim)
        wheat, sheep = wheat + claim.sold, sheep + claim.bought
        if stays:
            break
    return Taken(tuple(claims), wheat, sheep, stopped=False)


def _cross(run: Run, offer: Offer, wheat_most: int, sheep_most: int, rounding: Rounding) -> tuple[bool, Claim]:
    """Take from one offer; return whether a part of it stays."""
    release(run, offer)
    seller, wheat, sheep = offer.seller, offer.selling, offer.buying
    sends, receives = min(offer.amount, spendable(run, seller, wheat)), room(run, seller, sheep)
    sends = adjusted(offer.n, offer.d, sends, receives)
    made = exchange(offer.n, offer.d, sends, wheat_most, sheep_most, receives, rounding)
    move(run, seller, sheep, made.sheep)
    move(run, seller, wheat, -made.wheat)
    left = sends - made.wheat if made.wheat_stays else 0
    left = adjusted(offer.n, offer.d, min(left, spendable(run, seller, wheat)), room(run, seller, sheep))
    if left:
        rest = replace(offer, amount=left)
        run.state.put(rest)
        acquire(run, rest)
    else:
        drop(run, offer)
    return made.wheat_stays, Claim(offer, wheat, made.wheat, sheep, made.sheep)
