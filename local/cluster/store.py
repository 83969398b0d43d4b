"""The cluster's objects: stored in files, with resource versions and watches.

Pods, config maps and secrets outlive the server; events and the history of changes don't. A watch that asks for
older history gets 410, as from an API server after compaction.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.cluster.status import seconds
from local.cluster.supervisor import write_whole

Object = dict[str, Any]
KINDS = {"pods": "Pod", "events": "Event", "configmaps": "ConfigMap", "secrets": "Secret"}
"""Plural names in URLs, and kinds."""
KEPT_CHANGES, KEPT_EVENTS = 5000, 1000


@dataclass(frozen=True)
class Change:
    """One entry of the history: the event (``ADDED``, ``MODIFIED``, ``DELETED``) and the object after it."""

    version: int
    plural: str
    type: str
    object: Object


class HistoryGone(Exception):  # noqa: N818  the API's word
    """The changes since a resource version are no longer stored."""


@dataclass
class Store:
    """Objects by plural, namespace and name. It returns the stored objects: change them, then ``save``."""

    root: Path
    _objects: dict[str, dict[tuple[str, str], Object]] = field(default_factory=lambda: {plural: {} for plural in KINDS})
    _history: deque[Change] = field(default_factory=lambda: deque(maxlen=KEPT_CHANGES))
    _watchers: set[asyncio.Queue[Change]] = field(default_factory=set)
    # Versions grow over restarts without being stored: a server makes fewer than 1000 changes per second.
    version: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    _first_version: int = 0

    def __post_init__(self) -> None:
        """Read the objects of an earlier server."""
        self._first_version = self.version
        for plural in KINDS:
            for file in (self.root / plural).glob("*/object.json"):
                obj = json.loads(file.read_text())
                self._objects[plural][obj["metadata"]["namespace"], obj["metadata"]["name"]] = obj

    def folder(self, plural: str, obj: Object) -> Path:
        """The folder of an object that is stored in files."""
        return self.root / plural / str(obj["metadata"]["uid"])

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        """The object of that name."""
        return self._objects[plural].get((namespace, name))

    def list(self, plural: str) -> list[Object]:
        """All objects of a kind."""
        return [*self._objects[plural].values()]

    def add(self, plural: str, obj: Object) -> None:
        """Add a new object, and set its kind, id and time of creation."""
        obj |= {"apiVersion": "v1", "kind": KINDS[plural]}
        obj["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": seconds(datetime.now(UTC))}
        self._objects[plural][obj["metadata"]["namespace"], obj["metadata"]["name"]] = obj
        self.save(plural, obj, "ADDED")

    def save(self, plural: str, obj: Object, change: str = "MODIFIED") -> None:
        """Store the object's current state, and notify the watchers."""
        self._record(plural, change, obj)
        if plural != "events":
            folder = self.folder(plural, obj)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "object.json", json.dumps(obj))

    def remove(self, plural: str, obj: Object) -> None:
        """Remove the object. The caller deletes its folder."""
        del self._objects[plural][obj["metadata"]["namespace"], obj["metadata"]["name"]]
        self._record(plural, "DELETED", obj)

    def add_event(self, obj: Object, reason: str, message: str, kind: str = "Normal") -> None:
        """Record an event about a pod, and log it; ``kind`` is ``Normal`` or ``Warning``."""
        events, metadata, now = self._objects["events"], obj["metadata"], seconds(datetime.now(UTC))
        while len(events) >= KEPT_EVENTS:
            del events[next(iter(events))]
        event = {
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "local-cluster"},
        }
        self.add("events", event)
        print(f"{now} pod {metadata['namespace']}/{metadata['name']}: {reason}: {message}", flush=True)

    def _record(self, plural: str, change: str, obj: Object) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        entry = Change(self.version, plural, change, copy.deepcopy(obj))
        self._history.append(entry)
        for queue in self._watchers:
            queue.put_nowait(entry)

    @contextmanager
    def watch(self, since: int) -> Iterator[asyncio.Queue[Change]]:
        """Return a queue of the changes after resource version ``since``, past ones first.

        Raises:
            HistoryGone: ``since`` is before the stored history.
        """
        oldest = self._history[0].version - 1 if len(self._history) == KEPT_CHANGES else self._first_version
        if since < oldest:
            raise HistoryGone(f"too old resource version: {since} ({oldest})")
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._history:
            if change.version > since:
                queue.put_nowait(change)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)
