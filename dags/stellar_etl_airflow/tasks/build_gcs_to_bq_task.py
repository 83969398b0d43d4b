"""Load files from the bucket into staging tables, one per run and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from google.api_core.exceptions import BadRequest, NotFound

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table, guard_network
from stellar_etl_airflow.bigquery.versions import ensure_versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.export.storage import Bucket
from stellar_etl_airflow.model.batch import STAGING_DAYS, ExportedFile
from stellar_etl_airflow.model.digest import first_line
from stellar_etl_airflow.model.lineage import Lineage, SchemaFile, dataset_at
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import EXPORT_TASK, GOOGLE_CONNECTION, batch_of


def load_job(uri: str, staging: Mapping[str, str]) -> Job:
    """Return a job that loads one file and replaces the content of a staging table.

    Args:
        uri: `gs://bucket/object`, without wildcards.
        staging: the table reference of the job configuration.
    """
    load = {
        "sourceUris": [uri],
        "sourceFormat": "NEWLINE_DELIMITED_JSON",
        "destinationTable": dict(staging),
        "createDisposition": "CREATE_NEVER",
        "writeDisposition": "WRITE_TRUNCATE",
        "ignoreUnknownValues": False,
        "maxBadRecords": 0,
    }
    return Job("load", {"load": load})


class LoadToStagingOperator(TableJobsOperator):
    """Loads one type's verified file into the run's staging table, and replaces rows of an earlier try."""

    builder = "build_gcs_to_bq_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Check that the dataset belongs to this network, and create the tables of the batch.

        The staging table gets the published table's schema, not the file's. In a table that has grown, nested columns
        have another order, and BigQuery matches the fields of a RECORD by position.
        """
        batch = batch_of(context)
        warehouse.check_partitions(self.table, batch.first_closed_at, batch.last_closed_at)
        for target in warehouse.config.targets:
            guard_network(warehouse.client, target.dataset_id, batch.network_passphrase)
        published = warehouse.ensure_published(self.table)
        ensure_versions(warehouse, self.table)
        ensure_table(
            warehouse.client,
            f"{warehouse.dataset_id}.{self.staging_id(context)}",
            TableLayout(
                published,
                expires=datetime.now(UTC) + timedelta(days=STAGING_DAYS),
                description=f"{self.table.data_type} of {context['ti'].dag_id} {context['ti'].run_id}, not published "
                f"yet",
            ),
        )

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one load job for exactly one object."""
        file = batch_of(context).files[self.table.data_type]
        return [load_job(file.uri, warehouse.reference(self.staging_id(context)))]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the object, and the staging table."""
        uri = batch_of(context).files[self.table.data_type].uri
        columns = SchemaFile(warehouse.config.schema_filepath, self.table.table_id)
        return Lineage([dataset_at(uri, columns)], [self.staging_dataset(context)])

    def _wait(self, job: Any) -> None:
        """Wait until the load ends.

        Raises:
            AirflowFailException: rows of the file do not fit the table, or the file does not exist. A retry would fail
                in the same way.
        """
        try:
            super()._wait(job)
        except (BadRequest, NotFound) as error:
            reason = (job.error_result or {}).get("reason")
            (uri,) = job.source_uris
            if reason != "invalid" and not (reason == "notFound" and uri in str(error)):
                raise
            raise AirflowFailException(
                f"{uri} can't be loaded into {self.table.table_id}: {first_line(str(error))}. Nothing is published. "
                f"Fix the cause, then clear the task {EXPORT_TASK!r} with its downstream tasks"
            ) from error

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the job's id and times.

        Raises:
            AirflowFailException: the object is not the verified one. A retry would load the same rows.
        """
        file = batch_of(context).files[self.table.data_type]
        if not _is_as_verified(file):
            raise AirflowFailException(
                f"{file.uri} was replaced or deleted after it was verified: the loaded rows are not published. "
                f"Clear the task {EXPORT_TASK!r} with its downstream tasks"
            )
        return super().done(context, warehouse, jobs)


def _is_as_verified(file: ExportedFile) -> bool:
    """Whether an object still has the verified content. A load job reads the current content."""
    bucket, _, name = file.uri.removeprefix("gs://").partition("/")
    if not file.crc32c:
        return True
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), bucket).crc32c(name) == file.crc32c


def build_gcs_to_bq_task(table: Table) -> LoadToStagingOperator:
    """Return a task that loads a table's exported rows into the run's staging table."""
    return LoadToStagingOperator(task_id="load", table=table)
