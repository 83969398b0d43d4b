"""Airflow's OpenLineage listener, called for a task as Airflow's task runner does."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG, Context
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.utils.state import TaskInstanceState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def options(monkeypatch: Any, **changes: Any) -> None:
    """Set options of `[openlineage]`."""
    for name, value in changes.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"AIRFLOW__OPENLINEAGE__{name.upper()}", text)


def instance_of(task: Any, context: Context) -> RuntimeTaskInstance:
    """Return a task's instance as a worker has it, in a separate DAG."""
    ti, dag_run = context["ti"], context["dag_run"]
    with DAG(ti.dag_id, schedule=None, start_date=NOW) as dag:
        dag.add_task(task)
    run = DagRun(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        logical_date=NOW,
        data_interval_start=dag_run.data_interval_start,
        data_interval_end=dag_run.data_interval_end,
        run_after=dag_run.run_after,
        start_date=NOW,
        end_date=None,
        run_type="manual",
        state="running",
        conf=context["params"],
        consumed_asset_events=[],
        partition_key=None,
    )
    made = RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(),
        task=task,
        task_id=task.task_id,
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        try_number=1,
        map_index=-1,
        start_date=NOW,
        bundle_instance=SimpleNamespace(name="dags", version=None),
    )
    made._ti_context_from_server = TIRunContext(dag_run=run, max_tries=0)
    return made


def notify(task: Any, context: Context, error: Exception | None = None) -> None:
    """Notify the listener of a task's start and end."""
    from airflow.providers.openlineage.plugins.listener import OpenLineageListener

    listener, ti = OpenLineageListener(), instance_of(task, context)
    listener.on_task_instance_running(TaskInstanceState.QUEUED, ti)
    if error is None:
        listener.on_task_instance_success(TaskInstanceState.RUNNING, ti)
    else:
        listener.on_task_instance_failed(TaskInstanceState.RUNNING, ti, error)
