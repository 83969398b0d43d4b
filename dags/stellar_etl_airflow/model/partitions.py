"""How many partitions a statement may change, and how a long range is changed in parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from stellar_etl_airflow.model.ranges import LedgerRange

PartitionType = Literal["HOUR", "DAY", "MONTH", "YEAR"]

MOST_PARTITIONS = 4000
"""The partitions that a job may change (https://cloud.google.com/bigquery/quotas#partitioned_tables)."""

BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
"""Before every ledger of every network."""

_LENGTHS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}
"""The length of partitions of which history may need more than `MOST_PARTITIONS`."""

Window = tuple[datetime | None, datetime | None]
"""Close times from the first, included, to the second, excluded; None for no bound."""


def spanned(partition: PartitionType, first: datetime, last: datetime) -> int:
    """The number of partitions from one time to another."""
    match partition:
        case "YEAR":
            return last.year - first.year + 1
        case "MONTH":
            return (last.year - first.year) * 12 + last.month - first.month + 1
        case _:
            length = _LENGTHS[partition]
            return (last - BEGINNING) // length - (first - BEGINNING) // length + 1


def windows(partition: PartitionType | None, ledgers: LedgerRange, until: datetime) -> list[Window]:
    """Windows of close times, each of no more partitions than a job may change, that together have no bounds.

    Args:
        partition: how the table is partitioned, None if it is not.
        ledgers: the ledgers whose rows change; each lies in one partition.
        until: when the newest ledger closed, or later.
    """
    few = ledgers.end - ledgers.start < MOST_PARTITIONS
    if partition is None or partition not in _LENGTHS or few:
        return [(None, None)]
    cuts = list(_cuts(_LENGTHS[partition] * (MOST_PARTITIONS - 1), until))  # one is left for rows without a close time
    return list(zip((None, *cuts), (*cuts, None), strict=True))


def _cuts(length: timedelta, until: datetime) -> Iterator[datetime]:
    cut = BEGINNING + length
    while cut < until:
        yield cut
        cut += length
