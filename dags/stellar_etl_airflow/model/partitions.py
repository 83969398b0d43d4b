"""The limit of partitions per statement, and windows that split a long range. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from stellar_etl_airflow.model.ranges import LedgerRange

PartitionType = Literal["HOUR", "DAY", "MONTH", "YEAR"]

MOST_PARTITIONS = 4000
"""Maximum number of partitions that a job may change (https://cloud.google.com/bigquery/quotas#partitioned_tables)."""

BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
"""A time before every ledger of every network."""

_LENGTHS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}
"""Length of the partition types for which history may need more than `MOST_PARTITIONS`."""

Window = tuple[datetime | None, datetime | None]
"""Close times from the first (included) to the second (excluded); None for no bound."""


def spanned(partition: PartitionType, first: datetime, last: datetime) -> int:
    """Return the number of partitions from one time to another."""
    match partition:
        case "YEAR":
            return last.year - first.year + 1
        case "MONTH":
            return (last.year - first.year) * 12 + last.month - first.month + 1
        case _:
            length = _LENGTHS[partition]
            return (last - BEGINNING) // length - (first - BEGINNING) // length + 1


def windows(partition: PartitionType | None, ledgers: LedgerRange, until: datetime) -> list[Window]:
    """Return adjacent windows of close times, each within the limit of partitions, that together are unbounded.

    Args:
        partition: the table's partition type; None if it is not partitioned.
        ledgers: the ledgers whose rows change; each is in one partition.
        until: the close time of the latest ledger, or later.
    """
    few = ledgers.end - ledgers.start < MOST_PARTITIONS
    if partition is None or partition not in _LENGTHS or few:
        return [(None, None)]
    cuts = list(_cuts(_LENGTHS[partition] * (MOST_PARTITIONS - 1), until))  # one is for rows without a close time
    return list(zip((None, *cuts), (*cuts, None), strict=True))


def _cuts(length: timedelta, until: datetime) -> Iterator[datetime]:
    cut = BEGINNING + length
    while cut < until:
        yield cut
        cut += length
