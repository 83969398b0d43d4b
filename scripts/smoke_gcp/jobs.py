"""Checks the DAGs' jobs by BigQuery's own records: refused statements, conflicts, billed against predicted bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.cloud import bigquery

MEGABYTE = 1 << 20
LEAST_BILLED = 10 * MEGABYTE
"""The minimum of billed bytes per table of a query (https://cloud.google.com/bigquery/pricing#on_demand_pricing)."""

CONFLICT = re.compile(r"concurrent (update|transaction)|could not serialize access", re.IGNORECASE)
"""BigQuery's messages for a DML statement that conflicts with another one on the same rows
(https://cloud.google.com/bigquery/docs/data-manipulation-language#dml_concurrency)."""

OWN = "a query of this command"
"""The label of a job without the labels of a DAG."""

Predict = Callable[[Any], int | None]


@dataclass(frozen=True)
class Verdict:
    """One checked job.

    Attributes:
        job_id: The job's id.
        label: The DAG, the task and the kind of job, or `OWN`.
        predicted: Bytes that BigQuery predicted before the job ran; None if it predicted nothing.
        billed: Bytes that are billed.
        allowed: The most bytes that may be billed by the prediction.
        refused: The message with which the job failed, empty if it did not.
        conflict: Whether it failed because of another job on the same rows.
    """

    job_id: str
    label: str
    predicted: int | None
    billed: int
    allowed: int | None
    refused: str
    conflict: bool

    @property
    def problems(self) -> list[str]:
        """The problems of the job, without conflicts."""
        if self.refused and not self.conflict:
            return [f"{self.label} was refused: {self.refused} ({self.job_id})"]
        if self.allowed is not None and self.billed > self.allowed:
            more = f"is billed for {self.billed} bytes, and BigQuery predicted {self.predicted}"
            return [f"{self.label} {more}: it reads what the prediction leaves out ({self.job_id})"]
        return []


def judge(job: Any, predict: Predict) -> Verdict:
    """Check one job of the DAGs.

    Args:
        job: The job from BigQuery's client.
        predict: Asks for the prediction of a query that the job itself does not state.
    """
    labels = job.labels or {}
    parts = (labels.get(f"stellar_{part}") for part in ("dag", "task", "job", "table"))
    label = " ".join(filter(None, parts)) or OWN
    error = job.error_result or {}
    refused = str(error.get("message") or error.get("reason") or "")
    is_query = isinstance(job, bigquery.QueryJob)
    predicted = _predicted(job, predict) if is_query and not refused else None
    return Verdict(
        job.job_id,
        label,
        predicted,
        (job.total_bytes_billed or 0) if is_query else 0,
        None if predicted is None else allowed(predicted, tables_in(job.query)),
        refused,
        bool(CONFLICT.search(refused)),
    )


def _predicted(job: Any, predict: Predict) -> int | None:
    """The estimate of the job itself, otherwise that of a dry run now."""
    estimate = job.estimated_bytes_processed
    return predict(job) if estimate is None else int(estimate)


def tables_in(sql: str) -> int:
    """The number of tables that a statement names."""
    return max(1, len(set(re.findall(r"`[^`]+\.[^`]+\.[^`]+`", sql))))


def allowed(predicted: int, tables: int) -> int:
    """The most bytes that a query may be billed for: the prediction in whole MB, and the minimum of each table."""
    return -(-predicted // MEGABYTE) * MEGABYTE + tables * LEAST_BILLED


def dry_run(client: bigquery.Client) -> Predict:
    """Return a function that predicts by dry runs; None for deleted tables, such as staging tables."""

    def predict(job: Any) -> int | None:
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, query_parameters=job.query_parameters)
        try:
            found = client.query(job.query, job_config=config, location=job.location, job_retry=None)
        except GoogleAPIError:
            return None
        return None if found.total_bytes_processed is None else int(found.total_bytes_processed)

    return predict


def cost(verdicts: Iterable[Verdict], price_per_tib: float) -> float:
    """US dollars for the billed bytes."""
    return sum(verdict.billed for verdict in verdicts) / (1 << 40) * price_per_tib
