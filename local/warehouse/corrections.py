"""All changes of bqemulator: the functions that replace its own, and the reasons."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import bqemulator.api.routes.datasets
import bqemulator.api.routes.tables
import bqemulator.api.routes.upload
import bqemulator.scripting.interpreter
import bqemulator.server
import bqemulator.sql.inner_query
import bqemulator.sql.parameters
import bqemulator.storage.type_map
import duckdb
import sqlglot.errors
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.duckdb_repository import DuckDBCatalogRepository
from bqemulator.domain.errors import ValidationError
from bqemulator.jobs import executor
from bqemulator.sql import translator
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager
from sqlglot.dialects.dialect import Dialect
from starlette.responses import JSONResponse

from local.recording import recorder_of
from local.warehouse import (
    dml,
    extracts,
    job_list,
    jobs,
    loads,
    parameters,
    parsing,
    schema,
    scripts,
    serving,
    storage,
    tables,
)
from local.warehouse.record import RecordRequests

CORRECTIONS: list[tuple[object, str, Callable[..., Any]]] = []
"""Owner, name of the function, and its replacement, which gets the original as first argument."""


def apply() -> None:
    """Correct bqemulator in this process; call it once, before the server is made.

    Raises:
        AttributeError: bqemulator lacks a function to correct, which version 1.4.0 has.
    """
    # A client can write an error to a file or a page, where codes for underlining are noise.
    sqlglot.errors.ANSI_UNDERLINE = sqlglot.errors.ANSI_RESET = ""
    for owner, name, correction in CORRECTIONS:
        setattr(owner, name, _in_place_of(getattr(owner, name), correction))


def _in_place_of(original: Callable[..., Any], correction: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def corrected(*arguments: Any, **keywords: Any) -> Any:
        return correction(original, *arguments, **keywords)

    return corrected


def load_no_extension(_original: Any, _engine: Any) -> None:
    """Start offline: the spatial extension would be fetched at every start, and no table here has a GEOGRAPHY."""


def capture_on_request(original: Any, manager: Any, *table: str, kind: str = "AUTO") -> Any:
    """Keep no copy of a table after each write: it takes 1.6 s per million rows. Time travel is not available."""
    return None if kind == "AUTO" else original(manager, *table, kind=kind)


def create_app_with_our_routes(original: Any, context: Any) -> Any:
    """Put our routes before bqemulator's (the first that matches answers) and let them run one at a time."""
    app = original(context)
    app.state.jobs = jobs.Jobs(context)
    app.router.routes[:0] = [*jobs.router.routes, *tables.router.routes]
    serving.replace_middleware(app)
    app.add_middleware(jobs.OneAtATime, context=context, jobs=app.state.jobs)
    for error in (duckdb.Error, OverflowError):
        app.add_exception_handler(error, refuse)
    if (recorder := recorder_of("warehouse")) is not None:
        app.add_middleware(RecordRequests, recorder=recorder)
    return app


def refuse(_request: Any, error: Exception) -> JSONResponse:
    """Answer 400 if DuckDB refuses a statement, or if a result has a time beyond year 9999, which BigQuery lacks.

    Google's clients retry a 500 for ten minutes.
    """
    problem = ValidationError(str(error))
    return JSONResponse(status_code=problem.http_status, content=problem.to_bigquery_error())


async def stop_jobs_first(original: Any, emulator: Any) -> None:
    """Do not wait for a running job: it blocks the close of the connection."""
    if emulator._fastapi_server is not None:
        await emulator._fastapi_server.config.app.state.jobs.stop()
    await original(emulator)


CORRECTIONS += [
    (bqemulator.scripting.interpreter, "rewrite_and_translate_statement", scripts.translate),
    (bqemulator.scripting.interpreter, "rewrite_table_refs", dml.qualify_tables_and_check),
    (bqemulator.scripting.interpreter.ScriptInterpreter, "_exec_set", scripts.set_variables),
    (DuckDBEngine, "_load_spatial", load_no_extension),
    (DuckDBEngine, "_resolve_path", storage.open_in_memory),
    (DuckDBEngine, "_apply_session_pragmas", storage.attach),
    (SnapshotManager, "capture", capture_on_request),
    (Dialect, "parse", parsing.parse_once),
    (executor, "_parse_script_or_raise", parsing.once),
    (executor, "classify_statement_type", parsing.once),
    (executor, "_reject_dml_on_immutable", parsing.only_reads),
    (executor, "_capture_dml_snapshots", parsing.awaits_and_only_reads),
    (executor, "detect_drop_routine", parsing.only_with("DROP")),
    (bqemulator.sql.inner_query, "rewrite_for_row_access", parsing.expand_views),
    (bqemulator.sql.inner_query, "rewrite_unnest_offset", parsing.once),
    (translator.SQLTranslator, "translate", parsing.translate_once),
    (ddl_sync, "_detect_catalog_drop", parsing.only_with("DROP")),
    (ddl_sync, "_detect_create_schema", parsing.only_with("CREATE")),
    (ddl_sync, "_detect_plain_create_view", parsing.only_with("CREATE", lambda _: (None, None))),
    (ddl_sync, "_detect_plain_create_table", parsing.only_with("CREATE")),
    (translator, "rewrite_create_table_schema_ctas", parsing.only_with("CREATE", lambda sql: sql)),
    (executor, "_run_single_sql", dml.run_statement),
    (bqemulator.sql.inner_query, "build_catalog_schema", dml.schema_without_records),
    (executor, "rewrite_table_refs", dml.qualify_tables_and_check),
    (executor, "_extract_dml_affected_rows", dml.count_rows_by_kind),
    (executor, "_build_query_statistics", dml.build_statistics_with_kinds),
    (executor, "execute_load_job", loads.execute_load_job),
    (DuckDBCatalogRepository, "upsert_job", job_list.add_job),
    (executor, "_copy_relation_to_file", extracts.copy_relation_to_file),
    (bqemulator.api.routes.upload, "execute_load_job", loads.execute_uploaded_load),
    (bqemulator.api.routes.tables, "_rest_to_table_meta", tables.read_table_with_expiry),
    (bqemulator.api.routes.tables, "_table_to_rest", tables.write_table_with_expiry),
    (bqemulator.api.routes.tables, "bq_schema_to_duckdb_columns", schema.quoted_duckdb_columns),
    (bqemulator.sql.parameters, "_bind_named", parameters.bind_named),
    (bqemulator.sql.parameters, "_extract_value", parameters.extract_value),
    (bqemulator.storage.type_map, "bq_schema_to_duckdb_columns", schema.quoted_duckdb_columns),
    (bqemulator.api.routes.datasets, "_rest_to_dataset_meta", tables.read_dataset_with_labels),
    (bqemulator.server.EmulatorServer, "stop", stop_jobs_first),
    (bqemulator.server, "create_app", create_app_with_our_routes),
]
