"""The SQL of coverage checks: of all loads by one query of the batch stats, of rows by one query per table. Pure.

Every query returns `fault`, `start_ledger`, `end_ledger` and `found`. Queries of rows read only the partitions of the
window, which has constants for the close time. The ledger numbers decide which ledgers are in the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from stellar_etl_airflow.model.coverage import BLOCK_BITS, Fault, Finding, Window
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, TRANSACTIONS, Publish, Table
from stellar_etl_airflow.model.versions import VALID_TO, VALID_TO_LEDGER, Folded
from stellar_etl_airflow.sql.batch_stats import LOADED_AT, left_out_rows
from stellar_etl_airflow.sql.records import Columns, select_list
from stellar_etl_airflow.sql.statement import (
    ArrayParameter,
    Parameter,
    RowsParameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    ledgers_parameters,
    ledgers_predicate,
    listed,
    requested_parameters,
    table_parameters,
)
from stellar_etl_airflow.sql.versions import DELETED, OPEN_TIME_SQL, Log, fingerprint

_BLOCK = f"sequence >> {BLOCK_BITS}"
"""The block of a ledger. Window functions sort one block at a time, however long history is."""

_ARRAY_BITS = 16
"""Ranges of ledgers are expanded in arrays of at most 2^16: `GENERATE_ARRAY` returns at most 2^20 elements."""

MOST_FINDINGS = 100
"""Maximum number of ledger ranges in a comparison with an archive. Further ones appear in the next comparison."""

MOST_RECORDED = 5000
"""Maximum number of findings per statement: a request to BigQuery is limited to 10 MB."""


def window_parameters(window: Window) -> tuple[Parameter, ...]:
    """Return the parameters of a window: its ledgers, and bounds of their close times."""
    return (
        *ledgers_parameters(window.ledgers),
        Parameter("window_start", "TIMESTAMP", window.start.isoformat()),
        Parameter("window_end", "TIMESTAMP", window.end.isoformat()),
    )


def _within(table: Table, alias: str = "") -> str:
    column = f"{alias}.{identifier(table.closed_at_column)}" if alias else identifier(table.closed_at_column)
    return f"{column} BETWEEN @window_start AND @window_end AND {ledgers_predicate(table, alias)}"


def _islands(fault: Fault, sequences: str) -> str:
    """Return ledgers, one per row in the column `sequence`, as contiguous ranges. Each range is within one block."""
    return f"""\
SELECT '{fault}' AS fault, MIN(sequence) AS start_ledger, MAX(sequence) AS end_ledger, COUNT(*) AS found
FROM (
  SELECT sequence, {_BLOCK} AS block,
    sequence - ROW_NUMBER() OVER (PARTITION BY {_BLOCK} ORDER BY sequence) AS island
  FROM (SELECT DISTINCT sequence FROM ({sequences}))
)
GROUP BY block, island"""


def check_rows(
    table: Table,
    name: str,
    headers: str,
    stats: str,
    table_ids: Mapping[Table, str],
    newest: int,
    parameters: tuple[Parameter, ...],
) -> Statement:
    """Return the coverage check of one table's rows.

    Args:
        table: the table.
        name: its quoted name.
        headers: the quoted name of the published ledgers.
        stats: the quoted name of the batch stats.
        table_ids: the name of each table in the batch stats.
        newest: the last loaded ledger of the table according to the batch stats.
        parameters: `window_parameters`. For the table of ledgers, the window ends with the latest ledger.
    """
    own: tuple[Parameter, ...] = ()
    if table is LEDGERS:
        sources: dict[str, str] = {}
        parts = _of_ledgers(name)
    else:
        sources, parts = _sources(table, name, headers, stats), _of_rows(table, name)
        ids = {"table_id": table, "transactions_id": TRANSACTIONS, "operations_id": OPERATIONS}
        own = (
            Parameter("newest", "INT64", str(newest)),
            *(Parameter(key, "STRING", table_ids[one]) for key, one in ids.items()),
        )
    if table.unique:
        # Use the columns of `t`: BigQuery resolves a bare `sequence` to the result column of that name.
        repeated = (
            f"SELECT MIN({ledger_of_row(table)}) AS sequence FROM {name} AS t WHERE {_within(table, 't')} "
            f"GROUP BY {column_list(table.keys, 't')} HAVING COUNT(*) > 1"
        )
        parts.append(_islands(Fault.DUPLICATES, repeated))
    named = ",\n".join(f"{alias} AS (\n{query}\n)" for alias, query in sources.items())
    sql = "\nUNION ALL\n".join(parts)
    begin = f"WITH {named}\n" if named else ""
    return Statement(f"{begin}SELECT * FROM (\n{sql}\n)\nORDER BY start_ledger, fault", (*parameters, *own))


def _of_ledgers(name: str) -> list[str]:
    present = f"SELECT DISTINCT sequence FROM {name} WHERE {_within(LEDGERS)}"
    # Find gaps within each block of ledgers, then between blocks, of which there are at most 4,096. The ledgers
    # around the window count as present, so that gaps at its ends are found.
    edges = "SELECT edge AS sequence FROM UNNEST([@start_ledger - 1, @end_ledger + 1]) AS edge"
    gaps = f"""\
SELECT '{Fault.MISSING}' AS fault, before + 1 AS start_ledger, sequence - 1 AS end_ledger,
  sequence - before - 1 AS found
FROM (
  SELECT sequence, LAG(sequence) OVER (PARTITION BY {_BLOCK} ORDER BY sequence) AS before
  FROM ({present} UNION ALL {edges})
  UNION ALL
  SELECT first_held AS sequence, LAG(last_held) OVER (ORDER BY block) AS before
  FROM (
    SELECT {_BLOCK} AS block, MIN(sequence) AS first_held, MAX(sequence) AS last_held
    FROM ({present} UNION ALL {edges})
    GROUP BY block
  )
)
WHERE sequence > before + 1"""
    before = (
        "a.closed_at BETWEEN @window_start AND @window_end AND a.sequence BETWEEN @start_ledger - 1 AND @end_ledger"
    )
    links = f"""\
SELECT b.sequence
FROM {name} AS a JOIN {name} AS b ON b.sequence = a.sequence + 1
WHERE {before} AND {_within(LEDGERS, "b")} AND b.previous_ledger_hash <> a.ledger_hash"""
    return [gaps, _islands(Fault.BROKEN_LINK, links)]


def _last_loads(stats: str) -> str:
    """Return a query of each ledger of the window with the load whose rows it has, and the row count of that load.

    `expected` is NULL if the load did not count its rows per ledger, as in older releases.
    """
    kept = f"start_ledger, end_ledger, row_count, {LOADED_AT.format('one_load')} AS loaded_at"
    where = "table_id = @table_id AND end_ledger >= @start_ledger AND start_ledger <= @end_ledger"
    return f"""\
SELECT sequence, start_ledger, end_ledger, row_count, expected
FROM (
  SELECT start_ledger + place AS sequence, CAST(rows_loaded AS INT64) AS expected, {kept}
  FROM {stats} AS one_load CROSS JOIN UNNEST(SPLIT(rows_per_ledger)) AS rows_loaded WITH OFFSET AS place
  WHERE {where} AND rows_per_ledger IS NOT NULL
  UNION ALL
  SELECT sequence, NULL AS expected, {kept}
  FROM {stats} AS one_load
  CROSS JOIN UNNEST(GENERATE_ARRAY(start_ledger >> {_ARRAY_BITS}, end_ledger >> {_ARRAY_BITS})) AS part
  CROSS JOIN UNNEST(GENERATE_ARRAY(
    GREATEST(start_ledger, part << {_ARRAY_BITS}), LEAST(end_ledger, ((part + 1) << {_ARRAY_BITS}) - 1)
  )) AS sequence
  WHERE {where} AND rows_per_ledger IS NULL
)
WHERE sequence BETWEEN @start_ledger AND @end_ledger
QUALIFY ROW_NUMBER() OVER (PARTITION BY sequence ORDER BY loaded_at DESC) = 1"""


def _has_loads(table: Table) -> bool:
    """Whether loads determine a table's row counts. They do not if any load can add a key."""
    return table.publish is Publish.REPLACE_RANGE


def _sources(table: Table, name: str, headers: str, stats: str) -> dict[str, str]:
    """Return the queries that the parts of a check refer to by name."""
    ledger = ledger_of_row(table)
    sources = {
        "counted": f"SELECT {ledger} AS sequence, COUNT(*) AS found FROM {name} WHERE {_within(table)} GROUP BY 1",
        "header_rows": f"SELECT * FROM {headers} WHERE {_within(LEDGERS)}",
    }
    if table.header_count:
        sources["left_out_rows"] = left_out_rows(stats, {TRANSACTIONS: "@transactions_id"}.get(table, "@operations_id"))
    if table.header_count and table.derivation:
        sources["without_transaction"] = left_out_rows(stats, "@transactions_id")
    if _has_loads(table):
        sources["last_loads"] = _last_loads(stats)
        if not table.header_count:
            sources["uncounted"] = """\
SELECT l.start_ledger, l.end_ledger, MAX(l.row_count) AS row_count, COUNT(*) AS ledgers,
  COALESCE(SUM(t.found), 0) AS found
FROM last_loads AS l
LEFT JOIN counted AS t ON t.sequence = l.sequence
WHERE l.expected IS NULL
GROUP BY 1, 2"""
    return sources


def _of_rows(table: Table, name: str) -> list[str]:
    ledger, closed_at = ledger_of_row(table), identifier(table.closed_at_column)
    parts = [
        _islands(
            Fault.WRONG_TIME,
            "SELECT h.sequence FROM header_rows AS h "
            f"JOIN (SELECT DISTINCT {ledger} AS sequence, {closed_at} AS closed_at FROM {name} WHERE {_within(table)}) "
            "AS t ON t.sequence = h.sequence WHERE t.closed_at <> h.closed_at",
        )
    ]
    if table.header_count:
        parts.append(_islands(Fault.WRONG_COUNT, _wrong_counts(table)))
    if _has_loads(table):
        no_header = " AND l.sequence NOT IN (SELECT sequence FROM header_rows)" if table.header_count else ""
        parts.append(
            _islands(
                Fault.LOST_ROWS,
                "SELECT l.sequence FROM last_loads AS l LEFT JOIN counted AS t ON t.sequence = l.sequence "
                f"WHERE COALESCE(t.found, 0) <> l.expected{no_header}",
            )
        )
        if not table.header_count:
            parts += _of_uncounted_loads()
    return parts


def _wrong_counts(table: Table) -> str:
    """Return ledgers whose row count differs from their header, not counting rows that an export skipped.

    If a transaction was skipped, its operations are not in the derived table, and their number is unknown.
    """
    fewer = ""
    if table.derivation:
        fewer = " AND (h.sequence NOT IN (SELECT sequence FROM without_transaction) OR t.found > h.promised)"
    # Ignore ledgers after the latest published one, which are not missing yet.
    return f"""\
SELECT h.sequence
FROM (
  SELECT sequence, {table.header_count} AS promised FROM header_rows
  WHERE sequence <= GREATEST(@newest, (SELECT COALESCE(MAX(sequence), 0) FROM counted))
) AS h
LEFT JOIN counted AS t ON t.sequence = h.sequence
LEFT JOIN left_out_rows AS o ON o.sequence = h.sequence
WHERE COALESCE(t.found, 0) <> h.promised - COALESCE(o.left_out, 0){fewer}"""


def _of_uncounted_loads() -> list[str]:
    """Return the checks of loads without row counts per ledger: their total, unless a later load replaced a part."""
    inside = "LEAST(end_ledger, @end_ledger) - GREATEST(start_ledger, @start_ledger) + 1"
    lost = f"""\
SELECT '{Fault.LOST_ROWS}' AS fault, start_ledger, end_ledger, end_ledger - start_ledger + 1 AS found
FROM uncounted
WHERE ledgers = end_ledger - start_ledger + 1 AND found <> row_count"""
    replaced = f"""\
SELECT l.sequence
FROM last_loads AS l
JOIN (SELECT start_ledger, end_ledger FROM uncounted WHERE ledgers < {inside}) AS p
ON p.start_ledger = l.start_ledger AND p.end_ledger = l.end_ledger
WHERE l.expected IS NULL"""
    return [lost, _islands(Fault.UNCOUNTED, replaced)]


def check_loads(stats: str, table_ids: Sequence[str], ledgers_id: str, span: LedgerRange, first: int) -> Statement:
    """Find the ledgers that were never loaded into tables, over all history. A row of the batch stats is a load.

    Returns `table_id`, `fault`, `start_ledger`, `end_ledger` and `found`. Gaps of a table are between the first ledger
    of all tables and its own latest one. Gaps of the table of ledgers that `look` finds by rows are left out.

    Args:
        stats: the quoted name of the batch stats.
        table_ids: the names of the tables in the batch stats.
        ledgers_id: the name of the table of ledgers.
        span: the ledgers to check, from the first loaded one.
        first: the first ledger of the window whose rows are checked.
    """
    sql = f"""\
SELECT table_id, IF(table_id = @ledgers_id, '{Fault.MISSING}', '{Fault.NOT_LOADED}') AS fault,
  start_ledger, end_ledger, end_ledger - start_ledger + 1 AS found
FROM (
  SELECT table_id, GREATEST(before + 1, @start_ledger) AS start_ledger, LEAST(next_start - 1, @end_ledger) AS end_ledger
  FROM (
    SELECT table_id, start_ledger AS next_start,
      MAX(end_ledger) OVER (
        PARTITION BY table_id ORDER BY start_ledger, end_ledger ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS before
    FROM (
      SELECT table_id, start_ledger, end_ledger FROM {stats} WHERE table_id IN UNNEST(@table_ids)
      UNION ALL
      SELECT table_id, @start_ledger - 1 AS start_ledger, @start_ledger - 1 AS end_ledger
      FROM UNNEST(@table_ids) AS table_id
    )
  )
  WHERE next_start > before + 1
)
WHERE start_ledger <= end_ledger AND (table_id <> @ledgers_id OR end_ledger < @first_of_rows)
ORDER BY table_id, start_ledger"""
    parameters: tuple[Parameter | ArrayParameter, ...] = (
        *ledgers_parameters(span),
        ArrayParameter("table_ids", "STRING", tuple(table_ids)),
        Parameter("ledgers_id", "STRING", ledgers_id),
        Parameter("first_of_rows", "INT64", str(first)),
    )
    return Statement(sql, parameters)


def check_identity(table: Table, name: str, parameters: tuple[Parameter, ...]) -> Statement:
    """Find rows with the same identity, and count the rows without one.

    Args:
        table: a table with an `identity`.
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
ORDER BY start_ledger, fault"""
    return Statement(sql, parameters)


def check_versions(log: Log, folded: Folded, parameters: tuple[Parameter, ...]) -> Statement:
    """Find versions that differ from the folded changes of the window: missing, extra, or with another end.

    Args:
        log: the change log and its versions.
        folded: the mark up to which changes are folded.
        parameters: `window_parameters`.
    """
    entry, keys = f"PARTITION BY {log.keys} ORDER BY {log.ledger}", log.keys
    folded_rows = f"{_within(log.table)} AND {log.ledger} > @begin_ledger AND {log.ledger} < @from_ledger"
    sql = f"""\
SELECT '{Fault.STATE_BEHIND}' AS fault, MIN(ledger) AS start_ledger, MAX(ledger) AS end_ledger, COUNT(*) AS found
FROM (
  SELECT COALESCE(c.{log.ledger}, v.{log.ledger}) AS ledger
  FROM (
    SELECT * FROM (
      SELECT {keys}, {log.ledger}, {DELETED}, LEAD({log.ledger}) OVER ({entry}) AS end_ledger
      FROM {log.changes} WHERE {folded_rows}
    )
    WHERE {DELETED} IS NOT TRUE
  ) AS c
  FULL JOIN (
    SELECT {keys}, {log.ledger}, {VALID_TO_LEDGER} FROM {log.versions}
    WHERE {folded_rows} AND {VALID_TO} BETWEEN @window_start AND {OPEN_TIME_SQL}
  ) AS v ON {log.same_entry("c", "v")} AND c.{log.ledger} = v.{log.ledger}
  WHERE c.{log.ledger} IS NULL OR v.{log.ledger} IS NULL OR c.end_ledger <> v.{VALID_TO_LEDGER}
)
HAVING COUNT(*) > 0"""
    marks = (
        Parameter("begin_ledger", "INT64", str(folded.start_ledger)),
        Parameter("from_ledger", "INT64", str(folded.ledger)),
    )
    return Statement(sql, (*parameters, *marks))


def compare_with_archive(
    log: Log, history: str, archive: str, columns: Columns, ledger: int, closed_at: datetime
) -> Statement:
    """Find the ledgers of entries that differ between the views and a history archive.

    Entries are compared one by one, by a fingerprint of all columns that describe the entry. For each entry that
    differs or that only one side has, the query returns the ledger of its last change according to each side.

    Args:
        log: the change log and its versions.
        history: the quoted name of the view of all versions.
        archive: the quoted name of the staging table, which has every entry of the archive.
        columns: its columns, in the format of the versions.
        ledger: the checkpoint.
        closed_at: the close time of the checkpoint.
    """
    changed = f"""\
SELECT COALESCE(a.changed, v.changed) AS sequence
FROM (
  SELECT {log.keys}, valid_from_ledger AS changed, {fingerprint(log)} AS fingerprint FROM {history}
  WHERE valid_from_ledger <= @ledger AND {VALID_TO_LEDGER} > @ledger
    AND {VALID_TO} BETWEEN @closed_at AND {OPEN_TIME_SQL}
) AS v
FULL JOIN (
  SELECT {log.keys}, last_modified_ledger AS changed, {fingerprint(log)} AS fingerprint
  FROM (SELECT {select_list(columns)} FROM {archive})
) AS a ON {log.same_entry("v", "a")} AND v.fingerprint = a.fingerprint
WHERE v.fingerprint IS NULL OR a.fingerprint IS NULL"""
    sql = f"SELECT * FROM (\n{_islands(Fault.NOT_AS_ARCHIVE, changed)}\n)\nORDER BY start_ledger\nLIMIT {MOST_FINDINGS}"
    parameters = (
        Parameter("ledger", "INT64", str(ledger)),
        Parameter("closed_at", "TIMESTAMP", closed_at.isoformat()),
    )
    return Statement(sql, parameters)


_STROOPS = 10_000_000
_EXACT = 1 << 51
"""Maximum number of stroops that an amount in lumens, a FLOAT64 of 53 bits, represents exactly."""

_OF_LUMENS = ("accounts", "balance", "TRUE")
_OF_CLAIMS = ("claimable_balances", "asset_amount", "asset_type = 'native'")
_OF_POOLS = ("liquidity_pools", "asset_a_amount", "asset_a_type = 'native'")
_OF_CONTRACTS = "contract_id = @native_contract AND balance <> ''"


def _stroops(sources: Mapping[str, str], where: str = "TRUE") -> str:
    """Return the stroops of each entry with lumens, one per row.

    Args:
        sources: the quoted name of the table or view of each of `LUMENS_TYPES`.
        where: a condition of the rows.
    """
    rows = [
        f"SELECT ROUND(CAST({column} AS NUMERIC) * {_STROOPS}) AS stroops FROM {sources[data_type]} "
        f"WHERE {condition} AND {where}"
        for data_type, column, condition in (_OF_LUMENS, _OF_CLAIMS, _OF_POOLS)
    ]
    contracts = f"FROM {sources['contract_data']} WHERE {_OF_CONTRACTS} AND {where}"
    return "\nUNION ALL\n".join([*rows, f"SELECT SAFE_CAST(balance AS NUMERIC) AS stroops {contracts}"])


def _archived(changes: str, base: str | None, columns: str) -> str:
    """Return the stroops of evicted contract balances, one per row. The network keeps them in its archive.

    The native asset contract never removes a balance itself: a balance that no longer exists was evicted with its
    amount.
    """
    kept = f"\n    UNION ALL\n    SELECT {columns} FROM {base} WHERE {_OF_CONTRACTS}" if base else ""
    entry = "PARTITION BY ledger_key_hash ORDER BY ledger_sequence"
    return f"""\
SELECT SAFE_CAST(held AS NUMERIC) AS stroops FROM (
  SELECT {DELETED}, LAG(balance) OVER ({entry}) AS held, ROW_NUMBER() OVER ({entry} DESC) AS place
  FROM (
    SELECT {columns} FROM {changes}
    WHERE contract_id = @native_contract AND contract_key_type = 'ScValTypeScvVec'
      AND ledger_sequence > @start_ledger AND ledger_sequence <= @ledger
      AND closed_at BETWEEN @start_time AND @closed_at{kept}
  )
)
WHERE place = 1 AND {DELETED} AND held <> ''"""


def _sum(rows: str) -> str:
    """Return one row: the sum `stroops`, and the maximum rounding error `slack` of the amounts."""
    slack = f"IF(stroops > {_EXACT}, stroops / {1 << 53} + 1, 0)"
    return (
        f"SELECT COALESCE(SUM(stroops), 0) AS stroops, COALESCE(SUM(CAST({slack} AS NUMERIC)), 0) AS slack "
        f"FROM (\n{rows}\n)"
    )


def check_lumens(
    histories: Mapping[str, str],
    bases: Mapping[str, str] | None,
    changes: str,
    headers: str,
    contract: str,
    at: tuple[int, datetime],
    start: tuple[int, datetime],
) -> Statement:
    """Compare the lumens of all entries with the header of a ledger, in stroops.

    Entries that were evicted before a full load are in no table. Entries may lack what the full load lacked.

    Args:
        histories: the quoted name of the view of all versions, by `LUMENS_TYPES`.
        bases: the quoted name of the base table, by `LUMENS_TYPES`; None if the versions begin without a full load.
        changes: the quoted name of the changes of contract data.
        headers: the quoted name of the published ledgers.
        contract: the id of the native asset contract.
        at: the ledger and its close time.
        start: the ledger of the full load and its close time; without one, before all ledgers.
    """
    valid = (
        f"valid_from_ledger <= @ledger AND {VALID_TO_LEDGER} > @ledger "
        f"AND {VALID_TO} BETWEEN @closed_at AND {OPEN_TIME_SQL}"
    )
    columns = f"ledger_key_hash, ledger_sequence, balance, {DELETED}"
    archived = _archived(changes, bases["contract_data"] if bases else None, columns)
    amounts = f"{_stroops(histories, valid)}\nUNION ALL\n{archived}"
    coins = (
        f"SELECT MAX(total_coins - fee_pool) AS stroops FROM {headers} "
        "WHERE sequence = @{0} AND closed_at BETWEEN @{1} AND @{1}"
    )
    short = "SELECT 0 AS stroops"
    if bases:
        short = (
            "SELECT GREATEST(0, header.stroops - base.stroops) + base.slack AS stroops "
            f"FROM ({coins.format('start_ledger', 'start_time')}) AS header\n"
            f"CROSS JOIN (\n{_sum(_stroops(bases))}\n) AS base"
        )
    sql = f"""\
SELECT '{Fault.LUMENS}' AS fault, @ledger AS start_ledger, @ledger AS end_ledger,
  CAST(ABS(header.stroops - entries.stroops) AS INT64) AS found
FROM ({coins.format("ledger", "closed_at")}) AS header
CROSS JOIN (
{_sum(amounts)}
) AS entries
CROSS JOIN (
{short}
) AS short
WHERE NOT (header.stroops - entries.stroops BETWEEN -entries.slack AND entries.slack + short.stroops)"""
    parameters = (
        Parameter("native_contract", "STRING", contract),
        Parameter("ledger", "INT64", str(at[0])),
        Parameter("closed_at", "TIMESTAMP", at[1].isoformat()),
        Parameter("start_ledger", "INT64", str(start[0])),
        Parameter("start_time", "TIMESTAMP", start[1].isoformat()),
    )
    return Statement(sql, parameters)


def newest_loaded(stats: str, table_ids: Sequence[str]) -> Statement:
    """Return a row per table: `table_id`, its first and last ledger, and the close time of the last one."""
    named = table_parameters(table_ids)
    sql = (
        "SELECT table_id, MIN(start_ledger) AS start_ledger, MAX(end_ledger) AS end_ledger, "
        f"MAX(last_closed_at) AS closed_at FROM {stats} WHERE table_id IN ({listed(named)}) GROUP BY table_id"
    )
    return Statement(sql, named)


def headers_around(headers: str, times: TimeRange, low: datetime, high: datetime) -> Statement:
    """Return one row of existing ledgers before, within and after half-open times; NULL if there are none.

    `first` and `last` are the ledgers within the times. `before_closed_at` and `after_closed_at` are close times.

    Args:
        headers: the quoted name of the published ledgers.
        times: the times.
        low: the earliest close time of the ledger before.
        high: the latest close time of the ledger after.
    """
    before, after = "closed_at < @start_time", "closed_at >= @end_time"
    inside = f"NOT ({before}) AND NOT ({after})"
    sql = f"""\
SELECT
  MAX(IF({before}, sequence, NULL)) AS before,
  MAX(IF({before}, closed_at, NULL)) AS before_closed_at,
  MIN(IF({inside}, sequence, NULL)) AS first,
  MAX(IF({inside}, sequence, NULL)) AS last,
  MIN(IF({after}, sequence, NULL)) AS after,
  MIN(IF({after}, closed_at, NULL)) AS after_closed_at
FROM {headers}
WHERE closed_at >= @low AND closed_at < @high"""
    bounds = (Parameter("low", "TIMESTAMP", low.isoformat()), Parameter("high", "TIMESTAMP", high.isoformat()))
    return Statement(sql, (*requested_parameters(times), *bounds))


def times_around(stats: str, ledgers: LedgerRange) -> Statement:
    """Return one row: bounds `start_time` and `end_time` of ledgers' close times, from loads; NULL if unknown."""
    sql = (
        "SELECT MAX(IF(start_ledger <= @start_ledger, first_closed_at, NULL)) AS start_time, "
        "MIN(IF(end_ledger >= @end_ledger, last_closed_at, NULL)) AS end_time, "
        "COUNTIF(start_ledger <= @end_ledger AND end_ledger >= @start_ledger) AS loads "
        f"FROM {stats}"
    )
    return Statement(sql, ledgers_parameters(ledgers))


def closed_between(headers: str, start: int, end: int) -> Statement:
    """Return one row: the close times of the first and last of some ledgers, `start_time` and `end_time`, and `last`.

    They are NULL if none of the ledgers exists.
    """
    sql = (
        f"SELECT MIN(closed_at) AS start_time, MAX(closed_at) AS end_time, MAX(sequence) AS last FROM {headers} "
        "WHERE sequence BETWEEN @start_ledger AND @end_ledger"
    )
    return Statement(sql, ledgers_parameters(LedgerRange(start, end)))


def loaded_ranges(stats: str, table_ids: Sequence[str], ledgers: LedgerRange) -> Statement:
    """Return the loaded ranges of tables that overlap a range: `table_id`, `start_ledger`, `end_ledger`."""
    named = table_parameters(table_ids)
    sql = (
        f"SELECT DISTINCT table_id, start_ledger, end_ledger FROM {stats} "
        f"WHERE table_id IN ({listed(named)}) AND end_ledger >= @start_ledger AND start_ledger <= @end_ledger"
    )
    return Statement(sql, (*named, *ledgers_parameters(ledgers)))


def record(
    target: str, run_id: str, checked_at: datetime, table_ids: Mapping[str, str], found: Sequence[Finding]
) -> list[Statement]:
    """Write the findings of a run, and replace those of an earlier try. The statements run in this order.

    Args:
        target: the quoted name of the table `ledger_coverage`.
        run_id: the run.
        checked_at: the time of the check.
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
        "dataset": "STRING",
        "differing_columns": "STRING",
    }
    rows = [
        (
            *(table_ids[one.data_type], one.fault, one.start_ledger, one.end_ledger, one.count, one.lag_seconds),
            *(one.dataset, one.columns or None),
        )
        for one in found
    ]
    texts = [tuple(None if value is None else str(value) for value in row) for row in rows]
    names = column_list(("run_id", "checked_at", *types))
    statements = []
    for start in range(0, max(len(texts), 1), MOST_RECORDED):
        delete = "" if start else "\nWHEN NOT MATCHED BY SOURCE AND T.run_id = @run_id THEN DELETE"
        sql = f"""\
MERGE {target} AS T
USING (
  SELECT @run_id AS run_id, @checked_at AS checked_at, {column_list(types, "finding")}
  FROM UNNEST(@findings) AS finding
) AS S
ON FALSE{delete}
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"""
        parameters = (
            Parameter("run_id", "STRING", run_id),
            Parameter("checked_at", "TIMESTAMP", checked_at.isoformat()),
            RowsParameter("findings", tuple(types.items()), tuple(texts[start : start + MOST_RECORDED])),
        )
        statements.append(Statement(sql, parameters))
    return statements


def dirty_since(stats: str, table_id: str, ledgers: LedgerRange, folded_at: datetime) -> Statement:
    """Return one row, `published_at`: the first load of some ledgers since the last fold; NULL if there is none.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        table_id: the name of the table in it.
        ledgers: the ledgers that are not folded.
        folded_at: the time of the last fold.
    """
    sql = (
        f"SELECT MIN(published_at) AS published_at FROM {stats} WHERE table_id = @table_id "
        "AND end_ledger >= @start_ledger AND start_ledger <= @end_ledger AND published_at > @folded_at"
    )
    own = (
        Parameter("table_id", "STRING", table_id),
        Parameter("folded_at", "TIMESTAMP", folded_at.isoformat()),
    )
    return Statement(sql, (*ledgers_parameters(ledgers), *own))


def noted_ranges(stats: str) -> Statement:
    """Return every loaded range, by table.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
    """
    return Statement(f"SELECT DISTINCT table_id, start_ledger, end_ledger FROM {stats}")


def header_islands(headers: str) -> Statement:
    """Return the first and the last ledger of each contiguous run of ledgers.

    Args:
        headers: the quoted name of the table of ledgers.
    """
    return Statement(f"""\
SELECT first, MIN(last) AS last
FROM (SELECT sequence AS first FROM {headers} EXCEPT DISTINCT SELECT sequence + 1 FROM {headers})
JOIN (SELECT sequence AS last FROM {headers} EXCEPT DISTINCT SELECT sequence - 1 FROM {headers}) ON last >= first
GROUP BY first""")
