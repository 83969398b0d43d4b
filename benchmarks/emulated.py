"""The laptop's bucket and warehouse as separate programs, with the statements of the DAGs."""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from benchmarks import inputs
from benchmarks.measure import program
from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table
from stellar_etl_airflow.export.exports import extra_fields
from stellar_etl_airflow.model.schema import column_names, read_schema
from stellar_etl_airflow.model.tables import LEDGERS, Table
from stellar_etl_airflow.sql.checks import Loaded, check_staging, column_rules, own_rules
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import unchanged
from stellar_etl_airflow.sql.statement import Parameter, Statement, range_parameters, table_name
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import load_job
from tests.local import emulators

DATASET, STAGING = "stellar", "staging"
SCHEMAS = str(inputs.REPO / "schemas")
NO_LIMIT = 1 << 40


BATCH = extra_fields({"batch_id": "benchmark", "batch_run_date": "2026-01-01T00:00:00"})


class Export(NamedTuple):
    """A folder with all history of some ledgers, in the form of a DAG's pods.

    Attributes:
        folder: the folder of the files.
        parameters: the query parameters with the ledgers.
        files: the manifest's entries, by data type.
    """

    folder: Path
    parameters: tuple[Parameter, ...]
    files: dict[str, dict[str, Any]]

    def path(self, table: Table) -> Path:
        """A table's file."""
        return self.folder / Path(self.files[table.data_type]["name"]).name


@cache
def exported(last: int = inputs.LAST) -> Export:
    """Return the generated network's rows from the first measured ledger to another one; made once."""
    folder = inputs.MADE / f"{inputs.network().name}-rows-{last}"
    if not list(folder.glob("*-manifest.json")):
        export = ("export_all_history", "-s", inputs.FIRST, "-e", last, "--extra-fields", BATCH)
        program(*export, "--datastore-path", inputs.network(), "-o", folder)
    manifest = json.loads(next(folder.glob("*-manifest.json")).read_text())
    ledgers, times = (inputs.FIRST, last), (manifest["first_closed_at"], manifest["last_closed_at"])
    return Export(folder, range_parameters(*ledgers, *times), {file["type"]: file for file in manifest["files"]})


@dataclass
class Emulated:
    """A client of both programs."""

    warehouse: emulators.Server
    bucket: emulators.Server

    def __post_init__(self) -> None:
        self.client = emulators.bigquery_client(self.warehouse)
        self.client.create_dataset(DATASET, exists_ok=True)

    def upload(self, path: Path) -> str:
        """Upload a file to the bucket; return its URI."""
        name = f"{uuid4().hex}/{path.name}"
        emulators.storage_client(self.bucket).bucket(emulators.BUCKET).blob(name).upload_from_filename(str(path))
        return f"gs://{emulators.BUCKET}/{name}"

    def run(self, job: Job) -> list[dict[str, Any]]:
        """Run a job of the DAGs to its end; return its rows."""
        done = self.client.create_job(job.configuration).result()
        return [dict(row.items()) for row in done] if "query" in job.configuration else []

    def query(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> list[dict[str, Any]]:
        """The rows of a statement."""
        return self.run(query_job("query", Statement(sql, parameters), NO_LIMIT))

    def seconds(self) -> float:
        """Processor time of the warehouse since it started; /proc has it in hundredths only."""
        assert self.warehouse.process is not None
        clock = ctypes.c_int()
        error = ctypes.CDLL(None).clock_getcpuclockid(self.warehouse.process.pid, ctypes.byref(clock))
        assert error == 0, os.strerror(error)
        return time.clock_gettime(clock.value)


@contextmanager
def emulated() -> Iterator[Emulated]:
    """Start both programs in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            emulators.running(emulators.bucket(folder)) as bucket,
            emulators.running(emulators.warehouse(folder)) as warehouse,
        ):
            yield Emulated(warehouse, bucket)


@dataclass(frozen=True)
class Loading:
    """One table with the jobs of its tasks; each method is one task's job.

    Attributes:
        to: the client.
        table: the table.
        dataset: the dataset of its tables, with one staging table at a time.
    """

    to: Emulated
    table: Table
    dataset: str = DATASET

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The table's schema."""
        return read_schema(SCHEMAS, self.table.table_id)

    @property
    def columns(self) -> list[str]:
        """The table's columns."""
        return column_names(self.fields)

    def _name(self, table_id: str) -> str:
        return table_name(emulators.PROJECT, self.dataset, table_id)

    @property
    def staging(self) -> str:
        """The staging table's name between backticks."""
        return self._name(STAGING)

    @property
    def published(self) -> str:
        """The published table's name between backticks."""
        return self._name(self.table.table_id)

    def make_tables(self) -> None:
        """Create the staging and the published table, like the load task."""
        self.to.client.create_dataset(self.dataset, exists_ok=True)
        for table_id in (STAGING, self.table.table_id):
            ensure_table(self.to.client, f"{emulators.PROJECT}.{self.dataset}.{table_id}", TableLayout(self.fields))

    def drop_staging(self) -> None:
        """Delete the staging table, like the last task of a batch."""
        self.to.client.delete_table(f"{self.dataset}.{STAGING}", not_found_ok=True)

    def drop_tables(self) -> None:
        """Staging and published table."""
        self.drop_staging()
        self.to.client.delete_table(f"{self.dataset}.{self.table.table_id}", not_found_ok=True)

    def load(self, uri: str) -> None:
        """Load from the bucket into staging."""
        reference = {"projectId": emulators.PROJECT, "datasetId": self.dataset, "tableId": STAGING}
        self.to.run(load_job(uri, reference))

    def check(self, parameters: tuple[Parameter, ...]) -> dict[str, int]:
        """Run all checks of the registry, including the headers' counts; return the counts."""
        loaded = Loaded(self.published, self.table.table_id, headers=self._name(LEDGERS.table_id))
        rules = own_rules(self.table, self.staging, loaded)
        rules += column_rules(self.table.checks, self.staging, self.fields)
        (row,) = self.to.run(query_job("check", check_staging(self.staging, rules, parameters), NO_LIMIT))
        return row

    def merge(self, parameters: tuple[Parameter, ...]) -> None:
        """Merge from staging into the published table."""
        self.to.run(query_job("merge", self.statement(parameters), NO_LIMIT))

    def statement(self, parameters: tuple[Parameter, ...]) -> Statement:
        """The merge's jobs."""
        return publish(self.table, self.published, self.staging, unchanged(self.columns), parameters)
