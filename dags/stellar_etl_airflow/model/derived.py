"""Which ledgers of a derived table have to be made again. Pure.

A ledger is pending if all sources have published it, and one of them after the derived table last read its sources.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange, chunks, joined, without

LEDGERS_A_UNIT = 20_000
"""How many ledgers one run derives at most: a bit more than a day of the network."""

MOST_UNITS = 100
"""How many further runs one run starts at most; the next scheduled run finds the rest."""


@dataclass(frozen=True)
class Publication:
    """A row of the batch stats.

    Attributes:
        ledgers: the range.
        moment: when it was published; of a derived table, when its sources were read.
        closed: when its first and its last ledger closed, None if that is not known.
    """

    ledgers: LedgerRange
    moment: datetime
    closed: tuple[datetime, datetime] | None = None


def _steps(publications: Sequence[Publication], bounds: Sequence[int]) -> Iterator[datetime | None]:
    """Yield the newest moment at which the ledgers from each bound to the next were published, None if never.

    Args:
        publications: in any order; they begin at bounds, and end right before bounds.
        bounds: ledgers in ascending order.
    """
    rest, open_ = sorted(publications, key=lambda one: one.ledgers.start, reverse=True), list[tuple[float, int]]()
    moments = {one.moment.timestamp(): one.moment for one in publications}
    for bound in bounds:
        while rest and rest[-1].ledgers.start <= bound:
            one = rest.pop()
            heapq.heappush(open_, (-one.moment.timestamp(), one.ledgers.end))
        while open_ and open_[0][1] < bound:
            heapq.heappop(open_)
        yield moments[-open_[0][0]] if open_ else None


def pending_ranges(sources: Mapping[str, Sequence[Publication]], own: Sequence[Publication]) -> list[LedgerRange]:
    """Return the ledgers that are pending, in as few ranges as there can be, oldest first.

    Args:
        sources: by source, what was published; a source without an entry would have to be there too, so none is left
            out.
        own: what was derived.
    """
    every = [one.ledgers for publications in (*sources.values(), own) for one in publications]
    bounds = sorted({bound for one in every for bound in (one.start, one.end + 1)})
    published = zip(*(_steps(publications, bounds) for publications in sources.values()), strict=True)
    found = []
    for place, (moments, derived) in enumerate(zip(published, _steps(own, bounds), strict=True)):
        known = [moment for moment in moments if moment is not None]
        if len(known) == len(moments) and (derived is None or max(known) > derived):
            found.append(LedgerRange(bounds[place], bounds[place + 1] - 1))
    return joined(found)


def units_of(pending: Iterable[LedgerRange]) -> list[LedgerRange]:
    """Cut pending ranges into what one run derives, oldest first."""
    return chunks(pending, LEDGERS_A_UNIT)


def first_unit(units: Sequence[LedgerRange], headers: Sequence[Publication], interval: TimeRange | None) -> LedgerRange:
    """Return the unit that a run derives itself: one of its data interval if there is one, else the oldest.

    Args:
        units: the units, at least one, oldest first.
        headers: what was published of ledgers.
        interval: the run's data interval.
    """
    if interval is not None:
        own = [
            one.ledgers
            for one in headers
            if one.closed and one.closed[0] < interval.end and one.closed[1] >= interval.start
        ]
        for unit in units:
            if any(unit.overlaps(one) for one in own):
                return unit
    return units[0]


def closed_between(headers: Iterable[Publication], ledgers: LedgerRange) -> tuple[datetime, datetime] | None:
    """Return the first and the last close time of a range of ledgers, or earlier and later; None if it is not known.

    Args:
        headers: what was published of ledgers.
        ledgers: the range.
    """
    near = [one for one in headers if one.ledgers.overlaps(ledgers)]
    closed = [one.closed for one in near if one.closed is not None]
    if len(closed) < len(near) or without(ledgers, (one.ledgers for one in near)):
        return None
    return min(first for first, _ in closed), max(last for _, last in closed)


def inside(publications: Iterable[Publication], ledgers: LedgerRange, read_at: datetime) -> list[LedgerRange]:
    """Return the ranges of publications that lie within a range and were there when it was read."""
    found = {
        (one.ledgers.start, one.ledgers.end)
        for one in publications
        if ledgers.start <= one.ledgers.start and one.ledgers.end <= ledgers.end and one.moment <= read_at
    }
    return [LedgerRange(*one) for one in sorted(found)]
