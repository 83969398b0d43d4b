"""Answers clients over HTTP: the routes of the Kubernetes API that the pod operator and its trigger use."""

from __future__ import annotations

import asyncio
import copy
import hmac
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.cluster.container import Container
from local.cluster.execution import execute
from local.cluster.kubelet import DEFAULT_GRACE, Kubelet
from local.cluster.logs import LogRequest, read_log
from local.cluster.selectors import SelectorError, matches_fields, matches_labels
from local.cluster.store import KINDS, HistoryGone, Object, Store
from local.cluster.validation import METADATA, metadata_problems, misshapen, problems, shape_problems

VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.0-local-processes"}
LARGEST_OBJECT = 4 << 20  # bytes of a request
LONGEST_WATCH = 3600  # seconds
TRUE = ("true", "True", "1")


class Refusal(Exception):  # noqa: N818  an answer, not a fault of the program
    """A response with an error status: its code, the API's reason, and a message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason

    def response(self) -> web.Response:
        """The response as a Kubernetes ``Status``."""
        return web.json_response(self.status(), status=self.code)

    def status(self) -> Object:
        """The ``Status`` object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "reason": self.reason,
            "message": str(self),
            "code": self.code,
        }


def needs_token(token: str) -> Middleware:
    """Return a middleware that answers 401 without the token, because the server runs any command."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(errors="surrogateescape"), expected):
            return Refusal(401, "Unauthorized", "Unauthorized").response()
        return await handler(request)

    return check


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions of handlers into responses."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response()
    except SelectorError as error:
        return Refusal(400, "BadRequest", str(error)).response()
    except web.HTTPNotFound:
        return Refusal(404, "NotFound", f"the server could not find the requested resource: {request.path}").response()


class Api:
    """The handlers of one store and its kubelet."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store, self._kubelet = store, kubelet

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the handlers."""
        kinds = "{plural:" + "|".join(KINDS) + "}"
        space = "/api/v1/namespaces/{namespace}"
        router.add_get("/version", self._version)
        router.add_get(f"/api/v1/{kinds}", self._list)
        router.add_get(f"{space}/{kinds}", self._list)
        router.add_post(f"{space}/{kinds}", self._create)
        router.add_get(f"{space}/{kinds}/{{name}}", self._get)
        router.add_patch(f"{space}/{kinds}/{{name}}", self._patch)
        router.add_delete(f"{space}/{kinds}/{{name}}", self._delete)
        router.add_post(f"{space}/{{plural:pods}}/{{name}}/eviction", self._evict)
        router.add_get(f"{space}/pods/{{name}}/log", self._log)
        for method in ("GET", "POST"):
            router.add_route(method, f"{space}/pods/{{name}}/exec", self._exec)

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response(VERSION)

    # Objects ----------------------------------------------------------------------------------------------------

    def _find(self, request: web.Request, plural: str | None = None) -> Object:
        plural = plural or request.match_info["plural"]
        name = request.match_info["name"]
        found = self._store.find(plural, request.match_info["namespace"], name)
        if found is None:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found')
        return found

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._find(request))

    async def _create(self, request: web.Request) -> web.Response:
        plural, namespace = request.match_info["plural"], request.match_info["namespace"]
        obj = await _object(request)
        if found := shape_problems(plural, obj):
            raise Refusal(422, "Invalid", f"{KINDS[plural]} is invalid: {'; '.join(found)}")
        metadata = obj["metadata"] = dict(obj.get("metadata") or {})
        for part in ("deletionTimestamp", "deletionGracePeriodSeconds"):  # set by the server
            metadata.pop(part, None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        name = str(metadata.get("name"))
        if plural == "events":
            raise Refusal(405, "MethodNotAllowed", "events are made by the cluster")
        if found := problems(plural, obj):
            raise Refusal(422, "Invalid", f'{KINDS[plural]} "{name}" is invalid: {"; ".join(found)}')
        if metadata.get("namespace", namespace) != namespace:
            raise Refusal(400, "BadRequest", "the namespace of the object does not match the namespace of the request")
        if self._store.find(plural, namespace, name) is not None:
            raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')
        metadata["namespace"] = namespace
        if plural == "pods":
            if obj["spec"].get("terminationGracePeriodSeconds") is None:
                obj["spec"]["terminationGracePeriodSeconds"] = DEFAULT_GRACE
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        self._store.add(plural, obj)
        answer = copy.deepcopy(obj)
        if plural == "pods":
            self._kubelet.take(obj)
        return web.json_response(answer, status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        """Apply a merge patch of labels and annotations; the rest of a pod is immutable."""
        obj = self._find(request)
        patch = await _object(request)
        if found := list(misshapen(patch, {"metadata": METADATA})):
            raise Refusal(422, "Invalid", "; ".join(found))
        metadata = copy.deepcopy(obj["metadata"])
        for part in ("labels", "annotations"):
            metadata[part] = metadata.get(part) or {}
            merge(metadata[part], (patch.get("metadata") or {}).get(part) or {})
        if found := metadata_problems(metadata):
            raise Refusal(422, "Invalid", "; ".join(found))
        obj["metadata"] |= {part: metadata[part] for part in ("labels", "annotations")}
        self._store.save(request.match_info["plural"], obj)
        return web.json_response(obj)

    async def _delete(self, request: web.Request) -> web.Response:
        obj, plural = self._find(request), request.match_info["plural"]
        if plural != "pods":
            self._store.remove(plural, obj)
            shutil.rmtree(self._store.folder(plural, obj), ignore_errors=True)
            return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        options = await _object(request) if request.can_read_body else {}
        requested = options.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
        grace = obj["spec"]["terminationGracePeriodSeconds"] if requested is None else requested
        self._kubelet.delete(obj, _whole("gracePeriodSeconds", grace))
        return web.json_response(obj)

    async def _evict(self, request: web.Request) -> web.Response:
        """Evict a pod; this cluster has no disruption budgets that could refuse it."""
        obj = self._find(request)
        self._kubelet.delete(obj, int(obj["spec"]["terminationGracePeriodSeconds"]))
        return web.json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, status=201
        )

    # Lists and watches ------------------------------------------------------------------------------------------

    def _selected(self, request: web.Request) -> Callable[[Object], bool]:
        namespace = request.match_info.get("namespace")
        labels, fields = request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")

        def selected(obj: Object) -> bool:
            metadata = obj["metadata"]
            return (
                (namespace is None or metadata["namespace"] == namespace)
                and matches_labels(labels, metadata.get("labels") or {})
                and matches_fields(fields, obj)
            )

        matches_labels(labels, {})  # invalid selectors are refused at once
        matches_fields(fields, {})
        return selected

    async def _list(self, request: web.Request) -> web.StreamResponse:
        plural, selected = request.match_info["plural"], self._selected(request)
        if request.query.get("watch") in TRUE:
            return await self._watch(request, plural, selected)
        return web.json_response(
            {
                "kind": f"{KINDS[plural]}List",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": str(self._store.version)},
                "items": [obj for obj in self._store.list(plural) if selected(obj)],
            }
        )

    async def _watch(self, request: web.Request, plural: str, selected: Callable[[Object], bool]) -> web.StreamResponse:
        seconds = min(_whole("timeoutSeconds", request.query.get("timeoutSeconds") or LONGEST_WATCH), LONGEST_WATCH)
        since = _whole("resourceVersion", request.query.get("resourceVersion") or 0, 1 << 63)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                async for kind, obj in self._changes(since, plural):
                    if kind == "ERROR" or selected(obj):
                        await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        return response

    async def _changes(self, since: int, plural: str) -> AsyncIterator[tuple[str, Object]]:
        """Stream changes of a kind after a resource version; after 0, all existing objects and then changes."""
        present = [] if since else copy.deepcopy(self._store.list(plural))
        try:
            with self._store.watch(since or self._store.version) as queue:
                for obj in present:
                    yield "ADDED", obj
                while True:
                    change = await queue.get()
                    if change.plural == plural:
                        yield change.type, change.object
        except HistoryGone as gone:
            yield "ERROR", Refusal(410, "Expired", str(gone)).status()

    # Logs and commands ------------------------------------------------------------------------------------------

    def _container(self, request: web.Request) -> tuple[str, Container]:
        """Return the container that the request names, or the pod's only one."""
        pod = self._find(request, "pods")
        specs = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        names = [spec["name"] for spec in specs]
        name = request.query.get("container") or (names[0] if len(names) == 1 else "")
        if name not in names:
            choice = f"choose one of: {' '.join(names)}"
            message = f"container {name or 'name'} is not valid for pod {pod['metadata']['name']}: {choice}"
            raise Refusal(400, "BadRequest", message)
        return name, self._kubelet.container(pod, name)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        name, container = self._container(request)
        if not container.log.exists():
            pod = request.match_info["name"]
            message = f'container "{name}" in pod "{pod}" is waiting to start: ContainerCreating'
            raise Refusal(400, "BadRequest", message)
        since, tail = request.query.get("sinceSeconds"), request.query.get("tailLines")
        log_request = LogRequest(
            follow=request.query.get("follow") in TRUE,
            timestamps=request.query.get("timestamps") in TRUE,
            since_seconds=_whole("sinceSeconds", since) if since else None,
            tail_lines=_whole("tailLines", tail) if tail else None,
        )
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        with suppress(ConnectionError, FileNotFoundError):
            async for lines in read_log(container, log_request):
                if lines:
                    await response.write(lines)
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        name, container = self._container(request)
        command = request.query.getall("command", [])
        if not command:
            raise Refusal(400, "BadRequest", "you must specify at least 1 command for the container")
        if not container.alive:
            raise Refusal(400, "BadRequest", f'container "{name}" is not running')
        return await execute(request, container, name, command)


def merge(target: MutableMapping[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply a JSON merge patch (RFC 7386) to a flat object."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value


def _whole(name: str, value: Any, end: int = 1 << 31) -> int:
    """Return a number of a request; negative numbers become 0."""
    try:
        number = max(0, int(value))
    except (OverflowError, TypeError, ValueError):
        number = end
    if number >= end:
        raise Refusal(400, "BadRequest", f"{name} must be a whole number below {end}, not {value!r}")
    return number


async def _object(request: web.Request) -> Object:
    try:
        body = await request.json()
    except (LookupError, RecursionError, ValueError) as error:
        raise Refusal(400, "BadRequest", f"the body can't be read: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(415, "UnsupportedMediaType", "the body must be a JSON object; JSON patches are not supported")
    return body
