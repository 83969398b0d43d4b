"""Runs that a task triggers in other DAGs: a retry finds its run, and a failed run is not repeated."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ErrorType, TaskDeferred
from airflow.sdk.execution_time import comms

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.tasks.build_trigger_tasks import StartRunOperator, range_run, run_prefix
from tests.dags.task_process import Supervisor, run_task

RETRIES = 5
PLANNED = range_run("backfill", "history", LedgerRange(1, 9))


class Runs(Supervisor):
    """The runs of another DAG in Airflow's API server. A triggered run takes the next state at each request."""

    def __init__(self, *states):
        super().__init__()
        self.states = list(states)
        self.requests = 0
        self.started, self.cleared, self.loses_reply, self.fails_to_read = 0, 0, False, False

    def send(self, msg):
        self.requests += 1
        assert self.requests < 100, "the task never stops polling"
        match msg:
            case comms.GetDRCount():
                if self.fails_to_read:
                    raise ConnectionError("the API server is down")
                assert (msg.dag_id, msg.run_ids) == (PLANNED["trigger_dag_id"], [PLANNED["trigger_run_id"]])
                return comms.DRCount(count=int(bool(self.states)))
            case comms.GetDagRunState():
                state = self.states[0]
                self.states = self.states[1:] or self.states
                return comms.DagRunStateResult(state=state)
            case comms.TriggerDagRun():
                return self._start(msg)
        return super().send(msg)

    def _start(self, msg):
        if self.states and not msg.reset_dag_run:
            return comms.ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS)
        self.started += not self.states
        self.cleared += bool(self.states)
        assert msg.conf == PLANNED["conf"]
        self.states = ["queued", "running", "success"]
        if self.loses_reply:  # the client repeats the request
            return comms.ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS)
        return comms.OKResponse(ok=True)


def task_of(**arguments):
    with DAG("parent", schedule=None):
        return StartRunOperator(task_id="load", poke_interval=0, retries=RETRIES, **arguments, **PLANNED)


def attempt(runs, *, waits=True, deferrable=False, try_number=1, max_tries=RETRIES, tries_left=True):
    """Run one try of the task; return its state."""
    task = task_of(waits=waits, deferrable=deferrable)
    return run_task(task, runs, tries_left=tries_left, try_number=try_number, max_tries=max_tries)


def test_a_run_is_triggered_and_waited_for():
    runs = Runs()
    assert attempt(runs) == "success"
    assert (runs.started, runs.cleared) == (1, 0)


def test_a_run_of_a_later_round_is_not_waited_for():
    runs = Runs()
    assert attempt(runs, waits=False) == "success"
    assert runs.states[0] == "queued"


def test_a_run_is_waited_for_in_the_triggerer():
    runs = Runs()
    assert attempt(runs, deferrable=True) == "deferred"
    assert (runs.started, runs.cleared) == (1, 0)


@pytest.mark.parametrize(
    ("state", "outcome"), [("success", None), ("failed", AirflowFailException), ("running", TaskDeferred)]
)
def test_after_the_triggerer_the_state_is_read_again(state, outcome):
    """A user may have cleared the run meanwhile."""
    ti = SimpleNamespace(get_dr_count=lambda **_: 1, get_dagrun_state=lambda **_: state)
    with pytest.raises(outcome) if outcome else nullcontext():
        task_of(deferrable=True).execute_complete({"ti": ti}, ("trigger", {}))


@pytest.mark.parametrize("state", ["queued", "running", "success"])
def test_a_retry_after_a_lost_worker_finds_its_run(state):
    """The task neither clears nor triggers a run that is in progress or done."""
    runs = Runs(state, "success")
    assert attempt(runs, try_number=2) == "success"
    assert (runs.started, runs.cleared) == (0, 0)


def test_a_request_with_a_lost_reply_triggers_one_run():
    runs = Runs()
    runs.loses_reply = True
    assert attempt(runs) == "success"
    assert (runs.started, runs.cleared) == (1, 0)


@pytest.mark.parametrize("states", [("failed",), ("running", "failed")])
@pytest.mark.parametrize("try_number", [1, 2, RETRIES + 1])
def test_a_failed_run_is_not_repeated(states, try_number, caplog):
    """The task fails without a retry, although it has tries left, and reports the remedy."""
    runs = Runs(*states)
    assert attempt(runs, try_number=try_number) == "failed"
    assert (runs.started, runs.cleared) == (0, 0)


def test_clearing_the_task_clears_its_failed_run():
    """Airflow continues the count: a task that was cleared after two tries has a third one and its usual retries."""
    runs = Runs("failed")
    assert attempt(runs, try_number=3, max_tries=2 + RETRIES) == "success"
    assert (runs.started, runs.cleared) == (0, 1)


def test_a_retry_after_a_clear_does_not_clear_the_run_again():
    runs = Runs("failed")
    assert attempt(runs, try_number=4, max_tries=2 + RETRIES) == "failed"
    assert runs.cleared == 0


@pytest.mark.parametrize("state", ["running", "success"])
def test_clearing_the_task_does_not_repeat_a_running_or_successful_run(state):
    runs = Runs(state, "success")
    assert attempt(runs, try_number=3, max_tries=2 + RETRIES) == "success"
    assert (runs.started, runs.cleared) == (0, 0)


def test_an_unreadable_state_triggers_no_run():
    runs = Runs()
    runs.fails_to_read = True
    assert attempt(runs) == "up_for_retry"
    assert runs.started == 0


def test_the_run_ids_of_a_plan_are_the_same_in_each_try_and_change_after_a_clear():
    def prefix(try_number, max_tries):
        ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
        return run_prefix({"ti": ti}, "heal__a", RETRIES)

    first = {prefix(number, RETRIES) for number in range(1, RETRIES + 2)}
    cleared = {prefix(number, 2 + RETRIES) for number in range(3, RETRIES + 4)}
    again = {prefix(number, 4 + RETRIES) for number in range(5, RETRIES + 6)}
    assert first == {"heal__a"}
    assert all(len(ids) == 1 for ids in (cleared, again))
    assert all(one.isdisjoint(other) for one, other in itertools.combinations((first, cleared, again), 2))
