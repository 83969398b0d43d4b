"""The SQL of point-in-time tables: versions, the views on them, and the steps that change them. Pure.

Each statement and view has constants on `valid_to` of the versions and on the close time of the change log. It
therefore reads only the partitions of changes. Every step is one statement, or a change of labels or views. The views
are correct before and after each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.partitions import Window
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_COLUMNS, Table
from stellar_etl_airflow.model.versions import (
    OPEN_LEDGER,
    OPEN_TIME,
    VALID_TO,
    VALID_TO_LEDGER,
    Folded,
    Plan,
)
from stellar_etl_airflow.sql.records import Columns, moved_rows, select_list
from stellar_etl_airflow.sql.statement import (
    Parameter,
    Statement,
    column_list,
    identifier,
    ledgers_parameters,
    ledgers_predicate,
)

DELETED = "deleted"
"""The column that marks a change that removed the entry."""

ENDS: tuple[Mapping[str, Any], ...] = (
    {
        "name": VALID_TO_LEDGER,
        "type": "INTEGER",
        "mode": "NULLABLE",
        "description": f"The first ledger in which this version is not valid; {OPEN_LEDGER}: it is still valid.",
    },
    {
        "name": VALID_TO,
        "type": "TIMESTAMP",
        "mode": "NULLABLE",
        "description": f"The close time of that ledger; {OPEN_TIME:%Y-%m-%d}: the version is still valid.",
    },
)
"""The additional fields of a table of versions, after those of its change log."""

OPEN_TIME_SQL = f"TIMESTAMP '{OPEN_TIME:%Y-%m-%d %H:%M:%S}+00'"


def versions_table_id(table_id: str) -> str:
    """Return the name of a change log's table of versions."""
    return f"{table_id}_versions"


def base_table_id(table_id: str) -> str:
    """Return the name of the base table, which stores the full load that the versions begin with."""
    return f"{table_id}_base"


def current_view_id(table_id: str) -> str:
    """Return the name of the view of current entries."""
    return f"{table_id}_current"


def history_view_id(table_id: str) -> str:
    """Return the name of the view of all versions."""
    return f"{table_id}_history"


def at_function_id(table_id: str) -> str:
    """Return the name of the table function of the entries at a ledger."""
    return f"{table_id}_at"


@dataclass(frozen=True)
class Log:
    """A change log and its versions, in one target.

    Attributes:
        table: the change log's entry in the registry.
        changes: the quoted name of the change log.
        versions: the quoted name of the table of versions.
        columns: the columns of the change log, in the format of the versions.
    """

    table: Table
    changes: str
    versions: str
    columns: Columns

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that both have."""
        return tuple(self.columns)

    @property
    def ledger(self) -> str:
        """The ledger column, quoted."""
        return identifier(self.table.ledger_column)

    @property
    def closed_at(self) -> str:
        """The column of the close time, quoted."""
        return identifier(self.table.closed_at_column)

    @property
    def keys(self) -> str:
        """The columns that identify an entry, quoted."""
        return column_list(self.table.entry_keys)

    def same_entry(self, one: str, other: str) -> str:
        """Return SQL that is true for rows of the same entry, given their aliases."""
        return " AND ".join(f"{one}.{identifier(key)} = {other}.{identifier(key)}" for key in self.table.entry_keys)


@dataclass(frozen=True)
class _Mark:
    """The SQL of a mark: constants in a view, parameters in a statement."""

    ledger: str = "@from_ledger"
    time: str = "@from_time"

    @classmethod
    def constant(cls, folded: Folded) -> _Mark:
        return cls(str(folded.ledger), _literal(folded.time))


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}+00'"


def _mark_parameters(folded: Folded) -> tuple[Parameter, ...]:
    return (
        Parameter("from_ledger", "INT64", str(folded.ledger)),
        Parameter("from_time", "TIMESTAMP", folded.time.isoformat()),
    )


def _valid_at(log: Log, mark: _Mark) -> str:
    """Return SQL that is true for versions that were valid directly before the mark, even if they ended later."""
    return (
        f"{VALID_TO_LEDGER} >= {mark.ledger} AND {log.ledger} < {mark.ledger} "
        f"AND {VALID_TO} BETWEEN {mark.time} AND {OPEN_TIME_SQL}"
    )


def _in_tail(log: Log, mark: _Mark, alias: str = "") -> str:
    """Return SQL that is true for changes from the mark on."""
    prefix = f"{alias}." if alias else ""
    return f"{prefix}{log.ledger} >= {mark.ledger} AND {prefix}{log.closed_at} BETWEEN {mark.time} AND {OPEN_TIME_SQL}"


def _chained(log: Log, mark: _Mark, tail: str) -> str:
    """Return versions from the mark on: each row of an entry ends with the entry's next row; removals are not versions.

    Args:
        log: the change log and its versions.
        mark: the mark.
        tail: the condition of the changes to chain.
    """
    entry = f"PARTITION BY {log.keys} ORDER BY {log.ledger}"
    return f"""\
  SELECT {column_list(log.names)}, {VALID_TO_LEDGER}, {VALID_TO} FROM (
    SELECT {column_list(log.names)},
      COALESCE(LEAD({log.ledger}) OVER ({entry}), {OPEN_LEDGER}) AS {VALID_TO_LEDGER},
      COALESCE(LEAD({log.closed_at}) OVER ({entry}), {OPEN_TIME_SQL}) AS {VALID_TO}
    FROM (
      SELECT {column_list(log.names)} FROM {log.versions}
      WHERE {_valid_at(log, mark)}
      UNION ALL
      SELECT {select_list(log.columns)} FROM {log.changes}
      WHERE {tail}
    )
  )
  WHERE {DELETED} IS NOT TRUE"""


# Views --------------------------------------------------------------------------------------------------------------


def current_view(log: Log, folded: Folded) -> str:
    """Return the query of the view of current entries.

    It has the versions that are valid at the mark, of entries without a later change, and the latest changes of the
    others.
    """
    mark = _Mark.constant(folded)
    return f"""\
SELECT {column_list(log.names)} FROM (
  SELECT {column_list(log.names)} FROM {log.versions}
  WHERE {_valid_at(log, mark)}
) AS v
WHERE NOT EXISTS (
  SELECT 1 FROM {log.changes} AS c
  WHERE {_in_tail(log, mark, "c")} AND {log.same_entry("c", "v")}
)
UNION ALL
SELECT {column_list(log.names)} FROM (
  SELECT {select_list(log.columns)} FROM {log.changes}
  WHERE {_in_tail(log, mark)}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {log.keys} ORDER BY {log.ledger} DESC) = 1
)
WHERE {DELETED} IS NOT TRUE"""


def history_view(log: Log, folded: Folded) -> str:
    """Return the query of the view of all versions, with the ledgers and times of their validity."""
    mark = _Mark.constant(folded)
    ends = f"{log.ledger} AS valid_from_ledger, {log.closed_at} AS valid_from, {VALID_TO_LEDGER}, {VALID_TO}"
    return f"""\
SELECT {column_list(log.names)}, {ends} FROM {log.versions}
WHERE {VALID_TO_LEDGER} < {mark.ledger} AND {VALID_TO} BETWEEN {_literal(Folded().time)} AND {OPEN_TIME_SQL}
UNION ALL
SELECT {column_list(log.names)}, {ends} FROM (
{_chained(log, mark, _in_tail(log, mark))}
)"""


def at_function(function: str, log: Log, folded: Folded) -> Statement:
    """Create the table function of the entries that existed directly after a ledger.

    Args:
        function: its quoted name.
        log: the change log and its versions.
        folded: the mark.
    """
    sql = f"""\
CREATE OR REPLACE TABLE FUNCTION {function}(at_ledger INT64) AS (
SELECT * FROM (
{history_view(log, folded)}
)
WHERE valid_from_ledger <= at_ledger AND {VALID_TO_LEDGER} > at_ledger
)"""
    return Statement(sql)


# Statements ---------------------------------------------------------------------------------------------------------


def replace_versions(log: Log, where: str, rows: str, parameters: tuple[Parameter, ...]) -> Statement:
    """Replace the versions that match a condition on the alias T by the rows of a query."""
    names = column_list((*log.names, VALID_TO_LEDGER, VALID_TO))
    sql = f"""\
MERGE {log.versions} AS T
USING (
{rows}
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND {where} THEN DELETE
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"""
    return Statement(sql, parameters)


def fold(log: Log, folded: Folded, to_ledger: int, to_time: datetime) -> Statement:
    """Fold the changes from the mark up to a ledger into the versions.

    Versions that ended later are opened again, because an earlier fold included the changes that ended them.

    Args:
        log: the change log and its versions.
        folded: the mark.
        to_ledger: the last ledger.
        to_time: the close time of the last ledger.
    """
    tail = f"{log.ledger} BETWEEN @from_ledger AND @to_ledger AND {log.closed_at} BETWEEN @from_time AND @to_time"
    where = f"T.{VALID_TO_LEDGER} >= @from_ledger AND T.{VALID_TO} BETWEEN @from_time AND {OPEN_TIME_SQL}"
    parameters = (
        *_mark_parameters(folded),
        Parameter("to_ledger", "INT64", str(to_ledger)),
        Parameter("to_time", "TIMESTAMP", to_time.isoformat()),
    )
    return replace_versions(log, where, _chained(log, _Mark(), tail), parameters)


def open_again(log: Log, folded: Folded, window: Window) -> Statement:
    """Open the versions that ended at the mark or later, in one window of `valid_to`. The views do not change.

    Args:
        log: the change log and its versions.
        folded: the mark.
        window: times from the first (included) to the second (excluded).
    """
    start, end = window
    assert start is not None and end is not None, "a window of ended versions has both bounds"
    inside = f"{VALID_TO} >= @window_start AND {VALID_TO} < @window_end"
    rows = f"""\
  SELECT {column_list(log.names)}, {OPEN_LEDGER} AS {VALID_TO_LEDGER}, {OPEN_TIME_SQL} AS {VALID_TO}
  FROM {log.versions}
  WHERE {VALID_TO_LEDGER} >= @from_ledger AND {log.ledger} < @from_ledger AND {inside}"""
    where = f"T.{VALID_TO_LEDGER} >= @from_ledger AND T.{VALID_TO} >= @window_start AND T.{VALID_TO} < @window_end"
    parameters = (
        _mark_parameters(folded)[0],
        Parameter("window_start", "TIMESTAMP", start.isoformat()),
        Parameter("window_end", "TIMESTAMP", end.isoformat()),
    )
    return replace_versions(log, where, rows, parameters)


def replace_base(base: str, staging: str, columns: Columns) -> Statement:
    """Replace the stored full load, in one statement.

    Args:
        base: the quoted name of the base table.
        staging: the quoted name of the staging table, which has every entry.
        columns: the columns of both.
    """
    sql = f"""\
MERGE {base} AS T
USING {moved_rows(staging, columns)} AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql)


def content_columns(log: Log) -> list[str]:
    """Return the columns that describe an entry: not those of its change or of the row's load."""
    table = log.table
    others = {table.ledger_column, table.closed_at_column, DELETED, *table.not_of_entry, *BATCH_COLUMNS}
    return [name for name in log.names if name not in others]


def fingerprint(log: Log) -> str:
    """Return SQL of a number that is equal for equal entries."""
    return f"FARM_FINGERPRINT(TO_JSON_STRING(STRUCT({column_list(content_columns(log))})))"


def begin(log: Log, base: str, columns: Columns, folded: Folded) -> Statement:
    """Make a full load the start of the versions: close missing entries, open new ones, keep equal ones.

    Args:
        log: the change log and its versions.
        base: the quoted name of the base table.
        columns: its columns, in the format of the versions.
        folded: the mark, directly after the load's ledger.
    """
    names, number = column_list(log.names), fingerprint(log)
    valid = f"""\
SELECT {names}, {number} AS fingerprint FROM {log.versions}
      WHERE {_valid_at(log, _Mark())}"""
    loaded = f"""\
SELECT {names}, {number} AS fingerprint FROM (SELECT {select_list(columns)} FROM {base})"""
    rows = f"""\
  SELECT {column_list(log.names, "v")},
    IF(b.fingerprint IS NULL, @start_ledger, {OPEN_LEDGER}) AS {VALID_TO_LEDGER},
    IF(b.fingerprint IS NULL, @from_time, {OPEN_TIME_SQL}) AS {VALID_TO}
  FROM (
      {valid}
  ) AS v
  LEFT JOIN (
      SELECT {log.keys}, fingerprint FROM ({loaded})
  ) AS b ON {log.same_entry("b", "v")} AND b.fingerprint = v.fingerprint
  WHERE b.fingerprint IS NOT NULL OR v.{log.ledger} < @start_ledger
  UNION ALL
  SELECT {column_list(log.names, "b")}, {OPEN_LEDGER} AS {VALID_TO_LEDGER}, {OPEN_TIME_SQL} AS {VALID_TO}
  FROM (
      {loaded}
  ) AS b
  LEFT JOIN (
      SELECT {log.keys}, fingerprint FROM ({valid})
  ) AS v ON {log.same_entry("b", "v")} AND b.fingerprint = v.fingerprint
  WHERE v.fingerprint IS NULL"""
    where = f"T.{VALID_TO_LEDGER} >= @from_ledger AND T.{VALID_TO} BETWEEN @from_time AND {OPEN_TIME_SQL}"
    start = Parameter("start_ledger", "INT64", str(folded.start_ledger))
    return replace_versions(log, where, rows, (*_mark_parameters(folded), start))


# Queries ------------------------------------------------------------------------------------------------------------


def days_to_fold(log: Log, folded: Folded, to_ledger: int = OPEN_LEDGER, *, removed: bool = False) -> Statement:
    """Return the days with changes from the mark on, one per row: `day`, `ledger`, `closed_at`, as in `Day`.

    Args:
        log: the change log and its versions.
        folded: the mark.
        to_ledger: the last ledger to include.
        removed: whether to include days without changes on which versions begin or end. Their changes were folded, and
            then removed from the change log.
    """
    ledger, closed_at = log.ledger, log.closed_at
    days = [f"SELECT {ledger} AS ledger, {closed_at} AS closed_at FROM {log.changes}\n  WHERE {_in_tail(log, _Mark())}"]
    if removed:
        until = f"FROM {log.versions}\n  WHERE {VALID_TO_LEDGER} >= @from_ledger AND {VALID_TO} >= @from_time"
        days += [
            f"SELECT {ledger}, {closed_at} {until} AND {VALID_TO} <= {OPEN_TIME_SQL} AND {ledger} >= @from_ledger",
            f"SELECT {VALID_TO_LEDGER}, {VALID_TO} {until} AND {VALID_TO} < {OPEN_TIME_SQL}",
        ]
    rows = "\n  UNION ALL\n  ".join(days)
    sql = f"""\
SELECT TIMESTAMP_TRUNC(closed_at, DAY) AS day, MAX(ledger) AS ledger, MAX(closed_at) AS closed_at
FROM (
  {rows}
)
WHERE ledger <= @to_ledger
GROUP BY day"""
    return Statement(sql, (*_mark_parameters(folded), Parameter("to_ledger", "INT64", str(to_ledger))))


def days_to_open(log: Log, folded: Folded) -> Statement:
    """Return the days on which versions ended at the mark or later, one per row, as `day`."""
    sql = f"""\
SELECT DISTINCT TIMESTAMP_TRUNC({VALID_TO}, DAY) AS day
FROM {log.versions}
WHERE {VALID_TO_LEDGER} >= @from_ledger AND {VALID_TO} >= @from_time AND {VALID_TO} < {OPEN_TIME_SQL}"""
    return Statement(sql, _mark_parameters(folded))


def first_change(log: Log, ledgers: LedgerRange) -> Statement:
    """Return the first ledger of a range with changes, `ledger`, and its close time, `closed_at`; NULL without one."""
    sql = f"""\
SELECT MIN({log.ledger}) AS ledger, MIN({log.closed_at}) AS closed_at FROM {log.changes}
WHERE {ledgers_predicate(log.table)}"""
    return Statement(sql, ledgers_parameters(ledgers))


def valid_at(log: Log, ledger: int, closed_at: datetime, columns: Sequence[str]) -> Statement:
    """Return the entries that existed directly after a folded ledger.

    Args:
        log: the change log and its versions.
        ledger: the ledger, before the mark.
        closed_at: the close time of the ledger.
        columns: the columns to return.
    """
    mark = Folded(ledger + 1, closed_at)
    sql = f"SELECT {column_list(columns)} FROM {log.versions}\nWHERE {_valid_at(log, _Mark())}"
    return Statement(sql, _mark_parameters(mark))


# An earlier release -------------------------------------------------------------------------------------------------


def last_close(table: Table, base: str) -> Statement:
    """Return the close time of a full load's ledger, `closed_at`; NULL for a load without entries."""
    return Statement(f"SELECT MAX({identifier(table.closed_at_column)}) AS closed_at FROM {base}")


def differences(log: Log, base: str | None, columns: Columns | None, base_ledger: int) -> Statement:
    """Count the differences between a point-in-time table of an earlier release and its changes.

    One row: `missing`, `extra` and `different` entries.

    Args:
        log: the change log, with the point-in-time table as its versions.
        base: the quoted name of the base table; None without one.
        columns: its columns, in the format of the point-in-time table.
        base_ledger: the load's ledger; 0 without one.
    """
    number, sources = fingerprint(log), []
    if base is not None:
        assert columns is not None, "a table has columns"
        sources.append(f"SELECT {select_list(columns)} FROM {base}")
    sources.append(f"SELECT {select_list(log.columns)} FROM {log.changes} WHERE {log.ledger} > @base_ledger")
    rows = "\n    UNION ALL\n    ".join(sources)
    sql = f"""\
SELECT COUNTIF(s.fingerprint IS NULL) AS missing, COUNTIF(c.fingerprint IS NULL) AS extra,
  COUNTIF(s.fingerprint <> c.fingerprint) AS different
FROM (
  SELECT {log.keys}, {number} AS fingerprint FROM (
    SELECT * FROM (
    {rows}
    )
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (PARTITION BY {log.keys} ORDER BY {log.ledger} DESC) = 1
  )
  WHERE {DELETED} IS NOT TRUE
) AS c
FULL JOIN (
  SELECT {log.keys}, {number} AS fingerprint FROM {log.versions} WHERE {DELETED} IS NOT TRUE
) AS s ON {log.same_entry("c", "s")}"""
    return Statement(sql, (Parameter("base_ledger", "INT64", str(base_ledger)),))


# Steps --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """Write the mark into the labels of the table of versions."""

    folded: Folded


@dataclass(frozen=True)
class Show:
    """Write the views with a mark."""

    folded: Folded


@dataclass(frozen=True)
class Change:
    """Run a statement that changes the versions.

    Attributes:
        name: its name, a part of the job's id. It is the same for the same place in the same steps.
        statement: the statement.
    """

    name: str
    statement: Statement


Step = Note | Show | Change


def steps_of_set_back(before: Folded, after: Folded) -> list[Step]:
    """Return the steps before ledgers of the change log are replaced.

    The views are written first, because the steps of a killed task may have left them older than the labels.
    """
    return [Show(before)] if before == after else [Show(before), Note(after), Show(after)]


def steps_of(plan: Plan, log: Log, base: str = "", columns: Columns | None = None) -> list[Step]:
    """Return the steps of a plan. Views are written before a statement and labels after it, except for a full load.

    The labels name a full load before its statement runs, so that ranges up to its ledger no longer set the mark back.

    Args:
        plan: the plan.
        log: the change log and its versions.
        base: the quoted name of the base table, if the versions will begin with its full load.
        columns: its columns, in the format of the versions.
    """
    folded = plan.start
    steps = steps_of_set_back(plan.before, folded)
    steps += [Change(f"open_{number}", open_again(log, folded, window)) for number, window in enumerate(plan.windows)]
    if plan.begins:
        assert columns is not None, "a plan that begins with a full load has columns"
        steps.append(Change("begin", begin(log, base, columns, folded)))
    for number, last in enumerate(plan.folds):
        steps.append(Change(f"fold_{number}", fold(log, folded, last.ledger, last.closed_at)))
        folded = folded.folded_to(last.ledger, last.closed_at, plan.at)
        steps += [Note(folded), Show(folded)]
    return steps
