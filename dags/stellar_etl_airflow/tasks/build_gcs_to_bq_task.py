"""From the bucket into a staging table, one for each run and table."""

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
    """A job that loads one file over what a staging table holds.

    Args:
        uri: `gs://bucket/object`, exactly.
        staging: the table's name as job configurations spell it.
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
    """Loads one type's verified file into the run's staging table, over what an earlier try left there."""

    builder = "build_gcs_to_bq_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Make sure that the dataset is this network's, and make the tables that the batch needs.

        The staging table gets the published table's own schema, not the file's: a table that has grown holds its
        nested columns in another order, and BigQuery matches the fields of a RECORD by position.
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
                description=f"{self.table.data_type} of {context['ti'].dag_id} {context['ti'].run_id}, to be published",
            ),
        )

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One load job that names the object exactly."""
        file = batch_of(context).files[self.table.data_type]
        return [load_job(file.uri, warehouse.reference(self.staging_id(context)))]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The object, into the staging table."""
        uri = batch_of(context).files[self.table.data_type].uri
        columns = SchemaFile(warehouse.config.schema_filepath, self.table.table_id)
        return Lineage([dataset_at(uri, columns)], [self.staging_dataset(context)])

    def _wait(self, job: Any) -> None:
        """Wait for the load's end.

        Raises:
            AirflowFailException: rows of the file don't fit the table, or the file is gone; another try would fail in
                the same way.
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
                f"Clear the task {EXPORT_TASK!r} with its downstream tasks, if another export can be right"
            ) from error

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """The job's id and times.

        Raises:
            AirflowFailException: the object is not the one that was verified; trying again would load the same rows.
        """
        file = batch_of(context).files[self.table.data_type]
        if not _is_as_verified(file):
            raise AirflowFailException(
                f"{file.uri} was replaced or deleted after it had been verified: what was loaded is not published. "
                f"Clear the task {EXPORT_TASK!r} and what follows it"
            )
        return super().done(context, warehouse, jobs)


def _is_as_verified(file: ExportedFile) -> bool:
    """Whether an object has still the content that was verified: a load job takes what its name has by then."""
    bucket, _, name = file.uri.removeprefix("gs://").partition("/")
    if not file.crc32c:
        return True
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), bucket).crc32c(name) == file.crc32c


def build_gcs_to_bq_task(table: Table) -> LoadToStagingOperator:
    """A task that loads a table's exported rows into the run's staging table."""
    return LoadToStagingOperator(task_id="load", table=table)
