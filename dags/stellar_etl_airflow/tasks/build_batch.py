"""The tasks of one batch, shared by all DAGs that export and load tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow.sdk import BaseOperator, TaskGroup, chain

from stellar_etl_airflow.export.exports import Export
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task

WHEN_A_BATCH_FAILS = """
**When it fails**: open the first failed task.

- `export` or `verify_export`: clear the task with its downstream tasks. The new attempt writes below its own prefix.
- `check`: the published tables are unchanged. The message says which rows are wrong and where they are kept.
- `load`, `merge` or `batch_stats`: clear the task. It finds a job that is still running and waits for it.

`batch_stats` records the published tables, even if others failed. Clear a failed task with its downstream tasks, so
that `batch_stats` also records its table.
"""
"""Part of the documentation of all loading DAGs."""


def build_exported_tables(
    tables: Sequence[Table],
    builders: Sequence[Callable[[Table], BaseOperator]],
    then: Sequence[BaseOperator],
    *,
    first: BaseOperator | None = None,
    kind: type[Export] = Export,
) -> None:
    """Add the tasks to the surrounding DAG: export, verify, and a group of tasks per table.

    Args:
        tables: the tables to export.
        builders: the functions that build each group's tasks, in order.
        then: the tasks after all groups.
        first: the task that finds the ledgers; None if the run's params always have them.
        kind: the kind of export.
    """
    export, verify = build_export_task(tables, kind), build_verify_task(tables, kind)
    chain(*([first] if first else []), export, verify)
    for table in tables:
        with TaskGroup(table.data_type):
            own = [build(table) for build in builders]
        chain(verify, *own, then)


def build_batch(tables: Sequence[Table]) -> None:
    """Add the tasks to the surrounding DAG: find the ledgers, export, verify; a group per table; record; clean up.

    The group of a table loads the export into staging, checks it and merges it. `batch_stats` runs once for all tables,
    even if some failed. If none failed, `delete_staging` runs and the run succeeds.
    """
    stats, delete_staging = build_batch_stats(tables), build_delete_staging_task(tables)
    builders = (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task)
    build_exported_tables(tables, builders, [stats, delete_staging], first=build_time_task())
    chain(stats, delete_staging)
