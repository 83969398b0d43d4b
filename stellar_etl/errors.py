"""The two ways in which an export ends without rows."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_NOT_REACHED = 75
"""EX_TEMPFAIL of sysexits.h: the same command will work later."""


class ExportError(Exception):
    """Nothing was exported; the message is one line that says what is wrong and what to do."""

    exit_status = EXIT_FAILED


class NotReachedError(ExportError):
    """The network has not reached the end of what was asked for."""

    exit_status = EXIT_NOT_REACHED
