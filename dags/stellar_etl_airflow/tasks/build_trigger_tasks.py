"""Runs of other DAGs, as a task plans them: started, and waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import BaseOperator, Context

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.runtime import pull_result

PlannedRun = dict[str, Any]
"""A run to start: `trigger_dag_id`, `trigger_run_id` and `conf`."""


def run_of(prefix: str, dag_id: str, name: str, conf: Mapping[str, Any]) -> PlannedRun:
    """A run to start; its id is the same each time that it is planned."""
    return {"trigger_dag_id": dag_id, "trigger_run_id": f"{prefix}__{name}", "conf": dict(conf)}


def range_run(prefix: str, dag_id: str, ledgers: LedgerRange) -> PlannedRun:
    """A run over a range of ledgers."""
    conf = {"start_ledger": ledgers.start, "end_ledger": ledgers.end}
    return run_of(prefix, dag_id, f"{ledgers.start}-{ledgers.end}", conf)


class PlannedRunsOperator(BaseOperator):
    """Gives one list of a plan: Airflow makes tasks of nothing but a task's whole result."""

    def __init__(self, *, plan: str, part: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.part = part

    def execute(self, context: Context) -> list[PlannedRun]:
        """Gives it."""
        runs: list[PlannedRun] = pull_result(context, self.plan)[self.part]
        for run in runs:
            self.log.info("%s %s: %s", run["trigger_dag_id"], run["trigger_run_id"], run["conf"])
        return runs


def build_trigger_tasks(task_id: str, plan: BaseOperator, part: str, *, after: Any = None, wait: bool = True) -> Any:
    """A task for each run of a part of a plan: starts it, or starts it again, and waits until it has ended.

    Args:
        task_id: the tasks' name; a task of the same name with `_runs` behind it lists the runs.
        plan: the task whose result holds the plan.
        part: the key of the list.
        after: tasks that have to end well before.
        wait: whether to wait, and fail if the run does.
    """
    runs = PlannedRunsOperator(task_id=f"{task_id}_runs", plan=plan.task_id, part=part)
    triggers = TriggerDagRunOperator.partial(
        task_id=task_id,
        logical_date=None,
        reset_dag_run=True,
        wait_for_completion=wait,
        poke_interval=10,
        failed_states=["failed"],
        trigger_rule="none_failed",
        doc_md="Starts a run of the list, or starts it again" + (", and waits until it has ended." if wait else "."),
    ).expand_kwargs(runs.output)
    plan >> runs
    if after is not None:
        after >> triggers
    return triggers
