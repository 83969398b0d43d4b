"""The duration of a backfill with many pods: a simulation of the limits of Airflow and BigQuery. Pure.

The limits are those of the DAGs: concurrent pods, concurrent runs of a DAG, and one writer per table, which holds its
pool for the merge. `state_fold` holds the pool of a table of changes too: once an hour, and once more when all ranges
are loaded. All runs of all DAGs record their batches in the same tables, one at a time. BigQuery's limit of 20 queued
mutating statements per table is never reached, because a table has one at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

HOUR = 3600.0


class Table(NamedTuple):
    """A table of a DAG.

    Attributes:
        rows: MB of NDJSON per MB of raw XDR.
        has_state: whether it is a table of changes, which are folded into versions.
    """

    rows: float
    has_state: bool = False


@dataclass(frozen=True)
class Dag:
    """The work of one DAG's runs.

    Attributes:
        export_rate: raw MB per second that one processor of its pod exports.
        tables: the tables that it loads.
    """

    export_rate: float
    tables: Sequence[Table]


@dataclass(frozen=True)
class Rates:
    """Assumptions for all DAGs, in seconds and MB.

    Attributes:
        raw: MB of XDR per ledger.
        pod_start: from a pod's creation to its program's start.
        task_start: from the end of a task to the work of the next one.
        load: of a load job, and per MB.
        check: of a check.
        merge: of a merge, and per MB.
        record: of the statements that record a batch.
        views: before a merge of changes, which reads the labels of the versions and the views.
        fold: of a fold, and per MB of changes since the last one.
    """

    raw: float
    pod_start: float
    task_start: float
    load: tuple[float, float]
    check: float
    merge: tuple[float, float]
    record: float
    views: float
    fold: tuple[float, float]

    def staging(self, table: Table, raw: float) -> float:
        """Return the seconds from the end of a run's pod to checked rows: verify, load, check."""
        fixed, each = self.load
        return 3 * self.task_start + fixed + each * raw * table.rows + self.check

    def merging(self, table: Table, raw: float) -> float:
        """Return the seconds for which the merge of a run of `raw` MB holds a table's pool."""
        fixed, each = self.merge
        return self.task_start + fixed + each * raw * table.rows + (self.views if table.has_state else 0)

    def folding(self, table: Table, raw: float) -> float:
        """Return the seconds for which a fold of `raw` MB holds a table's pool."""
        fixed, each = self.fold
        return self.task_start + fixed + each * raw * table.rows if table.has_state else 0


class Clock:
    """Runs what is due, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Call a function later; functions of the same time are called in the order of these calls."""
        heappush(self._due, (self.now + seconds, next(self._number), then))

    def run(self) -> None:
        """Call the functions until none is left."""
        while self._due:
            self.now, _, then = heappop(self._due)
            then()


class Slots:
    """A limit: slots that are given in the order of the requests.

    Attributes:
        busy: the seconds for which slots were held by `hold`.
    """

    def __init__(self, clock: Clock, number: int) -> None:
        self.busy = 0.0
        self._clock, self._free = clock, number
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, then: Callable[[], None]) -> None:
        """Call a function as soon as it has a slot."""
        self._waiting.append(then)
        self._serve()

    def give(self) -> None:
        """Give a slot back."""
        self._free += 1
        self._serve()

    def hold(self, seconds: Callable[[], float], then: Callable[[], None]) -> None:
        """Hold a slot for some seconds, which are asked for when it is free, then call a function."""

        def held() -> None:
            duration = seconds()
            self.busy += duration
            self._clock.after(duration, ended)

        def ended() -> None:
            then()
            self.give()

        self.take(held)

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft()()


class Writer:
    """The pool of a table, which its merges and folds hold one at a time. The last merge is folded at once."""

    def __init__(self, clock: Clock, table: Table, rates: Rates, merges: int) -> None:
        self.slot = Slots(clock, 1)
        self._clock, self._table, self._rates, self._left = clock, table, rates, merges
        self._folded = self._unfolded = 0.0

    def merge(self, raw: float, then: Callable[[], None]) -> None:
        """Merge a run of `raw` MB, after a fold if one is due, then call a function."""

        def seconds() -> float:
            due = self._unfolded and self._clock.now - self._folded >= HOUR
            fold = self._fold() if due else 0.0
            self._unfolded += raw
            return fold + self._rates.merging(self._table, raw)

        def merged() -> None:
            self._left -= 1
            if not self._left:
                self.slot.hold(self._fold, lambda: None)
            then()

        self.slot.hold(seconds, merged)

    def _fold(self) -> float:
        seconds = self._rates.folding(self._table, self._unfolded)
        self._folded, self._unfolded = self._clock.now + seconds, 0.0
        return seconds


class Outcome(NamedTuple):
    """The result of a simulated backfill, in hours.

    Attributes:
        elapsed: from the first run's start to the end of the last one, or of the last fold.
        cores: the time of all pods together, multiplied by the processors of each.
        writer: the time of the busiest table's writers, one after the other.
        recording: the time of all runs' records, one after the other.
    """

    elapsed: float
    cores: float
    writer: float
    recording: float


def simulate(
    dags: Sequence[Dag], rates: Rates, ledgers: int, chunk: int, pods: int, active_runs: int, processors: int = 1
) -> Outcome:
    """Simulate a backfill of all DAGs in parallel.

    Args:
        dags: the DAGs to run.
        rates: the assumed times.
        ledgers: the number of ledgers to load.
        chunk: the most ledgers of a run.
        pods: the limit of concurrent pods of all DAGs.
        active_runs: the limit of concurrent runs of one DAG.
        processors: the processors of a pod, which all export.
    """
    runs = -(-ledgers // chunk)
    raw = rates.raw * ledgers / runs
    clock = Clock()
    free_pods, records = Slots(clock, pods), Slots(clock, 1)
    writers = [[Writer(clock, table, rates, runs) for table in dag.tables] for dag in dags]

    def start(dag: Dag, own_runs: Slots, own_writers: Sequence[Writer]) -> None:
        unmerged = len(dag.tables)

        def load() -> None:
            for writer, table in zip(own_writers, dag.tables, strict=True):
                clock.after(rates.staging(table, raw), partial(writer.merge, raw, merged))

        def merged() -> None:
            nonlocal unmerged
            unmerged -= 1
            if not unmerged:
                records.hold(lambda: rates.task_start + rates.record, own_runs.give)

        own_runs.take(lambda: free_pods.hold(lambda: rates.pod_start + raw / dag.export_rate / processors, load))

    limits = [Slots(clock, active_runs) for _ in dags]
    for _ in range(runs):
        for dag, own_runs, own_writers in zip(dags, limits, writers, strict=True):
            start(dag, own_runs, own_writers)
    clock.run()
    busiest = max(writer.slot.busy for own_writers in writers for writer in own_writers)
    return Outcome(clock.now / HOUR, free_pods.busy * processors / HOUR, busiest / HOUR, records.busy / HOUR)


class Best(NamedTuple):
    """The shortest backfill with a number of processors.

    Attributes:
        chunk: the most ledgers of a run.
        processors: the processors of a pod.
        outcome: its times.
    """

    chunk: int
    processors: int
    outcome: Outcome


def best(
    dags: Sequence[Dag],
    rates: Rates,
    ledgers: int,
    chunks: Sequence[int],
    cores: int,
    sizes: Sequence[int] = (1,),
) -> Best:
    """Return the shortest backfill of all chunks and sizes of pods, with enough runs that no pod waits for one."""
    tried = [
        Best(chunk, size, simulate(dags, rates, ledgers, chunk, cores // size, 2 * cores, size))
        for chunk in chunks
        for size in sizes
        if size <= cores
    ]
    return min(tried, key=lambda one: one.outcome.elapsed)
