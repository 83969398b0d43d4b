"""Change logs and versions in DuckDB by the project's own statements, and a model that recomputes all versions.

DuckDB is the engine of the laptop's warehouse, which splits a MERGE by the same function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import sqlglot

from local.warehouse.dml import replacement
from stellar_etl_airflow.bigquery.versions import plan_fold
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.model.versions import OPEN_LEDGER, Folded, Plan
from stellar_etl_airflow.sql import versions as sql
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import unchanged
from stellar_etl_airflow.sql.statement import Parameter, Statement, range_parameters

COLUMNS = ("k", "n", "deleted", "ledger_sequence", "closed_at")
TABLE = Table("things", "things", keys=("k", "ledger_sequence"), entry_keys=("k",))
CHANGES, VERSIONS, BASE, STAGING = (f"`p.d.{name}`" for name in ("things", "things_versions", "things_base", "staging"))
LOG = sql.Log(TABLE, CHANGES, VERSIONS, unchanged(COLUMNS))
TYPES = "k BIGINT, n BIGINT, deleted BOOLEAN, ledger_sequence BIGINT, closed_at TIMESTAMPTZ"

PLANNED = datetime(2026, 6, 1, tzinfo=UTC)

Entry = tuple[int, int]
"""An entry's key and content."""

Change = tuple[int, int, int, bool]
"""A ledger, a key, the entry's content, and whether the entry is deleted."""

Version = tuple[int, int, int, int]
"""A key, the version's first ledger, the first ledger after it, and the entry's content."""


def closed_at(ledger: int) -> datetime:
    """Intervals are uneven and positive; a day has up to four ledgers."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=ledger * 7, seconds=ledger % 3)


@functools.lru_cache(maxsize=2000)
def translated(text: str) -> tuple[str, ...]:
    """Translate a statement of BigQuery to statements of DuckDB; a MERGE inserts its rows first."""
    merge = replacement(text)
    if merge is None:
        return (duckdb_sql(text),)
    assert merge.rows is not None and merge.deletion is not None
    return (
        f"CREATE OR REPLACE TEMP TABLE rows_read_before AS {duckdb_sql(merge.rows)}",
        duckdb_sql(merge.deletion),
        f"INSERT INTO {merge.target.sql('duckdb')} ({', '.join(merge.columns)}) FROM rows_read_before",
    )


def duckdb_sql(text: str) -> str:
    return sqlglot.transpile(text, read="bigquery", write="duckdb")[0]


class WrongError(AssertionError):
    """The views of the project's SQL differ from the model."""


def versions_by_hand(log: Iterable[Change], start: int, base: Iterable[Entry]) -> set[Version]:
    """Return every version from a full load on: each change of an entry ends the version before it."""
    found: set[Version] = set()
    rows = {(key, start): (value, False) for key, value in base}
    rows |= {(key, ledger): (value, gone) for ledger, key, value, gone in log if ledger > start}
    for key in {key for key, _ in rows}:
        ledgers = sorted(ledger for one, ledger in rows if one == key)
        for ledger, after in zip(ledgers, [*ledgers[1:], OPEN_LEDGER], strict=True):
            value, gone = rows[key, ledger]
            if not gone:
                found.add((key, ledger, after, value))
    return found


@dataclass
class Deployment:
    """One change log, its versions, and the state in the labels and the views of the table of versions.

    Attributes:
        most: the partitions that a statement may change.
        edit: changes a statement before it runs: a deliberate fault.
    """

    most: int = 2000
    edit: Callable[[Statement], Statement] = lambda statement: statement
    folded: Folded = field(default_factory=Folded)
    shown: Folded = field(default_factory=Folded)
    base: tuple[Entry, ...] = ()
    log: dict[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = duckdb.connect()
        self.engine.execute("SET threads = 1; SET TimeZone = 'UTC'; ATTACH ':memory:' AS p; CREATE SCHEMA p.d")
        self.engine.create_function("FARM_FINGERPRINT", _fingerprint, [str], int)  # type: ignore[list-item]
        for name in (CHANGES, BASE, STAGING):
            self.engine.execute(f"CREATE TABLE {name.strip('`')} ({TYPES})")
        self.engine.execute(f"CREATE TABLE p.d.things_versions ({TYPES}, valid_to_ledger BIGINT, valid_to TIMESTAMPTZ)")

    def close(self) -> None:
        self.engine.close()

    # Statements ----------------------------------------------------------------------------------------------------

    def run(self, statement: Statement) -> list[dict[str, Any]]:
        """Run a statement as one transaction."""
        statement = self.edit(statement)
        values = {one.name: _value(one) for one in statement.parameters if isinstance(one, Parameter)}
        self.engine.execute("BEGIN")
        for text in translated(statement.sql):
            used = {name: value for name, value in values.items() if f"${name}" in text}
            cursor = self.engine.execute(text, used or None)
        rows = cursor.fetchall()
        names = [column[0] for column in cursor.description or ()]
        self.engine.execute("COMMIT")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def insert(self, name: str, rows: Iterable[Change]) -> None:
        """Replace the rows of a table."""
        self.engine.execute(f"DELETE FROM {name.strip('`')}")
        values = [(key, value, gone, ledger, closed_at(ledger)) for ledger, key, value, gone in rows]
        if values:
            self.engine.executemany(f"INSERT INTO {name.strip('`')} VALUES (?, ?, ?, ?, ?)", values)

    def do(self, step: sql.Step) -> None:
        """Run one complete step."""
        match step:
            case sql.Note():
                labels = {key: value for key, value in step.folded.to_labels().items() if value is not None}
                self.folded = Folded.from_labels(labels)
            case sql.Show():
                self.shown = step.folded
            case sql.Change():
                self.run(step.statement)

    # Steps of tasks ------------------------------------------------------------------------------------------------

    def steps_of_publish(self, first: int, last: int, most: timedelta) -> list[sql.Step]:
        after = self.folded.set_back(first, last, closed_at(first), most)
        return sql.steps_of_set_back(self.folded, after)

    def replace_range(self, first: int, last: int, changes: list[Change]) -> None:
        self.insert(STAGING, changes)
        parameters = range_parameters(first, last, closed_at(first).isoformat(), closed_at(last).isoformat())
        self.run(publish(TABLE, CHANGES, STAGING, unchanged(COLUMNS), parameters))
        self.log = {key: change for key, change in self.log.items() if not first <= key[0] <= last}
        self.log |= {(ledger, key): (value, gone) for ledger, key, value, gone in changes}

    def plan(self, start: Folded, to_ledger: int = OPEN_LEDGER, **flags: bool) -> Plan:
        """Plan a fold from a mark, as a task does."""
        return plan_fold(self.run, LOG, self.folded, start, PLANNED, to_ledger, most=self.most, **flags)

    def steps(self, plan: Plan) -> list[sql.Step]:
        return sql.steps_of(Plan.from_json(plan.to_json()), LOG, BASE, unchanged(COLUMNS))

    def steps_of_fold(self, to_ledger: int = OPEN_LEDGER) -> list[sql.Step]:
        return self.steps(self.plan(self.folded.cleaned(), to_ledger))

    def steps_before_begin(self, ledger: int) -> list[sql.Step]:
        return self.steps(self.plan(self.folded.cleaned(), ledger, removed=True))

    def steps_of_begin(self, ledger: int) -> list[sql.Step]:
        begun = self.folded.cleaned().begun(ledger, closed_at(ledger))
        return self.steps(self.plan(begun, begins=True, folds=False))

    def steps_of_rebuild(self) -> list[sql.Step]:
        start = self.folded.rebuilt()
        return self.steps(self.plan(start, begins=start.start_ledger > 0))

    def keep(self, ledger: int, entries: Iterable[Entry]) -> None:
        self.insert(BASE, [(ledger, key, value, False) for key, value in entries])

    # Views for readers ---------------------------------------------------------------------------------------------

    def read(self, text: str) -> list[dict[str, Any]]:
        return self.run(Statement(text))

    def history(self) -> list[Version]:
        rows = self.read(sql.history_view(LOG, self.shown))
        return [(row["k"], row["valid_from_ledger"], row["valid_to_ledger"], row["n"]) for row in rows]

    def current(self) -> list[Entry]:
        return sorted((row["k"], row["n"]) for row in self.read(sql.current_view(LOG, self.shown)))

    def changes(self) -> list[Change]:
        return [(ledger, key, value, gone) for (ledger, key), (value, gone) in self.log.items()]

    def check(self, base: Iterable[Entry] | None = None, start: int | None = None, each: bool = False) -> None:
        """Compare the views, and the versions at folded ledgers, with the model.

        Args:
            base: the full load that the views must show; by default the one with which the versions begin.
            start: its ledger.
            each: compare all folded ledgers, and not only the first, the middle and the last one.

        Raises:
            WrongError: they differ.
        """
        start = self.folded.start_ledger if start is None else start
        wanted = versions_by_hand(self.changes(), start, self.base if base is None else base)
        found = self.history()
        if len(found) != len(set(found)):
            raise WrongError(f"a version more than once: {sorted(found)}")
        if _from(start, found) != _from(start, wanted):
            raise WrongError(f"history: {sorted(_from(start, found) ^ _from(start, wanted))}, {self.folded}")
        entries = sorted((key, value) for key, _, end, value in wanted if end == OPEN_LEDGER)
        if self.current() != entries:
            raise WrongError(f"current: {self.current()} and not {entries}, {self.folded}")
        ledgers = range(start, min(self.folded.ledger, self.shown.ledger))
        chosen = ledgers if each or not ledgers else sorted({ledgers[0], ledgers[len(ledgers) // 2], ledgers[-1]})
        for ledger in chosen:
            rows = self.run(sql.valid_at(LOG, ledger, closed_at(ledger), ("k", "n")))
            then = sorted((key, value) for key, first, end, value in wanted if first <= ledger < end)
            if sorted((row["k"], row["n"]) for row in rows) != then:
                raise WrongError(f"at {ledger}: {rows} and not {then}, {self.folded}")


def _from(start: int, versions: Iterable[Version]) -> set[Version]:
    """Return the versions from a full load on; an entry that was equal before it keeps its beginning."""
    return {(key, max(first, start), end, value) for key, first, end, value in versions if end > start}


def _value(parameter: Parameter) -> Any:
    assert parameter.value is not None
    return int(parameter.value) if parameter.type == "INT64" else datetime.fromisoformat(parameter.value)


def _fingerprint(text: str) -> int:
    return hash(text) >> 1
