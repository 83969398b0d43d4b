"""Values for BigQuery jobs: their configuration, and ids that a retry finds again."""

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
"""The job label with `target_label` of the table that the job writes; missing if it writes none."""

LOOKED_AT_LABEL = "stellar_looked_at"
"""The job label with the time when the tables were read to plan the job, in milliseconds since 1970."""

TASK_LABEL = "stellar_task_instance"
"""The job label with `task_label` of the task that started the job."""

BATCH_PARAMETERS = frozenset({"first_closed_at", "last_closed_at"})
"""The parameters that limit a statement to the partitions of a batch."""

_WRITES = re.compile(r"\s*(?:MERGE|DELETE FROM|INSERT INTO|UPDATE|TRUNCATE TABLE)\s+`([^`]+)`")
_READS = re.compile(r"\s*(?:SELECT|WITH|CREATE OR REPLACE TABLE FUNCTION)\b")
"""Statements that write no table. A table function reads tables only when it is called."""


@dataclass(frozen=True)
class Job:
    """One BigQuery job of a task.

    Attributes:
        label: its purpose in a few characters, a part of the job's id.
        configuration: the `configuration` of a job resource
            (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration).
        looked_at: when its target table was read to plan it, by BigQuery's clock; None if it was not.
    """

    label: str
    configuration: dict[str, Any]
    looked_at: datetime | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether constants of a batch limit what the job reads: its ledgers and close times. Load jobs are free."""
        parameters = self.configuration.get("query", {}).get("queryParameters", ())
        return "query" not in self.configuration or {one["name"] for one in parameters} >= BATCH_PARAMETERS

    @property
    def target(self) -> str | None:
        """The table that the job writes, as `project.dataset.table`; None if it only reads.

        Raises:
            ValueError: the statement is of an unknown kind.
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
            raise ValueError(f"cannot find the table that this statement writes: {sql[:100]}")
        return found[1]


def query_job(label: str, statement: Statement, maximum_bytes_billed: int) -> Job:
    """Return a job that runs one statement with its parameters."""
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
    """Return a parameter in the format of https://cloud.google.com/bigquery/docs/reference/rest/v2/QueryParameter."""
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
    """Return the common prefix of the ids of a task's jobs. A counter follows it.

    The prefix is readable as far as a job id's characters allow, and has a hash that makes it unique.
    """
    parts = (dag_id, run_id, task_id, label)
    readable = "_".join(re.sub(r"[^A-Za-z0-9-]+", "_", part) for part in parts)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return f"{readable[:800]}_{digest}"


def target_label(table: str) -> str:
    """Return a label value for all jobs that write a table, given as `project.dataset.table`."""
    return hashlib.sha256(table.encode()).hexdigest()[:40]


def task_label(dag_id: str, run_id: str, task_id: str) -> str:
    """Return a label value for all jobs of a task, including all its tries."""
    return hashlib.sha256(json.dumps((dag_id, run_id, task_id)).encode()).hexdigest()[:40]


def fingerprint(configuration: dict[str, Any]) -> str:
    """Return a label value that is the same for the same work."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:40]
