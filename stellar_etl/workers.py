"""One export by several processes, with the same files as with one.

Each process has every n-th ledger: it reads, checks and decodes it and makes its rows. It writes them once the rows of
the previous ledgers are written. The first process coordinates the turns, and keeps counts, checksums and the chain.
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
"""The most processes if no option sets the number: a machine has other work too."""

LEDGERS_EACH = 8
"""The fewest ledgers per process that make a process worthwhile."""

AHEAD = 2
"""The most ledgers with rows that wait for their turn in a process."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """Return the number of processors that this process may use, within the limit of its container."""
    if sys.platform != "linux":  # on other systems processes can't be forked safely
        return 1
    allowed = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = map(int, _QUOTA.read_text().split())
        allowed = min(allowed, -(-quota // period))
    return max(allowed, 1)


class Workers:
    """Processes that return one result per ledger, in turn.

    A context manager: at the end, also after an error, all processes have ended.
    """

    def __init__(self, count: int, results: Callable[[int], Iterator[Callable[[Any], Any]]]) -> None:
        """Start the processes.

        Args:
            count: the number of processes.
            results: run in each process with its number from 0; yields the function to call at each of its turns.
        """
        # A single process does not need it.
        import multiprocessing

        forks = multiprocessing.get_context("fork")
        self._ours: list[Connection] = []
        self._processes: list[Any] = []
        for number in range(count):
            ours, its = forks.Pipe()
            self._ours.append(ours)
            # A process must not keep the others' pipes open, nor its own other end: it ends when the first process
            # does.
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
        """Give a process its turn, and return its result.

        Raises:
            ExportError: the process raised one, or ended.
        """
        try:
            self._ours[number].send(message)
            answer = self._ours[number].recv()
        except (EOFError, OSError):
            process = self._processes[number]
            process.join()
            raise ExportError(
                f"one of the export's processes ended with status {process.exitcode}: if it ran out of memory, "
                "use --processes 1, which needs less"
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
            outcome = result(message)
        except ExportError as error:
            outcome = error
        turns.send(outcome)

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the first process has ended
        try:
            for result in results(number):
                waiting.append(result)
                while waiting and (len(waiting) > AHEAD or turns.poll()):
                    answer()
        except ExportError as error:
            waiting.append(partial(_raise, error))  # at its turn, after the previous ledgers
        while waiting:
            answer()


def _raise(error: ExportError, _: Any) -> None:
    raise error
