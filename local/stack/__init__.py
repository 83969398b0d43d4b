"""The laptop stack: its processes, their supervision, and their clients.

`layout` has the paths, `environment` the environment variables, `services` the programs; `guard` supervises one
process and its children, `supervisor` all services; `stack` is the interface for commands and tests.
"""

from local.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError"]
