"""Parses DAG files on request, each time in a separate process that has Airflow imported already.

Reads a JSON list of jobs from standard input, and writes a list of their results. A job is an object: `environment`,
the variables to set; `files`, the files to parse; `clock`, whether to record calls of the clock; `render`, whether to
render the templates; `brief`, whether to omit the serialised forms, which take longer than parsing.
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions import connection, variable
from airflow.sdk.execution_time.context import VariableAccessor
from airflow.serialization.serialized_objects import DagSerialization
from forked import in_fork
from jinja2 import StrictUndefined

DAGS = Path(__file__).resolve().parents[2] / "dags"
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
"""Functions that return the time. Airflow uses other functions to time the search for its providers."""

reached: list[str] = []


def refused(*args: object, **kwargs: object) -> None:
    reached.append(f"a DAG file reached outside while it was parsed: {args!r}")
    raise AssertionError(reached[-1])


def refuse_outside_access() -> None:
    get = variable.Variable.get
    variable.Variable.get = lambda key, **kwargs: get(key, **kwargs) if key == "owner" else refused(key)  # type: ignore
    connection.Connection.get = refused  # type: ignore
    socket.socket.connect = sqlite3.connect = sqlite3.dbapi2.connect = refused  # type: ignore


def calling_line(frame: FrameType | None, files: str) -> str:
    """Return the line of a DAG file or of its modules that calls a function; "" for the import of a library."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith((str(DAGS), files)):
            return f"{Path(name).name}:{frame.f_lineno}"
        if "importlib" in name:
            return ""
        frame = frame.f_back
    return ""


def watch_clock(files: str) -> None:
    def watch(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in CLOCKS and (line := calling_line(frame, files)):
            reached.append(f"{line} reads the clock: {function.__qualname__}")

    sys.setprofile(watch)


def import_dependencies() -> None:
    """Import the dependencies of DAG files: Airflow, its providers, libraries."""
    for path in DAGS.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if not name.startswith("stellar_etl_airflow"):
                    importlib.import_module(name)


def parse(job: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(job.get("environment", {}))
    files = job.get("files", str(DAGS))
    if job.get("clock"):
        watch_clock(files)
    before = time.process_time()
    bag = DagBag(files, load_op_links=False)
    sys.setprofile(None)
    seconds = time.process_time() - before
    brief = job.get("brief")
    dags = {dag_id: {"dag": {}} if brief else DagSerialization.to_dict(dag) for dag_id, dag in sorted(bag.dags.items())}
    for dag in dags.values():
        dag["dag"].pop("_processor_dags_folder", None)
    return {
        "errors": {Path(key).name: str(value) for key, value in bag.import_errors.items()},
        "reached": reached,
        "seconds": seconds,
        "dags": dags,
        "about": {dag_id: about(dag) for dag_id, dag in bag.dags.items()},
        "rendered": {dag_id: dict(rendered(dag)) for dag_id, dag in bag.dags.items()} if job.get("render") else {},
    }


class AnyResult(dict[str, Any]):
    """The result of another task: it has every key that a template reads."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class TaskInstance:
    def xcom_pull(self, task_ids: str) -> AnyResult:
        assert task_ids in self.task_ids, f"no task {task_ids!r} comes before"
        return AnyResult()

    def __init__(self, task: Any) -> None:
        self.task_ids = task.get_flat_relative_ids(upstream=True)


def rendered(dag: Any) -> Iterator[tuple[str, Any]]:
    """Render every text in a template field of every task, as the worker does; an undefined name is an error."""
    dag.template_undefined = StrictUndefined
    environment = dag.get_template_env()
    for task in dag.tasks:
        context = {"ti": TaskInstance(task), "params": dag.params.dump(), "var": {"value": VariableAccessor(False)}}
        for field in task.template_fields:
            value = getattr(task, field, None) if not task.is_mapped else task.partial_kwargs.get(field)
            if "{" in repr(value):
                yield f"{task.task_id}.{field}", task.render_template(value, context, environment)


def about(dag: Any) -> dict[str, Any]:
    """Return properties of a DAG that are hard to read in its serialised form."""
    return {
        "file": Path(dag.fileloc).name,
        "doc": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "description": dag.description,
        "limit": dag.dagrun_timeout and dag.dagrun_timeout.total_seconds(),
        "tasks": {task.task_id: about_task(task) for task in dag.tasks},
    }


def about_task(task: Any) -> dict[str, Any]:
    return {
        "downstream": sorted(task.downstream_task_ids),
        "type": task.task_type,
        "owner": task.owner,
        "retries": task.retries,
        "rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "limit": task.execution_timeout and task.execution_timeout.total_seconds(),
        "builder": getattr(task, "builder", None),
        "pool": task.pool,
        "has_failure_callback": bool(task.on_failure_callback),
        "deferrable": defers(task),
    }


def defers(task: Any) -> bool:
    """Return whether a task releases its slot while it waits."""
    if not task.is_mapped:
        return bool(getattr(task, "deferrable", False))
    if "deferrable" in task.partial_kwargs:
        return bool(task.partial_kwargs["deferrable"])
    signatures = (inspect.signature(each.__init__).parameters for each in task.operator_class.__mro__)
    return next((bool(names["deferrable"].default) for names in signatures if "deferrable" in names), False)


def parse_alone(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a process that reaches nothing outside."""
    refuse_outside_access()
    return parse(job)


if __name__ == "__main__":
    sys.path.insert(0, str(DAGS))
    import_dependencies()
    found = []
    for job in json.load(sys.stdin):
        gc.freeze()  # otherwise each garbage collection in the child process visits the objects of all earlier jobs
        found.append(in_fork(partial(parse_alone, job)))
    json.dump(found, sys.stdout)
