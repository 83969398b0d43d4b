"""The laptop stack: its processes, their supervision, and their clients.

`layout` has the paths, `environment` the environment variables, `services` the programs; `guard` supervises one
process and its children, `supervisor` all services; `stack` is the interface for commands and tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError"]


def __getattr__(name: str) -> Any:
    """Import the interface when it is used: guards need neither its modules nor their memory."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from local.stack import stack

    return getattr(stack, name)
