"""The effects of Ctrl-C on a job and its stack."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit status of a process that Ctrl-C ended, as in shells."""
STOPS_IT = "python -m local down stops it"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and the end of the terminal."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def interrupt_on_signals() -> None:
    """Let each of the signals raise KeyboardInterrupt."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the signals during the block: a second Ctrl-C must not leave a part of the stack running."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stops_stack(*, keep: bool, was_up: bool, is_up: bool) -> bool:
    """Whether the end of a job stops the stack.

    Args:
        keep: whether the user asked to leave the stack up.
        was_up: whether the stack ran before the job, which then does not stop it.
        is_up: whether all services have answered since the job began: a part of a stack is of no use.
    """
    return not was_up and not (keep and is_up)


def interruption(*, keep: bool, was_up: bool, is_up: bool, runs: bool) -> str:
    """Return the line that is printed before Ctrl-C takes effect.

    Args:
        keep: as for `stops_stack`.
        was_up: as for `stops_stack`.
        is_up: as for `stops_stack`.
        runs: whether a stack runs now, or is starting.
    """
    if not runs:
        return "interrupted: the stack is down" if was_up else "interrupted: nothing was started"
    if stops_stack(keep=keep, was_up=was_up, is_up=is_up):
        return "interrupted: stopping the stack"
    reason = "it was up before" if was_up else "--keep"
    return f"interrupted: the stack stays up ({reason}), and the requested runs continue; {STOPS_IT}"
