"""The summary for the page *Ledger coverage*: rows of queries as one compact JSON document. Pure.

The document describes history by runs of ledgers in the same state, not by single ledgers. Its size depends on the
number of state changes, not on the number of ledgers.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from stellar_etl_airflow.model.coverage import MEANINGS, Fault
from stellar_etl_airflow.model.ranges import LedgerRange, joined
from stellar_etl_airflow.model.tables import Table

VERSION = 1
"""The version of the document's format. The page rejects versions that it does not know."""

MOST_SEGMENTS = 5000
"""Maximum number of runs of ledgers per table. Older ones are merged into one with the state `mixed`."""

MOST_PROBLEMS = 500
"""Maximum number of gaps and dirty ranges, latest ledgers first, with details about runs and reasons."""

HISTORY_DAYS = 7
"""Days of watermarks and lags in the document."""

COST_DAYS = 30
"""Days of costs in the document."""

POINT_IN_TIME = (Fault.DIRTY, Fault.STATE_BEHIND)
"""Findings of the point-in-time views. The table itself has all these ledgers."""

Row = Mapping[str, Any]


class State(StrEnum):
    """The state of some ledgers in a table."""

    COMPLETE = "complete"
    GAP = "gap"
    DIRTY = "dirty"
    REPAIRING = "repairing"
    NOT_LOADED = "not_loaded"
    MIXED = "mixed"

    @property
    def letter(self) -> str:
        """The state's letter in the document."""
        return self.value[0]


OPEN = (State.GAP, State.DIRTY, State.REPAIRING)
"""States that may need an action."""


@dataclass(frozen=True)
class Repair:
    """A run that reloads or derives ledgers.

    Attributes:
        dag_id: its DAG.
        run_id: the run.
        ledgers: the ledgers.
    """

    dag_id: str
    run_id: str
    ledgers: LedgerRange


@dataclass(frozen=True)
class Problem:
    """A run of ledgers of one table that is not complete.

    Attributes:
        dataset: the dataset, as `project.dataset`.
        table_id: the table.
        ledgers: the ledgers.
        state: their state.
    """

    dataset: str
    table_id: str
    ledgers: LedgerRange
    state: State

    @property
    def place(self) -> tuple[str, int, int]:
        """The table and the ledgers. The same place may have a problem in several datasets."""
        return self.table_id, self.ledgers.start, self.ledgers.end


@dataclass(frozen=True)
class Bar:
    """The states of a table's ledgers in one dataset.

    Attributes:
        dataset: the dataset, as `project.dataset`.
        table_id: the table.
        end: the last ledger.
        segments: the first ledger and the state of each run of ledgers in the same state.
    """

    dataset: str
    table_id: str
    end: int
    segments: tuple[tuple[int, State], ...]

    def problems(self) -> list[Problem]:
        """Return the runs of ledgers that are not complete, in order."""
        ends = [start - 1 for start, _ in self.segments[1:]] + [self.end]
        return [
            Problem(self.dataset, self.table_id, LedgerRange(start, end), state)
            for (start, state), end in zip(self.segments, ends, strict=True)
            if state in OPEN
        ]

    def to_json(self) -> dict[str, Any]:
        """Return two lists, which are shorter than a list of pairs."""
        return {
            "starts": [start for start, _ in self.segments],
            "states": "".join(state.letter for _, state in self.segments),
        }


class _Ledgers:
    """A set of ledgers, stored as ranges."""

    def __init__(self, ranges: Iterable[LedgerRange]) -> None:
        self.ranges = joined(ranges)
        self.starts = [one.start for one in self.ranges]

    def __contains__(self, ledger: int) -> bool:
        before = bisect_right(self.starts, ledger)
        return before > 0 and ledger <= self.ranges[before - 1].end


def segments(
    whole: LedgerRange,
    first: int,
    loaded: Iterable[LedgerRange],
    complete: Iterable[LedgerRange],
    doubted: Iterable[LedgerRange],
    repaired: Iterable[LedgerRange],
) -> tuple[tuple[int, State], ...]:
    """Return the first ledger and the state of each run of ledgers in the same state, in order.

    Args:
        whole: the ledgers to describe.
        first: the first ledger of any table. Ledgers that a table lacks from there to its own last ledger are gaps,
            as in coverage checks.
        loaded: published ledgers.
        complete: ledgers without findings.
        doubted: complete ledgers that the point-in-time views do not show correctly.
        repaired: ledgers that runs are reloading.
    """
    sets = [_Ledgers(ranges) for ranges in (loaded, complete, doubted, repaired)]
    loaded_set, good, doubts, repairs = sets
    edges = {edge for one in sets for ledgers in one.ranges for edge in (ledgers.start, ledgers.end + 1)}

    def state_of(ledger: int) -> State:
        if ledger in loaded_set and ledger in good and ledger not in doubts:
            return State.COMPLETE
        if ledger in repairs:
            return State.REPAIRING
        if ledger in loaded_set:
            return State.DIRTY
        inside = bool(loaded_set.ranges) and first <= ledger < loaded_set.ranges[-1].end
        return State.GAP if inside else State.NOT_LOADED

    result: list[tuple[int, State]] = []
    for edge in sorted({whole.start, *(edge for edge in (first, *edges) if whole.start < edge <= whole.end)}):
        state = state_of(edge)
        if not result or result[-1][1] is not state:
            result.append((edge, state))
    if len(result) > MOST_SEGMENTS:
        result = [(whole.start, State.MIXED), *result[1 - MOST_SEGMENTS :]]
    return tuple(result)


@dataclass(frozen=True)
class Found:
    """The query results for a summary.

    Attributes:
        watermarks: the view `ledger_watermarks`.
        complete: `dataset`, `table_id`, `complete_from` and `complete_through` of each complete range.
        loaded: `table_id`, `start_ledger` and `end_ledger` of each range that was loaded without a gap.
        findings: findings of coverage checks, each once, with `since` and `last_seen`.
        lags: `table_id`, `checked_at`, `found` and `lag_seconds`.
        batches: `dataset`, `noted_at`, `complete_through` and `complete_through_closed_at`.
        costs: `day`, `table_id`, `loads`, `gib_billed`, `queries`, `pods` and `storage`.
        audits: the results of the latest audits.
    """

    watermarks: Sequence[Row] = ()
    complete: Sequence[Row] = ()
    loaded: Sequence[Row] = ()
    findings: Sequence[Row] = ()
    lags: Sequence[Row] = ()
    batches: Sequence[Row] = ()
    costs: Sequence[Row] = ()
    audits: Sequence[Row] = ()


def _span(row: Row, start: str = "start_ledger", end: str = "end_ledger") -> LedgerRange:
    return LedgerRange(int(row[start]), int(row[end]))


@dataclass
class Summary:
    """The content of the summary, and the bars computed from it.

    Attributes:
        found: the query results.
        tables: the registry's tables by their name in this deployment.
        repairs: runs that are reloading ledgers.
        bars: one bar per table and dataset.
    """

    found: Found
    tables: Mapping[str, Table]
    repairs: Sequence[Repair] = ()
    bars: tuple[Bar, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.bars = tuple(self._bars())

    @property
    def datasets(self) -> list[str]:
        """The datasets in the order of the rows, the private one first."""
        return list(dict.fromkeys(row["dataset"] for row in self.found.watermarks))

    @property
    def head(self) -> int | None:
        """The network's latest ledger, as of the latest coverage check."""
        return max((int(row["network_head"]) for row in self.found.watermarks if row["network_head"]), default=None)

    @property
    def checked_at(self) -> datetime | None:
        """The time of the latest coverage check."""
        times = [row["network_head_checked_at"] for row in self.found.watermarks if row["network_head_checked_at"]]
        return max(times, default=None)

    @property
    def whole(self) -> LedgerRange:
        """From the network's first ledger to the latest known ledger."""
        return LedgerRange(1, max([self.head or 1, *(int(row["end_ledger"]) for row in self.found.loaded)]))

    def _bars(self) -> Iterable[Bar]:
        loaded, complete, doubted = defaultdict(list), defaultdict(list), defaultdict(list)
        for row in self.found.loaded:
            loaded[row["table_id"]].append(_span(row))
        for row in self.found.complete:
            complete[row["dataset"], row["table_id"]].append(_span(row, "complete_from", "complete_through"))
        checked_at = self.checked_at
        for row in self.found.findings:
            standing = checked_at is None or row["last_seen"] >= checked_at
            if row["fault"] in POINT_IN_TIME and standing:
                doubted[row["dataset"], row["table_id"]].append(_span(row))
        first = min((int(row["start_ledger"]) for row in self.found.loaded), default=self.whole.end)
        for dataset in self.datasets:
            for table_id, table in self.tables.items():
                repaired = [one.ledgers for one in self.repairs if one.dag_id == table.dag_id]
                place = dataset, table_id
                found = segments(self.whole, first, loaded[table_id], complete[place], doubted[place], repaired)
                yield Bar(dataset, table_id, self.whole.end, found)

    @cached_property
    def problems(self) -> list[Problem]:
        """Return the gaps and dirty ranges with details, latest ledgers first."""
        every = [problem for bar in self.bars for problem in bar.problems()]
        return sorted(every, key=lambda one: one.ledgers.end, reverse=True)[:MOST_PROBLEMS]

    def to_json(self, made_at: datetime, loads: Sequence[Row], times: Sequence[Row], links: Mapping[str, str]) -> str:
        """Return the document.

        Args:
            made_at: the current time.
            loads: for problems, `table_id`, `start_ledger`, `end_ledger`, `dag_id` and `batch_id` of the latest loads
                of these ledgers.
            times: for problems, `table_id`, `start_ledger`, `end_ledger`, `closed_before` and `closed_after`.
            links: addresses for the page, by name.
        """
        document = {
            "version": VERSION,
            "made_at": _moment(made_at),
            "checked_at": _moment(self.checked_at),
            "head": self.head,
            "first_ledger": self.whole.start,
            "last_ledger": self.whole.end,
            "states": {state.letter: state.value for state in State},
            "faults": {fault.value: meaning for fault, meaning in MEANINGS.items()},
            "links": dict(links),
            "tables": [
                {"id": table_id, "dag": table.dag_id, "derived": table.derivation is not None, "type": table.data_type}
                for table_id, table in self.tables.items()
            ],
            "datasets": [self._dataset(dataset) for dataset in self.datasets],
            "problems": self._problems(loads, times),
            "lags": self._lags(),
            "costs": [
                [str(row["day"]), row["table_id"], int(row["loads"])]
                + [float(row[name] or 0) for name in ("gib_billed", "queries", "pods", "storage")]
                for row in self.found.costs
            ],
            "audits": [{name: _plain(value) for name, value in row.items()} for row in self.found.audits],
        }
        return json.dumps(document, separators=(",", ":"))

    def _dataset(self, dataset: str) -> dict[str, Any]:
        rows = {row["table_id"]: row for row in self.found.watermarks if row["dataset"] == dataset}
        whole = rows.get(None)
        return {
            "id": dataset,
            "network": whole["network"] if whole else None,
            "watermark": _watermark(whole),
            "history": [
                [
                    _moment(row["noted_at"]),
                    row["complete_through"],
                    _seconds(row["complete_through_closed_at"], row["noted_at"]),
                ]
                for row in self.found.batches
                if row["dataset"] == dataset
            ],
            "tables": {
                bar.table_id: {**bar.to_json(), "watermark": _watermark(rows.get(bar.table_id))}
                for bar in self.bars
                if bar.dataset == dataset
            },
        }

    def _problems(self, loads: Sequence[Row], times: Sequence[Row]) -> list[dict[str, Any]]:
        runs, closed, findings = defaultdict(list), {}, defaultdict(list)
        for row in self.found.findings:
            findings[row["table_id"]].append(row)
        for row in loads:
            runs[row["table_id"], *_ends(row)].append([row["dag_id"], row["batch_id"]])
        for row in times:
            closed[row["table_id"], *_ends(row)] = [_moment(row["closed_before"]), _moment(row["closed_after"])]
        return [
            {
                "dataset": problem.dataset,
                "table": problem.table_id,
                "start": problem.ledgers.start,
                "end": problem.ledgers.end,
                "state": problem.state.value,
                "runs": self._repairing(problem) or runs[problem.place],
                "closed": closed.get(problem.place, [None, None]),
                **_reasons(problem, findings[problem.table_id]),
            }
            for problem in self.problems
        ]

    def _repairing(self, problem: Problem) -> list[list[str]]:
        if problem.state is not State.REPAIRING:
            return []
        dag_id = self.tables[problem.table_id].dag_id
        overlapping = [one for one in self.repairs if one.dag_id == dag_id and one.ledgers.overlaps(problem.ledgers)]
        return [[one.dag_id, one.run_id] for one in overlapping]

    def _lags(self) -> dict[str, list[list[Any]]]:
        lags: dict[str, list[list[Any]]] = {table_id: [] for table_id in self.tables}
        for row in self.found.lags:
            if row["table_id"] in lags:
                lags[row["table_id"]].append([_moment(row["checked_at"]), row["found"], row["lag_seconds"]])
        return {table_id: points for table_id, points in lags.items() if points}


def _reasons(problem: Problem, findings: Sequence[Row]) -> dict[str, Any]:
    """Return the faults found in a problem's ledgers, and the time since when.

    Args:
        problem: the problem.
        findings: the findings of its table.
    """
    start, end = problem.ledgers.start, problem.ledgers.end
    found = [
        row
        for row in findings
        if row["start_ledger"] <= end and row["end_ledger"] >= start and row["dataset"] in (None, "", problem.dataset)
    ]
    since = min((row["since"] for row in found), default=None)
    return {"faults": sorted({row["fault"] for row in found}), "since": _moment(since)}


def _ends(row: Row) -> tuple[int, int]:
    return int(row["start_ledger"]), int(row["end_ledger"])


def _moment(value: datetime | None) -> str | None:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value else None


def _seconds(start: datetime | None, end: datetime) -> int | None:
    return max(0, round((end - start).total_seconds())) if start else None


def _plain(value: Any) -> Any:
    return _moment(value) if isinstance(value, datetime) else value


_OF_WATERMARK = ("complete_from", "complete_through", "lag_ledgers", "tables_not_loaded")
_TIMES_OF_WATERMARK = ("complete_from_closed_at", "complete_through_closed_at", "last_changed_at")


def _watermark(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    numbers = {name: row[name] for name in _OF_WATERMARK}
    return numbers | {name: _moment(row[name]) for name in _TIMES_OF_WATERMARK}
