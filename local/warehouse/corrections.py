"""The one place where bqemulator is changed: what stands where its own functions stood, and why."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import bqemulator.server
from bqemulator.jobs import executor
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

from local.warehouse import jobs, merge

CORRECTIONS: list[tuple[object, str, Callable[..., Any]]] = []
"""Owner, name of the function, and what runs in its place with the original as first argument."""


def apply() -> None:
    """Correct bqemulator in this process; call it once, before the server is made.

    Raises:
        AttributeError: A function to correct is not where bqemulator 1.4.0 has it.
    """
    for owner, name, correction in CORRECTIONS:
        setattr(owner, name, _in_place_of(getattr(owner, name), correction))


def _in_place_of(original: Callable[..., Any], correction: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def corrected(*arguments: Any, **keywords: Any) -> Any:
        return correction(original, *arguments, **keywords)

    return corrected


def load_no_extension(_original: Any, _engine: Any) -> None:
    """Start offline: the spatial extension is fetched at every start, and no table here has a GEOGRAPHY."""


def capture_when_asked(original: Any, manager: Any, *table: str, kind: str = "AUTO") -> Any:
    """Keep no copy of a table after each write: 1.6 s a million rows. There is no time travel then."""
    return None if kind == "AUTO" else original(manager, *table, kind=kind)


def create_app_with_our_routes(original: Any, context: Any) -> Any:
    """Put our routes before bqemulator's: the first that matches answers."""
    app = original(context)
    app.router.routes[:0] = jobs.router.routes
    return app


CORRECTIONS += [
    (DuckDBEngine, "_load_spatial", load_no_extension),
    (SnapshotManager, "capture", capture_when_asked),
    (executor, "rewrite_table_refs", merge.qualify_tables_and_prepare_merge),
    (executor, "_extract_dml_affected_rows", jobs.count_rows_by_kind),
    (executor, "_build_query_statistics", jobs.build_statistics_with_kinds),
    (bqemulator.server, "create_app", create_app_with_our_routes),
]
