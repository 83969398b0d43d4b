"""Tables and datasets as in BigQuery: added columns, expiration, labels, etags."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bqemulator.api.dependencies import AppContext
from bqemulator.api.routes import tables as routes
from bqemulator.catalog.models import TableMeta, TableSchema
from bqemulator.domain.errors import (
    DomainError,
    ResourceRef,
    ValidationError,
    resource_already_exists,
    resource_not_found,
)
from bqemulator.storage.sql_identifiers import quoted_table_ref
from fastapi import APIRouter, Request, Response

from local.warehouse import schema
from local.warehouse.serving import TheContext
from local.warehouse.transaction import transaction

router = APIRouter(prefix="/bigquery/v2/projects/{project_id}/datasets/{dataset_id}/tables")


class PreconditionFailedError(DomainError):
    """The etag of an ``If-Match`` header differs from the resource's."""

    http_status = 412
    bq_reason = "conditionNotMet"
    grpc_status_name = "FAILED_PRECONDITION"


@router.post("")
async def create_table(project_id: str, dataset_id: str, request: Request, context: TheContext) -> dict[str, Any]:
    """Create a table or a view in one step; bqemulator creates the table first, and after a kill its catalog lacks it.

    Raises:
        NotFoundError: The dataset does not exist (404).
        AlreadyExistsError: The table exists (409).
    """
    body = await request.json()
    table = routes._rest_to_table_meta(project_id, dataset_id, body, context.clock)
    if context.catalog.get_dataset(project_id, dataset_id) is None:
        raise resource_not_found(ResourceRef("dataset", project_id, dataset_id))
    if context.catalog.get_table(project_id, dataset_id, table.table_id) is not None:
        raise resource_already_exists(ResourceRef("table", project_id, dataset_id, table.table_id))
    with transaction(context.engine):
        if table.table_type == "TABLE":
            create_duckdb_table(context, table)
        return routes._table_to_rest(context.catalog.create_table(table))


def create_duckdb_table(context: AppContext, table: TableMeta) -> None:
    """Create the DuckDB table of a table that the catalog lacks."""
    columns = ", ".join(f"{schema.quoted(name)} {kind}" for name, kind in schema.duckdb_columns(rest_fields(table)))
    reference = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
    context.engine.execute(f"CREATE OR REPLACE TABLE {reference} ({columns or '__placeholder INTEGER'})")


@router.get("/{table_id}")
async def get_table(project_id: str, dataset_id: str, table_id: str, context: TheContext) -> dict[str, Any]:
    """Answer like bqemulator, with counted rows: it counts them only after a load."""
    resource = routes.get_table(project_id, dataset_id, table_id, context)
    meta = context.catalog.get_table(project_id, dataset_id, table_id)
    if meta is not None and meta.table_type == "TABLE":
        table = quoted_table_ref(project_id, dataset_id, table_id)
        count = context.engine.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        resource["numRows"] = str(count[0] if count else 0)
    return resource


@router.patch("/{table_id}")
@router.put("/{table_id}")
async def change_table(
    project_id: str, dataset_id: str, table_id: str, request: Request, context: TheContext
) -> dict[str, Any]:
    """Change a table and its DuckDB table; bqemulator changes its catalog only, and queries then fail.

    Raises:
        NotFoundError: The table does not exist (404).
        PreconditionFailedError: The table changed since the caller read it (412).
        ValidationError: The schema does more than add columns, or the partitioning differs (400).
    """
    body = await request.json()
    old = context.catalog.get_table(project_id, dataset_id, table_id)
    if old is None:
        raise resource_not_found(ResourceRef("table", project_id, dataset_id, table_id))
    if request.headers.get("If-Match", "*") not in ("*", old.etag):
        raise PreconditionFailedError(f"Precondition check failed: {table_id} has etag {old.etag}")
    body["tableReference"] = {"tableId": table_id}
    new = routes._rest_to_table_meta(project_id, dataset_id, body, context.clock, old)
    if old.time_partitioning and _partition(new) != _partition(old):
        raise ValidationError(f"Cannot change partitioning spec of table {table_id}.")
    with transaction(context.engine):
        return routes._table_to_rest(store_table(context, old, new))


@router.delete("/{table_id}", status_code=204)
async def delete_table(project_id: str, dataset_id: str, table_id: str, context: TheContext) -> Response:
    """Remove a table or a view in one step.

    Raises:
        NotFoundError: The table does not exist (404).
    """
    table = context.catalog.get_table(project_id, dataset_id, table_id)
    if table is None:
        raise resource_not_found(ResourceRef("table", project_id, dataset_id, table_id))
    remove_table(context, table)
    return Response(status_code=204)


def remove_table(context: AppContext, table: TableMeta) -> None:
    """Drop a table or view, in DuckDB and in the catalog."""
    kind = "VIEW" if table.table_type == "VIEW" else "TABLE"
    reference = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
    with transaction(context.engine):
        context.engine.execute(f"DROP {kind} IF EXISTS {reference}")
        context.catalog.delete_table(table.project_id, table.dataset_id, table.table_id)


def store_table(context: AppContext, old: TableMeta, new: TableMeta) -> TableMeta:
    """Write a changed table to the catalog, and add the columns that it gained to the DuckDB table.

    Raises:
        ValidationError: The schema does more than add columns.
    """
    fields, added = schema.merge_fields(rest_fields(old), rest_fields(new))
    table = quoted_table_ref(new.project_id, new.dataset_id, new.table_id)
    for column in added:
        context.engine.execute(column.ddl(table))
    merged = TableSchema(fields=routes._parse_schema_fields(fields))
    return context.catalog.update_table(new.model_copy(update={"schema_": merged}))


def rest_fields(table: TableMeta) -> list[schema.Field]:
    """A table's schema in the REST API's form."""
    return [routes._field_to_rest(field) for field in table.schema_.fields]


def drop_expired(context: AppContext) -> None:
    """Remove the tables whose expiration time has passed."""
    now = context.clock.now()
    for dataset in context.catalog.list_all_datasets():
        for table in context.catalog.list_tables(dataset.project_id, dataset.dataset_id):
            if table.expiration_time is not None and table.expiration_time <= now:
                remove_table(context, table)


def read_table_with_expiry(
    original: Any,
    project_id: str,
    dataset_id: str,
    body: dict[str, Any],
    clock: Any,
    existing: TableMeta | None = None,
) -> TableMeta:
    """Return a table from a request with the parts that bqemulator omits: expiration, and single labels."""
    body = _with_merged_labels(body, existing)
    meta: TableMeta = original(project_id, dataset_id, body, clock, existing)
    expiration = existing.expiration_time if existing else None
    if "expirationTime" in body:
        expiration = _time(body["expirationTime"])
        if expiration is not None and expiration <= clock.now():
            raise ValidationError(f"Invalid value: expirationTime {expiration.isoformat()} is in the past")
    return meta.model_copy(update={"expiration_time": expiration})


def write_table_with_expiry(original: Any, table: TableMeta) -> dict[str, Any]:
    """Show ``expirationTime``, in milliseconds since 1970 as a string, and the query of a view."""
    resource: dict[str, Any] = original(table)
    if table.view_query:
        resource["view"] = {"query": table.view_query, "useLegacySql": False}
    if table.expiration_time is not None:
        resource["expirationTime"] = str(round(table.expiration_time.timestamp() * 1000))
    return resource


def read_dataset_with_labels(
    original: Any, project_id: str, body: dict[str, Any], clock: Any, existing: Any = None
) -> Any:
    """A patch names the labels that it changes, and removes those that are null. bqemulator replaces all of them."""
    return original(project_id, _with_merged_labels(body, existing), clock, existing)


def _with_merged_labels(body: dict[str, Any], existing: Any) -> dict[str, Any]:
    if "labels" not in body:
        return body
    labels = {**(existing.labels if existing else {}), **(body["labels"] or {})}
    return {**body, "labels": {key: value for key, value in labels.items() if value is not None}}


def _time(milliseconds: Any) -> dt.datetime | None:
    if milliseconds is None:
        return None
    return dt.datetime.fromtimestamp(int(milliseconds) / 1000, tz=dt.UTC)


def _partition(table: TableMeta) -> tuple[str, str | None] | None:
    spec = table.time_partitioning
    return (spec.type, spec.field) if spec else None
