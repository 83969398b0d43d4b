"""One writer per table: the BigQuery jobs that write a table, from any source. Takes a client; independent of Airflow.

A pool slot of Airflow is released while the job of a lost, timed-out or cleared task is still running. BigQuery runs
merges that only insert at the same time, and two of them would duplicate rows. So the jobs themselves are the lock.
Each job that writes a table has the table's label, and a writer

1. waits until no other job on its table is pending or running (`wait_for_writers`), then starts its own job;
2. lists the jobs again, when its own job is running and when it has ended (`earlier_writers`). Of jobs that overlapped,
   all but the first give way: they are cancelled, and their work begins again at 1. If a job ended before it could be
   cancelled, the repeated work replaces the same rows.

Some jobs are planned from the content of their table, namely the ledgers that a newer export has published. They have
the time of that check as a label. Such a job also gives way to a job that ended between the check and its own creation,
and is planned again.

Jobs are ordered by creation time, then by id. All writers see the same order, so exactly one of them continues. The
times are BigQuery's; no worker's clock is used.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.jobs import LOOKED_AT_LABEL, TARGET_LABEL
from stellar_etl_airflow.bigquery.tables import WarehouseError

log = logging.getLogger(__name__)

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between two lists of the jobs to wait for; the last value repeats."""

MOST_DELAY = timedelta(hours=1)
"""Maximum time from listing the running jobs to creating the next job: the client repeats an insert for at most ten
minutes (`google.cloud.bigquery.retry.DEFAULT_RETRY`)."""


@dataclass(frozen=True)
class ListedJob:
    """What a list says of a job.

    Attributes:
        job_id: its id.
        labels: its labels.
        state: `PENDING`, `RUNNING` or `DONE`.
        has_failed: whether it ended with an error.
        created: when it was created.
        ended: when it ended; None before.
    """

    job_id: str
    labels: Mapping[str, str]
    state: str
    has_failed: bool
    created: datetime
    ended: datetime | None

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> ListedJob:
        """Return the job of an entry of `jobs.list` with the fields `LISTED_FIELDS`."""
        status, statistics = resource["status"], resource["statistics"]
        return cls(
            resource["jobReference"]["jobId"],
            resource.get("configuration", {}).get("labels", {}),
            status["state"],
            "errorResult" in status,
            _moment(statistics["creationTime"]),
            _moment(statistics["endTime"]) if "endTime" in statistics else None,
        )


def running_jobs(client: bigquery.Client, project: str, location: str, label: str, value: str) -> list[ListedJob]:
    """Return the pending and running jobs of a project and location with a label, of all users.

    The API has no filter by label (https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/list). Pending jobs
    are listed first: a job that starts between the two requests is in the second list.

    Raises:
        WarehouseError: the jobs can't be listed; the message says why.
    """
    states = ("pending", "running")
    found = chain.from_iterable(_listed(client, project, location, state_filter=state) for state in states)
    return [job for job in found if job.labels.get(label) == value]


def wait_for_writers(client: bigquery.Client, project: str, location: str, target: str) -> None:
    """Wait until no job that writes a table is pending or running.

    Args:
        client: a BigQuery client.
        project: the project of the jobs.
        location: the location of the jobs.
        target: the table's label, as `target_label` returns it.
    """
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while jobs := running_jobs(client, project, location, TARGET_LABEL, target):
        log.info("waiting for the jobs that write the same table: %s", ", ".join(sorted({one.job_id for one in jobs})))
        time.sleep(next(pauses))


def earlier_writers(client: bigquery.Client, project: str, location: str, job: Any) -> list[str]:
    """Return the ids of earlier jobs that wrote the same table at the same time as a job, or since it was planned.

    Failed jobs are ignored, because they changed nothing.

    Args:
        client: a BigQuery client.
        project: the project of the jobs.
        location: the location of the jobs.
        job: the job, running or done. The result is empty if it writes no table.
    """
    target = job.labels.get(TARGET_LABEL)
    if target is None:
        return []
    began = _began(job)
    listed = _listed(
        client, project, location, min_creation_time=began - MOST_DELAY, max_creation_time=job.created + _MILLISECOND
    )
    return [
        other.job_id
        for other in listed
        if other.labels.get(TARGET_LABEL) == target
        and (other.created, other.job_id) < (job.created, job.job_id)
        and (other.state != "DONE" or (not other.has_failed and other.ended is not None and other.ended > began))
    ]


def _began(job: Any) -> datetime:
    """Return when a job's work began: at its creation, or when its table was read to plan it."""
    if (looked_at := job.labels.get(LOOKED_AT_LABEL)) is None:
        return job.created  # type: ignore[no-any-return]
    return _moment(looked_at)


def cancel(client: bigquery.Client, project: str, location: str, job_id: str, retry: Any) -> None:
    """Cancel a job and wait until it has ended. A missing job is not an error.

    BigQuery does not cancel immediately, and a job may succeed in between
    (https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/cancel).
    """
    try:
        job = client.cancel_job(job_id, project=project, location=location)
    except NotFound:
        return
    log.info("job %s is cancelled: waiting until it has ended", job_id)
    wait_for_end(job, retry)


def wait_for_end(job: Any, retry: Any) -> None:
    """Wait until a job has ended, successful or not."""
    with suppress(GoogleAPICallError):
        job.result(retry=retry)


_MILLISECOND = timedelta(milliseconds=1)

LISTED_FIELDS = (
    "nextPageToken,unreachable,"
    "jobs(jobReference,configuration/labels,status(state,errorResult),statistics(creationTime,endTime))"
)
"""The fields of listed jobs that are used here: 0.6 kB per job of the main job. A whole job also has its SQL text and
its statistics, 2.9 kB (https://cloud.google.com/bigquery/docs/api-performance#partial-response)."""


def _moment(millis: str) -> datetime:
    """Return a time of a job's statistics or labels: milliseconds since 1970, as text."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(millis))


def _listed(client: bigquery.Client, project: str, location: str, **filters: Any) -> Iterator[ListedJob]:
    try:
        found: Any = client.list_jobs(project, all_users=True, page_size=1000, **filters)
        found.extra_params["fields"] = LISTED_FIELDS
        for page in found.pages:
            # BigQuery leaves out the jobs of a location that it can't reach, and still answers with status 200.
            if location.lower() in map(str.lower, page.raw_page.get("unreachable", ())):
                raise WarehouseError(
                    f"BigQuery did not reach location {location}, so a job there that writes the same table may be "
                    f"missing in the list of jobs of project {project}: a retry lists them again"
                )
            # The client's own job objects need the whole resource.
            yield from map(ListedJob.of, page.raw_page.get("jobs", ()))
    except Forbidden as error:
        raise WarehouseError(
            f"the jobs of project {project} cannot be listed, so another job may write the same table at the same "
            f"time: grant the account of Airflow the permission bigquery.jobs.listAll on the project, which the role "
            f"roles/bigquery.resourceViewer has. BigQuery's message: {error.message}"
        ) from None
