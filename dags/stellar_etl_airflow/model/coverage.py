"""What is wrong with loaded history, and what mends it. Pure: findings, ranges, plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, chunks, joined, without
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS, LEDGERS, OPERATIONS, PUBLISHED, STATES, TRANSACTIONS

LEDGERS_A_RUN = 5000
"""How many ledgers one run loads that mends what is missing: about eight hours of the network."""


REBUILD_DAG = "state_rebuild"

TABLE_PARAM = "table"
"""The param of `REBUILD_DAG` that names the one type to rebuild; null for all."""


SOURCES_OF_DERIVED = (LEDGERS, TRANSACTIONS, OPERATIONS)
"""What `enriched_history_operations` is made of."""


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
    LAG = "lag"


MEANINGS = {
    Fault.MISSING: "ledgers are missing",
    Fault.BROKEN_LINK: "ledgers don't name the hash of the one before",
    Fault.NOT_LOADED: "ledgers were never loaded into this table",
    Fault.WRONG_COUNT: "ledgers have fewer or more rows than their header says",
    Fault.LOST_ROWS: "ledgers have fewer or more rows than were loaded",
    Fault.WRONG_TIME: "ledgers have rows of another close time",
    Fault.DUPLICATES: "ledgers have a row more than once",
    Fault.UNIDENTIFIED: "rows have no identity: the exporter that wrote them does not number events",
    Fault.STATE_BEHIND: "entries of the point-in-time table are behind their changes",
    Fault.LAG: "ledgers of the network are not in this table yet",
}


BLOCK_BITS = 20
"""Ledgers are looked at in blocks of 2^20, two months of the network: a finding ends at the latest with its block."""

OF_BLOCKS = (Fault.BROKEN_LINK, Fault.NOT_LOADED, Fault.WRONG_COUNT, Fault.WRONG_TIME, Fault.DUPLICATES)
"""The faults that are found block by block."""

NO_FAULTS = (Fault.LAG, Fault.UNIDENTIFIED)
"""What is recorded and neither fails a run nor is loaded again: the schedule's work, and what a load may not change."""


@dataclass(frozen=True)
class Finding:
    """One thing that a look at loaded history found.

    Attributes:
        data_type: the table's type.
        fault: what it is.
        start_ledger: the first ledger concerned.
        end_ledger: the last one.
        count: how many of what the fault counts.
        lag_seconds: of a lag, the time from the newest published ledger to the newest of the network.
    """

    data_type: str
    fault: Fault
    start_ledger: int
    end_ledger: int
    count: int
    lag_seconds: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Reads what `to_json` made."""
        return cls(**{**value, "fault": Fault(value["fault"])})

    @property
    def text(self) -> str:
        """The finding in words."""
        where = f"{PUBLISHED[self.data_type].table_id}, ledgers {self.start_ledger} to {self.end_ledger}"
        behind = f", {self.lag_seconds} s" if self.lag_seconds is not None else ""
        return f"{where}: {self.count} {MEANINGS[self.fault]}{behind}"


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
    """What mends findings, as the conf of DAG runs to trigger, in this order.

    Attributes:
        loads: ranges to load again, by DAG: from the lake alone.
        derived: ranges of tables that are made of others.
        rebuilds: types whose point-in-time table is to be recomputed.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    derived: tuple[tuple[str, LedgerRange], ...] = ()
    rebuilds: tuple[str, ...] = ()


def healing(findings: Sequence[Finding]) -> Healing:
    """What has to be loaded again: exactly the ledgers that findings name, and what is made of them."""
    ranges: defaultdict[str, list[LedgerRange]] = defaultdict(list)
    rebuilds = []
    for finding in findings:
        if finding.fault in NO_FAULTS:
            continue
        if finding.fault is Fault.STATE_BEHIND:
            rebuilds.append(finding.data_type)
            continue
        table, found = PUBLISHED[finding.data_type], LedgerRange(finding.start_ledger, finding.end_ledger)
        ranges[table.dag_id].append(found)
        if table in SOURCES_OF_DERIVED:
            ranges[ENRICHED_OPERATIONS.dag_id].append(found)
    derived = ranges.pop(ENRICHED_OPERATIONS.dag_id, [])
    return Healing(
        tuple((dag_id, one) for dag_id in sorted(ranges) for one in chunks(joined(ranges[dag_id]), LEDGERS_A_RUN)),
        tuple((ENRICHED_OPERATIONS.dag_id, one) for one in chunks(joined(derived), LEDGERS_A_RUN)),
        tuple(data_type for data_type in STATES if data_type in rebuilds),
    )


@dataclass(frozen=True)
class Round:
    """What a backfill does next.

    Attributes:
        loads: the runs to start now, oldest ledgers first, by DAG.
        derived: what can be derived from them, once they have ended.
        rest: how many ledgers are left for later rounds, each counted once a DAG.
    """

    loads: tuple[tuple[str, LedgerRange], ...] = ()
    derived: tuple[LedgerRange, ...] = ()
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
    derived: list[LedgerRange] = []
    sources = {table.dag_id for table in SOURCES_OF_DERIVED}
    if sources <= held.keys():
        open_ = [one for dag_id, one in later if dag_id in sources]
        derived = [part for dag_id, one in now if dag_id in sources for part in without(one, open_)]
    return Round(tuple(now), tuple(joined(derived)), sum(one.end - one.start + 1 for _, one in later))
