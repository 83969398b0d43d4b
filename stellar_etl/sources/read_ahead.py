"""Read-ahead in a bounded window, with results in order."""

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
    """The limits of the read-ahead.

    Attributes:
        threads: objects requested at the same time.
        objects: objects requested or waiting.
        bytes: the limit of their bytes, estimated by the largest object so far; one object is always allowed.
    """

    threads: int = 10
    objects: int = 200
    bytes: int = 32 << 20

    def shared(self, readers: int) -> Window:
        """One reader's part of it."""
        return Window(*(max(1, whole // readers) for whole in (self.threads, self.objects, self.bytes)))


def read_ahead(read: Callable[[T], bytes], items: Iterable[T], window: Window) -> Iterator[tuple[T, bytes]]:
    """Yield each item with its bytes, in order; threads read items ahead of the consumer.

    Memory does not grow with the number of items: until the first one shows their size, two are read. The
    threads are daemons, so that a terminated process does not wait for a network.

    Raises:
        Exception: raised by `read`, when its item is next.
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
            del task, item, result  # otherwise a waiting thread would keep the bytes

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
