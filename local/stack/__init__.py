"""The laptop stack: which processes it is made of, how they are kept alive, and how one talks to them.

`layout` says where things lie, `environment` what the processes are told, `services` what runs; `guard` holds one
process with all that it started, `supervisor` holds them all; `stack` is what commands and tests use.
"""

from local.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError"]
