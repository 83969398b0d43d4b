"""The kubelet: starts, watches, stops and reports the containers of pods.

Each pod has one loop that compares the wanted with the actual state, only from the pod's object and its containers'
files. Therefore a server that is killed and restarted continues at the same point.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from local.cluster import status
from local.cluster.container import Container, kill_strays
from local.cluster.images import Images
from local.cluster.runspec import CannotStart, PodFolders, make_run
from local.cluster.stopping import stop_containers
from local.cluster.store import Object, Store

POLL = 0.15  # seconds between checks of a running pod
RETRY = 1.0  # seconds between tries to start a failing container
SHUTDOWN_GRACE = 5.0  # seconds that containers have to end when the server stops
DEFAULT_GRACE = 30  # Kubernetes' terminationGracePeriodSeconds
LOG_TAIL = 1 << 16  # bytes at the end of a log that are read for a termination message
FINAL_PHASES = ("Succeeded", "Failed")
MESSAGES = {
    "DeadlineExceeded": "Pod was active on the node longer than the specified deadline",
    "Evicted": "The node was low on resource: memory.",
    "NodeLost": "A process of the pod ended without an exit code",
}


@dataclass
class Pod:
    """A pod's object, and state that only this server has."""

    object: Object
    folders: PodFolders
    waiting: dict[str, CannotStart] = field(default_factory=dict)
    """The errors of containers that could not start, by name."""
    terminated: bool = False
    """Whether SIGTERM was sent."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def containers(self, group: str) -> list[tuple[Mapping[str, Any], Container]]:
        """Specs and containers of ``initContainers`` or ``containers``."""
        specs = self.object["spec"].get(group) or []
        return [(spec, Container(self.folders.container(spec["name"]))) for spec in specs]

    @property
    def all_containers(self) -> list[tuple[Mapping[str, Any], Container]]:
        """The init containers and the other containers."""
        return [*self.containers("initContainers"), *self.containers("containers")]


def kill_time(pod: Object) -> datetime | None:
    """When the pod's processes get SIGKILL; None while the pod may run. SIGTERM is sent before, if time permits."""
    metadata, pod_status = pod["metadata"], pod["status"]
    times = []
    if "deletionTimestamp" in metadata:
        times.append(status.parse_time(metadata["deletionTimestamp"]))
    if pod_status.get("reason") == "DeadlineExceeded":
        grace = pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        times.append(_deadline(pod) + timedelta(seconds=grace))
    elif pod_status.get("reason"):
        times.append(datetime.min.replace(tzinfo=UTC))
    return min(times, default=None)


def _deadline(pod: Object) -> datetime:
    limit = pod["spec"].get("activeDeadlineSeconds")
    if limit is None:
        return datetime.max.replace(tzinfo=UTC)
    return status.parse_time(pod["status"]["startTime"]) + timedelta(seconds=limit)


class Kubelet:
    """The pods of a store."""

    def __init__(self, store: Store, images: Images, lag: float) -> None:
        """``lag``: the delay of status reports in seconds."""
        self._store, self._images, self._lag = store, images, timedelta(seconds=lag)
        self._pods: dict[str, Pod] = {}
        self._loops: set[asyncio.Task[None]] = set()
        self._closing = False

    def recover(self) -> None:
        """Adopt the pods of an earlier server, and finish its deletions."""
        for folder in (self._store.root / "pods").glob("*"):
            if not (folder / "object.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
        for obj in self._store.list("pods"):
            self.take(obj)

    def take(self, obj: Object) -> None:
        """Start to run a pod of the store."""
        pod = Pod(obj, PodFolders(self._store.folder("pods", obj)))
        self._pods[obj["metadata"]["uid"]] = pod
        loop = asyncio.create_task(self._drive(pod))
        self._loops.add(loop)
        loop.add_done_callback(self._loops.discard)

    def container(self, obj: Object, name: str) -> Container:
        """Return a container of a pod, whether or not it was started."""
        return Container(PodFolders(self._store.folder("pods", obj)).container(name))

    def delete(self, obj: Object, grace: int) -> None:
        """Begin to delete a pod; a second call can only shorten its grace period."""
        metadata = obj["metadata"]
        if grace >= metadata.get("deletionGracePeriodSeconds", math.inf):
            return
        end = datetime.now(UTC) + timedelta(seconds=grace + 1 if grace else 0)  # + 1: the field has whole seconds
        metadata |= {"deletionTimestamp": status.seconds(end), "deletionGracePeriodSeconds": grace}
        self._store.save("pods", obj)
        self._store.add_event(obj, "Killing", "Stopping containers")
        self._pods[metadata["uid"]].wake.set()

    def fail(self, obj: Object, reason: str) -> None:
        """End a pod for one of the reasons of ``MESSAGES``; its phase changes when its processes have ended."""
        obj["status"] |= {"reason": reason, "message": MESSAGES[reason]}
        self._store.save("pods", obj)
        self._store.add_event(obj, reason, MESSAGES[reason], "Warning")
        self._pods[obj["metadata"]["uid"]].wake.set()

    async def close(self) -> None:
        """Stop all containers; return when all their processes have ended."""
        self._closing = True
        for pod in self._pods.values():
            pod.wake.set()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.to_thread(stop_containers, self._store.root, SHUTDOWN_GRACE)

    async def _drive(self, pod: Pod) -> None:
        if "startTime" not in pod.object["status"]:
            self._schedule(pod)
        while not self._closing:
            pod.wake.clear()
            if (kill_at := kill_time(pod.object)) is not None:
                self._stop(pod, kill_at)
            elif pod.object["status"]["phase"] not in FINAL_PHASES:
                await self._start(pod)
                self._find_failure(pod)
            self._report(pod)
            if "deletionTimestamp" in pod.object["metadata"] and not self._is_alive(pod):
                await self._remove(pod)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(pod.wake.wait(), self._pause(pod))

    @staticmethod
    def _pause(pod: Pod) -> float | None:
        """Return the seconds until the next check; None for a pod that only a request can change."""
        if pod.object["status"]["phase"] in FINAL_PHASES and "deletionTimestamp" not in pod.object["metadata"]:
            return None
        return RETRY if pod.waiting else POLL

    @staticmethod
    def _is_alive(pod: Pod) -> bool:
        return any(container.alive for _, container in pod.all_containers)

    def _schedule(self, pod: Pod) -> None:
        now, metadata = status.seconds(datetime.now(UTC)), pod.object["metadata"]
        pod.object["spec"]["nodeName"] = "localhost"
        pod.object["status"] |= {"startTime": now, "hostIP": "127.0.0.1", "podIP": "127.0.0.1"}
        self._store.save("pods", pod.object)
        place = f"{metadata['namespace']}/{metadata['name']}"
        self._store.add_event(pod.object, "Scheduled", f"Successfully assigned {place} to localhost")

    async def _start(self, pod: Pod) -> None:
        """Start the next containers: init containers one after the other, then all others."""
        for spec, container in pod.containers("initContainers"):
            await self._start_container(pod, spec, container)
            ended = container.exit
            if ended is None or ended["code"]:
                return
        for spec, container in pod.containers("containers"):
            await self._start_container(pod, spec, container)

    async def _start_container(self, pod: Pod, spec: Mapping[str, Any], container: Container) -> None:
        if container.identity is not None:
            return
        namespace, name = pod.object["metadata"]["namespace"], spec["name"]
        try:
            run = make_run(
                pod.object, spec, pod.folders, self._images, lambda kind, key: self._store.find(kind, namespace, key)
            )
            await container.start(run)
        except CannotStart as error:
            self._cannot_start(pod, name, error)
        except (OSError, ValueError) as error:
            self._cannot_start(pod, name, CannotStart("CreateContainerError", str(error)))
        except (AttributeError, LookupError, TypeError) as error:  # an invalid spec that validation accepted
            self._cannot_start(pod, name, CannotStart("CreateContainerConfigError", f"invalid spec: {error!r}"))
        else:
            pod.waiting.pop(name, None)
            self._store.add_event(pod.object, "Started", f"Started container {name}")

    def _cannot_start(self, pod: Pod, name: str, problem: CannotStart) -> None:
        if str(pod.waiting.get(name)) != str(problem):
            self._store.add_event(pod.object, "Failed", str(problem), "Warning")
        pod.waiting[name] = problem

    def _find_failure(self, pod: Pod) -> None:
        lost = [container for _, container in pod.all_containers if container.lost]
        if lost:
            for container in lost:
                kill_strays(container.folder)
            self.fail(pod.object, "NodeLost")
        elif datetime.now(UTC) >= _deadline(pod.object) and not all(c.ended for _, c in pod.containers("containers")):
            self.fail(pod.object, "DeadlineExceeded")

    def _stop(self, pod: Pod, kill_at: datetime) -> None:
        kill = datetime.now(UTC) >= kill_at
        if not kill and pod.terminated:
            return
        pod.terminated = True
        for _, container in pod.all_containers:
            container.signal(signal.SIGKILL if kill else signal.SIGTERM)

    async def _remove(self, pod: Pod) -> None:
        if any(container.identity for _, container in pod.all_containers):
            await asyncio.sleep(self._lag.total_seconds())
            self._report(pod)
        folder = self._store.folder("pods", pod.object)
        kill_strays(folder)
        self._store.remove("pods", pod.object)
        (folder / "object.json").unlink(missing_ok=True)  # first: without it the other steps are useless
        shutil.rmtree(folder, ignore_errors=True)
        del self._pods[pod.object["metadata"]["uid"]]

    def _report(self, pod: Pod) -> None:
        """Update the object's status, and notify watchers if it changed."""
        before = pod.object["status"]
        if before["phase"] in FINAL_PHASES:
            return
        now = datetime.now(UTC)
        reports: dict[str, list[status.Status]] = {}
        for group in ("initContainers", "containers"):
            reports[group] = [self._container_report(pod, *each, group, now) for each in pod.containers(group)]
        inits, mains = ([report["state"] for report in reports[group]] for group in ("initContainers", "containers"))
        phase = status.phase(inits, mains)
        if before.get("reason"):
            running = any("running" in state for state in (*inits, *mains)) or self._is_alive(pod)
            phase = before["phase"] if running else "Failed"
        since = {condition["type"]: condition for condition in before.get("conditions", [])}
        after = before | {
            "phase": phase,
            "conditions": status.conditions(phase, inits, mains, since),
            "containerStatuses": reports["containers"],
        }
        if inits:
            after["initContainerStatuses"] = reports["initContainers"]
        if after != before:
            pod.object["status"] = after
            self._store.save("pods", pod.object)

    def _container_report(
        self, pod: Pod, spec: Mapping[str, Any], container: Container, group: str, now: datetime
    ) -> status.Status:
        has_inits = bool(pod.object["spec"].get("initContainers")) and group == "containers"
        seen = _observe(pod, spec, container, "PodInitializing" if has_inits else "ContainerCreating")
        identity = container.identity
        container_id = f"process://{identity['pid']}" if identity else ""
        return status.container_status(spec, status.container_state(seen, now, self._lag), container_id)


def _observe(pod: Pod, spec: Mapping[str, Any], container: Container, waiting: str) -> status.Observation:
    identity, ended = container.identity, container.exit
    if identity is None:
        problem = pod.waiting.get(spec["name"])
        return status.Observation(problem.reason, str(problem)) if problem else status.Observation(waiting)
    if ended is None:
        lost = container.lost
        message = "The container's process ended without an exit code" if lost else ""
        return status.Observation(waiting, message, started=identity["started"], lost=lost)
    return status.Observation(
        waiting,
        ended.get("error") or _termination_message(pod, spec, container, ended["code"]),
        started=ended["started"],
        finished=ended["finished"],
        exit_code=ended["code"],
        start_error="error" in ended,
        out_of_memory=container.out_of_memory,
    )


def _termination_message(pod: Pod, spec: Mapping[str, Any], container: Container, code: int) -> str:
    file = pod.folders.termination_log(spec["name"])
    with suppress(OSError):
        if message := file.read_bytes()[-status.TERMINATION_MESSAGE_BYTES :]:
            return message.decode(errors="replace")
    if code == 0 or spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return ""
    with suppress(OSError), container.log.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
        last = deque(log, maxlen=status.FALLBACK_LINES)
        return b"".join(line.partition(b" ")[2] for line in last)[-status.FALLBACK_BYTES :].decode(errors="replace")
    return ""
