"""The daily budget: a task that would exceed it waits for the next day before it starts a pod or a statement."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from stellar_etl_airflow.bigquery.jobs import TASK_LABEL, Job, task_label
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.bigquery.writers import running_jobs
from stellar_etl_airflow.model.costs import estimated_cost
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID
from stellar_etl_airflow.operators.alerts import report_pause
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import CostSettings
from stellar_etl_airflow.sql.batch_stats import billed_since, jobs_view, spent

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=7)
"""Age of the loads from which the cost per ledger is estimated."""


def wait_for_budget(context: Context, ledgers: LedgerRange, warehouse_for: Callable[[Context], Warehouse]) -> None:
    """Return if an export's run fits into the rest of the day's budget; otherwise reschedule the task.

    The run's cost is estimated from the cost per ledger in the DAG's loads of the last days.

    Args:
        context: the task's context.
        ledgers: the ledgers of the run.
        warehouse_for: returns the warehouse; called if there is a budget.

    Raises:
        AirflowRescheduleException: the run does not fit. The task runs again on the next day, and until then uses no
            worker slot and no try.
        AirflowFailException: the run alone costs more than a day's budget.
    """
    if not settings(CostSettings).daily_budget:
        return
    warehouse = warehouse_for(context)
    if not warehouse.has(BATCH_STATS_TABLE_ID):
        return
    spent_today, per_ledger = _spent(warehouse, context["ti"].dag_id)
    expected = per_ledger * (ledgers.end - ledgers.start + 1)
    _wait(context, warehouse, spent_today, expected, "this run", "load its ledgers in smaller ranges")


def wait_for_statements(context: Context, warehouse: Warehouse, jobs: Sequence[Job]) -> None:
    """Return if a task's statements fit into the rest of the day's budget; otherwise reschedule the task.

    Statements that constants bound to a batch's partitions are part of the estimate of `wait_for_budget`. A dry run,
    which is free, estimates the bytes of the others.

    Args:
        context: the task's context.
        warehouse: the task's warehouse.
        jobs: all statements of the task.

    Raises:
        AirflowRescheduleException: the statements do not fit. The task runs again on the next day.
        AirflowFailException: the statements alone cost more than a day's budget.
    """
    unbounded = [job for job in jobs if not job.is_bounded]
    if not unbounded or not (costs := settings(CostSettings)).daily_budget:
        return
    read = sum(map(warehouse.bytes_to_read, unbounded))
    expected, ti = float(estimated_cost(read, costs.price_per_tib)), context["ti"]
    log.info("%d statements will read about %d bytes at a cost of about %.4f", len(unbounded), read, expected)
    own = task_label(ti.dag_id, ti.run_id, ti.task_id)
    if running_jobs(warehouse.client, warehouse.project, warehouse.location, TASK_LABEL, own):
        return  # an earlier try has started them, so their cost cannot be avoided
    spent_today, _ = _spent(warehouse, ti.dag_id)
    _wait(context, warehouse, spent_today, expected, "this task", "let it read less")


def _spent(warehouse: Warehouse, dag_id: str) -> tuple[float, float]:
    """Return the cost of work on the dataset since the start of the UTC day, and the cost per ledger of a DAG's loads.

    The cost of queries of all tasks and tries comes from BigQuery's job metadata, that of pods and storage from the
    batch stats.
    """
    now = datetime.now(UTC)
    jobs = jobs_view(warehouse.project, warehouse.location)
    (queries,) = warehouse.query(billed_since(jobs, warehouse.label, _day_of(now)))
    spent_today = float(estimated_cost(int(queries["bytes_billed"]), settings(CostSettings).price_per_tib))
    if not warehouse.has(BATCH_STATS_TABLE_ID):
        return spent_today, 0.0
    warehouse.ensure_batch_stats()
    stats = warehouse.name(BATCH_STATS_TABLE_ID)
    (row,) = warehouse.query(spent(stats, dag_id, _day_of(now), now - LOOK_BACK))
    return spent_today + float(row["spent"]), float(row["cost_per_ledger"])


def _day_of(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _wait(context: Context, warehouse: Warehouse, spent_today: float, expected: float, what: str, advice: str) -> None:
    budget = settings(CostSettings).daily_budget
    if spent_today + expected <= budget:
        return
    costs = f"{what} costs about {expected:.4f}, and Airflow Variable 'daily_budget' is {budget:g}"
    if expected > budget:
        raise AirflowFailException(f"{costs}: {advice}, or increase the Variable")
    report_pause(
        context,
        f"work on {warehouse.dataset_id} pauses until tomorrow (UTC): {spent_today:.4f} were spent today, {costs}",
    )
    raise AirflowRescheduleException(_day_of(datetime.now(UTC)) + timedelta(days=1))  # type: ignore[no-untyped-call]
