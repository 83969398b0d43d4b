"""Load jobs: files of the local bucket into a table, all rows or none."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bqemulator.api.dependencies import AppContext
from bqemulator.api.routes import tables as routes
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta, TableMeta, TableSchema
from bqemulator.domain.errors import (
    AlreadyExistsError,
    NotFoundError,
    ResourceRef,
    ValidationError,
    resource_not_found,
)
from bqemulator.jobs import executor
from bqemulator.storage.sql_identifiers import quoted_table_ref

from local.warehouse import ndjson, reading, schema, tables
from local.warehouse.transaction import transaction

LINES_AT_A_TIME = 1000
"""The lines that are in memory while they are checked one by one."""

_NDJSON = ("NEWLINE_DELIMITED_JSON", "JSON")


async def execute_load_job(
    _original: Any, project_id: str, job_id: str, config: dict[str, Any], context: AppContext
) -> JobMeta:
    """Load files; the caller's transaction ensures all rows or none.

    Args:
        project_id: The job's project.
        job_id: The job's id.
        config: The job's configuration, ``load`` in it.
        context: The server's parts.

    Returns:
        The finished job. Its ``outputRows`` and ``outputBytes`` are those of this load; bqemulator returns the rows of
        the table, and no bytes.

    Raises:
        NotFoundError: A file, the dataset, or a table that is not to be created, is missing.
        AlreadyExistsError: The table has rows and the disposition is WRITE_EMPTY.
        ValidationError: The schema is missing or does not fit the table.
        duckdb.Error: A row does not fit the schema.
    """
    started = context.clock.now()
    load = config["load"]
    files = [path for uri in load.get("sourceUris", []) for path in _files_of(uri, context)]
    table = _destination(project_id, load, context)
    reference = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
    before = _count(reference, context)
    disposition = load.get("writeDisposition", "WRITE_APPEND")
    if disposition == "WRITE_EMPTY" and before:
        raise AlreadyExistsError(f"Already Exists: Table {table.project_id}:{table.dataset_id}.{table.table_id}")
    if disposition == "WRITE_TRUNCATE":
        context.engine.execute(f"DELETE FROM {reference}")  # noqa: S608
        before = 0
    _insert(files, load, table, reference, context)
    after = _count(reference, context)
    _write_to_catalog(table, after, context)
    return JobMeta(
        project_id=project_id,
        job_id=job_id,
        job_type="LOAD",
        state="DONE",
        configuration=config,
        statistics={
            "load": {
                "inputFiles": str(len(files)),
                "inputFileBytes": str(sum(path.stat().st_size for path in files)),
                "outputRows": str(after - before),
                "outputBytes": str(reading.bytes_of(table, context) * (after - before) // max(after, 1)),
                "badRecords": "0",
            }
        },
        creation_time=started,
        start_time=started,
        end_time=context.clock.now(),
        etag=generate_etag(project_id, job_id, str(started)),
    )


async def execute_uploaded_load(
    _original: Any, project_id: str, job_id: str, config: dict[str, Any], context: AppContext
) -> JobMeta:
    """Load a file from the request, without a transaction around it."""
    with transaction(context.engine):
        return await execute_load_job(None, project_id, job_id, config, context)


def _files_of(uri: str, context: AppContext) -> list[Path]:
    """Return the files of a URI; one ``*`` in an object's name matches anything, as in BigQuery."""
    path, found = Path(executor._resolve_uri(uri, context)), list[Path]()
    # Use os.path: pathlib raises an error for a too long name, which would count as a full disk.
    if "*" not in uri:
        found = [path] if os.path.isfile(path) else []  # noqa: PTH113
    elif os.path.isdir(Path(str(path).split("*", 1)[0]).parent):  # noqa: PTH112
        start = Path(str(path).split("*", 1)[0]).parent
        pattern = "".join(f"[{c}]" if c in "?[" else c for c in str(path))
        found = sorted(file for file in start.rglob("*") if file.is_file() and fnmatch.fnmatchcase(str(file), pattern))
    if not found:
        raise NotFoundError(f"Not found: URI {uri}")
    return found


def _destination(project_id: str, load: dict[str, Any], context: AppContext) -> TableMeta:
    """The table to load into: the existing one, with what the load adds to it, or a new one."""
    reference = load["destinationTable"]
    project, dataset, name = reference.get("projectId", project_id), reference["datasetId"], reference["tableId"]
    body = {key: load[key] for key in ("schema", "timePartitioning", "clustering") if load.get(key)}
    body["tableReference"] = {"tableId": name}
    existing = context.catalog.get_table(project, dataset, name)
    wanted = routes._rest_to_table_meta(project, dataset, body, context.clock, existing)
    if existing is not None:
        return _with_added_columns(existing, wanted, load, context)
    if context.catalog.get_dataset(project, dataset) is None:
        raise resource_not_found(ResourceRef("dataset", project, dataset))
    if load.get("createDisposition") == "CREATE_NEVER":
        raise resource_not_found(ResourceRef("table", project, dataset, name))
    if not wanted.schema_.fields:
        raise ValidationError(f"No schema specified on job or table {project}:{dataset}.{name}.")
    tables.create_duckdb_table(context, wanted)
    return wanted


def _with_added_columns(existing: TableMeta, wanted: TableMeta, load: dict[str, Any], context: AppContext) -> TableMeta:
    fields, added = schema.merge_fields(tables.rest_fields(existing), tables.rest_fields(wanted))
    if added and "ALLOW_FIELD_ADDITION" not in load.get("schemaUpdateOptions", []):
        names = ", ".join(".".join(column.path) for column in added)
        raise ValidationError(f"Provided Schema does not match Table. Cannot add fields (field: {names})")
    for column in added:
        table = quoted_table_ref(existing.project_id, existing.dataset_id, existing.table_id)
        context.engine.execute(column.ddl(table))
    merged = TableSchema(fields=routes._parse_schema_fields(fields))
    return existing.model_copy(update={"schema_": merged})


def _insert(files: Sequence[Path], load: dict[str, Any], table: TableMeta, reference: str, context: AppContext) -> None:
    source_format = str(load.get("sourceFormat", "CSV")).upper()
    if source_format not in _NDJSON:
        job = executor._parse_load_job_config(table.project_id, {"load": load})
        for path in files:
            executor._load_path_into_target(str(path), job, context)
        return
    if not files:
        return
    fields = tables.rest_fields(table)
    paths = [str(path) for path in files]
    kinds = _check(fields, paths, context, ignore_unknown=bool(load.get("ignoreUnknownValues")))
    context.engine.execute(f"INSERT INTO {reference} {ndjson.select(ndjson.with_kinds(fields, kinds), paths)}")


def _check(
    fields: Sequence[schema.Field], paths: Sequence[str], context: AppContext, *, ignore_unknown: bool
) -> ndjson.Kinds:
    """Refuse lines that are not an object of JSON, or whose fields, objects and arrays do not fit the schema.

    Returns:
        The kinds of values in the files.

    Raises:
        ValidationError: With the first such line, or with each problem of a schema once.
    """
    found = context.engine.execute(ndjson.shapes(fields, paths)).fetchall()
    shapes = {shape for shape, _ in found}
    objects = [shape for shape in shapes if shape.startswith("{") or shape == ndjson.NO_KEYS]
    kinds = ndjson.kinds_of(fields, objects)
    if any(is_suspect for _, is_suspect in found) or ndjson.has_numbers_as_text(fields, kinds):
        suspects = context.engine.execute(ndjson.suspects(paths))
        while rows := suspects.fetchmany(LINES_AT_A_TIME):
            _refuse(filter(None, (ndjson.refusal(line) for (line,) in rows)))
    problems = {
        message
        for shape in shapes
        for message, is_unknown in ndjson.misfits(fields, shape)
        if not (is_unknown and ignore_unknown)
    }
    _refuse(sorted(problems))
    return kinds


def _refuse(problems: Iterable[str]) -> None:
    if text := " ".join(problems):
        raise ValidationError(f"Error while reading data, error message: JSON parsing error: {text}")


def _count(reference: str, context: AppContext) -> int:
    row = context.engine.execute(f"SELECT count(*) FROM {reference}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _write_to_catalog(table: TableMeta, rows: int, context: AppContext) -> None:
    """Last in the transaction: a roll-back does not reset the cache of bqemulator's catalog."""
    changed = table.model_copy(update={"num_rows": rows, "last_modified_time": context.clock.now()})
    if context.catalog.get_table(table.project_id, table.dataset_id, table.table_id) is None:
        context.catalog.create_table(changed)
    else:
        context.catalog.update_table(changed)
