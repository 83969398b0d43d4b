"""Findings in loaded history, and the plans that fix them. Pure: findings, ranges, plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, chunks, joined, without
from stellar_etl_airflow.model.tables import DERIVED, PUBLISHED, STATES, Publish

LEDGERS_A_RUN = 5000
"""The number of ledgers per run that loads missing ledgers: about eight hours of the network."""


REBUILD_DAG = "state_rebuild"
FOLD_DAG = "state_fold"

TABLE_PARAM = "table"
"""The param of `REBUILD_DAG` that names the one type to rebuild; null for all."""


class Fault(StrEnum):
    """What a finding says of a table."""

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
    DIFFERENT_ROWS = "different_rows"


MEANINGS = {
    Fault.MISSING: "ledgers are missing",
    Fault.BROKEN_LINK: "ledgers don't name the hash of the one before",
    Fault.NOT_LOADED: "ledgers were never loaded into this table",
    Fault.WRONG_COUNT: "ledgers have fewer or more rows than their header says",
    Fault.LOST_ROWS: "ledgers have fewer or more rows than were loaded",
    Fault.WRONG_TIME: "ledgers have rows of another close time",
    Fault.DUPLICATES: "ledgers have a row more than once",
    Fault.UNIDENTIFIED: "rows have no identity: the exporter that wrote them does not number events",
    Fault.STATE_BEHIND: "versions are not as their changes say",
    Fault.DIRTY: "ledgers were published again and are not in the point-in-time views before the next fold",
    Fault.NOT_AS_ARCHIVE: "ledgers changed entries that are not as in the history archive",
    Fault.LUMENS: "stroops more or fewer in all entries than the header says (total_coins - fee_pool)",
    Fault.LAG: "ledgers of the network are not in this table yet",
    Fault.UNCOUNTED: "ledgers have rows that no load has counted: an older release loaded them, and then a part again",
    Fault.LOOKED_AT: "ledgers were looked at",
    Fault.REMOVED: "ledgers were removed by a run of dataset_reset",
    Fault.MISSING_ROWS: "rows of a new export are missing",
    Fault.EXTRA_ROWS: "rows are not in a new export",
    Fault.DIFFERENT_ROWS: "rows differ from a new export",
}


BLOCK_BITS = 20
"""Ledgers are looked at in blocks of 2^20, two months of the network: a finding ends at the latest with its block."""

OF_BLOCKS = (
    Fault.BROKEN_LINK,
    Fault.WRONG_COUNT,
    Fault.LOST_ROWS,
    Fault.WRONG_TIME,
    Fault.DUPLICATES,
    Fault.UNCOUNTED,
)
"""The faults that are found block by block."""

OF_AUDITS = (Fault.MISSING_ROWS, Fault.EXTRA_ROWS, Fault.DIFFERENT_ROWS)
"""The faults that an audit finds: it exports ledgers again and compares all rows."""

NO_FAULTS = (Fault.LAG, Fault.UNIDENTIFIED, Fault.DIRTY, Fault.UNCOUNTED, Fault.LOOKED_AT, Fault.REMOVED)
"""What is recorded and neither fails a run nor is loaded again: the schedule's work, what a load may not change, and
what a user wanted."""

LUMENS_TYPES = ("accounts", "claimable_balances", "liquidity_pools", "contract_data")
"""The types of entries that hold lumens."""

FIRST_LOADED = 3
"""Loads that begin with this ledger, or an earlier one, bring all entries of a network: they change later."""

MOST_RUNS = 500
"""How many runs one coverage check starts at most: Airflow maps a task at most 1,024 times by default. What is left is
found and loaded again by the next one."""


@dataclass(frozen=True)
class Finding:
    """One thing that a look at loaded history found.

    Attributes:
        data_type: the table's type.
        fault: what it is.
        start_ledger: the first ledger concerned.
        end_ledger: the last one.
        count: how many of what the fault counts.
        lag_seconds: of a lag, the time from the newest published ledger to the newest of the network; of dirty ledgers,
            the time since the first of them was published again.
        dataset: where the table is, as `project.dataset`.
        columns: the columns in which rows differ, with a comma between them; empty for other faults.
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
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Read what `to_json` made."""
        return cls(**{**value, "fault": Fault(value["fault"])})

    @property
    def text(self) -> str:
        """The finding in words."""
        dataset = f"{self.dataset}." if self.dataset else ""
        where = f"{dataset}{PUBLISHED[self.data_type].table_id}, ledgers {self.start_ledger} to {self.end_ledger}"
        behind = f", {self.lag_seconds} s" if self.lag_seconds is not None else ""
        columns = f", in the columns {self.columns}" if self.columns else ""
        return f"{where}: {self.count} {MEANINGS[self.fault]}{behind}{columns}"

    @property
    def is_kept_by_loads(self) -> bool:
        """Whether loads leave the rows as they are: where the earliest row of a key is kept, none is replaced."""
        kept = PUBLISHED[self.data_type].publish is Publish.KEEP_EARLIEST
        return kept and self.fault in (Fault.EXTRA_ROWS, Fault.DIFFERENT_ROWS)


def whole(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of one query, with those joined that the end of a block cut in two.

    Args:
        findings: the findings, by their first ledger.
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
"""The bounds of a window that is open."""


@dataclass(frozen=True)
class Window:
    """The ledgers whose rows are looked at, and close times that include theirs.

    Attributes:
        ledgers: the ledgers; the first may be behind the last where there is nothing to look at.
        start: no ledger of the window closed earlier.
        end: no ledger of the window closed later.
    """

    ledgers: LedgerRange
    start: datetime = BEFORE_ALL
    end: datetime = AFTER_ALL


@dataclass(frozen=True)
class Loads:
    """What the batch stats say of a table.

    Attributes:
        ledgers: from the first ledger that was loaded to the last.
        closed_at: when the last one closed.
    """

    ledgers: LedgerRange
    closed_at: datetime


@dataclass(frozen=True)
class NetworkHead:
    """The newest ledger of the network."""

    sequence: int
    closed_at: datetime


def lag_of(data_type: str, published: int, closed_at: datetime, head: NetworkHead) -> Finding:
    """How far a table is behind the network.

    Args:
        data_type: the table's type.
        published: its newest ledger.
        closed_at: when that one closed.
        head: the network's newest ledger.
    """
    seconds = max(0, round((head.closed_at - closed_at).total_seconds()))
    return Finding(
        data_type, Fault.LAG, published + 1, max(head.sequence, published), max(0, head.sequence - published), seconds
    )


@dataclass(frozen=True)
class Healing:
    """The plan that fixes findings, as the conf of DAG runs to trigger, in this order.

    Attributes:
        loads: ranges to load again, by DAG: from the lake alone.
        derived: ranges of tables that are made of others.
        rebuilds: types with versions to rebuild.
        folds: types whose changes are to be folded, once they are loaded again.
        rest: how many more runs there would be.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    derived: tuple[tuple[str, LedgerRange], ...] = ()
    rebuilds: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    rest: int = 0

    def __bool__(self) -> bool:
        """Whether there is something to do."""
        return bool(self.loads or self.derived or self.rebuilds)


def healing(findings: Sequence[Finding]) -> Healing:
    """What has to be loaded or derived again: exactly the ledgers that findings name.

    What is made of ledgers that are loaded again follows by itself: they are pending then. Of more than `MOST_RUNS`
    runs those of the oldest ledgers come first.
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
            continue  # it names no ledgers: `state_audit` does
        if finding.is_kept_by_loads:
            continue
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
    """What a backfill does next.

    Attributes:
        loads: the runs to start now, oldest ledgers first, by DAG.
        rest: how many ledgers are left for later rounds, each counted once a DAG.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    rest: int = 0


def backfill_round(wanted: LedgerRange, held: Mapping[str, Sequence[LedgerRange]], chunk: int, parallel: int) -> Round:
    """What a backfill does next: only what is not loaded yet, so that it can be stopped and started at will.

    Args:
        wanted: the ledgers that are to be loaded.
        held: by each DAG that is to load them, what all of its tables have.
        chunk: how many ledgers one run loads.
        parallel: how many runs there are at a time.
    """
    missing = [(dag_id, one) for dag_id, ranges in held.items() for one in chunks(without(wanted, ranges), chunk)]
    missing.sort(key=lambda load: load[1].start)
    now, later = missing[:parallel], missing[parallel:]
    return Round(tuple(now), sum(one.end - one.start + 1 for _, one in later))
