"""Ranges of ledgers and of close times: the range of a run, and arithmetic on ranges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


class RangeError(ValueError):
    """The requested range is invalid; the message says what to change."""


@dataclass(frozen=True)
class TimeRange:
    """A half-open interval of close times, in UTC and whole seconds."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class LedgerRange:
    """A range of ledger sequences, both ends included."""

    start: int
    end: int

    @classmethod
    def from_half_open(cls, value: Mapping[str, Any]) -> LedgerRange:
        """Return the range to export for `{"start": N, "end": M}`, as `get_ledger_range_from_times` writes it.

        `end` is the first ledger after the interval. `start == end` is an interval in which no ledger closed. Its one
        ledger is still exported, which is harmless because rows are replaced by ledger.
        """
        try:
            start, end = whole_number("start", value["start"]), whole_number("end", value["end"])
        except (KeyError, TypeError, ValueError) as error:
            raise RangeError(
                f"a ledger range must look like {{'start': N, 'end': M}}, but the time pod returned {value!r}"
            ) from error
        return cls(start, max(end - 1, start))

    def overlaps(self, other: LedgerRange) -> bool:
        """Whether the ranges have a ledger in common."""
        return self.start <= other.end and other.start <= self.end


def whole_number(name: str, value: Any) -> int:
    """Return a param that is a whole number, without rounding.

    Raises:
        RangeError: the value is not a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise RangeError(f"param {name}: {value!r} is not a whole number")
    return value


def parse_utc(where: str, value: Any) -> datetime:
    """Parse a time with its zone.

    Args:
        where: the source of the time, for the message: "param start_time".
        value: a time, or ISO 8601 text such as 2026-01-01T00:10:00Z.

    Returns:
        The time in UTC.

    Raises:
        RangeError: the value is not a time, has no time zone, or is outside the years 1 to 9999 in UTC.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise RangeError(f"{where}: {value!r} is not a time; write it like 2026-01-01T00:10:00Z") from error
    if moment.tzinfo is None:
        raise RangeError(f"{where}: {value!r} has no time zone; write it like 2026-01-01T00:10:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise RangeError(f"{where}: {value!r} is before year 1 or after year 9999 in UTC") from None


def ceil_to_second(moment: datetime) -> datetime:
    """Return the first whole second at or after a time.

    Ledgers close at whole seconds, so the interval [a, b) has the same ledgers as [ceil(a), ceil(b)).

    Raises:
        OverflowError: the result is after year 9999.
    """
    return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))


RANGE_PARAMS = ("start_time", "end_time", "start_ledger", "end_ledger")


CHECKPOINT_PARAM = "checkpoint_ledger"
"""The param of a full load."""


LAST_LEDGER = 2**32 - 1
"""The highest sequence in the protocol, a `uint32`. Airflow cannot store a number of more than 64 bits."""


CHECKPOINT_LEDGERS = 64
"""The network publishes its state every 64 ledgers
(https://developers.stellar.org/docs/validators/admin-guide/environment-preparation#history-archives)."""


def has_range_params(params: Mapping[str, Any]) -> bool:
    """Whether a run has params with a range."""
    return any(params.get(name) is not None for name in RANGE_PARAMS)


def _checkpoint(ledger: int) -> LedgerRange:
    after = ledger + (-ledger - 1) % CHECKPOINT_LEDGERS
    if ledger < 1 or after != ledger:
        near = [str(one) for one in (after - CHECKPOINT_LEDGERS, after) if one > 0]
        raise RangeError(f"param {CHECKPOINT_PARAM}: {ledger} is not a checkpoint; the nearest: {' and '.join(near)}")
    return LedgerRange(ledger, ledger)


def requested_range(params: Mapping[str, Any], interval: TimeRange | None) -> TimeRange | LedgerRange:
    """Return the range that a run loads: that of its params, or else its interval.

    Args:
        params: the run's params: `start_time` and `end_time`, or `start_ledger` and `end_ledger`, or
            `checkpoint_ledger`, or none.
        interval: the close times that the schedule assigns to this run; None if it has no data interval.

    Raises:
        RangeError: params of both kinds, half a pair, a reversed pair, or neither params nor an interval.
    """
    given: dict[str, Any] = {name: params[name] for name in RANGE_PARAMS if params.get(name) is not None}
    if params.get(CHECKPOINT_PARAM) is not None:
        if given:
            raise RangeError(f"set only the param {CHECKPOINT_PARAM}; this run also has {', '.join(sorted(given))}")
        return _checkpoint(whole_number(CHECKPOINT_PARAM, params[CHECKPOINT_PARAM]))
    if not given:
        if interval is None:
            raise RangeError(
                "this run has no data interval: trigger it with the params start_time and end_time, or start_ledger "
                "and end_ledger"
            )
        return interval
    if given.keys() == {"start_time", "end_time"}:
        start, end = (parse_utc(f"param {name}", given[name]) for name in ("start_time", "end_time"))
        if start >= end:
            raise RangeError(f"param start_time ({start.isoformat()}) must be before end_time ({end.isoformat()})")
        try:
            return TimeRange(ceil_to_second(start), ceil_to_second(end))
        except OverflowError:
            raise RangeError(f"param end_time: {given['end_time']!r} is after year 9999 in UTC") from None
    if given.keys() == {"start_ledger", "end_ledger"}:
        ledgers = LedgerRange(
            whole_number("start_ledger", given["start_ledger"]), whole_number("end_ledger", given["end_ledger"])
        )
        if not 1 <= ledgers.start <= ledgers.end:
            raise RangeError(
                f"param start_ledger ({ledgers.start}) must be at least 1 and at most end_ledger ({ledgers.end})"
            )
        return ledgers
    raise RangeError(
        f"set the params start_time and end_time, or start_ledger and end_ledger, or none of them; this run has "
        f"{', '.join(sorted(given))}"
    )


def joined(ranges: Iterable[LedgerRange]) -> list[LedgerRange]:
    """Return the same ledgers in as few ranges as possible, in order."""
    result: list[LedgerRange] = []
    for one in sorted(ranges, key=lambda one: one.start):
        if result and one.start <= result[-1].end + 1:
            result[-1] = LedgerRange(result[-1].start, max(result[-1].end, one.end))
        else:
            result.append(one)
    return result


def without(wanted: LedgerRange, excluded: Iterable[LedgerRange]) -> list[LedgerRange]:
    """Return the parts of a range outside of excluded ranges, in order."""
    rest, start = [], wanted.start
    for one in joined(excluded):
        if one.end < start or one.start > wanted.end:
            continue
        if one.start > start:
            rest.append(LedgerRange(start, one.start - 1))
        start = one.end + 1
    if start <= wanted.end:
        rest.append(LedgerRange(start, wanted.end))
    return rest


def chunks(ranges: Iterable[LedgerRange], size: int) -> list[LedgerRange]:
    """Split ranges into pieces of at most `size` ledgers."""
    return [
        LedgerRange(start, min(start + size - 1, one.end))
        for one in ranges
        for start in range(one.start, one.end + 1, size)
    ]


def intersection(ranges: Iterable[Sequence[LedgerRange]]) -> list[LedgerRange]:
    """Return the ledgers that are in every set of ranges."""
    first, *others = (joined(one) for one in ranges)
    for other in others:
        first = [part for one in first for part in _common(one, other)]
    return first


def _common(one: LedgerRange, others: Iterable[LedgerRange]) -> list[LedgerRange]:
    return [
        LedgerRange(max(one.start, other.start), min(one.end, other.end)) for other in others if one.overlaps(other)
    ]
