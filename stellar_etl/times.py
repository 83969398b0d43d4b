"""Times out of text."""

from __future__ import annotations

from datetime import UTC, datetime

_EXAMPLE = "2026-01-01T00:10:00+00:00"


def parse_time(text: str) -> datetime:
    """Return a time that is written with its zone, in UTC.

    Raises:
        ValueError: it is no time, has no zone, or no date in UTC; the message begins with the text.
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
