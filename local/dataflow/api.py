"""Answers the requests of Dataflow's API that outbound exports send: launch, list, get, update, getMetrics.

https://cloud.google.com/dataflow/docs/reference/rest describes them.
"""

from __future__ import annotations

import json

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.dataflow.jobs import JobError, Jobs
from local.recording import Recorder, parsed_query

PLACE = "/v1b3/projects/{project}/locations/{location}"


class Api:
    """The API of one set of jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/healthz", self._health)
        router.add_post(f"{PLACE}/flexTemplates:launch", self._launch)
        router.add_get(f"{PLACE}/jobs", self._list)
        router.add_get(f"{PLACE}/jobs/{{job_id}}", self._get)
        router.add_put(f"{PLACE}/jobs/{{job_id}}", self._update)
        router.add_get(f"{PLACE}/jobs/{{job_id}}/metrics", self._metrics)
        router.add_post("/control/jobs/{job_id}/kill", self._kill)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _launch(self, request: web.Request) -> web.Response:
        place, body = request.match_info, await request.json()
        job = self._jobs.launch(place["project"], place["location"], body["launchParameter"])
        return web.json_response({"job": job.resource()})

    async def _list(self, request: web.Request) -> web.Response:
        name, wanted = request.query.get("name"), request.query.get("filter", "ALL")
        found = [
            job.resource()
            for job in self._jobs.all()
            if (job.project, job.location) == (request.match_info["project"], request.match_info["location"])
            and name in (None, job.name)
            and (wanted != "ACTIVE" or job.resource()["currentState"] not in ("JOB_STATE_DONE", "JOB_STATE_FAILED"))
        ]
        return web.json_response({"jobs": found} if found else {})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._jobs.get(request.match_info["job_id"]).resource())

    async def _update(self, request: web.Request) -> web.Response:
        job_id, body = request.match_info["job_id"], await request.json()
        if body.get("requestedState") != "JOB_STATE_CANCELLED":
            raise JobError(400, "INVALID_ARGUMENT", "a job here can only be cancelled")
        return web.json_response(self._jobs.cancel(job_id).resource())

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.json_response({"metrics": self._jobs.metrics(request.match_info["job_id"])})

    async def _kill(self, request: web.Request) -> web.Response:
        return web.json_response(self._jobs.kill(request.match_info["job_id"]).resource())


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a refused request in the form of Google's APIs."""
    try:
        return await handler(request)
    except JobError as error:
        body = {"error": {"code": error.code, "message": str(error), "status": error.status}}
        return web.json_response(body, status=error.code)


def recording(recorder: Recorder) -> Middleware:
    """Return a middleware that records each request of Google's API."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        content = await request.read()
        if request.path.startswith("/v1b3/"):
            path, query = request.raw_path.partition("?")[0], parsed_query(request.query_string)
            recorder.record(request.method, path, query, json.loads(content) if content else None)
        return await handler(request)

    return record
