"""Runs the tasks of a derived table's DAG one after the other in this process."""

from __future__ import annotations

from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_bq_insert_job_task import (
    build_bq_insert_job_task,
    build_check_sources_task,
    build_publish_derived_task,
)
from stellar_etl_airflow.tasks.build_check_task import build_check_task


def run_chain(make_context, table, params, **changes):
    """Run the tasks; return the result of each by its name.

    Args:
        make_context: the fixture.
        table: a derived table.
        params: the run's params.
        changes: attributes of the task instance, such as `run_id`.

    Raises:
        AirflowSkipException: nothing is pending.
    """
    stats = build_batch_stats([table])
    tasks = [build_check_sources_task(table)]
    for build in (build_bq_insert_job_task, build_check_task, build_publish_derived_task):
        task = build(table)
        task.task_id = f"{table.data_type}.{task.task_id}"  # the id within the task group
        tasks.append(task)
    results = {}
    for task in (*tasks, stats):
        context = make_context(task.task_id, params, dag_id=table.dag_id, **changes)
        task.deferrable = False
        task.pre_execute(context)
        results[task.task_id] = make_context.xcoms[task.task_id, "return_value"] = task.execute(context)
    return results
