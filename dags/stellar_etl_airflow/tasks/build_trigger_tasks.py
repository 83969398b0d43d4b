"""Runs of other DAGs, as a task plans them: started once each, and waited for."""

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
"""A run to start: `trigger_dag_id`, `trigger_run_id` and `conf`."""


def run_prefix(context: Context, name: str, retries: int) -> str:
    """What the ids of the runs of a plan begin with: the same for all tries of the planning task.

    A plan that a user clears is computed again, for what is missing by then: its runs are new ones with other ids.

    Args:
        context: the context of the planning task.
        name: the beginning of the prefix.
        retries: how often Airflow retries the planning task.
    """
    before = tries_before_clear(context, retries)
    return f"{name}__{before}" if before else name


def tries_before_clear(context: Context, retries: int) -> int:
    """Return how many tries a task had before a person last cleared it; 0 if nobody has.

    Airflow counts the tries of a cleared task on, and lets it have `retries` more (`max_tries`).
    """
    return max(0, int(context["ti"].max_tries) - retries)


def run_of(prefix: str, dag_id: str, name: str, conf: Mapping[str, Any]) -> PlannedRun:
    """A run to start; its id is the same each time that it is planned."""
    return {"trigger_dag_id": dag_id, "trigger_run_id": f"{prefix}__{name}", "conf": dict(conf)}


def range_run(prefix: str, dag_id: str, ledgers: LedgerRange) -> PlannedRun:
    """A run over a range of ledgers."""
    conf = {"start_ledger": ledgers.start, "end_ledger": ledgers.end}
    return run_of(prefix, dag_id, f"{ledgers.start}-{ledgers.end}", conf)


class PlannedRunsOperator(BaseOperator):
    """Return one list of a plan: Airflow maps tasks only over a task's whole result."""

    def __init__(self, *, plan: str, part: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.part = part

    def execute(self, context: Context) -> list[PlannedRun]:
        """Give it."""
        runs: list[PlannedRun] = pull_result(context, self.plan)[self.part]
        for run in runs:
            self.log.info("%s %s: %s", run["trigger_dag_id"], run["trigger_run_id"], run["conf"])
        return runs


class StartRunOperator(TriggerDagRunOperator):
    """Starts a run of another DAG unless it is there, and waits until it has ended.

    The provider's `execute` is replaced: with `reset_dag_run` a retry clears a run in progress, and repeats a
    failed one; without it a retry fails on the existing run. Here the run's id is fixed, and a try first reads
    the run's state:

    - a run that is not there is started;
    - a run that is queued or running is waited for: an earlier try started it;
    - a run that succeeded is done;
    - a run that failed fails this task without a retry, for its own tasks have exhausted their retries. Once a person
      has cleared this task, its next try clears the failed run, all tasks of it.
    """

    def __init__(self, *, waits: bool = True, **kwargs: Any) -> None:
        super().__init__(logical_date=None, **kwargs)
        self.waits = waits

    def execute(self, context: Context) -> None:
        """Start the run, or find it.

        Raises:
            AirflowFailException: the run failed, and nobody has cleared this task since.
        """
        ti, run_id = context["ti"], str(self.trigger_run_id)
        ti.xcom_push(key=XCOM_RUN_ID, value=run_id)  # the link in the UI leads there
        state = self._state(context)
        if state is None:
            self.log.info("starting %s of %s: %s", run_id, self.trigger_dag_id, self.conf)
            self._start(reset=False)
        elif state == DagRunState.FAILED and self.waits and self._is_cleared(context):
            self.log.info("this task was cleared, so the run that failed is cleared too: %s", run_id)
            self._start(reset=True)
        else:
            self.log.info("%s of %s is %s: it is not started again", run_id, self.trigger_dag_id, state)
        if not self.waits:
            return
        if self.deferrable:
            self._wait_in_triggerer()
        while not self._has_ended(self._state(context)):
            time.sleep(self.poke_interval)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        """Comes back from the triggerer: the run has ended, unless somebody cleared it just now."""
        if not self._has_ended(self._state(context)):
            self._wait_in_triggerer()

    def _state(self, context: Context) -> DagRunState | None:
        """The run's state, None if there is no such run. A state that could not be read is an error, and no absence."""
        ti, run_id = context["ti"], str(self.trigger_run_id)
        if not ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=[run_id]):
            return None
        return DagRunState(ti.get_dagrun_state(dag_id=self.trigger_dag_id, run_id=run_id))

    def _is_cleared(self, context: Context) -> bool:
        """Whether this is the first try after a person has cleared the task."""
        before = tries_before_clear(context, self.retries or 0)
        return before > 0 and context["ti"].try_number == before + 1

    def _start(self, *, reset: bool) -> None:
        """Ask Airflow for the run: the SDK offers it to operators as an exception alone, which ends the try.

        Raises:
            AirflowException: Airflow refuses it; a later try may succeed.
        """
        request = TriggerDagRun(
            dag_id=self.trigger_dag_id, run_id=str(self.trigger_run_id), conf=dict(self.conf or {}), reset_dag_run=reset
        )
        answer = task_runner.SUPERVISOR_COMMS.send(request)
        # A run that is there by now was started by a request whose reply was lost.
        if isinstance(answer, ErrorResponse) and answer.error != ErrorType.DAGRUN_ALREADY_EXISTS:
            raise AirflowException(f"{self.trigger_dag_id} could not be started: {answer.error} {answer.detail}")

    def _has_ended(self, state: DagRunState | None) -> bool:
        """Whether a run in this state is done.

        Raises:
            AirflowException: somebody deleted the run; the next try starts it again.
            AirflowFailException: it failed.
        """
        named = f"{self.trigger_run_id} of {self.trigger_dag_id}"
        if state is None:
            raise AirflowException(f"the run {named} is gone: somebody deleted it")
        if state == DagRunState.FAILED:
            raise AirflowFailException(
                f"the run {named} failed, and its tasks have exhausted their retries: see what failed in it and fix "
                f"that. Then clear its failed tasks and mark this one as successful once it has ended; or clear this "
                f"task, which clears all tasks of that run"
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
    """A task for each run of a part of a plan: starts it, unless it is there, and waits until it has ended.

    Args:
        task_id: the tasks' name; a task of the same name with `_runs` behind it lists the runs.
        plan: the task whose result holds the plan.
        part: the key of the list.
        after: tasks that have to end well before.
        wait: whether to wait, and fail if the run does.
    """
    runs = PlannedRunsOperator(task_id=f"{task_id}_runs", plan=plan.task_id, part=part)
    triggers = StartRunOperator.partial(
        task_id=task_id,
        waits=wait,
        # In the triggerer, whatever [operators] default_deferrable says: tasks that wait in slots could leave none to
        # the tasks of the runs that they wait for.
        deferrable=True,
        poke_interval=10,
        trigger_rule="none_failed",
        doc_md="Starts a run of the list, unless it is there"
        + (", and waits until it has ended. Cleared, it clears a run that failed." if wait else "."),
    ).expand_kwargs(runs.output)
    plan >> runs
    if after is not None:
        after >> triggers
    return triggers
