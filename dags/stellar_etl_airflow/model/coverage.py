"""Findings in loaded history, and the plans that fix them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, chunks, joined, without
from stellar_etl_airflow.model.tables import DERIVED, PUBLISHED, STATES

LEDGERS_A_RUN = 5000
"""The number of ledgers per run that reloads missing ledgers: about eight hours of the network."""


REBUILD_DAG = "state_rebuild"
FOLD_DAG = "state_fold"

TABLE_PARAM = "table"
"""The param of `REBUILD_DAG` with the type to rebuild; null for all types."""


class Fault(StrEnum):
    """The kinds of findings."""

    MISSING = "missing_ledgers"
    BROKEN_LINK = "broken_link"
    NOT_LOADED = "not_loaded"
    WRONG_COUNT = "wrong_count"
    LOST_ROWS = "lost_rows"
    WRONG_TIME = "wrong_time"
    DUPLICATES = "duplicates"
    UNIDENTIFIED = "unidentified"
    STATE_BEHIND = "state_behind"
    DIRTY = "dirty"
    NOT_AS_ARCHIVE = "not_as_archive"
    LUMENS = "lumens"
    LAG = "lag"
    UNCOUNTED = "uncounted"
    LOOKED_AT = "looked_at"
    REMOVED = "removed"
    MISSING_ROWS = "missing_rows"
    EXTRA_ROWS = "extra_rows"
    KEPT_ROWS = "kept_rows"
    DIFFERENT_ROWS = "different_rows"
    AUDITED = "audited"


MEANINGS = {
    Fault.MISSING: "ledgers are missing",
    Fault.BROKEN_LINK: "ledgers whose previous hash is not the hash of the ledger before",
    Fault.NOT_LOADED: "ledgers were never loaded into this table",
    Fault.WRONG_COUNT: "ledgers have fewer or more rows than their header says",
    Fault.LOST_ROWS: "ledgers have fewer or more rows than were loaded",
    Fault.WRONG_TIME: "ledgers have rows with another close time",
    Fault.DUPLICATES: "ledgers have a row more than once",
    Fault.UNIDENTIFIED: "rows have no identity: the exporter that wrote them does not number events",
    Fault.STATE_BEHIND: "versions differ from their changes",
    Fault.DIRTY: "ledgers were published again and are not in the point-in-time views before the next fold",
    Fault.NOT_AS_ARCHIVE: "ledgers changed entries that differ from the history archive",
    Fault.LUMENS: "stroops more or fewer in all entries than the header says (total_coins - fee_pool)",
    Fault.LAG: "ledgers of the network are not in this table yet",
    Fault.UNCOUNTED: "ledgers have rows that no load counted: an older release loaded them, and then a part again",
    Fault.LOOKED_AT: "ledgers were checked",
    Fault.REMOVED: "ledgers were removed by a run of dataset_reset",
    Fault.MISSING_ROWS: "rows of a new export are missing",
    Fault.EXTRA_ROWS: "rows are not in a new export",
    Fault.KEPT_ROWS: "rows are not in a new export, and loads keep them: delete them, then audit these ledgers again",
    Fault.DIFFERENT_ROWS: "rows differ from a new export",
    Fault.AUDITED: "ledgers were compared with a new export",
}


BLOCK_BITS = 20
"""Checks process ledgers in blocks of 2^20, two months of the network. A finding ends at the end of its block."""

OF_BLOCKS = (
    Fault.BROKEN_LINK,
    Fault.WRONG_COUNT,
    Fault.LOST_ROWS,
    Fault.WRONG_TIME,
    Fault.DUPLICATES,
    Fault.UNCOUNTED,
)
"""The faults that are found per block."""

OF_AUDITS = (Fault.MISSING_ROWS, Fault.EXTRA_ROWS, Fault.KEPT_ROWS, Fault.DIFFERENT_ROWS)
"""The faults that an audit finds. It exports ledgers again and compares all rows."""

NO_FAULTS = (
    Fault.LAG,
    Fault.UNIDENTIFIED,
    Fault.DIRTY,
    Fault.UNCOUNTED,
    Fault.LOOKED_AT,
    Fault.AUDITED,
    Fault.REMOVED,
)
"""Findings that are recorded, and neither fail a run nor cause a reload: the schedule resolves them, a load cannot
change them, or a user caused them."""

LUMENS_TYPES = ("accounts", "claimable_balances", "liquidity_pools", "contract_data")
"""The types of entries that contain lumens."""

FIRST_LOADED = 3
"""Loads that begin at this ledger or earlier contain all entries of a network, because entries change only later."""

MOST_RUNS = 500
"""The maximum number of runs that one coverage check starts: Airflow maps a task at most 1,024 times by default. The
next check finds and reloads the rest."""


@dataclass(frozen=True)
class Finding:
    """One finding of a coverage check or an audit.

    Attributes:
        data_type: the table's type.
        fault: the kind of finding.
        start_ledger: the first ledger concerned.
        end_ledger: the last ledger concerned.
        count: the number of rows, ledgers or stroops, depending on the fault.
        lag_seconds: for a lag, the time from the latest published ledger to the network's latest ledger; for dirty
            ledgers, the time since the first of them was published again.
        dataset: the table's dataset, as `project.dataset`.
        columns: the columns in which rows differ, separated by commas; empty for other faults.
    """

    data_type: str
    fault: Fault
    start_ledger: int
    end_ledger: int
    count: int
    lag_seconds: int | None = None
    dataset: str = ""
    columns: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_json` wrote."""
        return cls(**{**value, "fault": Fault(value["fault"])})

    @property
    def text(self) -> str:
        """The finding as text."""
        dataset = f"{self.dataset}." if self.dataset else ""
        where = f"{dataset}{PUBLISHED[self.data_type].table_id}, ledgers {self.start_ledger} to {self.end_ledger}"
        behind = f", {self.lag_seconds} s" if self.lag_seconds is not None else ""
        columns = f", in the columns {self.columns}" if self.columns else ""
        return f"{where}: {self.count} {MEANINGS[self.fault]}{behind}{columns}"


def whole(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings that the end of a block split in two.

    Args:
        findings: the findings of one query, ordered by their first ledger.
    """
    result: list[Finding] = []
    open_at: dict[tuple[str, Fault, int], int] = {}
    for one in findings:
        before = open_at.pop((one.data_type, one.fault, one.start_ledger), None)
        at_edge = one.start_ledger % (1 << BLOCK_BITS) == 0
        if before is not None and at_edge and one.fault in OF_BLOCKS:
            first = result[before]
            result[before] = replace(first, end_ledger=one.end_ledger, count=first.count + one.count)
        else:
            before = len(result)
            result.append(one)
        open_at[one.data_type, one.fault, one.end_ledger + 1] = before
    return result


BEFORE_ALL, AFTER_ALL = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""The bounds of an unlimited window."""


@dataclass(frozen=True)
class Window:
    """A range of ledgers to check, and bounds of their close times.

    Attributes:
        ledgers: the ledgers; start is greater than end if there is nothing to check.
        start: no ledger of the window closed earlier.
        end: no ledger of the window closed later.
    """

    ledgers: LedgerRange
    start: datetime = BEFORE_ALL
    end: datetime = AFTER_ALL


@dataclass(frozen=True)
class Loads:
    """The loads of a table according to the batch stats.

    Attributes:
        ledgers: from the first loaded ledger to the last.
        closed_at: close time of the last ledger.
    """

    ledgers: LedgerRange
    closed_at: datetime


@dataclass(frozen=True)
class NetworkHead:
    """The network's latest ledger."""

    sequence: int
    closed_at: datetime


def lag_of(data_type: str, published: int, closed_at: datetime, head: NetworkHead) -> Finding:
    """Return the finding with a table's lag behind the network.

    Args:
        data_type: the table's type.
        published: the table's latest ledger.
        closed_at: the close time of that ledger.
        head: the network's latest ledger.
    """
    seconds = max(0, round((head.closed_at - closed_at).total_seconds()))
    return Finding(
        data_type, Fault.LAG, published + 1, max(head.sequence, published), max(0, head.sequence - published), seconds
    )


@dataclass(frozen=True)
class Healing:
    """The plan that fixes findings, as the conf of the DAG runs to trigger, in this order.

    Attributes:
        loads: ranges to reload from the lake, by DAG.
        derived: ranges of derived tables to derive again.
        rebuilds: types whose versions to rebuild.
        folds: types whose changes to fold after the reload.
        rest: the number of further runs, beyond the limit.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    derived: tuple[tuple[str, LedgerRange], ...] = ()
    rebuilds: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    rest: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.loads or self.derived or self.rebuilds)


def healing(findings: Sequence[Finding]) -> Healing:
    """Return the ranges to load or derive again: exactly the ledgers of the findings.

    Tables derived from reloaded ledgers follow automatically, because the ledgers are then pending. Beyond
    `MOST_RUNS` runs, those of the oldest ledgers come first.
    """
    ranges: defaultdict[str, list[LedgerRange]] = defaultdict(list)
    rebuilds = []
    for finding in findings:
        if finding.fault in NO_FAULTS:
            continue
        if finding.fault is Fault.STATE_BEHIND:
            rebuilds.append(finding.data_type)
            continue
        if finding.fault is Fault.LUMENS:
            continue  # it names no ledgers; `state_audit` does
        if finding.fault is Fault.KEPT_ROWS:
            continue  # a load does not delete them
        table, found = PUBLISHED[finding.data_type], LedgerRange(finding.start_ledger, finding.end_ledger)
        ranges[table.dag_id].append(found)
    audited = {finding.data_type for finding in findings if finding.fault is Fault.NOT_AS_ARCHIVE}
    runs = [(dag_id, one) for dag_id in sorted(ranges) for one in chunks(joined(ranges[dag_id]), LEDGERS_A_RUN)]
    if len(runs) > MOST_RUNS:
        runs.sort(key=lambda run: run[1].start)
    deriving = {table.dag_id for table in DERIVED.values()}
    loads = [run for run in runs if run[0] not in deriving]
    made = [run for run in runs if run[0] in deriving]
    rest = max(0, len(loads) - MOST_RUNS) + max(0, len(made) - MOST_RUNS)
    loads, made = loads[:MOST_RUNS], made[:MOST_RUNS]
    return Healing(
        tuple(loads),
        tuple(made),
        tuple(data_type for data_type in STATES if data_type in rebuilds),
        tuple(data_type for data_type in STATES if data_type in audited),
        rest,
    )


@dataclass(frozen=True)
class Round:
    """The next runs of a backfill.

    Attributes:
        loads: the runs to start now, by DAG, oldest ledgers first.
        rest: the number of ledgers left for later rounds, counted once per DAG.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    rest: int = 0


def backfill_round(
    wanted: LedgerRange, loaded: Mapping[str, Sequence[LedgerRange]], chunk: int, parallel: int
) -> Round:
    """Return the next runs of a backfill: only ledgers that are not loaded yet, so that a backfill can be interrupted.

    Args:
        wanted: the ledgers to load.
        loaded: per loading DAG, the ledgers that all its tables have.
        chunk: the number of ledgers per run.
        parallel: the number of concurrent runs.
    """
    missing = [(dag_id, one) for dag_id, ranges in loaded.items() for one in chunks(without(wanted, ranges), chunk)]
    missing.sort(key=lambda load: load[1].start)
    now, later = missing[:parallel], missing[parallel:]
    return Round(tuple(now), sum(one.end - one.start + 1 for _, one in later))
