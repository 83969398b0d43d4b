"""Trigger planned runs of other DAGs once, and wait for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import XCOM_RUN_ID, TriggerDagRunOperator
from airflow.providers.standard.triggers.external_task import DagStateTrigger
from airflow.sdk import BaseOperator, Context, DagRunState
from airflow.sdk.exceptions import AirflowException, AirflowFailException, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.runtime import pull_result

PlannedRun = dict[str, Any]
"""A run to trigger: `trigger_dag_id`, `trigger_run_id` and `conf`."""


def run_prefix(context: Context, name: str, retries: int) -> str:
    """Return the prefix of the run ids of a plan, the same for all tries of the planning task.

    If a user clears the planning task, the plan is computed again from the current state, and its runs get new ids.

    Args:
        context: the context of the planning task.
        name: the beginning of the prefix.
        retries: the number of retries of the planning task.
    """
    before = tries_before_clear(context, retries)
    return f"{name}__{before}" if before else name


def tries_before_clear(context: Context, retries: int) -> int:
    """Return the number of tries of a task before a user last cleared it; 0 if it was never cleared.

    Airflow continues to count the tries of a cleared task, and allows `retries` more (`max_tries`).
    """
    return max(0, int(context["ti"].max_tries) - retries)


def run_of(prefix: str, dag_id: str, name: str, conf: Mapping[str, Any]) -> PlannedRun:
    """Return a run to trigger. Its id is the same each time it is planned."""
    return {"trigger_dag_id": dag_id, "trigger_run_id": f"{prefix}__{name}", "conf": dict(conf)}


def range_run(prefix: str, dag_id: str, ledgers: LedgerRange) -> PlannedRun:
    """Return a run with a range of ledgers."""
    conf = {"start_ledger": ledgers.start, "end_ledger": ledgers.end}
    return run_of(prefix, dag_id, f"{ledgers.start}-{ledgers.end}", conf)


class PlannedRunsOperator(BaseOperator):
    """Return one list of a plan, because Airflow maps tasks only over a task's whole result."""

    def __init__(self, *, plan: str, part: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.part = part

    def execute(self, context: Context) -> list[PlannedRun]:
        """Return the list."""
        runs: list[PlannedRun] = pull_result(context, self.plan)[self.part]
        for run in runs:
            self.log.info("%s %s: %s", run["trigger_dag_id"], run["trigger_run_id"], run["conf"])
        return runs


class StartRunOperator(TriggerDagRunOperator):
    """Triggers a run of another DAG unless it exists, and waits until it has ended.

    The provider's `execute` is replaced. With `reset_dag_run`, its retry clears a running run and repeats a failed one;
    without, its retry fails because the run exists. Here the run's id is fixed, and a try first reads the run's state:

    - A missing run is triggered.
    - A queued or running run was triggered by an earlier try. The task waits for it.
    - If the run succeeded, the task is done.
    - If the run failed, the task fails without a retry, because the run's tasks have exhausted their retries. If a user
      then clears this task, its next try clears all tasks of the failed run.
    """

    def __init__(self, *, waits: bool = True, **kwargs: Any) -> None:
        super().__init__(logical_date=None, **kwargs)
        self.waits = waits

    def execute(self, context: Context) -> None:
        """Trigger the run, or find it.

        Raises:
            AirflowFailException: the run failed, and this task was not cleared since.
        """
        ti, run_id = context["ti"], str(self.trigger_run_id)
        ti.xcom_push(key=XCOM_RUN_ID, value=run_id)  # for the link in the UI
        state = self._state(context)
        if state is None:
            self.log.info("triggering %s of %s: %s", run_id, self.trigger_dag_id, self.conf)
            self._start(reset=False)
        elif state == DagRunState.FAILED and self.waits and self._is_cleared(context):
            self.log.info("this task was cleared, so the failed run is cleared too: %s", run_id)
            self._start(reset=True)
        else:
            self.log.info("%s of %s exists and is %s", run_id, self.trigger_dag_id, state)
        if not self.waits:
            return
        if self.deferrable:
            self._wait_in_triggerer()
        while not self._has_ended(self._state(context)):
            time.sleep(self.poke_interval)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        """Resume after the triggerer's event: the run has ended, unless it was cleared in the meantime."""
        if not self._has_ended(self._state(context)):
            self._wait_in_triggerer()

    def _state(self, context: Context) -> DagRunState | None:
        """Return the run's state; None if it does not exist. A failed request is an error, not a missing run."""
        ti, run_id = context["ti"], str(self.trigger_run_id)
        if not ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=[run_id]):
            return None
        return DagRunState(ti.get_dagrun_state(dag_id=self.trigger_dag_id, run_id=run_id))

    def _is_cleared(self, context: Context) -> bool:
        """Whether this is the first try after a user cleared the task."""
        before = tries_before_clear(context, self.retries or 0)
        return before > 0 and context["ti"].try_number == before + 1

    def _start(self, *, reset: bool) -> None:
        """Request the run. The SDK offers this to operators only as an exception, which ends the try.

        Raises:
            AirflowException: Airflow rejects the request. A retry may succeed.
        """
        request = TriggerDagRun(
            dag_id=self.trigger_dag_id, run_id=str(self.trigger_run_id), conf=dict(self.conf or {}), reset_dag_run=reset
        )
        answer = task_runner.SUPERVISOR_COMMS.send(request)
        # If the run exists now, an earlier request created it and its response was lost.
        if isinstance(answer, ErrorResponse) and answer.error != ErrorType.DAGRUN_ALREADY_EXISTS:
            raise AirflowException(f"{self.trigger_dag_id} could not be triggered: {answer.error} {answer.detail}")

    def _has_ended(self, state: DagRunState | None) -> bool:
        """Whether a run in this state is done.

        Raises:
            AirflowException: the run was deleted. The next try triggers it again.
            AirflowFailException: the run failed.
        """
        named = f"{self.trigger_run_id} of {self.trigger_dag_id}"
        if state is None:
            raise AirflowException(f"the run {named} was deleted")
        if state == DagRunState.FAILED:
            raise AirflowFailException(
                f"the run {named} failed, and its tasks have exhausted their retries: fix the cause. Then clear the "
                f"run's failed tasks, and mark this task as success when the run has ended; or clear this task, which "
                f"clears all tasks of the run"
            )
        return state == DagRunState.SUCCESS

    def _wait_in_triggerer(self) -> None:
        self.defer(
            trigger=DagStateTrigger(
                dag_id=self.trigger_dag_id,
                states=[*self.allowed_states, *self.failed_states],
                run_ids=[str(self.trigger_run_id)],
                poll_interval=self.poke_interval,
            ),
            method_name="execute_complete",
        )


def build_trigger_tasks(task_id: str, plan: BaseOperator, part: str, *, after: Any = None, wait: bool = True) -> Any:
    """Return one mapped task per run in a part of a plan: it triggers the run unless it exists, and waits for its end.

    Args:
        task_id: the tasks' name. The task that lists the runs has the suffix `_runs`.
        plan: the task whose result is the plan.
        part: the key of the list.
        after: tasks that must succeed before.
        wait: whether to wait for the run, and fail if it fails.
    """
    runs = PlannedRunsOperator(task_id=f"{task_id}_runs", plan=plan.task_id, part=part)
    triggers = StartRunOperator.partial(
        task_id=task_id,
        waits=wait,
        # Always defer, whatever [operators] default_deferrable is: tasks that wait in worker slots could leave none for
        # the tasks of the runs that they wait for.
        deferrable=True,
        poke_interval=10,
        trigger_rule="none_failed",
        doc_md="Triggers a run of the list, unless it exists"
        + (", and waits until it has ended. If a user clears the task, it clears a failed run." if wait else "."),
    ).expand_kwargs(runs.output)
    plan >> runs
    if after is not None:
        after >> triggers
    return triggers
