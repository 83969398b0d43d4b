"""From times to ledgers."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from math import ceil, inf, log
from operator import itemgetter

from stellar_etl.errors import ExportError, NotReachedError
from stellar_etl.sources.lake import Lake
from stellar_etl.times import ceil_to_epoch_second

BEFORE_ALL = -inf
"""The close time of ledgers before a lake's first one."""

USUAL_PACE = 5.5
"""Seconds from ledger to ledger, if nothing better is known."""

FREE_STEPS = 8
"""The steps of the search before every second one bisects."""


def ledger_range(lake: Lake, start: datetime, end: datetime) -> dict[str, int]:
    """Return for each time the smallest ledger that closed at or after it: `{"start": N, "end": M}`.

    A time before the first ledger gives the oldest one. A time after the newest ledger has no answer yet: another
    ledger can still close before it, and a range without that ledger would lose it.

    Raises:
        ExportError: the start is after the end.
        NotReachedError: a time is after the newest ledger.
    """
    if start > end:
        raise ExportError(f"--start-time {start.isoformat()} is after --end-time {end.isoformat()}")
    newest = lake.load(lake.newest)[-1]
    for option, moment in (("--start-time", start), ("--end-time", end)):
        late = ceil_to_epoch_second(moment) - newest.close_time
        if late > 0:
            raise NotReachedError(
                f"{option} {moment.isoformat()}: the network has not reached this time; the newest ledger of "
                f"{lake.store.location} is {newest.sequence}, closed at {newest.closed_at}, {late} s before"
            )
    known = {0: BEFORE_ALL, newest.sequence: float(newest.close_time)}
    return {
        "start": first_closed_at_or_after(lake, ceil_to_epoch_second(start), known),
        "end": first_closed_at_or_after(lake, ceil_to_epoch_second(end), known),
    }


def first_closed_at_or_after(lake: Lake, seconds: int, known: dict[int, float]) -> int:
    """The smallest ledger that closed at or after a time, by interpolation search.

    A lake of sixty million ledgers takes about five reads for the first time and three for one near to it. If close
    times are irregular, every second step after `FREE_STEPS` bisects: in the worst case reads grow with the logarithm
    of the number of ledgers.

    Args:
        lake: where the ledgers are.
        seconds: the time, in seconds since 1970.
        known: close times by ledger; those that are read are added. A missing ledger has the time of
            the one before it. At least 0, as `BEFORE_ALL`, and a ledger that closed at or after the time.
    """
    step = 0
    while True:
        points = sorted(known.items())
        index = bisect_left(points, seconds, key=itemgetter(1))
        (low, _), (high, _) = points[index - 1 : index + 1]
        if high - low == 1:
            return high
        odd = step >= FREE_STEPS and step % 2
        probe = (low + high) // 2 if odd else _guess(points, index, seconds)
        ledgers = lake.at_or_before(probe)
        known[probe] = ledgers[-1].close_time if ledgers else BEFORE_ALL
        known |= {ledger.sequence: ledger.close_time for ledger in ledgers}
        step += 1


def _guess(points: list[tuple[int, float]], index: int, seconds: int) -> int:
    """A ledger between the last one known to be too old, before this index, and the first one that is not.

    Extrapolates from the nearer of the two, at the pace between it and a known ledger at about the same distance.
    """
    (low, before), (high, after) = points[index - 1 : index + 1]
    ledger, closed = points[index] if after - seconds < seconds - before else points[index - 1]
    way = seconds - closed
    others = [point for point in points if point[1] not in (BEFORE_ALL, closed)]
    if way and others:
        other = min(others, key=lambda point: abs(log(abs((point[1] - closed) / way))))
        pace = (other[1] - closed) / (other[0] - ledger)
    else:
        pace = USUAL_PACE
    guess = ledger + ceil(way / pace)
    if not low <= guess <= high:  # the network paused, or the lake begins in between
        guess = (low + high) // 2
        if before == BEFORE_ALL:  # most lakes begin with the network
            guess = min(guess, 2 * low)
    return min(max(guess, low + 1), high - 1)
