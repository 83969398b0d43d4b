"""The ledgers of a derived table that must be derived again. Pure.

A ledger is pending if all sources have published it, and one of them did so after the derived table last read it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange, chunks, joined, without
from stellar_etl_airflow.model.tables import Table, sources_of

LEDGERS_A_UNIT = 20_000
"""Maximum number of ledgers that one run derives: slightly more than a day of the network."""

MOST_UNITS = 100
"""Maximum number of further runs that one run starts. The next scheduled run finds the rest."""


@dataclass(frozen=True)
class Publication:
    """A row of the batch stats.

    Attributes:
        ledgers: the range.
        moment: when it was published; for a derived table, when its sources were read.
        closed: the close times of its first and last ledger; None if unknown.
    """

    ledgers: LedgerRange
    moment: datetime
    closed: tuple[datetime, datetime] | None = None


def _steps(publications: Sequence[Publication], bounds: Sequence[int]) -> Iterator[datetime | None]:
    """Yield, per pair of bounds, the latest time at which the ledgers between them were published; None if never.

    Args:
        publications: in any order. They begin at bounds, and end directly before bounds.
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
    """Return the pending ledgers in as few ranges as possible, oldest first.

    Args:
        sources: per source, its publications. Every source must have an entry, even if it is empty.
        own: the publications of the derived table.
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
    """Split pending ranges into units of one run, oldest first."""
    return chunks(pending, LEDGERS_A_UNIT)


def first_unit(units: Sequence[LedgerRange], headers: Sequence[Publication], interval: TimeRange | None) -> LedgerRange:
    """Return the unit that a run derives itself: the first one in its data interval, or else the oldest.

    Args:
        units: at least one unit, oldest first.
        headers: the publications of ledgers.
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
    """Return bounds of the close times of a range of ledgers; None if they are unknown.

    Args:
        headers: the publications of ledgers.
        ledgers: the range.
    """
    near = [one for one in headers if one.ledgers.overlaps(ledgers)]
    closed = [one.closed for one in near if one.closed is not None]
    if len(closed) < len(near) or without(ledgers, (one.ledgers for one in near)):
        return None
    return min(first for first, _ in closed), max(last for _, last in closed)


def inside(publications: Iterable[Publication], ledgers: LedgerRange, read_at: datetime) -> list[LedgerRange]:
    """Return the ranges of publications within a range that existed when it was read."""
    found = {
        (one.ledgers.start, one.ledgers.end)
        for one in publications
        if ledgers.start <= one.ledgers.start and one.ledgers.end <= ledgers.end and one.moment <= read_at
    }
    return [LedgerRange(*one) for one in sorted(found)]


def needed_ranges(table: Table, ledgers: LedgerRange, first: Mapping[Table, int]) -> dict[Table, LedgerRange]:
    """Return the source ledgers that the rows of a derived table depend on.

    These are the same ledgers of its sources. A source with a chain of rows per entry also has the amount before a
    ledger, which is wrong if an earlier ledger is missing in one of its tables of changes.

    Args:
        table: the derived table.
        ledgers: the ledgers of its rows.
        first: per table of changes, the first ledger from which on it has to be complete.
    """
    needed = dict.fromkeys(sources_of(table).values(), ledgers)
    for chain in [source for source in needed if source.chain]:
        for source in states_of(chain):
            needed[source] = LedgerRange(min(first[source], ledgers.start), ledgers.end)
    return needed


def states_of(table: Table) -> list[Table]:
    """Return the tables of changes from which the rows of a table with a chain of rows per entry are made."""
    return [source for source in sources_of(table).values() if table.chain and source.entry_keys]
