"""The SQL of watermarks: the complete ledgers of each table and dataset, computed from loads and findings. Pure.

A ledger is complete in a table if a load has published it and no finding is open. A finding is open until its ledgers
are exported and published again, or until a later coverage check of the same ledgers does not find it again. A finding
of rows that loads keep is open until a later audit does not find it again. The queries compare ranges of ledgers and
read no published rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stellar_etl_airflow.model.coverage import OF_AUDITS, Fault
from stellar_etl_airflow.sql.batch_stats import LOADED_AT
from stellar_etl_airflow.sql.statement import Parameter, Statement, column_list

REFUTED_BY_LOOKS = (
    Fault.MISSING,
    Fault.BROKEN_LINK,
    Fault.WRONG_COUNT,
    Fault.LOST_ROWS,
    Fault.WRONG_TIME,
    Fault.DUPLICATES,
)
"""Faults that a later coverage check of the same ledgers would find again if they still existed."""

UNTIL_AUDITED = (Fault.KEPT_ROWS,)
"""Faults that only a later audit resolves, because loads do not correct these rows."""

UNTIL_LOADED = tuple(one for one in (Fault.NOT_AS_ARCHIVE, Fault.REMOVED, *OF_AUDITS) if one not in UNTIL_AUDITED)
"""Faults that only a new load resolves, because no coverage check looks for them."""

AGAINST_LEDGERS = (*REFUTED_BY_LOOKS, *UNTIL_LOADED, *UNTIL_AUDITED)
"""All faults that make ledgers incomplete."""

_OF_WATERMARK = ("network", "dataset", "complete_from", "complete_through", "complete_through_closed_at")

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def _literal(text: str) -> str:
    """Return a name as a string literal of SQL.

    Raises:
        ValueError: the name has characters that are invalid in names of datasets, tables and labels.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a dataset, a table or a network")
    return f"'{text}'"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(_literal, texts))


def before(end: str, partition: str, order: str) -> str:
    """Return SQL of the highest end of the rows before this one; NULL for the first row."""
    return (
        f"MAX({end}) OVER (PARTITION BY {partition} ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    )


def _targets(networks: Mapping[str, str | None]) -> str:
    """Return a query of `dataset` and `network`."""
    return "\n  UNION ALL\n  ".join(
        f"SELECT {_literal(dataset)} AS dataset, "
        f"{_literal(network) if network is not None else 'CAST(NULL AS STRING)'} AS network"
        for dataset, network in networks.items()
    )


def ranges_view(stats: str, coverage: str, networks: Mapping[str, str | None], table_ids: Sequence[str]) -> str:
    """Return the query of the view of all complete ranges, one per row: of each table, and of all tables together.

    Args:
        stats: the quoted name of the batch stats.
        coverage: the quoted name of the findings.
        networks: the network label of each target, by `project.dataset`.
        table_ids: the names of the tables in the batch stats.
    """
    fault = "f.dataset, f.table_id, f.ended_by, f.first_ledger, f.last_ledger"
    of_fault = "dataset, table_id, ended_by, first_ledger, last_ledger"
    overlap = "{0}.end_ledger >= f.first_ledger AND {0}.start_ledger <= f.last_ledger"
    return f"""\
WITH targets AS (
  {_targets(networks)}
),
loads AS (
  SELECT table_id, start_ledger, end_ledger, left_out, {LOADED_AT.format("one")} AS loaded_at
  FROM {stats} AS one
  WHERE table_id IN ({_listed(table_ids)})
),
spans AS (
  SELECT table_id, MIN(start_ledger) AS first_ledger, MAX(end_ledger) AS last_ledger FROM loads GROUP BY table_id
),
looks AS (
  SELECT dataset, table_id, start_ledger, end_ledger, checked_at,
    IF(fault = '{Fault.AUDITED}', 'audit', 'look') AS ended_by
  FROM {coverage}
  WHERE fault IN ('{Fault.LOOKED_AT}', '{Fault.AUDITED}')
),
faults AS (
  SELECT {of_fault}, MAX(since) AS since
  FROM (
    SELECT t.dataset, c.table_id, CASE WHEN c.fault IN ({_listed(UNTIL_AUDITED)}) THEN 'audit'
        WHEN c.fault IN ({_listed(UNTIL_LOADED)}) THEN 'load' ELSE 'look' END AS ended_by, c.checked_at AS since,
      c.start_ledger - IF(c.fault = '{Fault.BROKEN_LINK}', 1, 0) AS first_ledger, c.end_ledger AS last_ledger
    FROM {coverage} AS c CROSS JOIN targets AS t
    WHERE c.fault IN ({_listed(AGAINST_LEDGERS)}) AND COALESCE(c.dataset, '') IN ('', t.dataset)
    UNION ALL
    SELECT t.dataset, l.table_id, 'load' AS ended_by, l.loaded_at AS since,
      SAFE_CAST(one AS INT64) AS first_ledger, SAFE_CAST(one AS INT64) AS last_ledger
    FROM loads AS l CROSS JOIN UNNEST(SPLIT(l.left_out)) AS one CROSS JOIN targets AS t
  )
  WHERE first_ledger IS NOT NULL
  GROUP BY {of_fault}
),
cures AS (
  SELECT {fault}, l.start_ledger, l.end_ledger
  FROM faults AS f JOIN loads AS l
  ON l.table_id = f.table_id AND l.loaded_at > f.since AND {overlap.format("l")}
  WHERE f.ended_by <> 'audit'
  UNION ALL
  SELECT {fault}, k.start_ledger, k.end_ledger
  FROM faults AS f JOIN looks AS k
  ON k.dataset = f.dataset AND k.table_id = f.table_id AND k.ended_by = f.ended_by AND k.checked_at > f.since
    AND {overlap.format("k")}
  UNION ALL
  SELECT {fault}, f.last_ledger + 1 AS start_ledger, f.last_ledger + 1 AS end_ledger FROM faults AS f
),
incomplete AS (
  SELECT dataset, table_id, GREATEST(first_ledger, COALESCE(before + 1, first_ledger)) AS start_ledger,
    next_start - 1 AS end_ledger
  FROM (
    SELECT dataset, table_id, first_ledger, start_ledger AS next_start,
      {before("end_ledger", of_fault, "start_ledger, end_ledger")} AS before
    FROM cures
  )
  UNION ALL
  SELECT t.dataset, g.table_id, g.before + 1 AS start_ledger, g.next_start - 1 AS end_ledger
  FROM (
    SELECT table_id, start_ledger AS next_start,
      {before("end_ledger", "table_id", "start_ledger, end_ledger")} AS before
    FROM loads
  ) AS g
  CROSS JOIN targets AS t
  UNION ALL
  SELECT t.dataset, s.table_id, s.last_ledger + 1 AS start_ledger, s.last_ledger + 1 AS end_ledger
  FROM spans AS s CROSS JOIN targets AS t
),
ends AS (
  SELECT dataset, table_id, start_ledger, end_ledger FROM incomplete WHERE start_ledger <= end_ledger
  UNION ALL
  SELECT i.dataset, CAST(NULL AS STRING) AS table_id, i.start_ledger, i.end_ledger
  FROM incomplete AS i JOIN spans AS s ON s.table_id = i.table_id
  WHERE i.start_ledger <= i.end_ledger
),
all_spans AS (
  SELECT table_id, first_ledger, last_ledger FROM spans
  UNION ALL
  SELECT CAST(NULL AS STRING) AS table_id, MAX(first_ledger) AS first_ledger, MIN(last_ledger) AS last_ledger FROM spans
)
SELECT network, dataset, table_id, complete_from, complete_through
FROM (
  SELECT t.network, e.dataset, e.table_id,
    GREATEST(s.first_ledger, COALESCE(e.before + 1, s.first_ledger)) AS complete_from,
    LEAST(s.last_ledger, e.next_start - 1) AS complete_through
  FROM (
    SELECT dataset, table_id, start_ledger AS next_start,
      {before("end_ledger", "dataset, table_id", "start_ledger, end_ledger")} AS before
    FROM ends
  ) AS e
  JOIN all_spans AS s ON COALESCE(s.table_id, '') = COALESCE(e.table_id, '')
  JOIN targets AS t ON t.dataset = e.dataset
)
WHERE complete_from <= complete_through"""


def watermarks_view(
    ranges: str, stats: str, coverage: str, networks: Mapping[str, str | None], table_ids: Sequence[str]
) -> str:
    """Return the query of the view of watermarks: a row per table and target, and one per target as a whole.

    Args:
        ranges: the quoted name of the view of complete ranges.
        stats: the quoted name of the batch stats.
        coverage: the quoted name of the findings.
        networks: the network label of each target, by `project.dataset`.
        table_ids: the names of the tables in the batch stats.
    """
    return f"""\
WITH targets AS (
  {_targets(networks)}
),
loads AS (
  SELECT table_id, start_ledger, end_ledger, first_closed_at, last_closed_at, published_at
  FROM {stats}
  WHERE table_id IN ({_listed(table_ids)})
),
loaded AS (
  SELECT table_id, MAX(published_at) AS last_changed_at, 1 AS table_count, 0 AS tables_not_loaded
  FROM loads GROUP BY table_id
  UNION ALL
  SELECT CAST(NULL AS STRING) AS table_id, MAX(published_at) AS last_changed_at,
    COUNT(DISTINCT table_id) AS table_count, {len(table_ids)} - COUNT(DISTINCT table_id) AS tables_not_loaded
  FROM loads
),
watermarks AS (
  SELECT dataset, table_id, MIN(complete_from) AS complete_from, MIN(complete_through) AS complete_through
  FROM {ranges}
  GROUP BY dataset, table_id
),
closed AS (
  SELECT w.dataset, w.table_id, w.complete_from, w.complete_through,
    MIN(IF(l.end_ledger < w.complete_from, NULL,
      IF(l.start_ledger >= w.complete_from, l.first_closed_at, l.last_closed_at))) AS complete_from_closed_at,
    MAX(IF(l.start_ledger > w.complete_through, NULL,
      IF(l.end_ledger <= w.complete_through, l.last_closed_at, l.first_closed_at))) AS complete_through_closed_at
  FROM watermarks AS w JOIN loads AS l ON COALESCE(w.table_id, l.table_id) = l.table_id
  GROUP BY w.dataset, w.table_id, w.complete_from, w.complete_through
),
head AS (
  SELECT MAX(end_ledger) AS network_head, MAX(checked_at) AS network_head_checked_at
  FROM {coverage}
  WHERE fault = '{Fault.LAG}' AND checked_at = (SELECT MAX(checked_at) FROM {coverage} WHERE fault = '{Fault.LAG}')
)
SELECT t.network, t.dataset, n.table_id, c.complete_from, c.complete_from_closed_at, c.complete_through,
  c.complete_through_closed_at, h.network_head, h.network_head_checked_at,
  GREATEST(h.network_head - c.complete_through, 0) AS lag_ledgers, n.last_changed_at, n.table_count,
  n.tables_not_loaded
FROM targets AS t
CROSS JOIN loaded AS n
CROSS JOIN head AS h
LEFT JOIN closed AS c ON c.dataset = t.dataset AND COALESCE(c.table_id, '') = COALESCE(n.table_id, '')"""


def of_datasets(watermarks: str) -> Statement:
    """Return the watermark of each dataset.

    Args:
        watermarks: the quoted name of the view.
    """
    return Statement(
        "SELECT network, dataset, complete_from, complete_from_closed_at, complete_through, "
        "complete_through_closed_at, network_head, lag_ledgers, tables_not_loaded "
        f"FROM {watermarks} WHERE table_id IS NULL ORDER BY dataset"
    )


def noted_batch(target: str, dag_id: str, batch_id: str, noted_at: str) -> Statement:
    """Return the rows that `note_batch` wrote for a batch.

    Args:
        target: the quoted name of the table `ledger_batches`.
        dag_id: the DAG of the batch.
        batch_id: its run.
        noted_at: when the row was written.
    """
    sql = (
        f"SELECT {column_list(_OF_WATERMARK)}, start_ledger, end_ledger FROM {target} "
        "WHERE dag_id = @dag_id AND batch_id = @batch_id AND noted_at = @noted_at ORDER BY dataset"
    )
    names = (("dag_id", "STRING", dag_id), ("batch_id", "STRING", batch_id), ("noted_at", "TIMESTAMP", noted_at))
    return Statement(sql, tuple(Parameter(*one) for one in names))


BATCH_TYPES = {
    "dag_id": "STRING",
    "batch_id": "STRING",
    "start_ledger": "INT64",
    "end_ledger": "INT64",
    "tables_published": "INT64",
    "tables_not_published": "INT64",
    "row_count": "INT64",
    "byte_count": "INT64",
    "bytes_billed": "INT64",
    "estimated_cost": "NUMERIC",
    "noted_at": "TIMESTAMP",
}
"""The columns of a batch with their types in BigQuery. The watermark's columns come from the view."""


def note_batch(target: str, watermarks: str, values: Mapping[str, str]) -> Statement:
    """Write one row per dataset with a batch's totals and the watermark after it. A repeated batch rewrites them.

    Args:
        target: the quoted name of the table `ledger_batches`.
        watermarks: the quoted name of the view.
        values: the text of each column of `BATCH_TYPES`.
    """
    names = column_list((*BATCH_TYPES, *_OF_WATERMARK))
    given = ", ".join(f"@{name} AS {name}" for name in BATCH_TYPES)
    same = " AND ".join(f"T.{name} = @{name}" for name in ("dag_id", "batch_id"))
    sql = f"""\
MERGE {target} AS T
USING (
  SELECT {given}, {column_list(_OF_WATERMARK, "w")}
  FROM {watermarks} AS w WHERE w.table_id IS NULL
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND {same} THEN DELETE
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"""
    return Statement(sql, tuple(Parameter(name, type_, values[name]) for name, type_ in BATCH_TYPES.items()))
