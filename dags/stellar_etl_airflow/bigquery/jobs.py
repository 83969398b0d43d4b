"""BigQuery jobs as values: their configuration, and ids that a retry finds again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from stellar_etl_airflow.sql.statement import AnyParameter, ArrayParameter, Parameter, RowsParameter, Statement

FINGERPRINT_LABEL = "stellar_fingerprint"
"""The job label that tells a retry whether a job that it finds does the same work."""


@dataclass(frozen=True)
class Job:
    """One BigQuery job of a task.

    Attributes:
        label: what it does, in a few characters; a part of the job's id.
        configuration: the `configuration` of a job resource
            (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration).
    """

    label: str
    configuration: dict[str, Any]


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


def fingerprint(configuration: dict[str, Any]) -> str:
    """A label value that is the same for the same work."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:40]
