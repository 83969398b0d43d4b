"""The ledgers of a scheduled run, from its data interval. Pure.

A run is due at a tick of the schedule. It loads the ledgers that closed in the period before it: with `*/10 * * * *`
the run of 00:20 loads 00:10 to 00:20. Airflow stores that tick as the end of the run's data interval. The interval
itself is not the period but a mark: it has one microsecond per minute of the period. Reasons:

- Logical dates are the starts of these intervals. They are in the order of the ticks, whatever schedules a DAG had. The
  scheduler plans the run after the one with the latest logical date: always a later tick without a run. If intervals
  were whole periods, a longer schedule could give a logical date that an older run has. Airflow 3.3.1 then creates no
  further run (https://github.com/apache/airflow/issues/66754). Airflow 3.3.2 skips the time between the boundaries of
  the two schedules.
- No logical date is a whole second. A run with a typed logical date therefore never takes the place of a scheduled run
  (https://github.com/apache/airflow/issues/13434).
- A run keeps its period. A task that is cleared after the schedule changed loads the same ledgers as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from croniter import croniter

from stellar_etl_airflow.model.ranges import TimeRange, ceil_to_second

_MINUTE, _MARK = timedelta(minutes=1), timedelta(microseconds=1)
"""A minute of the period, and the length that represents it in the mark."""

LONGEST_MARK = timedelta(seconds=1)
"""A shorter data interval is a mark. The longest period is 694 days."""

_DAY_MINUTES = 24 * 60
_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS = 9 * 366
"""Days of a schedule that are examined: nine years have at least two 29 Februaries."""
_WEEKLY_DAYS = 15
"""Days of a schedule that are examined if each week is the same."""


def period_of(cron: str) -> timedelta:
    """Return the longest time between two ticks of a schedule, which is the period that each run loads.

    If ticks are unevenly spaced, no ledger is skipped, but runs load some ledgers again.

    Args:
        cron: an expression of five fields in UTC, or a name such as `@hourly`.

    Raises:
        ValueError: the expression is invalid, or its ticks are too far apart for a mark.
    """
    try:
        minutes, hours, *days = croniter.expand(cron)[0]
        ran = _days(cron)
    except ValueError as error:  # croniter raises subclasses of it
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
    """Return the days with ticks, counted from the first day; two consecutive days if every day has ticks."""
    first = croniter(cron, _FIRST_DAY)
    days = first.expressions[2:5]
    if days == ["*"] * 3:
        return (0, 1)
    is_weekly = days[:2] == ["*"] * 2 and not first.nth_weekday_of_month
    end = _WEEKLY_DAYS if is_weekly else _DAYS
    every = croniter(" ".join(["0", "0", *days]), _FIRST_DAY - _MINUTE, ret_type=datetime)
    found: list[int] = []
    while (day := (every.get_next() - _FIRST_DAY).days) < end:
        found.append(day)
    return found


INTERVALS_LATE = 2
"""How many intervals a planned run may be late before it is reported as missing."""


def overdue(planned: datetime | None, period: timedelta, now: datetime, *, active: int, ends: bool) -> str:
    """Return the problem of a DAG that is not paused and creates no runs, as text; empty if there is none.

    Args:
        planned: the logical date of the next run; None if Airflow plans none.
        period: the longest time between two runs.
        now: the current time.
        active: the number of its active runs. At its limit, Airflow creates no further runs.
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
    return f"the run of {due:%Y-%m-%d %H:%M} UTC was not created, {late // _MINUTE} minutes after it was due"


def mark_of(period: timedelta) -> timedelta:
    """Return the data interval that represents a period of whole minutes."""
    return period // _MINUTE * _MARK


def loaded_by_run(start: datetime | None, end: datetime | None) -> TimeRange | None:
    """Return the close times that a run without params loads; None if it has no data interval.

    Args:
        start: the start of its data interval.
        end: its end. An interval of a second or more, such as that of a REST request, is loaded as it is.
    """
    if start is None or end is None or start >= end:
        return None
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    due, interval = ceil_to_second(end), end - start
    if interval >= LONGEST_MARK:
        return TimeRange(ceil_to_second(start), due)
    return TimeRange(due - interval // _MARK * _MINUTE, due)
