"""The dataset and the bucket: created, read and deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery, secretmanager, storage

from scripts.smoke_gcp.options import Options, SmokeError, uses_stand_ins
from stellar_etl_airflow.model.tables import BATCH_COLUMNS

LIFETIME = timedelta(days=1)
"""The time after which BigQuery and Cloud Storage delete tables and objects of a killed run."""

KEPT_DAYS = 30
"""The days after which Cloud Storage deletes the objects of a bucket that `--keep` leaves."""

CLOCK_ERROR = timedelta(minutes=10)
"""The allowed difference between this machine's clock and Google's."""

Rows = Counter[str]


def export_days(options: Options) -> int:
    """The days after which the bucket deletes objects."""
    return KEPT_DAYS if options.keep else LIFETIME.days


class Cloud:
    """The project's BigQuery and Cloud Storage, and the resources of this run."""

    def __init__(self, options: Options) -> None:
        """Find the credentials.

        Raises:
            SmokeError: There are no credentials.
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
        """Create the dataset and the bucket.

        Raises:
            SmokeError: Google refuses it.
        """
        dataset = bigquery.Dataset(self.dataset_id)
        dataset.location = self.options.location
        bucket = self.storage.bucket(self.options.bucket)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.add_lifecycle_delete_rule(age=export_days(self.options))
        if not self.options.keep:
            dataset.default_table_expiration_ms = round(LIFETIME.total_seconds() * 1000)
        try:
            self.bigquery.create_dataset(dataset)
            bucket.create(location=self.options.location)
        except (GoogleAPIError, GoogleAuthError) as error:
            raise SmokeError(f"the dataset or the bucket cannot be created: {error}") from None

    def delete(self) -> list[str]:
        """Delete the dataset and the bucket; return the problems, empty if both are deleted."""
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

    @contextmanager
    def secret(self, name: str, value: str) -> Iterator[None]:
        """Create a secret in Secret Manager for the block; it expires if the run is killed.

        Raises:
            SmokeError: Google refuses it.
        """
        try:
            client = secretmanager.SecretManagerServiceClient()
            kept = secretmanager.Secret(replication={"automatic": {}}, ttl=LIFETIME)
            made = client.create_secret(parent=f"projects/{self.options.project}", secret_id=name, secret=kept)
            client.add_secret_version(parent=made.name, payload=secretmanager.SecretPayload(data=value.encode()))
        except (GoogleAPIError, GoogleAuthError) as error:
            raise SmokeError(f"the secret {name} cannot be created: {error}") from None
        try:
            yield
        finally:
            client.delete_secret(name=made.name)

    def objects(self, prefix: str) -> list[str]:
        """The names of the bucket's objects below a prefix."""
        return [blob.name for blob in self.storage.bucket(self.options.bucket).list_blobs(prefix=f"{prefix}/")]

    def query(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of a query on this run's dataset."""
        config = bigquery.QueryJobConfig(default_dataset=self.dataset_id)
        for row in self.bigquery.query(sql, job_config=config).result():
            yield dict(row.items())

    def tables(self) -> set[str]:
        """The names of the existing tables and views."""
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
        """This run's jobs, which name its dataset in their configuration; the oldest first."""
        found = self.bigquery.list_jobs(min_creation_time=self._begun - CLOCK_ERROR)
        ours = [job for job in found if self.options.dataset in json.dumps(job.to_api_repr()["configuration"])]
        return sorted(ours, key=lambda job: job.created)


def _text(row: dict[str, Any]) -> str:
    kept = {key: value for key, value in row.items() if key not in BATCH_COLUMNS}
    return json.dumps(kept, sort_keys=True, default=str)
