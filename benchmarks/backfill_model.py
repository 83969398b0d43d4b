"""The duration of a backfill with many pods: a simulation of the limits of Airflow and BigQuery. Pure.

The limits are those of the DAGs: concurrent pods, concurrent runs of a DAG, and one writer per table, which holds its
pool for the merge and for the row of batch stats. `state_fold` holds the pool of a table of changes too: once an hour,
and once more when all ranges are loaded. BigQuery's limit of 20 queued mutating statements per table is never
reached, because a table has one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
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
        export_rate: raw MB per second that its pod exports.
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
        merge: of any mutating statement, and per MB.
        views: before a merge of changes, which reads the labels of the versions and the views.
        fold: of a fold, and per MB of changes since the last one.
    """

    raw: float
    pod_start: float
    task_start: float
    load: tuple[float, float]
    check: float
    merge: tuple[float, float]
    views: float
    fold: tuple[float, float]

    def writing(self, table: Table, raw: float) -> float:
        """Return the seconds for which a run of `raw` MB holds a table's pool: views, merge, batch stats."""
        fixed, each = self.merge
        views = self.views if table.has_state else 0
        return 2 * (self.task_start + fixed) + each * raw * table.rows + views

    def folding(self, table: Table, raw: float) -> float:
        """Return the seconds for which a fold of `raw` MB holds a table's pool."""
        fixed, each = self.fold
        return self.task_start + fixed + each * raw * table.rows if table.has_state else 0


@dataclass
class Writer:
    """The pool of a table.

    Attributes:
        free: when it is free again, in seconds.
        busy: the seconds for which it was held.
        folded: when the last fold ended.
        unfolded: raw MB that were loaded since then.
    """

    free: float = 0.0
    busy: float = 0.0
    folded: float = 0.0
    unfolded: float = 0.0

    def write(self, ready: float, seconds: float) -> float:
        """Hold the pool as soon as it is free; return when it is free again."""
        self.free = max(self.free, ready) + seconds
        self.busy += seconds
        return self.free

    def fold(self, table: Table, rates: Rates) -> float:
        """Fold the changes since the last fold; return when that is done."""
        end = self.write(self.free, rates.folding(table, self.unfolded))
        self.folded, self.unfolded = end, 0.0
        return end


class Outcome(NamedTuple):
    """The result of a simulated backfill, in hours.

    Attributes:
        elapsed: from the first run's start to the end of the last one, or of the last fold.
        pods: the time of all pods together.
        writer: the time of the busiest table's writers, one after the other.
    """

    elapsed: float
    pods: float
    writer: float


def simulate(dags: Sequence[Dag], rates: Rates, ledgers: int, chunk: int, pods: int, active_runs: int) -> Outcome:
    """Simulate a backfill of all DAGs in parallel.

    Runs of a DAG are alike, so serving them in order serves the one that waited longest. The state is the time at which
    each pod, run and table is free again.

    Args:
        dags: the DAGs to run.
        rates: the assumed times.
        ledgers: the number of ledgers to load.
        chunk: the most ledgers of a run.
        pods: the limit of concurrent pods of all DAGs.
        active_runs: the limit of concurrent runs of one DAG.
    """
    runs = -(-ledgers // chunk)
    raw = rates.raw * ledgers / runs
    free_pods = [0.0] * pods
    free_runs = [[0.0] * active_runs for _ in dags]
    writers = [[Writer() for _ in dag.tables] for dag in dags]
    in_pods = ended = 0.0
    for _ in range(runs):
        for dag, own_runs, own_writers in zip(dags, free_runs, writers, strict=True):
            begun = max(heappop(own_runs), heappop(free_pods))
            in_pod = rates.pod_start + raw / dag.export_rate
            in_pods += in_pod
            heappush(free_pods, begun + in_pod)
            end = 0.0
            for writer, table in zip(own_writers, dag.tables, strict=True):
                fixed, each = rates.load
                staged = begun + in_pod + 4 * rates.task_start + fixed + each * raw * table.rows + rates.check
                if table.has_state and writer.unfolded and max(writer.free, staged) - writer.folded >= HOUR:
                    writer.fold(table, rates)
                end = max(end, writer.write(staged, rates.writing(table, raw)))
                writer.unfolded += raw
            heappush(own_runs, end)
            ended = max(ended, end)
    for dag, own_writers in zip(dags, writers, strict=True):
        for writer, table in zip(own_writers, dag.tables, strict=True):
            if table.has_state:
                ended = max(ended, writer.fold(table, rates))
    busiest = max(writer.busy for own_writers in writers for writer in own_writers)
    return Outcome(ended / HOUR, in_pods / HOUR, busiest / HOUR)


def best(dags: Sequence[Dag], rates: Rates, ledgers: int, chunks: Sequence[int], pods: int) -> tuple[int, Outcome]:
    """Return the chunk with the shortest backfill, and its result; with enough runs that no pod waits for one."""
    outcomes = {chunk: simulate(dags, rates, ledgers, chunk, pods, active_runs=2 * pods) for chunk in chunks}
    chunk = min(outcomes, key=lambda chunk: outcomes[chunk].elapsed)
    return chunk, outcomes[chunk]
