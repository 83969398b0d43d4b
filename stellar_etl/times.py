"""Times parsed from text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EXAMPLE = "2026-01-01T00:10:00+00:00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Parse a time with its zone; return it in UTC.

    Raises:
        ValueError: it is not a time, has no zone, or no date in UTC; the message begins with the text.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write it like {_EXAMPLE}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it like {_EXAMPLE}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is before year 1 or after year 9999 in UTC") from None


def ceil_to_epoch_second(moment: datetime) -> int:
    """Return the first whole second at or after a time, since 1970: ledgers close at whole seconds.

    A float loses microseconds after the year 2106.
    """
    return -((_EPOCH - moment) // timedelta(seconds=1))
