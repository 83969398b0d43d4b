"""Work in a bounded window ahead of the one who takes the results, in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """How much is on its way or ready at most.

    Attributes:
        threads: how many objects are on their way at once.
        objects: how many are on their way or ready.
        bytes: how many bytes they may have, judged by the largest object so far; one object is always let in.
    """

    threads: int = 10
    objects: int = 200
    bytes: int = 32 << 20

    def shared(self, readers: int) -> Window:
        """One reader's part of it."""
        return Window(*(max(1, whole // readers) for whole in (self.threads, self.objects, self.bytes)))


def read_ahead(read: Callable[[T], bytes], items: Iterable[T], window: Window) -> Iterator[tuple[T, bytes]]:
    """Each item with its bytes, in order; some are read in threads while the first ones are being used.

    Memory does not grow with the number of items: until the first one tells how large they are, two are read. The
    threads are daemons, so that a process that is told to end does not wait for a network.

    Raises:
        Exception: what `read` raised, when its item's turn has come.
    """
    tasks: SimpleQueue[tuple[T, Future[bytes]] | None] = SimpleQueue()
    begun: deque[tuple[T, Future[bytes]]] = deque()
    threads: list[threading.Thread] = []
    stopped = threading.Event()

    def work() -> None:
        while (task := tasks.get()) is not None:
            item, result = task
            if stopped.is_set():
                continue
            try:
                result.set_result(read(item))
            except BaseException as error:
                result.set_exception(error)
            del task, item, result  # a thread that waits for its next task would keep the bytes

    source, largest, room = iter(items), 1, min(2, window.objects)
    try:
        while True:
            while len(begun) < room and (item := next(source, None)) is not None:
                if len(threads) < min(room, window.threads):
                    threads.append(threading.Thread(target=work, daemon=True, name="read-ahead"))
                    threads[-1].start()
                begun.append((item, Future()))
                tasks.put(begun[-1])
            if not begun:
                return
            item, result = begun.popleft()
            data = result.result()
            del result
            largest = max(largest, len(data))
            room = max(1, min(window.objects, window.bytes // largest))
            yield item, data
    finally:
        stopped.set()
        for _ in threads:
            tasks.put(None)
