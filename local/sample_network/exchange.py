"""The amounts of a trade: prices, rounding, and a pool's constant product.

Rounding is the protocol's: stellar-core's `exchangeV10` for offers ("wheat" is what the standing offer sells, "sheep"
what it buys), CAP-38 for pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from local.sample_network.encode import MAX, POOL_FEE

BIPS = 10_000


class Rounding(Enum):
    """The kind of rounding: for an offer, or one of the path payments."""

    NORMAL = 0
    STRICT_RECEIVE = 1
    STRICT_SEND = 2


@dataclass(frozen=True)
class Exchanged:
    """The traded amounts, and whether the standing offer still has something to sell."""

    wheat: int
    sheep: int
    wheat_stays: bool


def divided_up(dividend: int, divisor: int) -> int:
    """A quotient, rounded up."""
    return -(-dividend // divisor)


def _raw(
    n: int, d: int, wheat_send: int, wheat_receive: int, sheep_send: int, sheep_receive: int, rounding: Rounding
) -> Exchanged:
    wheat_value = min(wheat_send * n, sheep_receive * d)
    sheep_value = min(sheep_send * d, wheat_receive * n)
    stays = wheat_value > sheep_value
    if stays and rounding is Rounding.STRICT_SEND:
        wheat, sheep = sheep_value // n, min(sheep_send, sheep_receive)
    elif stays and (n > d or rounding is Rounding.STRICT_RECEIVE):
        wheat = sheep_value // n
        sheep = divided_up(wheat * n, d)
    elif stays:
        sheep = sheep_value // d
        wheat = sheep * d // n
    elif n > d:
        wheat = wheat_value // n
        sheep = wheat * n // d
    else:
        sheep = wheat_value // d
        wheat = divided_up(sheep * d, n)
    return Exchanged(wheat, sheep, stays)


def exchange(
    n: int,
    d: int,
    wheat_send: int,
    wheat_receive: int,
    sheep_send: int,
    sheep_receive: int,
    rounding: Rounding = Rounding.NORMAL,
) -> Exchanged:
    """A trade with an offer at price n / d, within what each side can send and receive.

    The amounts are 0 if rounding would leave one side with nothing or cost one side more than a hundredth.
    """
    made = _raw(n, d, wheat_send, wheat_receive, sheep_send, sheep_receive, rounding)
    due, paid = 100 * n * made.wheat, 100 * d * made.sheep
    favoured = rounding is not Rounding.NORMAL and paid > due
    if not made.wheat or not made.sheep or not (favoured or abs(due - paid) <= n * made.wheat):
        return Exchanged(0, 0, made.wheat_stays)
    return made


def adjusted(n: int, d: int, wheat_send: int, sheep_receive: int) -> int:
    """The largest amount of an offer that can be taken as a whole."""
    return exchange(n, d, wheat_send, MAX, MAX, sheep_receive).wheat


def promised(n: int, d: int, amount: int) -> tuple[int, int]:
    """An offer's selling and buying liabilities."""
    made = _raw(n, d, amount, MAX, MAX, MAX, Rounding.NORMAL)
    return made.wheat, made.sheep


def pool_pays(reserve_in: int, reserve_out: int, paid: int) -> int:
    """A pool's payout for an amount."""
    after_fee = (BIPS - POOL_FEE) * paid
    return after_fee * reserve_out // (BIPS * reserve_in + after_fee)


def pool_asks(reserve_in: int, reserve_out: int, wanted: int) -> int | None:
    """A pool's price of an amount, None if it has less than that."""
    if wanted >= reserve_out:
        return None
    return divided_up(BIPS * reserve_in * wanted, (reserve_out - wanted) * (BIPS - POOL_FEE))
