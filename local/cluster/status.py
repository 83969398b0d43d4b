"""The kubelet's reports of containers and pods: pure functions of observations and their times.

A kubelet reports with a delay. Here the delay is fixed; without it this cluster would hide the races of a real one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Status = dict[str, Any]
KILLED = 137
TERMINATION_MESSAGE_BYTES, FALLBACK_BYTES, FALLBACK_LINES = 4096, 2048, 80
"""The length of the message file and of the log in a terminated state (Kubernetes' limits)."""


@dataclass(frozen=True)
class Observation:
    """One container at one moment; times are RFC 3339."""

    waiting: str
    message: str = ""
    started: str = ""
    finished: str = ""
    exit_code: int | None = None
    start_error: bool = False
    lost: bool = False
    out_of_memory: bool = False


def seconds(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as in API objects."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Parse RFC 3339 in UTC, with or without fractions of a second (cut to microseconds)."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")


def container_state(seen: Observation, now: datetime, lag: timedelta) -> Status:
    """Return the container's state as reported at ``now``."""

    def is_known(moment: str) -> bool:
        return bool(moment) and parse_time(moment) + lag <= now

    if seen.lost:
        return _terminated(seen, KILLED, "ContainerStatusUnknown", seconds(now))
    if is_known(seen.finished) and seen.exit_code is not None:
        return _terminated(seen, seen.exit_code, _reason(seen), _to_seconds(seen.finished))
    if is_known(seen.started) and not seen.start_error:
        return {"running": {"startedAt": _to_seconds(seen.started)}}
    waiting = {"reason": seen.waiting} | ({"message": seen.message} if seen.message else {})
    return {"waiting": waiting}


def _terminated(seen: Observation, code: int, reason: str, finished: str) -> Status:
    state = {"exitCode": code, "reason": reason, "startedAt": _to_seconds(seen.started), "finishedAt": finished}
    return {"terminated": state | ({"message": seen.message} if seen.message else {})}


def _reason(seen: Observation) -> str:
    if seen.start_error:
        return "StartError"
    if seen.out_of_memory:
        return "OOMKilled"
    return "Error" if seen.exit_code else "Completed"


def _to_seconds(moment: str) -> str:
    return seconds(parse_time(moment)) if moment else ""


def container_status(spec: Mapping[str, Any], state: Status, container_id: str) -> Status:
    """One item of ``containerStatuses``."""
    running = "running" in state
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "containerID": container_id,
        "restartCount": 0,
        "ready": running,
        "started": running,
        "state": state,
        "lastState": {},
    }


def exit_codes(states: Sequence[Status]) -> list[int | None]:
    """Exit codes of containers; None for one that has not terminated."""
    return [state["terminated"]["exitCode"] if "terminated" in state else None for state in states]


def phase(inits: Sequence[Status], mains: Sequence[Status]) -> str:
    """The pod's phase from its containers' states, all with restart policy ``Never``."""
    if any(exit_codes(inits)):
        return "Failed"
    codes = exit_codes(mains)
    if None not in codes:
        return "Failed" if any(codes) else "Succeeded"
    if any(code is None for code in exit_codes(inits)) or any("waiting" in state for state in mains):
        return "Pending"
    return "Running"


def conditions(
    phase: str, inits: Sequence[Status], mains: Sequence[Status], since: Mapping[str, Status]
) -> list[Status]:
    """The pod's conditions; an unchanged one keeps its time of transition from ``since`` (by type)."""
    ready = phase == "Running" and all("running" in state for state in mains)
    values = {
        "PodScheduled": True,
        "Initialized": all(code == 0 for code in exit_codes(inits)),
        "ContainersReady": ready,
        "Ready": ready,
    }
    now = seconds(datetime.now(UTC))
    return [
        since[kind]
        if since.get(kind, {}).get("status") == str(value)
        else {"type": kind, "status": str(value), "lastProbeTime": None, "lastTransitionTime": now}
        for kind, value in values.items()
    ]
