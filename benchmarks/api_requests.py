"""Requests of one batch's tasks to Airflow's API server, by kind."""

from __future__ import annotations

from benchmarks.batch import run_batches
from benchmarks.rows import Benchmark, Row

WHOLE_GROUPS = 636
"""The requests of the same batch when each task read whole groups of Variables, and each result whenever it used it."""


def run(rounds: int) -> list[Row]:
    """Count the requests of each batch."""
    batches = run_batches(rounds)
    totals = [float(sum(batch.requests.values())) for batch in batches]
    tasks = [sum(task["start_date"] is not None for task in batch.tasks) for batch in batches]
    kinds = sorted({kind for batch in batches for kind in batch.requests})
    before = "tasks that read whole groups of Variables"
    return [
        Row("all", "a batch", totals, before, [total / WHOLE_GROUPS for total in totals], 0.5, at_most=True),
        *(Row(kind, "a batch", [float(batch.requests[kind]) for batch in batches]) for kind in kinds),
        Row("all", "a task", [total / count for total, count in zip(totals, tasks, strict=True)]),
    ]


BENCHMARK = Benchmark(
    "Requests to Airflow's API server",
    "The laptop stack, `history_archive_with_captive_core` by REST, as in *A batch*: the tasks' requests in the access "
    "log of Airflow's API server, without heartbeats, whose number depends on the time. Other DAGs that run at the "
    f"same time add a few. When each task read whole groups of Variables, a batch made {WHOLE_GROUPS} requests.",
    run,
    missed="Each task reads each Variable once, and Airflow's API for tasks returns one Variable per "
    "request. A load, a check and a merge of a table need 11 to 13 of them each. Of all requests, 21 are for a "
    "Variable that the task could do without.",
)
