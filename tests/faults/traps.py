"""Traps: they wait for a moment of a batch, and break something at it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from local.stack import StackError
from tests.faults.proxy import Act, Rule, before
from tests.faults.stage import Batch
from tests.waiting import RUN_PATIENCE, wait_until

Break = Callable[[Batch], Any]


@dataclass
class Sprung:
    """What became of a trap that was set."""

    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def by(self, break_: Callable[[], Any]) -> None:
        """Break something, and record the result."""
        try:
            break_()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.done.set()


Trap = Callable[[Batch], Sprung]
"""Sets a trap for a batch."""


def wire(service: str, pattern: str, act: Act, nth: int = 1, times: int = 1) -> Trap:
    """Requests to a service fare ill: those whose `METHOD path` and body a pattern is found in."""

    def set_(batch: Batch) -> Sprung:
        sprung = Sprung()

        def acts(exchange: Any) -> None:
            if rule.matched >= nth + times - 1:
                sprung.done.set()
            act(exchange)

        rule = Rule(pattern, acts, nth, times)
        batch.stage.proxies[service].rules.append(rule)
        return sprung

    return set_


def at(
    service: str, pattern: str, break_: Break, how: Callable[[Callable[[], None]], Act] = before, nth: int = 1
) -> Trap:
    """Something breaks while a request is on its way: before it arrives, after it was served, or instead."""

    def set_(batch: Batch) -> Sprung:
        sprung = Sprung()
        act = how(lambda: sprung.by(lambda: break_(batch)))
        batch.stage.proxies[service].rules.append(Rule(pattern, act, nth))
        return sprung

    return set_


def running(task_id: str, break_: Break) -> Trap:
    """Something breaks as soon as a task's process runs."""

    def set_(batch: Batch) -> Sprung:
        sprung = Sprung()

        def is_running() -> bool:
            with suppress(StackError):  # the run is yet to begin
                return bool(batch.task(task_id)["state"] == "running")
            return False

        def watch() -> None:
            wait_until(is_running, f"{task_id} did not run", RUN_PATIENCE, pause=0.01)
            sprung.by(lambda: break_(batch))

        threading.Thread(target=watch, daemon=True).start()
        return sprung

    return set_
