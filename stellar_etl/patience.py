"""The time to wait for a service that sends nothing."""

from __future__ import annotations

import os

from stellar_etl.errors import ExportError

PATIENCE = "STELLAR_ETL_PATIENCE_SECONDS"
"""The environment variable with the seconds to wait."""

DEFAULT_PATIENCE_SECONDS = 60.0


def patience() -> float:
    """Return the seconds after which to give up a service that sends nothing.

    Raises:
        ExportError: the environment variable is not a number of seconds.
    """
    text = os.environ.get(PATIENCE, "")
    try:
        seconds = float(text) if text else DEFAULT_PATIENCE_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ExportError(f"{PATIENCE}={text!r} is not a number of seconds")
    return seconds
