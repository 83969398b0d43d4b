"""Fault injection, for events of a real cluster: `POST /control/pods/{name}/{fault}`."""

from __future__ import annotations

import signal

from aiohttp import web

from local.cluster.api import Refusal
from local.cluster.kubelet import FINAL_PHASES, Kubelet
from local.cluster.store import Object, Store

FAULTS = ("evict", "out-of-memory", "vanish")


class Control:
    """The faults of one store and its kubelet."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store, self._kubelet = store, kubelet

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the route."""
        router.add_post("/control/pods/{name}/{fault}", self._fault)

    async def _fault(self, request: web.Request) -> web.Response:
        name, fault = request.match_info["name"], request.match_info["fault"]
        pod = next((pod for pod in self._store.list("pods") if pod["metadata"]["name"] == name), None)
        if pod is None:
            raise Refusal(404, "NotFound", f'pods "{name}" not found')
        if fault not in FAULTS:
            raise Refusal(404, "NotFound", f"unknown fault {fault!r}: known faults are {', '.join(FAULTS)}")
        if fault != "vanish" and pod["status"]["phase"] in FINAL_PHASES:
            raise Refusal(409, "Conflict", f'pods "{name}" has ended')
        self._apply(pod, fault)
        return web.json_response({"status": "Success"})

    def _apply(self, pod: Object, fault: str) -> None:
        if fault == "evict":
            self._kubelet.fail(pod, "Evicted")
        elif fault == "vanish":
            self._kubelet.delete(pod, 0)
        else:
            container = self._kubelet.container(pod, pod["spec"]["containers"][0]["name"])
            if not container.alive:
                raise Refusal(409, "Conflict", "the pod's first container is not running")
            container.mark_out_of_memory()
            container.signal(signal.SIGKILL)
