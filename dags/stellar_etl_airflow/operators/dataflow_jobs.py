"""Dataflow jobs of a task: started once, and found by name by a retry."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
from google.api_core.client_options import ClientOptions
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION

log = logging.getLogger(__name__)

EMULATOR = "DATAFLOW_EMULATOR_HOST"
"""The address of a Dataflow emulator with its scheme, like the variables of Google's other clients."""

INPUT_LABEL = "outbound_input"
"""The label with a hash of a job's input. A completed job is accepted only for the same files."""

REQUEST_TRIES = 5
"""Tries of a request after server errors. If a launch succeeded in spite of its error, the next one returns 409."""

CANCELLED = "JOB_STATE_CANCELLED"
SUCCEEDED_STATES = frozenset({"JOB_STATE_DONE", "JOB_STATE_UPDATED", "JOB_STATE_DRAINED"})
ENDED_STATES = SUCCEEDED_STATES | {"JOB_STATE_FAILED", CANCELLED}
"""The final states of a job (https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#Job.JobState)."""

_RACES = 3


class DataflowError(RuntimeError):
    """A job cannot be found or started; the message names it."""


class DataflowHook(GoogleBaseHook):
    """Dataflow's API through Google's discovery client.

    The provider's hook requires Beam's provider, and so Beam, in Airflow's environment.
    """

    def get_conn(self) -> Any:
        """Return the client."""
        host = os.environ.get(EMULATOR)
        options = ClientOptions(api_endpoint=host) if host else None
        return build("dataflow", "v1b3", http=self._authorize(), cache_discovery=False, client_options=options)


def input_label(uri: str) -> str:
    """Return the value of `INPUT_LABEL` for the files below an address."""
    return hashlib.sha256(uri.encode()).hexdigest()[:40]


@dataclass(frozen=True)
class JobState:
    """A Dataflow job."""

    id: str
    name: str
    state: str
    labels: Mapping[str, str]

    @property
    def has_ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED_STATES

    @property
    def has_succeeded(self) -> bool:
        """Whether it succeeded. This says nothing about what it delivered."""
        return self.state in SUCCEEDED_STATES


class DataflowJobs:
    """The jobs of one project and region."""

    def __init__(self, project: str, region: str) -> None:
        self._place = {"projectId": project, "location": region}
        self._locations = DataflowHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn().projects().locations()

    def numbered(self, base: str) -> list[JobState]:
        """Return the jobs named `base` with a number, in any state, in order."""
        found: list[JobState] = []
        while (job := self._named(f"{base}-{len(found) + 1}")) is not None:
            found.append(job)
        return found

    def find_or_start(self, base: str, uri: str, launch: Callable[[str], dict[str, Any]]) -> JobState:
        """Return the job that sends some files: an active one, one that has sent them, or a new one.

        Args:
            base: the common prefix of the names of the jobs.
            uri: the address of the files.
            launch: returns the `launchParameter` for a job's name.

        Raises:
            DataflowError: other tries keep starting jobs.
        """
        for _ in range(_RACES):
            jobs = self.numbered(base)
            last = jobs[-1] if jobs else None
            if last is not None and not last.has_ended:
                log.info("job %s (%s) of an earlier try is active: waiting for it", last.name, last.id)
                return last
            if last is not None and last.has_succeeded and last.labels.get(INPUT_LABEL) == input_label(uri):
                log.info("job %s (%s) of an earlier try has sent these files", last.name, last.id)
                return last
            name = f"{base}-{len(jobs) + 1}"
            try:
                return self._launch(launch(name))
            except HttpError as error:
                if error.resp.status != 409:
                    raise
                log.info("an active job %s already exists: looking it up", name)
        raise DataflowError(f"other tries started jobs named {base}-N {_RACES} times: clear the task")

    def cancel(self, job: JobState) -> None:
        """Request the cancellation of a job."""
        body = {"requestedState": CANCELLED}
        request = self._locations.jobs().update(**self._place, jobId=job.id, body=body)
        request.execute(num_retries=REQUEST_TRIES)

    def metrics(self, job: JobState) -> list[dict[str, Any]]:
        """Return a job's metrics."""
        request = self._locations.jobs().getMetrics(**self._place, jobId=job.id)
        metrics: list[dict[str, Any]] = request.execute(num_retries=REQUEST_TRIES).get("metrics", [])
        return metrics

    def _named(self, name: str) -> JobState | None:
        """Return the latest job of a name.

        Raises:
            DataflowError: the service of the region did not answer, so the job may be missing in the list.
        """
        jobs: list[dict[str, Any]] = []
        request = self._locations.jobs().list(**self._place, name=name, filter="ALL")
        while request is not None:
            answer = request.execute(num_retries=REQUEST_TRIES)
            if failed := answer.get("failedLocation"):
                regions = ", ".join(str(one.get("name")) for one in failed)
                raise DataflowError(f"Dataflow did not list the jobs of {regions}: a retry lists them again")
            jobs += [job for job in answer.get("jobs", []) if job["name"] == name]
            request = self._locations.jobs().list_next(request, answer)
        if not jobs:
            return None
        return _job(max(jobs, key=lambda job: job["createTime"]))

    def _launch(self, parameter: dict[str, Any]) -> JobState:
        body = {"launchParameter": parameter}
        request = self._locations.flexTemplates().launch(**self._place, body=body)
        job = _job(request.execute(num_retries=REQUEST_TRIES)["job"])
        log.info("started job %s (%s)", job.name, job.id)
        return job


def _job(resource: Mapping[str, Any]) -> JobState:
    state = resource.get("currentState", "JOB_STATE_UNKNOWN")
    return JobState(resource["id"], resource["name"], state, resource.get("labels", {}))
