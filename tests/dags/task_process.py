"""A task's process as Airflow starts it, from its first line to its callbacks, with the other end held by a test."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from airflow.sdk import BaseOperator, Connection
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
RUN_ID = "manual__2026-01-01T00:10:00+00:00"


class Supervisor:
    """The other end of a task's process: keeps Variables and XComs as Airflow's database does.

    Several processes share `variables` if it is a dict that they share.
    """

    def __init__(self, xcoms=None, variables=None):
        self.xcoms = {} if xcoms is None else xcoms
        self.variables = {} if variables is None else variables

    def send(self, msg):
        match msg:
            case comms.GetXComSequenceSlice():
                return comms.XComSequenceSliceResult(
                    root=[self.xcoms[msg.task_id]] if msg.task_id in self.xcoms else []
                )
            case comms.GetXCom():
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
            case comms.GetVariable() if msg.key in self.variables:
                return comms.VariableResult(key=msg.key, value=self.variables[msg.key])
            case comms.GetVariable():
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"asked": msg.key})
            case _ if type(msg).__name__.startswith("Get"):
                return comms.ErrorResponse(detail={"asked": type(msg).__name__})
        return None


class Failing(BaseOperator):
    """Fails with an error, or in the way that a hook does."""

    def __init__(self, *, error, **kwargs):
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context):
        held_by_the_frame = "-".join(("only", "in", "a", "local", "variable"))
        if isinstance(self.error, type):
            # What a hook does: it asks for the connection, and the server's refusal repeats the password.
            raise self.error(f"refused {Connection.get('warehouse').password}, {len(held_by_the_frame)}")
        raise self.error


def run_task(task, supervisor, *, tries_left=False, params=None, run_id=RUN_ID):
    """Runs a task to its end and through its callbacks; gives its state."""
    task_runner.SUPERVISOR_COMMS = supervisor
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
        run_type="manual",
        state="running",
        conf=params or {},
        consumed_asset_events=[],
    )
    ti = task_runner.RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(),
        task_id=task.task_id,
        dag_id=task.dag.dag_id,
        run_id=run_id,
        try_number=6,
        map_index=-1,
        dag_version_id=uuid.uuid4(),
        task=task,
        start_date=START,
        max_tries=5,
        _ti_context_from_server=TIRunContext(
            dag_run=dag_run, task_reschedule_count=0, max_tries=5, should_retry=tries_left
        ),
    )
    context = ti.get_template_context()
    context["params"] = params or {}
    log = task_runner.structlog.get_logger()
    state, _, raised = task_runner.run(ti, context, log)
    context["exception"] = raised
    task_runner.finalize(ti, state, context, log, raised)
    return state.value
