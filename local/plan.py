"""The runs of a job: the schedule, and one run for each interval. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.times import parse_utc
from stellar_etl.times import ceil_to_epoch_second

DAY_MINUTES = 24 * 60


class PlanError(ValueError):
    """A command line is invalid; the message names the option and says what to change."""


def parse_time(option: str, text: str) -> datetime:
    """Return a time with its zone, in UTC; a fraction of a second is rounded up: ledgers close at whole seconds.

    Raises:
        PlanError: it is not a time; the message names the option.
    """
    try:
        return datetime.fromtimestamp(ceil_to_epoch_second(parse_utc(text)), UTC)
    except (ValueError, OverflowError) as error:
        raise PlanError(f"{option} {error}") from None


def format_time(moment: datetime) -> str:
    """Return a time in the form of users and Airflow."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def schedule(minutes: int) -> str:
    """The cron expression of an interval.

    Raises:
        PlanError: cron can't express it.
    """
    if minutes > 0 and 60 % minutes == 0:
        return f"*/{minutes} * * * *" if minutes < 60 else "0 * * * *"
    if minutes > 0 and minutes % 60 == 0 and DAY_MINUTES % minutes == 0:
        return f"0 */{minutes // 60} * * *" if minutes < DAY_MINUTES else "0 0 * * *"
    raise PlanError(f"--interval {minutes}: an interval must divide an hour, or be hours that divide a day")


@dataclass(frozen=True)
class Interval:
    """A half-open interval of close times, in UTC."""

    start: datetime
    end: datetime

    @property
    def run_id(self) -> str:
        """The name of a run over it."""
        return "range__" + re.sub(r"[-:]", "", f"{format_time(self.start)}_{format_time(self.end)}")


@dataclass(frozen=True)
class Plan:
    """The runs of a job.

    Attributes:
        schedule: the cron expression of the data DAGs.
        intervals: the intervals to load, one run each, in order and without gaps.
        by_schedule: whether the intervals are those of the schedule, so that Airflow's backfill creates the runs;
            otherwise the runs get their times as params.
    """

    schedule: str
    intervals: tuple[Interval, ...]
    by_schedule: bool

    @property
    def start(self) -> datetime:
        """Its start."""
        return self.intervals[0].start

    @property
    def end(self) -> datetime:
        """Its end."""
        return self.intervals[-1].end


def make_plan(start: datetime, end: datetime, minutes: int) -> Plan:
    """Split a range at the schedule's boundaries.

    Args:
        start: the first close time.
        end: the end, excluded.
        minutes: the schedule's interval.

    Raises:
        PlanError: the range is empty, or cron can't express the interval.
    """
    cron, step = schedule(minutes), timedelta(minutes=minutes)
    if start >= end:
        raise PlanError(f"--from {format_time(start)} must be before --to {format_time(end)}")
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    cut = midnight + (start - midnight) // step * step
    whole = cut == start
    intervals = []
    while cut < end:
        intervals.append(Interval(max(cut, start), min(cut + step, end)))
        cut += step
    return Plan(cron, tuple(intervals), whole and cut == end)
