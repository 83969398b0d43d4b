"""A simulated backfill of a month of the public network, from measured rates, for any number of pods."""

from __future__ import annotations

from functools import cache
from statistics import median

from benchmarks import inputs
from benchmarks.backfill_model import Dag, Rates, Table, best, simulate
from benchmarks.emulated import exported
from benchmarks.results import kept
from benchmarks.rows import Benchmark, Row, Skipped, compared_with
from stellar_etl_airflow.model.tables import STATE_TABLES, WITH_CAPTIVE_CORE, WITHOUT_CAPTIVE_CORE, loaded_by

LEDGERS = 30 * 24 * 3600 * 10 // 57
"""The ledgers of a month, one every 5.7 seconds."""
PROCESSORS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
SIZES = (1, 2, 4)
"""Processors of a pod: the exporter uses at most four by default."""
CHUNKS = (250, 500, 1000, 2000, 5000, 10_000, 20_000, 40_000)
ASSUMED = Rates(
    raw=1.5,
    pod_start=20,
    task_start=5,
    load=(20, 1 / 100),
    check=10,
    merge=(15, 1 / 500),
    record=30,
    views=2,
    fold=(60, 1 / 200),
)
"""Nothing of this is measured: it has not run on GKE, Composer or BigQuery."""
CHANGES_TO_ROWS = 1.0
"""MB of NDJSON per raw MB, for all tables of changes together: assumed."""


def _measured(name: str, what: str) -> float:
    """The median of a benchmark's result.

    Raises:
        Skipped: it has not run.
    """
    _, rows = kept(name) or ({}, [])
    for row in rows:
        if row.what == what and row.unit == "MB/s":
            return median(row.values)
    raise Skipped(f"it needs the result of benchmarks/run.sh {name}")


@cache
def dags() -> list[Dag]:
    """The loading DAGs, with figures measured on this machine."""
    sizes = {type_: file["bytes"] / 1e6 / inputs.megabytes() for type_, file in exported().files.items()}
    history = _measured("history", "export_all_history")
    changes = _measured("changes", "export_ledger_entry_changes")
    state = loaded_by(STATE_TABLES)
    return [
        *(
            Dag(history, [Table(sizes[table.data_type]) for table in loaded_by(dag_id)])
            for dag_id in (WITH_CAPTIVE_CORE, WITHOUT_CAPTIVE_CORE)
        ),
        Dag(changes, [Table(CHANGES_TO_ROWS / len(state), bool(table.entry_keys)) for table in state]),
    ]


def _processors(count: int) -> str:
    return "1 processor" if count == 1 else f"{count} processors"


def run(_rounds: int) -> list[Row]:
    """Return the times by number of processors, and the time of one range after another."""
    one, rows = simulate(dags(), ASSUMED, LEDGERS, 2000, pods=1, active_runs=1), []
    alone = Row("one range of 2,000 ledgers after another", "h", [one.elapsed])
    fastest: dict[int, float] = {}
    for processors in PROCESSORS:
        for sizes, pods in (SIZES[:1], "pods of one processor"), (SIZES, "pods of the best size"):
            found = best(dags(), ASSUMED, LEDGERS, CHUNKS, processors, sizes)
            outcome = found.outcome
            note = (
                f"chunks of {found.chunk:,} ledgers, {_processors(found.processors)} in each pod, {outcome.cores:.0f} "
                f"hours of processors, {outcome.writer:.2g} hours of the busiest table's writers, "
                f"{outcome.recording:.2g} hours of records"
            )
            rows.append(
                compared_with(Row(f"{_processors(processors)}, {pods}", "h", [outcome.elapsed], note=note), alone)
            )
        fastest[processors] = outcome.elapsed  # in pods of the best size
    return [alone, *rows, Row("speed-up from 50 to 200 processors", "times", [fastest[50] / fastest[200]], target=4)]


BENCHMARK = Benchmark(
    "A month's backfill, simulated",
    f"{LEDGERS:,} ledgers of {ASSUMED.raw} MB through the three loading DAGs at once, with the best of several "
    "chunks, under the limits of the DAGs: concurrent pods, concurrent runs, one writer per table. Measured here: "
    "exports per core, of all types (for ledgers and assets too, which are faster), and the size of history's rows. "
    "The exporter uses all processors of a pod; measured with two. "
    f"Assumed: {ASSUMED.pod_start:.0f} s until a pod's program starts, {ASSUMED.task_start:.0f} s between tasks, "
    f"loads of {ASSUMED.load[0]:.0f} s plus {1 / ASSUMED.load[1]:.0f} MB/s, checks of {ASSUMED.check:.0f} s, "
    f"merges of {ASSUMED.merge[0]:.0f} s plus {1 / ASSUMED.merge[1]:.0f} MB/s, {ASSUMED.views:.0f} s for the views "
    f"before a merge of changes, {ASSUMED.record:.0f} s to record a batch, one batch at a time. Each table of changes "
    f"is folded once an hour and at the end, in {ASSUMED.fold[0]:.0f} s plus {1 / ASSUMED.fold[1]:.0f} MB/s. All of "
    "them together have as many MB of changes as of XDR.",
    run,
    missed="0.8 hours are the merges of `history_operations`, which has one writer at a time. A load job "
    "that replaces a whole partition needs no merge. It is not built, because the time that it saves depends on "
    "BigQuery's speed, which is assumed here, and its correctness on BigQuery could not be proved here.",
)
