"""The SQL of the summary for the page *Ledger coverage*. It returns few rows for any number of ledgers and loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from stellar_etl_airflow.model.coverage import Fault
from stellar_etl_airflow.sql.batch_stats import COST_COLUMNS, LOADED_AT
from stellar_etl_airflow.sql.statement import (
    RowsParameter,
    Statement,
    listed,
    since_parameter,
    table_parameters,
)
from stellar_etl_airflow.sql.watermarks import AGAINST_LEDGERS, before, ranges_view

MOST_FOUND = 5000
"""Maximum number of findings that are read, latest first."""

RUNS_EACH = 3
"""Maximum number of runs per gap or dirty range: the latest that loaded its ledgers."""

_NAMED = (*AGAINST_LEDGERS, Fault.NOT_LOADED, Fault.STATE_BEHIND, Fault.DIRTY, Fault.LUMENS)


def all_watermarks(watermarks: str) -> Statement:
    """Return the watermark of each table and each dataset.

    Args:
        watermarks: the quoted name of the view.
    """
    return Statement(
        "SELECT network, dataset, table_id, complete_from, complete_from_closed_at, complete_through, "
        "complete_through_closed_at, network_head, network_head_checked_at, lag_ledgers, last_changed_at, table_count, "
        f"tables_not_loaded FROM {watermarks} ORDER BY dataset, table_id"
    )


def complete_ranges_of_tables(
    ranges: str, stats: str, coverage: str, networks: Mapping[str, str | None], derived_ids: Sequence[str]
) -> Statement:
    """Return the complete ranges of each table: of loaded tables from the view, of derived ones by the same rules.

    Args:
        ranges: the quoted name of the view of complete ranges.
        stats: the quoted name of the batch stats.
        coverage: the quoted name of the findings.
        networks: the network label of each target, by `project.dataset`.
        derived_ids: the names of derived tables.
    """
    columns = "dataset, table_id, complete_from, complete_through"
    return Statement(f"""\
SELECT {columns} FROM {ranges} WHERE table_id IS NOT NULL
UNION ALL
SELECT {columns} FROM (
{ranges_view(stats, coverage, networks, derived_ids)}
)
WHERE table_id IS NOT NULL""")


def loaded_islands(stats: str, table_ids: Sequence[str]) -> Statement:
    """Return the contiguous ranges of loads: `table_id`, `start_ledger`, `end_ledger`.

    Args:
        stats: the quoted name of the batch stats.
        table_ids: the names of the tables.
    """
    named = table_parameters(table_ids)
    by = "PARTITION BY table_id ORDER BY start_ledger, end_ledger"
    return Statement(
        f"""\
SELECT table_id, MIN(start_ledger) AS start_ledger, MAX(end_ledger) AS end_ledger
FROM (
  SELECT table_id, start_ledger, end_ledger,
    SUM(IF(start_ledger <= COALESCE(before + 1, start_ledger - 1), 0, 1)) OVER ({by}) AS island
  FROM (
    SELECT table_id, start_ledger, end_ledger, {before("end_ledger", "table_id", "start_ledger, end_ledger")} AS before
    FROM {stats}
    WHERE table_id IN ({listed(named)})
  )
)
GROUP BY table_id, island""",
        named,
    )


def known_findings(coverage: str, since: datetime) -> Statement:
    """Return each finding once: `dataset`, `table_id`, `fault`, the ledgers, `since` and `last_seen`.

    Args:
        coverage: the quoted name of the findings.
        since: the start of the findings.
    """
    faults = ", ".join(f"'{fault}'" for fault in _NAMED)
    sql = f"""\
SELECT dataset, table_id, fault, start_ledger, end_ledger, MIN(checked_at) AS since, MAX(checked_at) AS last_seen
FROM {coverage}
WHERE checked_at >= @since AND fault IN ({faults}) AND start_ledger IS NOT NULL AND end_ledger IS NOT NULL
GROUP BY dataset, table_id, fault, start_ledger, end_ledger
ORDER BY last_seen DESC, end_ledger DESC
LIMIT {MOST_FOUND}"""
    return Statement(sql, (since_parameter(since),))


def lags_since(coverage: str, since: datetime) -> Statement:
    """Return each table's lag behind the network, from the last check of each hour.

    Args:
        coverage: the quoted name of the findings.
        since: the start of the checks.
    """
    sql = f"""\
SELECT table_id, checked_at, found, lag_seconds
FROM {coverage}
WHERE checked_at >= @since AND fault = '{Fault.LAG}'
QUALIFY ROW_NUMBER() OVER (PARTITION BY table_id, TIMESTAMP_TRUNC(checked_at, HOUR) ORDER BY checked_at DESC) = 1
ORDER BY checked_at, table_id"""
    return Statement(sql, (since_parameter(since),))


def watermarks_since(batches: str, since: datetime) -> Statement:
    """Return the watermark of each dataset after the last batch of each hour.

    Args:
        batches: the quoted name of the table `ledger_batches`.
        since: the start of the batches.
    """
    sql = f"""\
SELECT dataset, noted_at, complete_through, complete_through_closed_at
FROM {batches}
WHERE noted_at >= @since
QUALIFY ROW_NUMBER() OVER (PARTITION BY dataset, TIMESTAMP_TRUNC(noted_at, HOUR) ORDER BY noted_at DESC) = 1
ORDER BY noted_at, dataset"""
    return Statement(sql, (since_parameter(since),))


def costs_since(stats: str, since: datetime) -> Statement:
    """Return the cost of loads by day and table, latest first.

    Args:
        stats: the quoted name of the batch stats.
        since: the start of the loads.
    """
    sql = f"""\
SELECT DATE(published_at) AS day, table_id, COUNT(*) AS loads, {COST_COLUMNS}
FROM {stats}
WHERE published_at >= @since
GROUP BY day, table_id
ORDER BY day DESC, cost DESC, table_id"""
    return Statement(sql, (since_parameter(since),))


def loads_of(stats: str, places: Sequence[tuple[str, int, int]]) -> Statement:
    """Return the latest loads that overlap some ranges: table and ends of the range, `dag_id` and `batch_id`.

    Args:
        stats: the quoted name of the batch stats.
        places: the tables and ranges.
    """
    sql = f"""\
SELECT p.table_id, p.start_ledger, p.end_ledger, l.dag_id, l.batch_id
FROM UNNEST(@places) AS p JOIN {stats} AS l
ON l.table_id = p.table_id AND l.end_ledger >= p.start_ledger AND l.start_ledger <= p.end_ledger
WHERE l.batch_id IS NOT NULL
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY p.table_id, p.start_ledger, p.end_ledger ORDER BY {LOADED_AT.format("l")} DESC, l.start_ledger DESC
) <= {RUNS_EACH}
ORDER BY p.table_id, p.start_ledger"""
    return Statement(sql, (_places(places),))


def times_of(stats: str, places: Sequence[tuple[str, int, int]]) -> Statement:
    """Return close times of ledgers around some ranges, if loads have them: `closed_before` and `closed_after`.

    Args:
        stats: the quoted name of the batch stats.
        places: the tables and ranges.
    """
    sql = f"""\
SELECT p.table_id, p.start_ledger, p.end_ledger,
  MAX(IF(l.start_ledger > p.start_ledger, NULL,
    IF(l.end_ledger < p.start_ledger, l.last_closed_at, l.first_closed_at))) AS closed_before,
  MIN(IF(l.end_ledger < p.end_ledger, NULL,
    IF(l.start_ledger > p.end_ledger, l.first_closed_at, l.last_closed_at))) AS closed_after
FROM UNNEST(@places) AS p JOIN {stats} AS l ON l.table_id = p.table_id
GROUP BY p.table_id, p.start_ledger, p.end_ledger"""
    return Statement(sql, (_places(places),))


def _places(places: Sequence[tuple[str, int, int]]) -> RowsParameter:
    columns = (("table_id", "STRING"), ("start_ledger", "INT64"), ("end_ledger", "INT64"))
    return RowsParameter("places", columns, tuple((table_id, str(start), str(end)) for table_id, start, end in places))
