"""One export by several processes, which end in the same files as one alone.

Each process has every n-th ledger: it reads, checks and decodes it and makes its rows, and writes them itself once the
rows of the ledgers before are written. The first process gives the turns, and keeps counts, checksums and the chain.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stellar_etl.errors import ExportError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST = 4
"""How many processes there are at most if nobody says how many: a machine has other work too."""

LEDGERS_EACH = 8
"""How many ledgers a process must have for it to pay."""

AHEAD = 2
"""How many ledgers' rows a process may hold that wait for their turn."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """How many processors this process may use: of those of the machine so many as its container is allowed."""
    if sys.platform != "linux":  # elsewhere processes can't be forked safely
        return 1
    allowed = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = map(int, _QUOTA.read_text().split())
        allowed = min(allowed, -(-quota // period))
    return max(allowed, 1)


class Workers:
    """Processes that give a result a ledger, in turns.

    A context manager: at the end, however it comes, none of them is left.
    """

    def __init__(self, count: int, results: Callable[[int], Iterator[Callable[[Any], Any]]]) -> None:
        """Starts them.

        Args:
            count: how many.
            results: run in each with its number from 0; gives what to do at each of its turns.
        """
        # One process alone does without it.
        import multiprocessing

        forks = multiprocessing.get_context("fork")
        self._ours: list[Connection] = []
        self._processes: list[Any] = []
        for number in range(count):
            ours, its = forks.Pipe()
            self._ours.append(ours)
            # A process must not keep the others' pipes open, nor its own other end: it ends when the first one is gone.
            process = forks.Process(target=_work, args=(its, [*self._ours], results, number), daemon=True)
            process.start()
            its.close()
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def turn(self, number: int, message: Any) -> Any:
        """Gives a process its turn, and takes what it gives.

        Raises:
            ExportError: it ran into one, or is gone.
        """
        try:
            self._ours[number].send(message)
            answer = self._ours[number].recv()
        except (EOFError, OSError):
            process = self._processes[number]
            process.join()
            raise ExportError(
                f"one of the export's processes ended with status {process.exitcode}: if memory was short, "
                "--processes 1 takes less"
            ) from None
        if isinstance(answer, ExportError):
            raise answer
        return answer


def _work(
    turns: Connection,
    others: list[Connection],
    results: Callable[[int], Iterator[Callable[[Any], Any]]],
    number: int,
) -> None:
    for other in others:
        other.close()
    waiting: deque[Callable[[Any], Any]] = deque()

    def answer() -> None:
        result, message = waiting.popleft(), turns.recv()
        try:
            told = result(message)
        except ExportError as error:
            told = error
        turns.send(told)

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the first process is gone
        try:
            for result in results(number):
                waiting.append(result)
                while waiting and (len(waiting) > AHEAD or turns.poll()):
                    answer()
        except ExportError as error:
            waiting.append(partial(_raise, error))  # when its turn comes: the ledgers before have theirs first
        while waiting:
            answer()


def _raise(error: ExportError, _: Any) -> None:
    raise error
