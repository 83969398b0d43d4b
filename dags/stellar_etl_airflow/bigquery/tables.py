"""Datasets and tables through BigQuery's API: create, extend, guard. Takes a client; independent of Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core.exceptions import Conflict, Forbidden, NotFound, PreconditionFailed
from google.cloud import bigquery

from stellar_etl_airflow.model.deployment import DEPLOYMENT_LABEL
from stellar_etl_airflow.model.network import NETWORK_LABEL, network_hash
from stellar_etl_airflow.model.schema import SchemaError, grown, has_grown, lacking, relaxed_fields
from stellar_etl_airflow.model.tables import BATCH_COLUMNS

log = logging.getLogger(__name__)

BASE_LABEL = "base_ledger"
"""The label of a base table with the ledger of its full load. It is set when the load is complete."""

MOST_CLUSTER_FIELDS = 4
"""BigQuery clusters by at most four columns (https://cloud.google.com/bigquery/docs/clustered-tables#limitations)."""

_RACES = 5


class WarehouseError(RuntimeError):
    """A dataset or table is in a wrong state; the message names it and the remedy."""


@dataclass(frozen=True)
class TableLayout:
    """How a table is created.

    Attributes:
        fields: the schema, as `schema.read_schema` returns it.
        partition_type: DAY and so on; None for a table without partitions.
        partition_field: the column of the partition.
        partition_days: days after which BigQuery deletes a partition; 0 for never, None to leave it unchanged.
        cluster_fields: the columns it is clustered by.
        needed: columns that an existing table must have; others are added.
        expires: when BigQuery may delete it; None for never.
        description: the table's description.
    """

    fields: Sequence[Mapping[str, Any]]
    partition_type: str | None = None
    partition_field: str | None = None
    partition_days: int | None = None
    cluster_fields: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    expires: datetime | None = None
    description: str | None = None


def check_partition(table_id: str, field: str, closed_at_column: str) -> None:
    """Reject a partition by any column except the ledger's close time.

    Raises:
        WarehouseError: the column is wrong; the message names the Variable and the reason.
    """
    if field == closed_at_column:
        return
    reason = (
        "a batch column describes the load, not the row: the same row loaded twice would be in two partitions"
        if field in BATCH_COLUMNS
        else "queries select the rows of a batch by the ledger's close time, and should read only its partitions"
    )
    raise WarehouseError(
        f"Airflow Variable 'partition_fields' partitions {table_id} by {field!r}; it must be "
        f"{closed_at_column!r}, because {reason}"
    )


def read_dataset(client: bigquery.Client, dataset_id: str, variable: str = "bq_dataset") -> bigquery.Dataset:
    """Read a dataset's metadata.

    Args:
        client: a BigQuery client.
        dataset_id: `project.dataset`.
        variable: the Variable that names the dataset.

    Raises:
        WarehouseError: the dataset does not exist.
    """
    try:
        return client.get_dataset(dataset_id)
    except NotFound:
        raise WarehouseError(
            f"dataset {dataset_id} does not exist: create it in the location of the bucket, or correct the "
            f"Airflow Variables 'bq_project' and '{variable}'"
        ) from None


def guard_network(client: bigquery.Client, dataset_id: str, passphrase: str) -> None:
    """Label the dataset with its network at the first load, and reject rows of another network from then on.

    Args:
        client: a BigQuery client.
        dataset_id: `project.dataset`.
        passphrase: the passphrase of the rows' network.

    Raises:
        WarehouseError: the dataset does not exist, or has ledgers of another network.
    """
    ours = network_hash(passphrase)

    def refusal(label: str) -> str:
        return (
            f"dataset {dataset_id} has the ledgers of another network (its label {NETWORK_LABEL} is {label}, "
            f"but {passphrase!r} has {ours}): load into another dataset. A test network that was reset is "
            f"another network too"
        )

    _claim(client, dataset_id, NETWORK_LABEL, ours, refusal)


def guard_deployment(client: bigquery.Client, dataset_id: str, ours: str) -> bigquery.Dataset:
    """Label the dataset with the deployment that first writes it, and reject other deployments from then on.

    Returns the dataset's metadata.

    Args:
        client: a BigQuery client.
        dataset_id: `project.dataset`.
        ours: this deployment, as `deployment_name` returns it.

    Raises:
        WarehouseError: the dataset does not exist, belongs to another deployment, or cannot be labelled.
    """

    def refusal(label: str) -> str:
        command = _set_label(dataset_id, DEPLOYMENT_LABEL, ours)
        return (
            f"dataset {dataset_id} is written by the deployment {label!r} (its label {DEPLOYMENT_LABEL}), but this is "
            f"{ours!r}: two deployments would write the same rows. To hand the dataset over, pause the DAGs of the "
            f"other deployment, wait until its runs have ended, and run: {command}"
        )

    return _claim(client, dataset_id, DEPLOYMENT_LABEL, ours, refusal)


def _set_label(dataset_id: str, key: str, value: str) -> str:
    """Return the command that sets a label of a dataset."""
    project, _, dataset = dataset_id.rpartition(".")
    return f"bq update --set_label {key}:{value} {project}:{dataset}"


def _claim(
    client: bigquery.Client, dataset_id: str, key: str, ours: str, refusal: Callable[[str], str]
) -> bigquery.Dataset:
    """Set a label of a dataset that lacks it; return the dataset.

    Raises:
        WarehouseError: the label has another value, with the message of `refusal`; or this account may not set it.
    """
    for _ in range(_RACES):
        dataset = read_dataset(client, dataset_id)
        label = dataset.labels.get(key)
        if label == ours:
            return dataset
        if label is not None:
            raise WarehouseError(refusal(label))
        dataset.labels = {**dataset.labels, key: ours}
        try:
            return client.update_dataset(dataset, ["labels"])
        except PreconditionFailed:
            continue  # the dataset was changed since it was read: read it again
        except Forbidden:
            raise WarehouseError(
                f"dataset {dataset_id} has no label {key}, and this account may not set it: ask an owner of the "
                f"dataset to run {_set_label(dataset_id, key, ours)}"
            ) from None
    raise WarehouseError(f"dataset {dataset_id} changed {_RACES} times while its label {key} was set: try again")


def forget_network(client: bigquery.Client, dataset_id: str) -> None:
    """Remove the network label of a dataset, so that it can be used for another network."""
    dataset = client.get_dataset(dataset_id)
    if NETWORK_LABEL in dataset.labels:
        dataset.labels = {**dataset.labels, NETWORK_LABEL: None}  # None deletes the label
        client.update_dataset(dataset, ["labels"])


def ensure_table(client: bigquery.Client, name: str, layout: TableLayout) -> list[dict[str, Any]]:
    """Create the table if it is missing, and add missing columns; return its schema.

    Args:
        client: a BigQuery client.
        name: `project.dataset.table`.
        layout: how the table is created.

    Raises:
        WarehouseError: the table has another partition or other clusters, or lacks columns that it needs.
        SchemaError: a column has another type than in the schema file.
    """
    for _ in range(_RACES):
        try:
            table = client.get_table(name)
        except NotFound:
            try:
                client.create_table(_new_table(name, layout))
            except Conflict:
                continue  # another task created it first, maybe without all columns
            log.info("created table %s", name)
            return [dict(field) for field in layout.fields]
        existing, fields = _grown(name, table, layout)
        changes = []
        if has_grown(existing, fields):
            table.schema = [bigquery.SchemaField.from_api_repr(field) for field in fields]
            changes.append("schema")
        partitioning = table.time_partitioning
        managed = layout.partition_days is not None and partitioning is not None
        if managed and partitioning.expiration_ms != _expiration(layout):
            partitioning.expiration_ms = _expiration(layout)
            table.time_partitioning = partitioning
            changes.append("time_partitioning")
        if not changes:
            return existing
        try:
            client.update_table(table, changes)
        except PreconditionFailed:
            continue  # the table was changed since it was read
        log.info("changed %s of table %s", " and ".join(changes), name)
        return fields
    raise WarehouseError(f"table {name} changed {_RACES} times while it was prepared: try again")


def _grown(name: str, table: bigquery.Table, layout: TableLayout) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a table's current schema, and the schema that `ensure_table` gives it."""
    _check_existing(table, layout)
    existing = [field.to_api_repr() for field in table.schema]
    try:
        return existing, grown(existing, layout.fields)
    except SchemaError as error:
        raise SchemaError(f"table {name}: {error}") from None


def growth(client: bigquery.Client, name: str, layout: TableLayout) -> list[str] | None:
    """Return the changes that `ensure_table` would make to a table; None if it does not exist.

    Returns:
        The missing columns, nested ones by their path, and columns that would no longer be REQUIRED.

    Raises:
        WarehouseError: see `ensure_table`.
        SchemaError: see `ensure_table`.
    """
    try:
        table = client.get_table(name)
    except NotFound:
        return None
    existing, fields = _grown(name, table, layout)
    relaxed = relaxed_fields(existing, fields)
    return lacking(fields, existing) + [f"{field} (no longer REQUIRED)" for field in relaxed]


def stored_query(client: bigquery.Client, name: str) -> str | None:
    """Return the query of a view; None if it does not exist."""
    try:
        found = client.get_table(name)
    except NotFound:
        return None
    return found.view_query if found.table_type == "VIEW" else None


def is_view(client: bigquery.Client, name: str) -> bool:
    """Return whether a view exists.

    Raises:
        WarehouseError: a table has this name.
    """
    try:
        _check_view(name, client.get_table(name))
    except NotFound:
        return False
    return True


def make_view(client: bigquery.Client, name: str, query: str) -> None:
    """Create a view, unless it exists. An existing view is not changed.

    Raises:
        WarehouseError: a table has this name.
    """
    view = bigquery.Table(name)
    view.view_query = query
    try:
        client.create_table(view)
    except Conflict:
        _check_view(name, client.get_table(name))
    else:
        log.info("created view %s", name)


def ensure_view(client: bigquery.Client, name: str, query: str) -> None:
    """Create a view if it is missing, and replace its query if it differs.

    Raises:
        WarehouseError: a table has this name.
    """
    for _ in range(_RACES):
        try:
            found = client.get_table(name)
        except NotFound:
            make_view(client, name, query)
            continue  # another task may have created it with another query
        _check_view(name, found)
        if found.view_query == query:
            return
        found.view_query = query
        try:
            client.update_table(found, ["view_query"])
        except PreconditionFailed:
            continue  # the view was changed since it was read
        return
    raise WarehouseError(f"view {name} changed {_RACES} times while it was written: try again")


def _check_view(name: str, found: bigquery.Table) -> None:
    if found.table_type != "VIEW":
        raise WarehouseError(f"{name} is not a view: rename the table of that name, so that the view can be created")


def base_ledger(client: bigquery.Client, name: str) -> int:
    """Return the ledger of the full load in a base table; 0 if it has none or does not exist."""
    try:
        return int(client.get_table(name).labels.get(BASE_LABEL, 0))
    except NotFound:
        return 0


def note_base_ledger(client: bigquery.Client, name: str, ledger: int) -> None:
    """Record the ledger of the full load in a base table."""
    table = client.get_table(name)
    table.labels = {**table.labels, BASE_LABEL: str(ledger)}
    client.update_table(table, ["labels"])


def _new_table(name: str, layout: TableLayout) -> bigquery.Table:
    table = bigquery.Table(name, schema=[bigquery.SchemaField.from_api_repr(dict(field)) for field in layout.fields])
    if layout.partition_type:
        table.time_partitioning = bigquery.TimePartitioning(
            type_=layout.partition_type, field=layout.partition_field, expiration_ms=_expiration(layout)
        )
    if layout.cluster_fields:
        table.clustering_fields = list(layout.cluster_fields)
    if layout.expires:
        table.expires = layout.expires
    if layout.description:
        table.description = layout.description
    return table


def _expiration(layout: TableLayout) -> int | None:
    """Return how long a partition is kept, in milliseconds; None for forever."""
    return (layout.partition_days or 0) * 86_400_000 or None


def _check_existing(table: bigquery.Table, layout: TableLayout) -> None:
    partitioning = table.time_partitioning
    name = table.full_table_id or table.table_id
    have = (partitioning.type_, partitioning.field) if partitioning else (None, None)
    want = (layout.partition_type, layout.partition_field)
    if have != want:
        raise WarehouseError(
            f"table {name} is partitioned by {_partition_text(have)}, but the Airflow Variable 'partition_fields' has "
            f"{_partition_text(want)}; BigQuery can't change that: correct the Variable, or copy the table into a new "
            "one with this partition"
        )
    clustered, wanted = tuple(table.clustering_fields or ()), layout.cluster_fields
    if clustered != wanted:
        raise WarehouseError(
            f"table {name} is clustered by {', '.join(clustered) or 'nothing'}, but the Airflow Variable "
            f"'cluster_fields' has {', '.join(wanted) or 'nothing'}: correct the Variable, or change the table with "
            f"bq update --clustering_fields={','.join(wanted)} {name}"
        )
    missing = sorted(set(layout.needed) - {field.name for field in table.schema})
    if missing:
        raise WarehouseError(
            f"table {name} lacks {', '.join(missing)}, without which its rows can't be identified by ledger: another "
            f"deployment created it. Load into another dataset, and copy its rows as docs/production.md describes"
        )


def _partition_text(partition: tuple[str | None, str | None]) -> str:
    kind, field = partition
    return f"{field} ({kind})" if kind else "nothing"
