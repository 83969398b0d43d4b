"""BigQuery jobs as values: their configuration, and ids that a retry finds again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stellar_etl_airflow.sql.statement import AnyParameter, ArrayParameter, Parameter, RowsParameter, Statement

FINGERPRINT_LABEL = "stellar_fingerprint"
"""The job label by which a retry recognizes a job with the same work."""

TARGET_LABEL = "stellar_target"
"""The job label that holds `target_label` of the one table that the job writes; a job that writes none has no label."""

LOOKED_AT_LABEL = "stellar_looked_at"
"""The job label that holds when the tables were read that the job was planned by, in milliseconds since 1970."""

TASK_LABEL = "stellar_task_instance"
"""The job label that holds `task_label` of the task that started the job."""

BATCH_PARAMETERS = frozenset({"first_closed_at", "last_closed_at"})
"""The parameters that name the partitions of a batch."""

_WRITES = re.compile(r"\s*(?:MERGE|DELETE FROM|INSERT INTO|UPDATE|TRUNCATE TABLE)\s+`([^`]+)`")
_READS = re.compile(r"\s*(?:SELECT|WITH|CREATE OR REPLACE TABLE FUNCTION)\b")
"""A table function reads tables when it is called; making it writes none."""


@dataclass(frozen=True)
class Job:
    """One BigQuery job of a task.

    Attributes:
        label: what it does, in a few characters; a part of the job's id.
        configuration: the `configuration` of a job resource
            (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration).
        looked_at: when the table that it writes was read to plan it, by BigQuery's clock; None if it was not.
    """

    label: str
    configuration: dict[str, Any]
    looked_at: datetime | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether the ledgers and close times of a batch, as constants, bound what the job reads; a load is free."""
        parameters = self.configuration.get("query", {}).get("queryParameters", ())
        return "query" not in self.configuration or {one["name"] for one in parameters} >= BATCH_PARAMETERS

    @property
    def target(self) -> str | None:
        """The table that the job writes, as `project.dataset.table`; None if it only reads.

        Raises:
            ValueError: a statement of another kind; which table it writes is not known.
        """
        if "extract" in self.configuration:
            return None
        if "load" in self.configuration:
            table = self.configuration["load"]["destinationTable"]
            return f"{table['projectId']}.{table['datasetId']}.{table['tableId']}"
        sql = self.configuration["query"]["query"]
        if _READS.match(sql):
            return None
        if (found := _WRITES.match(sql)) is None:
            raise ValueError(f"it is not known which table this statement writes: {sql[:100]}")
        return found[1]


def query_job(label: str, statement: Statement, maximum_bytes_billed: int) -> Job:
    """A job that runs one statement with its parameters."""
    return Job(
        label,
        {
            "query": {
                "query": statement.sql,
                "useLegacySql": False,
                "maximumBytesBilled": str(maximum_bytes_billed),
                "parameterMode": "NAMED",
                "queryParameters": [_resource(parameter) for parameter in statement.parameters],
            }
        },
    )


def _resource(parameter: AnyParameter) -> dict[str, Any]:
    """A parameter as https://cloud.google.com/bigquery/docs/reference/rest/v2/QueryParameter has it."""
    type_: dict[str, Any]
    value: dict[str, Any]
    match parameter:
        case Parameter():
            type_, value = {"type": parameter.type}, {"value": parameter.value}
        case ArrayParameter():
            type_ = {"type": "ARRAY", "arrayType": {"type": parameter.type}}
            value = {"arrayValues": [{"value": one} for one in parameter.values]}
        case RowsParameter():
            fields = [{"name": name, "type": {"type": kind}} for name, kind in parameter.columns]
            type_ = {"type": "ARRAY", "arrayType": {"type": "STRUCT", "structTypes": fields}}
            names = [name for name, _ in parameter.columns]
            rows = [{name: {"value": one} for name, one in zip(names, row, strict=True)} for row in parameter.rows]
            value = {"arrayValues": [{"structValues": row} for row in rows]}
    return {"name": parameter.name, "parameterType": type_, "parameterValue": value}


def job_id_base(dag_id: str, run_id: str, task_id: str, label: str) -> str:
    """What the ids of a task's jobs have in common; a counter follows it.

    Readable as far as a job id's characters allow, with a hash that keeps two different tasks apart.
    """
    parts = (dag_id, run_id, task_id, label)
    readable = "_".join(re.sub(r"[^A-Za-z0-9-]+", "_", part) for part in parts)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return f"{readable[:800]}_{digest}"


def target_label(table: str) -> str:
    """A label value that is the same for all jobs that write a table, given as `project.dataset.table`."""
    return hashlib.sha256(table.encode()).hexdigest()[:40]


def task_label(dag_id: str, run_id: str, task_id: str) -> str:
    """A label value that is the same for all jobs of a task, of all its tries."""
    return hashlib.sha256(json.dumps((dag_id, run_id, task_id)).encode()).hexdigest()[:40]


def fingerprint(configuration: dict[str, Any]) -> str:
    """A label value that is the same for the same work."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:40]
