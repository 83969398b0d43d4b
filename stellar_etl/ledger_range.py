"""From times to ledgers."""

from __future__ import annotations

from datetime import UTC, datetime

from stellar_etl.errors import ExportError, NotReachedError
from stellar_etl.lake import Lake


def parse_time(option: str, text: str) -> datetime:
    """A time with its zone, in UTC.

    Raises:
        ExportError: it is no time, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ExportError(f"{option} {text!r} is not a time; write it like 2026-01-01T00:10:00+00:00") from None
    if moment.tzinfo is None:
        raise ExportError(f"{option} {text!r} has no time zone; write it like 2026-01-01T00:10:00+00:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ExportError(f"{option} {text!r} is before year 1 or after year 9999 in UTC") from None


def ledger_range(lake: Lake, start: datetime, end: datetime) -> dict[str, int]:
    """For each time the smallest ledger that closed at or after it: `{"start": N, "end": M}`.

    A time before the first ledger gives the oldest one. A time after the newest ledger has no answer yet: a ledger may
    still close before it, and a range that ended without that ledger would lose it.

    Raises:
        ExportError: the times are the wrong way round.
        NotReachedError: a time is after the newest ledger.
    """
    if start > end:
        raise ExportError(f"--start-time {start.isoformat()} is after --end-time {end.isoformat()}")
    return {"start": _ledger_at(lake, "--start-time", start), "end": _ledger_at(lake, "--end-time", end)}


def _ledger_at(lake: Lake, option: str, moment: datetime) -> int:
    newest = lake.load(lake.newest)[-1]
    late = moment.timestamp() - newest.close_time
    if late > 0:
        raise NotReachedError(
            f"{option} {moment.isoformat()}: the network has not come so far; the newest ledger of {lake.store.place} "
            f"is {newest.sequence}, closed at {newest.closed_at}, {late:.0f} s before"
        )
    # Close times are whole seconds.
    found = lake.first_closed_at_or_after(-int(-moment.timestamp() // 1))
    assert found is not None, "the newest ledger closed at or after this time"
    return found
