"""The SQL that looks over loaded history, a query a table. Pure, like `sql`.

Every query gives rows of `fault`, `start_ledger`, `end_ledger` and `found`. It reads the window's partitions alone: the
window is constants on the close time. Ledgers behind the newest that was loaded into a table are looked at; how far
behind that is tells the lag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from stellar_etl_airflow.model.coverage import BLOCK_BITS, Fault, Finding
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import LEDGERS, Publish, Table
from stellar_etl_airflow.sql.statement import (
    Parameter,
    RowsParameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    ledgers_parameters,
    listed,
    table_parameters,
)

_BLOCK = f"sequence >> {BLOCK_BITS}"
"""The block of a ledger: a window function sorts one block at a time, however much history there is."""

_ARRAY_BITS = 16
"""A range of ledgers is unfolded by arrays of 2^16 at most: `GENERATE_ARRAY` gives no more than 2^20 elements."""

MOST_FINDINGS = 100
"""How many findings a table may have in one look; what is beyond shows in the next."""


def window_parameters(start: datetime, end: datetime) -> tuple[Parameter, ...]:
    """The parameters of a half-open window of close times."""
    return (
        Parameter("window_start", "TIMESTAMP", start.isoformat()),
        Parameter("window_end", "TIMESTAMP", end.isoformat()),
    )


def _within(table: Table, alias: str = "") -> str:
    column = f"{alias}.{identifier(table.closed_at_column)}" if alias else identifier(table.closed_at_column)
    return f"{column} >= @window_start AND {column} < @window_end"


def _islands(fault: Fault, sequences: str) -> str:
    """Ledgers, one per row in the column `sequence`, as ranges without a gap; each range lies in one block."""
    return f"""\
SELECT '{fault}' AS fault, MIN(sequence) AS start_ledger, MAX(sequence) AS end_ledger, COUNT(*) AS found
FROM (
  SELECT sequence, {_BLOCK} AS block,
    sequence - ROW_NUMBER() OVER (PARTITION BY {_BLOCK} ORDER BY sequence) AS island
  FROM (SELECT DISTINCT sequence FROM ({sequences}))
)
GROUP BY block, island"""


def look(
    table: Table, name: str, headers: str, stats: str, published_id: str, parameters: tuple[Parameter, ...]
) -> Statement:
    """Looks over one table.

    Args:
        table: the table.
        name: its quoted name.
        headers: the quoted name of the published ledgers.
        stats: the quoted name of the batch stats.
        published_id: the table's name in the batch stats.
        parameters: `window_parameters`.
    """
    parts = _of_ledgers(name) if table is LEDGERS else _of_rows(table, name, headers, stats)
    if table.unique:
        # By the columns of `t`: BigQuery takes a bare `sequence` for the result column of that name.
        repeated = (
            f"SELECT MIN({ledger_of_row(table)}) AS sequence FROM {name} AS t WHERE {_within(table, 't')} "
            f"GROUP BY {column_list(table.keys, 't')} HAVING COUNT(*) > 1"
        )
        parts.append(_islands(Fault.DUPLICATES, repeated))
    sql = "\nUNION ALL\n".join(parts)
    return Statement(
        f"SELECT * FROM (\n{sql}\n)\nORDER BY start_ledger, fault\nLIMIT {MOST_FINDINGS}",
        (*parameters, Parameter("table_id", "STRING", published_id)),
    )


def _of_ledgers(name: str) -> list[str]:
    held = f"SELECT DISTINCT sequence FROM {name} WHERE {_within(LEDGERS)}"
    # Gaps within each block of ledgers, then those between blocks: of blocks there are 4,096 at most.
    gaps = f"""\
SELECT '{Fault.MISSING}' AS fault, before + 1 AS start_ledger, sequence - 1 AS end_ledger,
  sequence - before - 1 AS found
FROM (
  SELECT sequence, LAG(sequence) OVER (PARTITION BY {_BLOCK} ORDER BY sequence) AS before FROM ({held})
  UNION ALL
  SELECT first_held AS sequence, LAG(last_held) OVER (ORDER BY block) AS before
  FROM (
    SELECT {_BLOCK} AS block, MIN(sequence) AS first_held, MAX(sequence) AS last_held FROM ({held}) GROUP BY block
  )
)
WHERE sequence > before + 1"""
    links = f"""\
SELECT b.sequence
FROM {name} AS a JOIN {name} AS b ON b.sequence = a.sequence + 1
WHERE {_within(LEDGERS, "a")} AND {_within(LEDGERS, "b")} AND b.previous_ledger_hash <> a.ledger_hash"""
    return [gaps, _islands(Fault.BROKEN_LINK, links)]


def _of_rows(table: Table, name: str, headers: str, stats: str) -> list[str]:
    ledger, closed_at = ledger_of_row(table), identifier(table.closed_at_column)
    counted = f"SELECT {ledger} AS sequence, COUNT(*) AS found FROM {name} WHERE {_within(table)} GROUP BY 1"
    # Of each ledger the load that came last; what is behind the newest one is not there yet, and not missing.
    loaded = f"""\
SELECT sequence, start_ledger, end_ledger, row_count
FROM {stats}
CROSS JOIN UNNEST(GENERATE_ARRAY(start_ledger >> {_ARRAY_BITS}, end_ledger >> {_ARRAY_BITS})) AS part
CROSS JOIN UNNEST(GENERATE_ARRAY(
  GREATEST(start_ledger, part << {_ARRAY_BITS}), LEAST(end_ledger, ((part + 1) << {_ARRAY_BITS}) - 1)
)) AS sequence
WHERE table_id = @table_id AND last_closed_at >= @window_start AND first_closed_at < @window_end
QUALIFY ROW_NUMBER() OVER (PARTITION BY sequence ORDER BY published_at DESC) = 1"""
    newest = f"(SELECT COALESCE(MAX(end_ledger), 0) FROM {stats} WHERE table_id = @table_id)"
    if table.header_count:  # a derived table has no batch stats
        newest = f"GREATEST({newest}, (SELECT COALESCE(MAX({ledger}), 0) FROM {name} WHERE {_within(table)}))"
    header_rows = f"SELECT * FROM {headers} WHERE {_within(LEDGERS)} AND sequence <= {newest}"
    parts = [
        _islands(
            Fault.WRONG_TIME,
            f"SELECT h.sequence FROM ({header_rows}) AS h "
            f"JOIN (SELECT DISTINCT {ledger} AS sequence, {closed_at} AS closed_at FROM {name} WHERE {_within(table)}) "
            "AS t ON t.sequence = h.sequence WHERE t.closed_at <> h.closed_at",
        )
    ]
    if table.header_count:
        parts.append(
            _islands(
                Fault.WRONG_COUNT,
                f"SELECT h.sequence FROM (SELECT sequence, {table.header_count} AS promised FROM ({header_rows})) AS h "
                f"LEFT JOIN ({counted}) AS t ON t.sequence = h.sequence WHERE COALESCE(t.found, 0) <> h.promised",
            )
        )
        return parts
    parts.append(
        _islands(
            Fault.NOT_LOADED,
            f"SELECT h.sequence FROM ({header_rows}) AS h LEFT JOIN ({loaded}) AS s ON s.sequence = h.sequence "
            "WHERE s.sequence IS NULL",
        )
    )
    if table.publish is Publish.REPLACE_RANGE:
        # Only of loads that no later one has touched, and that lie in the window, is the count known.
        parts.append(f"""\
SELECT '{Fault.LOST_ROWS}' AS fault, start_ledger, end_ledger, end_ledger - start_ledger + 1 AS found
FROM (
  SELECT s.start_ledger, s.end_ledger, MAX(s.row_count) AS row_count, COUNT(*) AS ledgers,
    COUNT(h.sequence) AS known, COALESCE(SUM(t.found), 0) AS found
  FROM ({loaded}) AS s
  LEFT JOIN (SELECT sequence FROM {headers} WHERE {_within(LEDGERS)}) AS h ON h.sequence = s.sequence
  LEFT JOIN ({counted}) AS t ON t.sequence = s.sequence
  GROUP BY 1, 2
)
WHERE ledgers = end_ledger - start_ledger + 1 AND known = ledgers AND found <> row_count""")
    return parts


def look_at_identity(table: Table, name: str, parameters: tuple[Parameter, ...]) -> Statement:
    """Find rows that share their identity, and count the rows that have none.

    Args:
        table: a table that has an `identity`.
        name: its quoted name.
        parameters: `window_parameters`.
    """
    ledger, columns = ledger_of_row(table), column_list(table.identity)
    known = " AND ".join(f"{identifier(column)} IS NOT NULL" for column in table.identity)
    repeated = (
        f"SELECT MIN({ledger}) AS sequence FROM {name} WHERE {_within(table)} AND {known} "
        f"GROUP BY {columns} HAVING COUNT(*) > 1"
    )
    sql = f"""\
SELECT * FROM (
{_islands(Fault.DUPLICATES, repeated)}
UNION ALL
SELECT '{Fault.UNIDENTIFIED}' AS fault, MIN({ledger}) AS start_ledger, MAX({ledger}) AS end_ledger, COUNT(*) AS found
FROM {name} WHERE {_within(table)} AND NOT ({known})
HAVING COUNT(*) > 0
)
ORDER BY start_ledger, fault
LIMIT {MOST_FINDINGS}"""
    return Statement(sql, parameters)


def look_at_state(
    table: Table, changes: str, state: str, base_ledger: int, parameters: tuple[Parameter, ...]
) -> Statement:
    """Looks for entries of a point-in-time table that are behind what the table of changes has of the window.

    Args:
        table: the table of changes.
        changes: its quoted name.
        state: the quoted name of its point-in-time table.
        base_ledger: the ledger of the full load that it begins with; earlier changes are not expected in it.
        parameters: `window_parameters`.
    """
    ledger, keys = identifier(table.ledger_column), column_list(table.entry_keys)
    same = " AND ".join(f"s.{identifier(key)} = c.{identifier(key)}" for key in table.entry_keys)
    sql = f"""\
SELECT '{Fault.STATE_BEHIND}' AS fault, MIN(c.newest) AS start_ledger, MAX(c.newest) AS end_ledger, COUNT(*) AS found
FROM (
  SELECT {keys}, MAX({ledger}) AS newest FROM {changes}
  WHERE {_within(table)} AND {ledger} > @base_ledger GROUP BY {keys}
) AS c
LEFT JOIN {state} AS s ON {same}
WHERE s.{ledger} IS NULL OR s.{ledger} < c.newest
HAVING COUNT(*) > 0"""
    return Statement(sql, (*parameters, Parameter("base_ledger", "INT64", str(base_ledger))))


def newest_loaded(stats: str, table_ids: Sequence[str]) -> Statement:
    """A row for each table: `table_id`, its newest ledger, and when that closed."""
    named = table_parameters(table_ids)
    sql = (
        f"SELECT table_id, MAX(end_ledger) AS end_ledger, MAX(last_closed_at) AS closed_at FROM {stats} "
        f"WHERE table_id IN ({listed(named)}) GROUP BY table_id"
    )
    return Statement(sql, named)


def closed_between(headers: str, start: int, end: int) -> Statement:
    """One row, `start_time` and `end_time`: when the first and the last of some ledgers closed, NULL for none."""
    sql = (
        f"SELECT MIN(closed_at) AS start_time, MAX(closed_at) AS end_time FROM {headers} "
        "WHERE sequence BETWEEN @start_ledger AND @end_ledger"
    )
    return Statement(sql, ledgers_parameters(LedgerRange(start, end)))


def loaded_ranges(stats: str, table_ids: Sequence[str], ledgers: LedgerRange) -> Statement:
    """The ranges that were loaded into tables and touch a range: `table_id`, `start_ledger`, `end_ledger`."""
    named = table_parameters(table_ids)
    sql = (
        f"SELECT DISTINCT table_id, start_ledger, end_ledger FROM {stats} "
        f"WHERE table_id IN ({listed(named)}) AND end_ledger >= @start_ledger AND start_ledger <= @end_ledger"
    )
    return Statement(sql, (*named, *ledgers_parameters(ledgers)))


def record(
    target: str, run_id: str, checked_at: datetime, table_ids: Mapping[str, str], found: Sequence[Finding]
) -> Statement:
    """Writes the findings of a run, over those that an earlier try of it wrote.

    Args:
        target: the quoted name of the table `ledger_coverage`.
        run_id: the run.
        checked_at: when it looked.
        table_ids: the name of each type's table.
        found: the findings.
    """
    types = {
        "table_id": "STRING",
        "fault": "STRING",
        "start_ledger": "INT64",
        "end_ledger": "INT64",
        "found": "INT64",
        "lag_seconds": "INT64",
    }
    rows = [
        (table_ids[one.data_type], one.fault, one.start_ledger, one.end_ledger, one.count, one.lag_seconds)
        for one in found
    ]
    texts = tuple(tuple(None if value is None else str(value) for value in row) for row in rows)
    names = column_list(("run_id", "checked_at", *types))
    sql = f"""\
MERGE {target} AS T
USING (
  SELECT @run_id AS run_id, @checked_at AS checked_at, {column_list(types, "finding")}
  FROM UNNEST(@findings) AS finding
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND T.run_id = @run_id THEN DELETE
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"""
    parameters = (
        Parameter("run_id", "STRING", run_id),
        Parameter("checked_at", "TIMESTAMP", checked_at.isoformat()),
        RowsParameter("findings", tuple(types.items()), texts),
    )
    return Statement(sql, parameters)
