"""Reports a full disk as the cause of a failure."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

LEAST_FREE = 64 << 20
"""Free bytes that a stack needs to start: PostgreSQL alone writes as many into a new database."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""The system's errors for writes to a full disk, or beyond the user's quota."""


def full_disk(folder: Path) -> str:
    """Return a sentence that names a full disk; empty if there is room.

    Args:
        folder: the folder of the stack's files, which need not exist yet.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free >= LEAST_FREE:
        return ""
    return f"the disk of {existing} is full ({free >> 20} MB free): free some space, or use another --dir"


def with_disk(problem: object, folder: Path) -> str:
    """Return a problem's message, and name a full disk, which causes failures that look like others."""
    message, full = str(problem), full_disk(folder)
    return f"{message}; {full}" if full and full not in message else message
