"""The dataset and the bucket: made, read and deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery, storage

from scripts.smoke_gcp.options import Options, SmokeError, uses_stand_ins
from stellar_etl_airflow.model.tables import BATCH_COLUMNS

LIFETIME = timedelta(days=1)
"""After this BigQuery and Cloud Storage delete tables and objects of a run that was killed."""

CLOCK_ERROR = timedelta(minutes=10)
"""By how much this machine's clock may differ from Google's."""

Rows = Counter[str]


class Cloud:
    """The project's BigQuery and Cloud Storage, and what this run made there."""

    def __init__(self, options: Options) -> None:
        """Find the credentials.

        Raises:
            SmokeError: There are none.
        """
        self.options = options
        self._begun = datetime.now(UTC)
        credentials = AnonymousCredentials() if uses_stand_ins() else None
        try:
            self.bigquery = bigquery.Client(options.project, credentials=credentials, location=options.location)
            self.storage = storage.Client(options.project, credentials=credentials)
        except (GoogleAuthError, OSError) as error:
            raise SmokeError(f"no Google credentials: {error}. Run gcloud auth application-default login") from None

    @property
    def dataset_id(self) -> str:
        """`project.dataset`."""
        return f"{self.options.project}.{self.options.dataset}"

    def create(self) -> None:
        """Make the dataset and the bucket.

        Raises:
            SmokeError: Google refuses it.
        """
        dataset = bigquery.Dataset(self.dataset_id)
        dataset.location = self.options.location
        bucket = self.storage.bucket(self.options.bucket)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        if not self.options.keep:
            dataset.default_table_expiration_ms = round(LIFETIME.total_seconds() * 1000)
            bucket.add_lifecycle_delete_rule(age=LIFETIME.days)
        try:
            self.bigquery.create_dataset(dataset)
            bucket.create(location=self.options.location)
        except (GoogleAPIError, GoogleAuthError) as error:
            raise SmokeError(f"the dataset or the bucket cannot be made: {error}") from None

    def delete(self) -> list[str]:
        """Delete the dataset and the bucket; the problems, empty if both are gone."""
        problems = []
        for what, delete in (("dataset", self._delete_dataset), ("bucket", self._delete_bucket)):
            try:
                delete()
            except (GoogleAPIError, GoogleAuthError, OSError) as error:
                problems.append(f"the {what} was not deleted: {error}")
        return problems

    def _delete_dataset(self) -> None:
        self.bigquery.delete_dataset(self.dataset_id, delete_contents=True, not_found_ok=True)

    def _delete_bucket(self) -> None:
        bucket = self.storage.bucket(self.options.bucket)
        try:
            for blob in list(bucket.list_blobs()):
                blob.delete()
            bucket.delete()
        except NotFound:
            return

    def query(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of a query on this run's dataset."""
        config = bigquery.QueryJobConfig(default_dataset=self.dataset_id)
        for row in self.bigquery.query(sql, job_config=config).result():
            yield dict(row.items())

    def tables(self) -> set[str]:
        """The names of the tables and views that are there."""
        return {table.table_id for table in self.bigquery.list_tables(self.dataset_id)}

    def rows(self, table_id: str) -> Rows:
        """All rows of a table as JSON, without the columns that describe the load."""
        return Counter(map(_text, self.query(f"SELECT * FROM `{table_id}`")))  # noqa: S608  a name of the registry

    def count(self, table_id: str) -> int:
        """The number of rows of a table or view."""
        (row,) = self.query(f"SELECT COUNT(*) AS n FROM `{table_id}`")  # noqa: S608  a name of the registry
        return int(row["n"])

    def labels(self) -> dict[str, str]:
        """The dataset's labels."""
        return dict(self.bigquery.get_dataset(self.dataset_id).labels)

    def jobs(self) -> list[Any]:
        """This run's jobs: those whose configuration names its dataset; the oldest first."""
        found = self.bigquery.list_jobs(min_creation_time=self._begun - CLOCK_ERROR)
        ours = [job for job in found if self.options.dataset in json.dumps(job.to_api_repr()["configuration"])]
        return sorted(ours, key=lambda job: job.created)


def _text(row: dict[str, Any]) -> str:
    kept = {key: value for key, value in row.items() if key not in BATCH_COLUMNS}
    return json.dumps(kept, sort_keys=True, default=str)
