"""Jobs as in BigQuery: an id is used once, a client can ask again, statistics count the changes."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import takewhile
from typing import Annotated, Any
from uuid import uuid4

import duckdb
from bqemulator.api.dependencies import AppContext
from bqemulator.api.routes import jobs as routes
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta
from bqemulator.domain.errors import (
    AlreadyExistsError,
    DomainError,
    InvalidQueryError,
    NotFoundError,
    PermissionDeniedError,
    ResourceRef,
    ValidationError,
    resource_not_found,
)
from bqemulator.jobs import executor
from bqemulator.observability.logging_ import get_logger
from bqemulator.row_access.identity import CallerIdentity
from fastapi import APIRouter, Depends, Query, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from local.warehouse import partial, reading, storage, tables
from local.warehouse.serving import TheCaller, TheContext
from local.warehouse.transaction import transaction

_log = get_logger(__name__)

answer_after = 2.0
"""Seconds that jobs.insert waits for a job before it answers RUNNING; the command line sets it. BigQuery does not wait,
and clients then poll once a second, too slow for a short job."""
STOP_SECONDS, STOP_LOOKS = 10, 50
"""The time-out for interrupted jobs at a stop or a cancel, and the interval of interrupts."""
RESULTS_KEPT = 1000
"""The number of newest query results that are kept in memory for clients."""
MOST_JOBS = 1000
"""Jobs per page of a list."""
STATES = frozenset({"PENDING", "RUNNING", "DONE"})

router = APIRouter(prefix="/bigquery/v2/projects/{project_id}")


class _JobFailedError(Exception):
    """A job that bqemulator ran to an error, which it reports without raising."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["message"])
        self.result = result


class _CancelledError(Exception):
    """A job that was cancelled before it began."""


class Jobs:
    """Runs one job at a time, in a thread, so that the server can respond meanwhile."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._unfinished: dict[tuple[str, str], JobMeta] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._cancelled: set[tuple[str, str]] = set()
        self._executing: tuple[str, str] | None = None
        self._checkpoints = storage.Checkpoints(context.engine)
        self.database = asyncio.Lock()
        """Held by the user of the database: bqemulator has one connection for all."""

    def find(self, project_id: str, job_id: str) -> JobMeta | None:
        """Return the current job; None for an unknown id, or one that was running when the server was killed."""
        unfinished = self._unfinished.get((project_id, job_id))
        return unfinished or self._context.catalog.get_job(project_id, job_id)

    async def wait(self, project_id: str, job_id: str, seconds: float) -> JobMeta:
        """Return the finished job, or its state after a number of seconds.

        Raises:
            NotFoundError: The job does not exist (404).
        """
        task = self._tasks.get((project_id, job_id))
        if task is not None:
            await asyncio.wait({task}, timeout=seconds)
        job = self.find(project_id, job_id)
        if job is None:
            raise resource_not_found(ResourceRef("job", project_id, resource_id=job_id))
        return job

    def start(self, project_id: str, job_id: str, configuration: dict[str, Any], caller: CallerIdentity) -> None:
        """Add a job to the queue.

        Raises:
            AlreadyExistsError: The id has been used (409). Clients then look the job up by its id.
            InvalidQueryError: The configuration names no kind of job (400).
        """
        if self.find(project_id, job_id) is not None:
            raise AlreadyExistsError(f"Already Exists: Job {project_id}:US.{job_id}")
        kind = next((kind for kind in ("query", "load", "extract", "copy") if kind in configuration), None)
        if kind is None:
            raise InvalidQueryError("Job configuration must contain one of: query, load, extract, copy")
        now = self._context.clock.now()
        key = (project_id, job_id)
        self._unfinished[key] = JobMeta.model_validate(
            {
                "project_id": project_id,
                "job_id": job_id,
                "job_type": kind.upper(),
                "state": "PENDING",
                "configuration": configuration,
                "creation_time": now,
                "etag": generate_etag(project_id, job_id, str(now)),
            }
        )
        self._tasks[key] = asyncio.create_task(self._run(key, caller))

    def newest_first(self, project_id: str, states: Collection[str], since: datetime) -> list[JobMeta]:
        """Return the project's jobs in some states that were created at a time or later, newest first.

        Writers list the running jobs, and those of the last hour, for each statement that writes a table.

        Args:
            project_id: The project.
            states: `PENDING`, `RUNNING`, `DONE`.
            since: The time.
        """
        done = self._context.catalog.list_jobs(project_id, max_results=sys.maxsize) if "DONE" in states else ()
        recent = takewhile(lambda job: job.creation_time >= since, done)
        by_id = {job.job_id: job for job in recent} | {
            job_id: job
            for (project, job_id), job in self._unfinished.items()
            if project == project_id and job.state in states and job.creation_time >= since
        }
        return sorted(by_id.values(), key=_age, reverse=True)

    async def cancel(self, project_id: str, job_id: str) -> None:
        """Interrupt a running job, and drop a pending one; as in BigQuery, a finished one stays unchanged."""
        key = (project_id, job_id)
        if key in self._unfinished:
            self._cancelled.add(key)
        for _ in range(STOP_LOOKS):
            if key not in self._unfinished or self._unfinished[key].state != "RUNNING":
                break
            # An interrupt that comes before a job's statement has begun is lost.
            if self._executing == key:
                self._context.engine.connection.interrupt()
            await asyncio.wait({self._tasks[key]}, timeout=STOP_SECONDS / STOP_LOOKS)

    async def stop(self) -> None:
        """Interrupt the running job, and drop pending ones; BigQuery has no such stop."""
        for key, job in list(self._unfinished.items()):
            if job.state == "RUNNING":
                self._cancelled.add(key)
            else:
                self._tasks[key].cancel()
        unfinished = set(self._tasks.values())
        for _ in range(STOP_LOOKS):
            if not unfinished:
                break
            # An interrupt that comes before a job's statement has begun is lost.
            self._context.engine.connection.interrupt()
            _, unfinished = await asyncio.wait(unfinished, timeout=STOP_SECONDS / STOP_LOOKS)

    async def _run(self, key: tuple[str, str], caller: CallerIdentity) -> None:
        try:
            async with self.database:
                pending = self._unfinished[key]
                job = pending.model_copy(update={"state": "RUNNING", "start_time": self._context.clock.now()})
                self._unfinished[key] = job
                await asyncio.to_thread(self._execute, job, caller)
        finally:
            del self._unfinished[key]
            del self._tasks[key]

    def _execute(self, job: JobMeta, caller: CallerIdentity) -> None:
        """Run a job to its end, in its own thread.

        A job's changes and its record are committed together: after a kill a job is done if and only if its rows
        exist.
        """
        tables.drop_expired(self._context)
        storage.prepare(self._context.engine, job.job_type)
        try:
            with transaction(self._context.engine):
                # A cancel interrupts the job's own statement, and neither its record nor the end of the transaction.
                self._executing = (job.project_id, job.job_id)
                try:
                    done = asyncio.run(self._dispatch(job, caller))
                finally:
                    self._executing = None
                self._record(job, done)
        except Exception as error:  # any error fails the job: a client would retry a 500 for ten minutes
            self._record(job, job.model_copy(update={"error_result": self._error_result(job, error)}))
        self._checkpoints.after_job()
        while len(executor.JOB_RESULTS) > RESULTS_KEPT:
            oldest = next(iter(executor.JOB_RESULTS))
            del executor.JOB_RESULTS[oldest]
            executor.JOB_SCHEMAS.pop(oldest, None)

    def _record(self, job: JobMeta, outcome: JobMeta) -> None:
        """Record the end of a job, with its own configuration and times."""
        configuration = dict(job.configuration)
        routes._merge_executor_config(configuration, outcome.configuration)
        self._context.catalog.upsert_job(
            outcome.model_copy(
                update={
                    "state": "DONE",
                    "configuration": configuration,
                    "creation_time": job.creation_time,
                    "start_time": job.start_time,
                    "end_time": self._context.clock.now(),
                }
            )
        )

    async def _dispatch(self, job: JobMeta, caller: CallerIdentity) -> JobMeta:
        arguments = (job.project_id, job.job_id, job.configuration)
        if arguments[:2] in self._cancelled:
            raise _CancelledError
        match job.job_type:
            case "QUERY":
                done = await routes._handle_query_job(
                    *arguments, dry_run=False, ctx=self._context, caller=caller, now=job.creation_time
                )
                assert isinstance(done, JobMeta)  # a dict answers a dry run
                if done.error_result is not None:
                    raise _JobFailedError(done.error_result)
                read = reading.statistics_of(job.configuration["query"]["query"], job.project_id, self._context)
                done.statistics["query"] |= read
                return done
            case "LOAD":
                return await executor.execute_load_job(*arguments, self._context)
            case "EXTRACT":
                return await executor.execute_extract_job(*arguments, self._context)
            case "COPY":
                return await executor.execute_copy_job(*arguments, self._context)

    def _error_result(self, job: JobMeta, error: Exception) -> dict[str, Any]:
        """BigQuery's ``ErrorProto`` of a job that failed."""
        if (job.project_id, job.job_id) in self._cancelled:
            return {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}
        if isinstance(error, _JobFailedError):
            return error.result
        if isinstance(error, DomainError):
            return {"reason": error.bq_reason, "message": error.message}
        if isinstance(error, OSError | duckdb.IOException):  # a full disk, not invalid rows
            return {"reason": "backendError", "message": str(error)}
        if not isinstance(error, duckdb.Error):
            _log.warning("warehouse.job_failed", job_id=job.job_id, exc_info=error)
        return {
            "reason": "invalidQuery" if job.job_type == "QUERY" else "invalid",
            "message": f"Error while reading data, error message: {error}" if job.job_type == "LOAD" else str(error),
        }


async def get_jobs(request: Request) -> Jobs:
    """FastAPI dependency: the server's jobs."""
    jobs: Jobs = request.app.state.jobs
    return jobs


TheJobs = Annotated[Jobs, Depends(get_jobs)]


@router.post("/jobs")
async def insert_job(
    project_id: str, request: Request, context: TheContext, jobs: TheJobs, caller: TheCaller
) -> dict[str, Any]:
    """Start a job and return it, finished if it was short."""
    body = await request.json()
    configuration = body.get("configuration", {})
    if configuration.get("dryRun") and "query" in configuration:
        async with jobs.database:
            return _with_estimate(await routes.insert_job(project_id, request, context, caller), project_id, context)
    job_id = body.get("jobReference", {}).get("jobId") or f"job_{uuid4().hex}"
    jobs.start(project_id, job_id, configuration, caller)
    return _resource(await jobs.wait(project_id, job_id, answer_after))


def _with_estimate(planned: dict[str, Any], project_id: str, context: AppContext) -> dict[str, Any]:
    """Answer a dry run with the bytes that the job would read; bqemulator returns none."""
    read = reading.statistics_of(planned["configuration"]["query"]["query"], project_id, context)
    statistics = planned.setdefault("statistics", {})
    statistics["totalBytesProcessed"] = read["totalBytesProcessed"]
    statistics["query"] = {**statistics.get("query", {}), "totalBytesProcessed": read["totalBytesProcessed"]}
    return planned


@router.post("/queries")
async def query(
    project_id: str, request: Request, context: TheContext, jobs: TheJobs, caller: TheCaller
) -> dict[str, Any]:
    """Run a query and return its rows: a job like any other, with an id from the server."""
    body = await request.json()
    if body.get("dryRun"):
        async with jobs.database:
            return await routes.query(project_id, request, context, caller)
    job_id = f"job_{uuid4().hex}"
    jobs.start(project_id, job_id, {"query": body, "labels": body.get("labels", {})}, caller)
    results = await get_query_results(
        project_id, job_id, context, jobs, body.get("maxResults", 10000), timeout_ms=body.get("timeoutMs", 10000)
    )
    return {**results, "kind": "bigquery#queryResponse"}


@router.get("/jobs")
async def list_jobs(
    project_id: str,
    jobs: TheJobs,
    state_filter: Annotated[list[str] | None, Query(alias="stateFilter")] = None,
    min_creation_time: Annotated[int, Query(alias="minCreationTime")] = 0,
    max_creation_time: Annotated[int, Query(alias="maxCreationTime")] = sys.maxsize,
    projection: str = "minimal",
    parent_job_id: Annotated[str | None, Query(alias="parentJobId")] = None,
    max_results: Annotated[int, Query(alias="maxResults", ge=1)] = MOST_JOBS,
    page_token: Annotated[str, Query(alias="pageToken")] = "",
    fields: str = "",
) -> dict[str, Any]:
    """The project's jobs, newest first. `allUsers` has no effect: there is one user."""
    states = STATES if state_filter is None else {state.upper() for state in state_filter}
    since = datetime.fromtimestamp(min_creation_time / 1000, UTC)
    found = [
        job
        for job in jobs.newest_first(project_id, states, since)
        if parent_job_id is None  # no job has a parent
        and _millis(job) <= max_creation_time
        and (not page_token or _token(job) < page_token)
    ]
    page = found[: min(max_results, MOST_JOBS)]
    more = {"nextPageToken": _token(page[-1])} if len(found) > len(page) else {}
    listed: dict[str, Any] = {
        "kind": "bigquery#jobList",
        "jobs": [_listed(job, projection) for job in page],
        **more,
    }
    if not fields:
        return listed
    try:
        return dict(partial.only(listed, fields))
    except ValueError as error:
        raise ValidationError(str(error)) from None


@router.get("/jobs/{job_id}")
async def get_job(project_id: str, job_id: str, jobs: TheJobs) -> dict[str, Any]:
    """Return the current job."""
    return _resource(await jobs.wait(project_id, job_id, 0))


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(project_id: str, job_id: str, jobs: TheJobs) -> dict[str, Any]:
    """Ask a running job to stop."""
    await jobs.cancel(project_id, job_id)
    job = await jobs.wait(project_id, job_id, 0)
    return {"kind": "bigquery#jobCancelResponse", "job": _resource(job)}


@router.get("/queries/{job_id}")
async def get_query_results(
    project_id: str,
    job_id: str,
    context: TheContext,
    jobs: TheJobs,
    max_results: Annotated[int, Query(alias="maxResults")] = 10000,
    start_index: Annotated[int, Query(alias="startIndex")] = 0,
    page_token: Annotated[str | None, Query(alias="pageToken")] = None,
    timeout_ms: Annotated[int, Query(alias="timeoutMs")] = 10000,
) -> dict[str, Any]:
    """Return the rows of a query after its end, the error of a failed one, or no rows for a DML statement."""
    job = await jobs.wait(project_id, job_id, min(timeout_ms, 10000) / 1000)
    if job.state != "DONE":
        return {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": _resource(job)["jobReference"],
            "jobComplete": False,
        }
    if job.error_result is not None:
        raise _error_of(job.error_result)
    if job_id not in executor.JOB_RESULTS:
        if job.statistics.get("query", {}).get("statementType") == "SELECT":
            raise NotFoundError(f"Not found: the results of job {job_id}, which the server no longer has")
        executor.JOB_RESULTS[job_id] = executor._EMPTY_ARROW
        executor.JOB_SCHEMAS[job_id] = []
    response = routes.get_query_results(project_id, job_id, context, max_results, start_index, page_token)
    routes._attach_query_metadata(response, job)
    return response


def _millis(job: JobMeta) -> int:
    """Return when a job was created, in the API's form."""
    return int(job.creation_time.timestamp() * 1000)


def _age(job: JobMeta) -> tuple[int, str]:
    """The sort key of jobs: their creation, and the id within one millisecond."""
    return _millis(job), job.job_id


def _token(job: JobMeta) -> str:
    """Return a page token for the jobs before this one, also if jobs are added; tokens sort like jobs."""
    millis, job_id = _age(job)
    return f"{millis:020}.{job_id}"


def _listed(job: JobMeta, projection: str) -> dict[str, Any]:
    """Return a job as an entry of a list: `minimal` omits its configuration."""
    resource = _resource(job)
    if projection != "full":
        del resource["configuration"]
    status = resource["status"]
    return resource | {"state": status["state"]} | {key: status[key] for key in ("errorResult",) if key in status}


def _resource(job: JobMeta) -> dict[str, Any]:
    return routes._build_job_response(job.project_id, job.job_id, job, job.configuration)


def _error_of(result: dict[str, Any]) -> DomainError:
    """The HTTP answer for the error of a job."""
    kinds = (NotFoundError, AlreadyExistsError, PermissionDeniedError, ValidationError)
    kind = next((kind for kind in kinds if kind.bq_reason == result["reason"]), InvalidQueryError)
    return kind(result["message"])


class OneAtATime:
    """Serializes requests that use the database with each other and with a running job.

    Requests for jobs, a dataset or the server's health are answered at once.
    """

    def __init__(self, app: ASGIApp, context: AppContext, jobs: Jobs) -> None:
        self._app = app
        self._context = context
        self._jobs = jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _needs_no_database(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        async with self._jobs.database:
            tables.drop_expired(self._context)
            await self._app(scope, receive, send)


def _needs_no_database(method: str, path: str) -> bool:
    """Whether a request only reads memory, or starts a job, which is queued anyway."""
    without = {
        "GET": r"/(jobs|queries)(/[^/]+)?$|/datasets/[^/]+$|^/(healthz|readyz|metrics)$",
        "POST": r"^/bigquery/v2/projects/[^/]+/(queries|jobs(/[^/]+/cancel)?)$",
    }
    return method in without and re.search(without[method], path) is not None
