"""Jobs as in Dataflow: one active job per name, states that only move forward, a process for each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.stack.layout import REPO, write_private

ACTIVE = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"})
FLEXRS = "FLEXRS_COST_OPTIMIZED"
PARAMETERS = frozenset({"input", "state", "url", "secret", "lanes", "rate", "tries", "timeout", "on_unknown", "job"})
"""The options of a job, from the template's metadata: `outbound/metadata.json`."""

ENVIRONMENT = "outbound"
"""The environment with Beam, `.venv-outbound`; the first job creates it."""


class JobError(ValueError):
    """Dataflow refuses a request; `code` and `status` are those of its response."""

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass
class Job:
    """One job.

    Attributes:
        id: Dataflow's id.
        name: the name that the client chose.
        project: the client's project.
        location: the region.
        state: `JOB_STATE_…`.
        created: when it was launched, UTC.
        labels: the client's labels.
        parameters: the options of the pipeline.
        is_flexrs: whether it waits in the queue before it runs.
        workers: the number of sending processes.
    """

    id: str
    name: str
    project: str
    location: str
    state: str
    created: str
    labels: Mapping[str, str]
    parameters: Mapping[str, str]
    is_flexrs: bool
    workers: int
    changed: str = field(default="")

    def resource(self) -> dict[str, Any]:
        """Return the job as the API describes it.

        https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#Job lists the fields.
        """
        return {
            "id": self.id,
            "name": self.name,
            "projectId": self.project,
            "location": self.location,
            "type": "JOB_TYPE_BATCH",
            "currentState": self.state,
            "currentStateTime": self.changed,
            "createTime": self.created,
            "labels": dict(self.labels),
        }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Jobs:
    """All jobs, each stored in a file: a restarted server reads them, and marks running ones as failed."""

    def __init__(self, root: Path, environment: Mapping[str, str], flexrs_seconds: float) -> None:
        self._root = root
        self._environment = dict(environment)
        self._flexrs_seconds = flexrs_seconds
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: dict[str, Job] = {}
        root.mkdir(parents=True, exist_ok=True)
        for path in sorted(root.glob("*.job.json")):
            job = Job(**json.loads(path.read_text()))
            self._jobs[job.id] = job
            if job.state in ACTIVE:
                self._move(job, "JOB_STATE_FAILED")

    def all(self) -> list[Job]:
        """Return all jobs, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: job.created, reverse=True)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobError: no job has that id (404).
        """
        if job_id not in self._jobs:
            raise JobError(404, "NOT_FOUND", f"({job_id}): Information about job {job_id} could not be found.")
        return self._jobs[job_id]

    def launch(self, project: str, location: str, parameter: Mapping[str, Any]) -> Job:
        """Start a job from a Flex Template.

        Raises:
            JobError: a job of that name is active (409), or the template lacks a parameter (400).
        """
        name, environment = parameter["jobName"], parameter.get("environment", {})
        if any(job.name == name and job.state in ACTIVE for job in self._jobs.values()):
            raise JobError(409, "ALREADY_EXISTS", f"There is already an active job named {name}.")
        if unknown := sorted(parameter.get("parameters", {}).keys() - PARAMETERS):
            raise JobError(400, "INVALID_ARGUMENT", f"The template has no parameters {', '.join(unknown)}")
        is_flexrs = environment.get("flexrsGoal") == FLEXRS
        job = Job(
            f"{time.strftime('%Y-%m-%d_%H_%M_%S', time.gmtime())}-{uuid.uuid4().int % 10**19:019d}",
            name,
            project,
            location,
            "JOB_STATE_QUEUED" if is_flexrs else "JOB_STATE_PENDING",
            _now(),
            environment.get("additionalUserLabels", {}),
            parameter.get("parameters", {}),
            is_flexrs,
            min(int(environment.get("maxWorkers", 1)), os.cpu_count() or 1),
        )
        self._jobs[job.id] = job
        self._move(job, job.state)
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; an ended job stays unchanged."""
        job = self.get(job_id)
        if job.state == "JOB_STATE_QUEUED":
            self._move(job, "JOB_STATE_CANCELLED")
        elif job.state in ACTIVE:
            self._move(job, "JOB_STATE_CANCELLING")
            self._signal(job, signal.SIGTERM)
        return job

    def kill(self, job_id: str) -> Job:
        """End a job's workers at once, as a fault: the job fails."""
        job = self.get(job_id)
        self._signal(job, signal.SIGKILL)
        return job

    def metrics(self, job_id: str) -> list[dict[str, Any]]:
        """Return the metrics of a finished job; others have none here."""
        self.get(job_id)
        try:
            metrics: list[dict[str, Any]] = json.loads(self._metrics_file(job_id).read_text())
        except FileNotFoundError:
            return []
        return metrics

    def stop(self) -> None:
        """End all workers."""
        for job in self._jobs.values():
            self._signal(job, signal.SIGKILL)

    async def _run(self, job: Job) -> None:
        if job.is_flexrs:
            await asyncio.sleep(self._flexrs_seconds)
            if job.state != "JOB_STATE_QUEUED":
                return
            self._move(job, "JOB_STATE_PENDING")
        with (self._root / f"{job.id}.log").open("wb") as log:
            status = await self._end_of(job, (str(REPO / "scripts" / "make_venv.sh"), ENVIRONMENT), log)
            if status == 0 and job.state == "JOB_STATE_PENDING":
                self._move(job, "JOB_STATE_RUNNING")
                status = await self._end_of(job, self._command(job), log)
        cancelled = job.state == "JOB_STATE_CANCELLING"
        ended = "JOB_STATE_CANCELLED" if cancelled else "JOB_STATE_FAILED" if status else "JOB_STATE_DONE"
        self._move(job, ended)

    async def _end_of(self, job: Job, command: tuple[str, ...], log: Any) -> int:
        """Run a command to its end, in a separate process group, so that all its processes can be ended."""
        process = await asyncio.create_subprocess_exec(
            *command, env=self._environment, cwd=REPO, stdout=log, stderr=log, start_new_session=True
        )
        self._processes[job.id] = process
        try:
            return await process.wait()
        finally:
            self._signal(job, signal.SIGKILL)  # workers of a killed parent
            del self._processes[job.id]

    def _command(self, job: Job) -> tuple[str, ...]:
        runner = ["--runner=FnApiRunner"]
        if job.workers > 1:
            # Never use multi_threading: that mode loses elements without an error.
            runner += ["--direct_running_mode=multi_processing", f"--direct_num_workers={job.workers}"]
        python = REPO / f".venv-{ENVIRONMENT}" / "bin" / "python"
        options = [f"--{name}={value}" for name, value in job.parameters.items()]
        return (str(python), "-m", "outbound", *runner, *options, f"--metrics={self._metrics_file(job.id)}")

    def _signal(self, job: Job, number: signal.Signals) -> None:
        process = self._processes.get(job.id)
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _metrics_file(self, job_id: str) -> Path:
        return self._root / f"{job_id}.metrics.json"

    def _move(self, job: Job, state: str) -> None:
        job.state, job.changed = state, _now()
        write_private(self._root / f"{job.id}.job.json", json.dumps(asdict(job)))
