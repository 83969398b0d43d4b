"""The ledgers of a scheduled run, from its data interval. Pure.

A run is due at a tick of the schedule, and loads the ledgers that closed in the period before it: with `*/10 * * * *`
the run of 00:20 loads 00:10 to 00:20. Airflow notes that tick as the end of the run's data interval. The interval
itself is a mark, and not the period: it is as many microseconds long as the period has minutes. So:

- Logical dates, the starts of these intervals, come in the order of the ticks, whatever schedules a DAG has had. The
  scheduler plans the run after the one with the newest logical date: always a later tick, which has no run yet. With
  whole periods as intervals, a longer schedule gives a logical date that an older run has. Airflow 3.3.1 then makes no
  run any more (https://github.com/apache/airflow/issues/66754), and Airflow 3.3.2 leaves out what is between two
  schedules' boundaries.
- No logical date lies on a whole second, so that a run with a typed logical date takes no scheduled run's place
  (https://github.com/apache/airflow/issues/13434).
- The period stays with the run: a task that is cleared after the schedule changed loads what it loaded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from croniter import croniter

from stellar_etl_airflow.model.ranges import TimeRange, ceil_to_second

_MINUTE, _MARK = timedelta(minutes=1), timedelta(microseconds=1)
"""A minute of the period, and what stands for it."""

LONGEST_MARK = timedelta(seconds=1)
"""A data interval that is shorter is a mark. Periods end at 694 days."""

_DAY_MINUTES = 24 * 60
_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS = 9 * 366
"""How many days of a schedule are looked at: nine years have three 29 Februaries."""


def period_of(cron: str) -> timedelta:
    """Return the longest time between two ticks of a schedule: what each run loads.

    No ledger is left out where ticks are unevenly spaced; there, runs load some ledgers again.

    Args:
        cron: an expression of five fields, or a name such as `@hourly`; in UTC.

    Raises:
        ValueError: it is not one, or its ticks lie so far apart that no mark can say it.
    """
    try:
        minutes, hours, *days = croniter.expand(cron)[0]
        ran = _days(cron)
    except ValueError as error:  # croniter's errors are of this kind
        raise ValueError(f"{cron!r} is not a cron expression: {error}") from None
    if len(days) != 3:
        raise ValueError(f"{cron!r} has {2 + len(days)} fields, not five")
    ticks = [
        60 * hour + minute
        for hour in (range(24) if hours == ["*"] else hours)
        for minute in (range(60) if minutes == ["*"] else minutes)
    ]
    daytime = ticks[-1] - ticks[0]
    within_days = (later - earlier for earlier, later in pairwise(ticks))
    between_days = (_DAY_MINUTES * (later - earlier) - daytime for earlier, later in pairwise(ran))
    period = max([*within_days, *between_days]) * _MINUTE
    if mark_of(period) >= LONGEST_MARK:
        raise ValueError(f"{cron!r}: {period.days} days are between two runs, more than 694")
    return period


def _days(cron: str) -> Sequence[int]:
    """Return the days on which a schedule has ticks, counted from the first day on; two where each day has some."""
    days = croniter(cron, _FIRST_DAY).expressions[2:5]
    if days == ["*"] * 3:
        return (0, 1)
    every = croniter(" ".join(["0", "0", *days]), _FIRST_DAY - _MINUTE, ret_type=datetime)
    found: list[int] = []
    while (day := (every.get_next() - _FIRST_DAY).days) < _DAYS:
        found.append(day)
    return found


INTERVALS_LATE = 2
"""How many intervals a run may be late that Airflow plans, before it counts as one that will not be made."""


def overdue(planned: datetime | None, period: timedelta, now: datetime, *, active: int, ends: bool) -> str:
    """Return what is wrong with a DAG that is not paused and makes no runs, in words; empty if nothing is.

    Args:
        planned: the logical date of the run that Airflow makes next, None if it plans none.
        period: the longest time between two runs.
        now: the time.
        active: how many of its runs are not done. While there are as many as may be, it makes no further ones.
        ends: whether the schedule has an end.
    """
    if active:
        return ""
    if planned is None:
        return "" if ends else "Airflow plans no further run"
    late = now - planned
    if late < INTERVALS_LATE * period:
        return ""
    due = ceil_to_second(planned)
    return f"the run of {due:%Y-%m-%d %H:%M} UTC was not made, {late // _MINUTE} minutes after it was due"


def mark_of(period: timedelta) -> timedelta:
    """Return the data interval that stands for a period of whole minutes."""
    return period // _MINUTE * _MARK


def loaded_by_run(start: datetime | None, end: datetime | None) -> TimeRange | None:
    """Return the close times that a run without params loads, None if it has no data interval.

    Args:
        start: the start of its data interval.
        end: its end. An interval of a second or more is what is loaded, as a REST request may say it.
    """
    if start is None or end is None or start >= end:
        return None
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    due, interval = ceil_to_second(end), end - start
    if interval >= LONGEST_MARK:
        return TimeRange(ceil_to_second(start), due)
    return TimeRange(due - interval // _MARK * _MINUTE, due)
