"""The distribution of tests to workers. Two workers share a machine of two cores, and stacks take minutes to start.

The first worker starts the stack that end-to-end tests share when its session starts. Until that stack is ready it runs
other tests, then the end-to-end tests, last those that kill the stack's processes, then the remaining tests. The second
worker starts with the tests that start separate stacks. All other files go to the next free worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScopeScheduling

STACK_TESTS = "tests/end_to_end/"
STACK_END = "tests/end_to_end/test_stack.py"
"""The last test of the shared stack: it kills each service, then the supervisor."""
OWN_STACKS = {
    "tests/faults/": "a proxy stands before each service, and retries are quick",
    "tests/end_to_end/test_interrupted.py": "Ctrl-C ends the stack",
    "tests/end_to_end/test_mainnet.py": "the main job over another lake, from its command line",
    "tests/end_to_end/test_secrets_backend.py": "a secrets backend is in its processes' environment",
}
"""Tests that start separate stacks, with the reason; the others of `STACK_TESTS` share one."""
STACK_WORKER = "gw0"


READY_FILE = "SHARED_STACK_READY_FILE"
"""The environment variable with the name of the file that appears when the shared stack is ready."""


class Stack(Enum):
    """The stack that a test needs; without workers tests run in this order."""

    NONE = 0
    SHARED = 1
    SHARED_END = 2
    OWN = 3

    @classmethod
    def of(cls, nodeid: str) -> Stack:
        """Return the stack that a test needs, by its node id or by its file."""
        if nodeid.startswith(tuple(OWN_STACKS)):
            return cls.OWN
        if nodeid.startswith(STACK_END):
            return cls.SHARED_END
        return cls.SHARED if nodeid.startswith(STACK_TESTS) else cls.NONE


def stack_is_ready() -> bool:
    """Return whether the worker of the shared stack has reported that it is ready."""
    return Path(os.environ[READY_FILE]).exists()


def runs_shared_tests() -> bool:
    """Return whether this process runs the tests that share a stack: the first worker, or one without workers."""
    return os.environ.get("PYTEST_XDIST_WORKER", STACK_WORKER) == STACK_WORKER


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """Assign test files, one at a time, so that no worker waits for a stack while there is other work."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _next(self, node: Any) -> str | None:
        """Return the next file for a worker, None if nothing is left for it."""
        workers = {other.gateway.id for other in self.nodes}
        has_stack = node.gateway.id == STACK_WORKER or STACK_WORKER not in workers
        return next(self._candidates(has_stack, alone=len(workers) == 1), None)

    def _candidates(self, has_stack: bool, alone: bool) -> Iterator[str]:
        files: dict[Stack, list[str]] = {need: [] for need in Stack}
        for file in self.workqueue:
            files[Stack.of(file)].append(file)
        if not has_stack:
            yield from files[Stack.OWN]
            yield from files[Stack.NONE]
            return
        shared = [*files[Stack.SHARED], *files[Stack.SHARED_END]]
        if stack_is_ready():
            yield from shared
        # From the end, where files are small, as long as the stack may be ready soon.
        yield from reversed(files[Stack.NONE]) if shared else files[Stack.NONE]
        yield from shared
        if alone:
            yield from files[Stack.OWN]

    def _assign_work_unit(self, node: Any) -> None:
        if (file := self._next(node)) is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if not node.shutting_down and self._next(node) is None:
            node.shutdown()
            return
        super()._reschedule(node)
