"""Traps wait for a moment of a batch, and cause a fault."""

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
    """The state of a trap."""

    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def by(self, break_: Callable[[], Any]) -> None:
        """Cause a fault, and record the result."""
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
    """Change requests to a service whose `METHOD path` and body match a pattern."""

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
    """Cause a fault around a request: before it arrives, after it was processed, or instead."""

    def set_(batch: Batch) -> Sprung:
        sprung = Sprung()
        act = how(lambda: sprung.by(lambda: break_(batch)))
        batch.stage.proxies[service].rules.append(Rule(pattern, act, nth))
        return sprung

    return set_


def running(task_id: str, break_: Break) -> Trap:
    """Cause a fault as soon as a task's process runs."""

    def set_(batch: Batch) -> Sprung:
        sprung = Sprung()

        def is_running() -> bool:
            with suppress(StackError):  # the run has not begun yet
                return bool(batch.task(task_id)["state"] == "running")
            return False

        def watch() -> None:
            wait_until(is_running, f"{task_id} did not run", RUN_PATIENCE, pause=0.01)
            sprung.by(lambda: break_(batch))

        threading.Thread(target=watch, daemon=True).start()
        return sprung

    return set_
