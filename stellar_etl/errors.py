"""The two errors of an export."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_NOT_REACHED = 75
"""EX_TEMPFAIL of sysexits.h: the same command succeeds later."""


class ExportError(Exception):
    """The export failed. The message is one line with the problem and the remedy."""

    exit_status = EXIT_FAILED


class NotReachedError(ExportError):
    """The network has not reached the end of the requested range."""

    exit_status = EXIT_NOT_REACHED
