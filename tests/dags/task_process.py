"""A task's process as Airflow starts it, from its first line to its callbacks; the test is its supervisor."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from airflow.sdk import BaseOperator, Connection
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
RUN_ID = "manual__2026-01-01T00:10:00+00:00"


class Supervisor:
    """The supervisor of a task's process: it stores Variables and XComs as Airflow's database does.

    Several processes share `variables` if it is a shared dict. `dags` has Airflow's data of each DAG, and `active` the
    number of its runs that are not done. No DAG has a run for the logical date in a request.
    """

    def __init__(self, xcoms=None, variables=None, dags=None, active=None):
        self.xcoms = {} if xcoms is None else xcoms
        self.variables = {} if variables is None else variables
        self.dags, self.active = dags or {}, active or {}
        self.requested = []

    def send(self, msg):
        match msg:
            case comms.GetXComSequenceSlice():
                return comms.XComSequenceSliceResult(
                    root=[self.xcoms[msg.task_id]] if msg.task_id in self.xcoms else []
                )
            case comms.GetXCom():
                self.requested.append(msg.key)
                return comms.XComResult(key=msg.key, value=self.xcoms.get(msg.task_id))
            case comms.SetXCom():
                self.xcoms[msg.task_id] = msg.value
            case comms.PutVariable():
                self.variables[msg.key] = msg.value
            case comms.DeleteVariable():
                self.variables.pop(msg.key, None)
                return comms.OKResponse(ok=True)
            case comms.GetVariableKeys():
                keys = sorted(key for key in self.variables if key.startswith(msg.prefix))
                return comms.VariableKeysResult(keys=keys, total_entries=len(keys))
            case comms.GetDag():
                return self.dags[msg.dag_id]
            case comms.GetDRCount() if msg.logical_dates is None:
                assert set(msg.states) == {"queued", "running"}
                return comms.DRCount(count=self.active.get(msg.dag_id, 0))
            case comms.GetDRCount():
                return comms.DRCount(count=0)
            case comms.GetVariable() if msg.key in self.variables:
                return comms.VariableResult(key=msg.key, value=self.variables[msg.key])
            case comms.GetVariable():
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"asked": msg.key})
            case _ if type(msg).__name__.startswith("Get"):
                return comms.ErrorResponse(detail={"asked": type(msg).__name__})
        return None


def dag_result(dag_id, *, paused, planned):
    """Return Airflow's data of a DAG: whether it is paused, and the logical date of its next run."""
    nothing = dict.fromkeys(("bundle_version", "relative_fileloc", "owners"))
    return comms.DagResult(dag_id=dag_id, is_paused=paused, bundle_name="b", tags=[], next_dagrun=planned, **nothing)


class Failing(BaseOperator):
    """Fail with an error, or as a hook does."""

    def __init__(self, *, error, **kwargs):
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context):
        local_secret = "-".join(("only", "in", "a", "local", "variable"))
        if isinstance(self.error, type):
            # A hook requests the connection, and the server's refusal repeats the password.
            raise self.error(f"refused {Connection.get('warehouse').password}, {len(local_secret)}")
        raise self.error


def run_task(
    task, supervisor, *, tries_left=False, params=None, run_id=RUN_ID, run_type="manual", try_number=6, max_tries=5
):
    """Run a task to its end and through its callbacks; return its state."""
    task_runner.SUPERVISOR_COMMS = supervisor
    reset_secrets_masker()  # as Airflow's supervisor does for each task: it masks what tests before have read
    dag_run = DagRun(
        dag_id=task.dag.dag_id,
        run_id=run_id,
        logical_date=START,
        data_interval_start=START,
        data_interval_end=START + timedelta(minutes=10),
        run_after=START,
        start_date=START,
        end_date=None,
        partition_key=None,
        run_type=run_type,
        state="running",
        conf=params or {},
        consumed_asset_events=[],
    )
    ti = task_runner.RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(),
        task_id=task.task_id,
        dag_id=task.dag.dag_id,
        run_id=run_id,
        try_number=try_number,
        map_index=-1,
        dag_version_id=uuid.uuid4(),
        task=task,
        start_date=START,
        max_tries=max_tries,
        _ti_context_from_server=TIRunContext(
            dag_run=dag_run, task_reschedule_count=0, max_tries=max_tries, should_retry=tries_left
        ),
    )
    context = ti.get_template_context()
    context["params"] = params or {}
    log = task_runner.structlog.get_logger()
    state, _, raised = task_runner.run(ti, context, log)
    context["exception"] = raised
    task_runner.finalize(ti, state, context, log, raised)
    return state.value
