"""The ledgers that an audit exports again, and the probability that a year of audits finds damage. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange

DAMAGED_LEDGERS = 100
"""The size of damage for which the probability is recorded: about ten minutes of the public network, one batch."""

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Sample:
    """Complete ledgers in chunks, from which the audits of a schedule choose. Each audit compares one chunk.

    Chunks do not overlap and leave no gaps, so each ledger is chosen with the same probability.

    Attributes:
        ledgers: the number of complete ledgers.
        chunks: the number of chunks.
        size: ledgers per chunk; the last chunk before a gap may have fewer.
        runs_per_year: the number of audits that the schedule makes in a year.
    """

    ledgers: int
    chunks: int
    size: int
    runs_per_year: float

    @classmethod
    def of(cls, ranges: Sequence[LedgerRange], size: int, period: timedelta) -> Sample:
        """Return the sample of complete ranges.

        Args:
            ranges: the complete ranges, in order and without overlaps.
            size: the Variable `audit_ledgers`.
            period: the longest time between two runs of the schedule.
        """
        return cls(sum(map(_length, ranges)), sum(_chunks(one, size) for one in ranges), size, YEAR / period)

    def finds(self, damaged: int) -> float:
        """Return the probability that the audits of a year find damage of consecutive ledgers.

        Damage begins at any ledger with the same probability and stays for the year. Each audit chooses one chunk,
        independently of the others.

        Args:
            damaged: the number of damaged ledgers, at least one.
        """
        whole, rest = divmod(damaged - 1, self.size)
        across = rest / self.size  # the probability that the damage reaches one more chunk
        few, more = self._finds_chunks(whole + 1), self._finds_chunks(whole + 2)
        return (1 - across) * few + across * more

    def finds_share(self, share: float) -> float:
        """Return the probability that the audits of a year find damage that hits each ledger with this probability."""
        struck, misses = 1 - (1 - share) ** self.size, 0.0  # struck: the probability for a chunk
        expected = self.chunks * struck
        most = min(self.chunks, math.ceil(expected + 12 * math.sqrt(expected) + 30))  # the rest is negligible
        for number in range(most + 1):
            likely = _binomial(self.chunks, number, struck)
            misses += likely * (1 - number / self.chunks) ** self.runs_per_year
        return max(0.0, 1 - misses)

    def _finds_chunks(self, touched: int) -> float:
        return float(1 - (1 - min(1.0, touched / self.chunks)) ** self.runs_per_year)

    @property
    def text(self) -> str:
        """The probabilities of finding damage, and their assumption, as text."""
        return (
            f"Each audit compares {self.size} of {self.ledgers} complete ledgers; the schedule makes at least "
            f"{self.runs_per_year:.0f} audits a year. A year of audits finds damage of one ledger with a probability "
            f"of {_percent(self.finds(1))}, of {DAMAGED_LEDGERS} consecutive ledgers with "
            f"{_percent(self.finds(DAMAGED_LEDGERS))}, and damage that hits one ledger in 100,000 at random with "
            f"{_percent(self.finds_share(1e-5))}. This assumes that damage is at any ledger with the same probability, "
            "and stays for the year"
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `Sample(**…)` reads back."""
        return asdict(self)


def _binomial(count: int, chosen: int, probability: float) -> float:
    """Return the probability that exactly `chosen` of `count` independent events happen."""
    if probability >= 1:
        return float(chosen == count)
    ways = math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
    return math.exp(ways + chosen * math.log(probability) + (count - chosen) * math.log1p(-probability))


def _percent(probability: float) -> str:
    if probability > 0.999:
        return "more than 99.9 %"
    return f"{100 * probability:.1f} %" if probability > 0.1 else f"{100 * probability:.2g} %"


def _length(one: LedgerRange) -> int:
    return one.end - one.start + 1


def _chunks(one: LedgerRange, size: int) -> int:
    return -(-_length(one) // size)


def chosen_range(ranges: Sequence[LedgerRange], size: int, seed: str) -> LedgerRange | None:
    """Return the chunk that an audit compares, the same for the same seed and ranges; None if there are no ledgers.

    Args:
        ranges: the complete ranges, in order and without overlaps.
        size: ledgers per chunk.
        seed: the run.
    """
    count = sum(_chunks(one, size) for one in ranges)
    if not count:
        return None
    place = random.Random(seed).randrange(count)  # noqa: S311  # a sample, not a secret
    for one in ranges:
        if place < (own := _chunks(one, size)):
            start = one.start + place * size
            return LedgerRange(start, min(start + size - 1, one.end))
        place -= own
    raise AssertionError("the place is one of the chunks")
