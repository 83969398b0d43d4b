"""Times as Go prints them, years after 9999 and before 1 included."""

from __future__ import annotations

from typing import NamedTuple

_DAY = 86400
_ERA = 146097
"""The days of 400 years of the calendar."""
_EPOCH = 719468
"""The days from 1 March of year 0 to 1 January 1970."""
_FIRST_SECOND = -9223372028715321600
"""Go counts seconds from 292277022400 years before year 1, in 64 bits: earlier times wrap around to the latest."""


class _Moment(NamedTuple):
    year: int
    month: int
    day: int
    clock: str


def rfc3339(seconds: int) -> str:
    """Return a time in RFC 3339, with a sign before a year that the calendar lacks.

    Args:
        seconds: since 1970, as a signed number of 64 bits.
    """
    year, month, day, clock = _moment(seconds)
    return f"{'+' if year > 9999 else ''}{_year(year)}-{month:02}-{day:02}T{clock}Z"


def go_text(seconds: int) -> str:
    """Return a time as Go's `Time.String` does.

    Args:
        seconds: since 1970, as an unsigned number of 64 bits, of which Go takes the upper half as negative.
    """
    year, month, day, clock = _moment(seconds - (1 << 64) if seconds >> 63 else seconds)
    return f"{_year(year)}-{month:02}-{day:02} {clock} +0000 UTC"


def _year(year: int) -> str:
    return f"{'-' if year < 0 else ''}{abs(year):04}"


def _moment(seconds: int) -> _Moment:
    """Return the date and the clock of a time (https://howardhinnant.github.io/date_algorithms.html)."""
    if seconds < _FIRST_SECOND:
        seconds += 1 << 64
    days, rest = divmod(seconds, _DAY)
    eras, days = divmod(days + _EPOCH, _ERA)
    year_of_era = (days - days // 1460 + days // 36524 - days // 146096) // 365
    day_of_year = days - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153  # from March on
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + eras * 400 + (month <= 2)
    return _Moment(year, month, day, f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}")
