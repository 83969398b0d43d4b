"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """Parse a time with its zone, such as 2026-01-01T00:10:00Z.

    Returns:
        The time in UTC.

    Raises:
        ValueError: it is not a time, or has no zone; the message says what is wrong with the text.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write it like 2026-01-01T00:10:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it like 2026-01-01T00:10:00Z")
    return moment.astimezone(UTC)
