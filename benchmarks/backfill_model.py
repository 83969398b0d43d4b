"""How long a backfill takes with many pods: a simulation of what Airflow and BigQuery let run at a time. Pure.

The limits are those of the DAGs: pods at a time, runs of a DAG at a time, and one writer a table, who holds the table's
pool for the merge and for the row of batch stats. BigQuery's limit of 20 queued mutating statements a table is never
met, for a table has one at a time.
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
        rows: MB of NDJSON for each MB of raw XDR.
        has_state: whether a point-in-time table stands beside it, which each merge reads as a whole.
    """

    rows: float
    has_state: bool = False


@dataclass(frozen=True)
class Dag:
    """What one DAG's runs do.

    Attributes:
        export_rate: raw MB a second that its pod exports.
        tables: what it loads.
    """

    export_rate: float
    tables: Sequence[Table]


@dataclass(frozen=True)
class Rates:
    """What is the same for all DAGs; seconds and MB.

    Attributes:
        raw: MB of XDR a ledger.
        pod_start: from a pod's creation to its program's start.
        task_start: from the end of a task to the work of the next one.
        load: of a load job, and for each MB.
        check: of a check.
        merge: of any mutating statement, and for each MB.
        state_merge: how much longer a merge into a point-in-time table takes.
    """

    raw: float
    pod_start: float
    task_start: float
    load: tuple[float, float]
    check: float
    merge: tuple[float, float]
    state_merge: float

    def writing(self, table: Table, raw: float) -> float:
        """How long a run of so many raw MB holds a table's pool: merge, point-in-time merge, batch stats."""
        fixed, each = self.merge
        state = fixed + self.state_merge if table.has_state else 0
        return 2 * (self.task_start + fixed) + each * raw * table.rows + state


class Outcome(NamedTuple):
    """What a simulated backfill came to, in hours.

    Attributes:
        elapsed: from the first run's start to the last one's end.
        pods: what all pods took together.
        writer: what the busiest table's writers took one after the other.
    """

    elapsed: float
    pods: float
    writer: float


def simulate(dags: Sequence[Dag], rates: Rates, ledgers: int, chunk: int, pods: int, active_runs: int) -> Outcome:
    """A backfill of all DAGs side by side.

    Runs of a DAG are alike, so that serving them in their order is serving whoever waited longest: all that has to be
    kept is when each pod, run and table is free again.

    Args:
        dags: what is to be loaded.
        rates: how fast things go.
        ledgers: how many are to be loaded.
        chunk: how many ledgers a run has, at most.
        pods: how many there may be at a time, of all DAGs.
        active_runs: how many runs of one DAG there may be at a time.
    """
    runs = -(-ledgers // chunk)
    raw = rates.raw * ledgers / runs
    free_pods = [0.0] * pods
    free_runs = [[0.0] * active_runs for _ in dags]
    free_tables = [[0.0] * len(dag.tables) for dag in dags]
    in_pods = ended = 0.0
    for _ in range(runs):
        for dag, own_runs, own_tables in zip(dags, free_runs, free_tables, strict=True):
            begun = max(heappop(own_runs), heappop(free_pods))
            in_pod = rates.pod_start + raw / dag.export_rate
            in_pods += in_pod
            heappush(free_pods, begun + in_pod)
            for number, table in enumerate(dag.tables):
                fixed, each = rates.load
                staged = begun + in_pod + 4 * rates.task_start + fixed + each * raw * table.rows + rates.check
                own_tables[number] = max(own_tables[number], staged) + rates.writing(table, raw)
            end = max(own_tables)
            heappush(own_runs, end)
            ended = max(ended, end)
    busiest = max(rates.writing(table, raw) for dag in dags for table in dag.tables)
    return Outcome(ended / HOUR, in_pods / HOUR, runs * busiest / HOUR)


def best(dags: Sequence[Dag], rates: Rates, ledgers: int, chunks: Sequence[int], pods: int) -> tuple[int, Outcome]:
    """The chunk with which so many pods are done first, and what comes of it; runs enough that no pod waits for one."""
    outcomes = {chunk: simulate(dags, rates, ledgers, chunk, pods, active_runs=2 * pods) for chunk in chunks}
    chunk = min(outcomes, key=lambda chunk: outcomes[chunk].elapsed)
    return chunk, outcomes[chunk]
