"""BigQuery jobs as values: their configuration, and ids that a retry finds again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from stellar_etl_airflow.sql.statement import Statement

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
                "queryParameters": [
                    {
                        "name": parameter.name,
                        "parameterType": {"type": parameter.type},
                        "parameterValue": {"value": parameter.value},
                    }
                    for parameter in statement.parameters
                ],
            }
        },
    )


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
