"""The BigQuery tasks of outbound exports: snapshot, batches, files, receipts, check and report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import Context, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.export.storage import Bucket
from stellar_etl_airflow.model.costs import bytes_together, estimated_cost
from stellar_etl_airflow.model.lineage import Dataset, Lineage, dataset_at, table_at
from stellar_etl_airflow.model.outbound import (
    BATCHES_TABLE_ID,
    DELIVERIES_TABLE_ID,
    LOADS_TABLE_ID,
    OUTBOUND_CLUSTERS,
    RUNS_TABLE_ID,
    SNAPSHOT_DAYS,
    Delivery,
    added_figures,
    job_figures,
    snapshot_id,
)
from stellar_etl_airflow.model.partitions import BEGINNING
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, PUBLISHED, STATES
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.dataflow_jobs import DataflowJobs
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, find_result, pull_result, settings
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.export import BucketSettings
from stellar_etl_airflow.settings.outbound import (
    CURRENT,
    Declaration,
    Delta,
    FilesSink,
    HttpSink,
    OutboundSettings,
    Prices,
    declared,
    find_declaration,
)
from stellar_etl_airflow.settings.warehouse import CostSettings
from stellar_etl_airflow.sql import outbound as sql
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.sql.versions import current_view_id

EXPORT_PARAM, SNAPSHOT_PARAM, BATCHES_PARAM, DRY_RUN_PARAM = "export", "snapshot", "batches", "dry_run"

SNAPSHOT_TASK, CHOOSE_TASK, COUNT_TASK = "snapshot", "choose", "count"
FILES_TASK, START_TASK, WAIT_TASK = "export", "start", "wait"
RECEIPTS_TASK, CHECK_TASK, REPORT_TASK = "load_receipts", "check", "report"

CLOSED_KEY = "closed_between"
"""The XCom key with the close times of the ledgers of a delta export. The task reads them again after a deferral, to
use the same times."""

MANIFEST = "manifest.json"
"""The object that lists the files of an export with the sink `files`. It is written last."""

FORMATS = {"parquet": "PARQUET", "avro": "AVRO", "ndjson": "NEWLINE_DELIMITED_JSON"}
"""The formats of extract jobs, by name in the declaration."""

SHOWN_CHARACTERS = 2000
"""Maximum number of characters of the first batch in the log of a dry run."""


def export_params() -> dict[str, Param]:
    """Return the param with the name of an export, for the DAGs that deliver one."""
    return {EXPORT_PARAM: Param(type="string", enum=[*declared()], description="the export, by the name of its file")}


def delivery_of(context: Context) -> Delivery:
    """Return the delivery from the result of the run's first task."""
    for task_id in (SNAPSHOT_TASK, CHOOSE_TASK):
        if (found := find_result(context, task_id)) is not None:
            return Delivery.from_json(found["delivery"])
    return Delivery.from_json(pull_result(context, SNAPSHOT_TASK)["delivery"])


def declaration_of(delivery: Delivery) -> Declaration:
    """Return the declaration at the start of a delivery. A change of the file applies to the next run."""
    return Declaration.model_validate(delivery.declaration)


def delivery_uri(delivery: Delivery) -> str:
    """Return the folder of a delivery's objects in the bucket of exports."""
    place = settings(BucketSettings)
    prefix = "/".join(filter(None, [place.gcs_exported_object_prefix, delivery.folder]))
    return f"gs://{place.gcs_exported_data_bucket_name}/{prefix}"


def bucket_of(uri: str) -> tuple[Bucket, str]:
    """Return the bucket of an address, and the rest of the address."""
    name, _, folder = uri.removeprefix("gs://").partition("/")
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), name), folder


def extract_job(source: Mapping[str, str], uri: str, file_format: str) -> Job:
    """Return a job that writes a table into files.

    Args:
        source: the table reference of the job configuration.
        uri: the files' address, with a `*` for their numbers.
        file_format: a key of `FORMATS`.
    """
    extract: dict[str, Any] = {
        "sourceTable": dict(source),
        "destinationUris": [uri],
        "destinationFormat": FORMATS[file_format],
    }
    if file_format == "avro":
        extract["useAvroLogicalTypes"] = True
    if file_format == "parquet":
        extract["compression"] = "SNAPPY"
    return Job("extract", {"extract": extract})


class OutboundOperator(BigQueryJobsOperator):
    """Base of the tasks of an outbound export."""

    builder = "build_outbound_tasks"
    waits_for_budget = False

    def apply_settings(self, context: Context) -> None:
        """Find the delivery at each entry: after a deferral, the operator is a new object."""
        super().apply_settings(context)
        self.delivery = self.find_delivery(context)
        self.declaration = declaration_of(self.delivery)

    def find_delivery(self, context: Context) -> Delivery:
        """Return the delivery of this run."""
        return delivery_of(context)

    def cost_parts(self) -> dict[str, str]:
        """Return one label for all queries of outbound exports."""
        return {"table": "outbound"}

    def query(self, label: str, statement: Statement) -> Job:
        """Return a job that runs a statement, within the limit of bytes."""
        return query_job(label, statement, self.warehouse.config.maximum_bytes_billed)

    def ensure_tables(self, warehouse: Warehouse) -> None:
        """Create the tables that describe all exports, or add missing columns."""
        for table_id, cluster in OUTBOUND_CLUSTERS.items():
            layout = TableLayout(warehouse.schema(table_id), cluster_fields=cluster)
            ensure_table(warehouse.client, f"{warehouse.dataset_id}.{table_id}", layout)

    def ensure_work_table(self, warehouse: Warehouse, table_id: str, fields: Sequence[Mapping[str, Any]]) -> None:
        """Create a table of one snapshot or delivery, with an expiration."""
        expires = datetime.now(UTC) + timedelta(days=SNAPSHOT_DAYS)
        layout = TableLayout(fields, expires=expires, description="Temporary table of an outbound export")
        ensure_table(warehouse.client, f"{warehouse.dataset_id}.{table_id}", layout)

    def work_table(self, warehouse: Warehouse, table_id: str) -> Dataset:
        """Return the lineage dataset of a table of one snapshot or delivery."""
        return table_at(f"{warehouse.dataset_id}.{table_id}")


class SnapshotOperator(OutboundOperator):
    """Takes a snapshot of the rows that a run sends. Result: the delivery."""

    waits_for_budget = True

    def find_delivery(self, context: Context) -> Delivery:
        """Return a new delivery, from the declaration and its query.

        Raises:
            AirflowFailException: the declaration is invalid.
        """
        dag_run, name = context["dag_run"], context["params"][EXPORT_PARAM]
        try:
            declaration = find_declaration(name)
            self.query_text = declaration.sql(source_names(self.warehouse))
        except SettingsError as error:
            raise AirflowFailException(str(error)) from None
        snapshot = snapshot_id(dag_run.run_id, dag_run.run_after)
        return Delivery(name, snapshot, snapshot, declaration.model_dump(mode="json"))

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table of rows with the query's columns, and find the close times for a delta export.

        Raises:
            AirflowFailException: the query lacks a column.
        """
        self.ensure_tables(warehouse)
        self.ensure_work_table(warehouse, self.delivery.rows_id, self._fields(warehouse))
        if self.declaration.delta is not None:
            context["ti"].xcom_push(CLOSED_KEY, self._loads_closed(warehouse, self.declaration.delta))

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the statements that record the loads of a delta export, and that write the rows."""
        rows, columns, delta = warehouse.name(self.delivery.rows_id), self.declaration.columns, self.declaration.delta
        if delta is None:
            selected = sql.select_all(self.query_text, columns)
            return [self.query("rows", sql.take_snapshot(rows, columns, selected))]
        ti = context["ti"]
        first, last = map(datetime.fromisoformat, ti.xcom_pull(task_ids=ti.task_id, key=CLOSED_KEY))
        noted = sql.note_loads(*self._followed(warehouse, delta), self.delivery, (first, last))
        loads = warehouse.name(LOADS_TABLE_ID)
        selected = sql.select_loaded(self.query_text, columns, self.delivery, loads, delta.ledger, (first, last))
        return [self.query("loads", noted), self.query("rows", sql.take_snapshot(rows, columns, selected))]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the tables and views of the query, and the rows."""
        names = source_names(warehouse)
        sources = [table_at(names[source].strip("`")) for source in self.declaration.sources()]
        return Lineage(sources, [self.work_table(warehouse, self.delivery.rows_id)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the jobs' result and the delivery."""
        result: dict[str, Any] = super().done(context, warehouse, jobs)
        return {**result, "delivery": self.delivery.as_json()}

    def _followed(self, warehouse: Warehouse, delta: Delta) -> tuple[str, str, str, str]:
        """Return the tables of loads, runs and batch stats, and the table that a delta export follows."""
        loads, runs, stats = map(warehouse.name, (LOADS_TABLE_ID, RUNS_TABLE_ID, BATCH_STATS_TABLE_ID))
        return loads, runs, stats, warehouse.config.table_id(delta.table)

    def _loads_closed(self, warehouse: Warehouse, delta: Delta) -> list[str]:
        """Return bounds of the close times of the loads to send."""
        statement = sql.loads_closed(*self._followed(warehouse, delta), self.delivery)
        (row,) = warehouse.query(statement, **self.cost_parts())
        return [(row[name] or BEGINNING).isoformat() for name in sql.CLOSED_BETWEEN]

    def _fields(self, warehouse: Warehouse) -> list[dict[str, Any]]:
        """Return the schema of the rows, from a dry run of the query."""
        given = {field.name.lower(): field.to_api_repr() for field in warehouse.schema_of(self._plain())}
        columns, delta = self.declaration.columns, self.declaration.delta
        needed = [*columns, *([delta.ledger] if delta else [])]
        if missing := [column for column in needed if column.lower() not in given]:
            raise AirflowFailException(
                f"outbound export {self.delivery.export!r}: the query has no column {', '.join(missing)}, only "
                f"{', '.join(given)}. Nothing was sent"
            )
        # All columns are nullable, because a statement fills the table.
        return [{**given[column.lower()], "name": column, "mode": "NULLABLE"} for column in columns]

    def _plain(self) -> Statement:
        closed = sql.closed_parameters(BEGINNING, BEGINNING) if self.declaration.delta else ()
        return Statement(sql.every_column(sql.in_brackets(self.query_text)), closed)


def source_names(warehouse: Warehouse) -> dict[str, str]:
    """Return the quoted names of all tables and views that a query may read."""
    names = {data_type: warehouse.published(table) for data_type, table in PUBLISHED.items()}
    for data_type in STATES:
        names[f"{data_type}{CURRENT}"] = warehouse.name(current_view_id(warehouse.config.table_id(data_type)))
    return names


class ChooseOperator(OutboundOperator):
    """Chooses batches of an earlier snapshot to send again. Result: the delivery."""

    def find_delivery(self, context: Context) -> Delivery:
        """Return a new delivery of an earlier snapshot.

        Raises:
            AirflowFailException: the export is not declared.
        """
        params, dag_run = context["params"], context["dag_run"]
        try:
            declaration = find_declaration(params[EXPORT_PARAM])
        except SettingsError as error:
            raise AirflowFailException(str(error)) from None
        snapshot, batches = params[SNAPSHOT_PARAM], params[BATCHES_PARAM]
        suffix = snapshot_id(dag_run.run_id, dag_run.run_after).partition("_")[2]
        return Delivery(
            params[EXPORT_PARAM],
            snapshot,
            f"{snapshot}_{suffix}",
            declaration.model_dump(mode="json"),
            tuple(batches) if batches else None,
        )

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Check that the snapshot exists.

        Raises:
            AirflowFailException: the snapshot no longer exists.
        """
        snapshot = self.delivery.snapshot
        if not warehouse.has(self.delivery.batches_id):
            raise AirflowFailException(
                f"snapshot {snapshot!r} of {self.delivery.export!r} has no batches: they are kept for {SNAPSHOT_DAYS} "
                f"days; see outbound_runs for the names of snapshots"
            )
        self.ensure_tables(warehouse)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return no jobs, because the params name the batches."""
        return []

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the jobs' result and the delivery."""
        return {**super().done(context, warehouse, jobs), "delivery": self.delivery.as_json()}


class CountOperator(OutboundOperator):
    """Makes the batches, and ends the run if they must not be sent. Result: the counts of rows and batches."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table of batches."""
        if isinstance(self.declaration.sink, HttpSink):
            self.ensure_work_table(warehouse, self.delivery.batches_id, sql.BATCH_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the statements that count the rows, and that make and count the batches."""
        delivery, declaration = self.delivery, self.declaration
        rows, key, columns = warehouse.name(delivery.rows_id), declaration.key, declaration.columns
        jobs = [self.query("count_rows", sql.count_rows(rows, key, columns))]
        if isinstance(declaration.sink, HttpSink):
            batches, limits = warehouse.name(delivery.batches_id), declaration.sink.batch
            made = sql.make_batches(batches, rows, key, columns, {"rows": limits.rows, "bytes": limits.bytes}, delivery)
            jobs += [self.query("batches", made), self.query("count_batches", sql.count_batches(batches))]
        return jobs

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the rows, and the batches."""
        delivery = self.delivery
        made = [delivery.batches_id] if isinstance(self.declaration.sink, HttpSink) else []
        outputs = [self.work_table(warehouse, table_id) for table_id in made]
        return Lineage([self.work_table(warehouse, delivery.rows_id)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the counts.

        Raises:
            AirflowFailException: keys are missing or not unique, or a row is larger than a batch may be.
            AirflowSkipException: there are no rows, or the run is a dry run.
        """
        delivery, declaration = self.delivery, self.declaration
        counts = dict(next(iter(jobs[0].result())).items())
        if problems := wrong_rows(declaration, counts):
            raise AirflowFailException(
                f"snapshot {delivery.snapshot} of {delivery.export!r} is not sent: {'; '.join(problems)}"
            )
        if len(jobs) > 1:
            counts |= dict(next(iter(jobs[-1].result())).items())
        first = counts.pop("first_body", None)
        result: dict[str, Any] = {**super().done(context, warehouse, jobs), **counts}
        if not counts["row_count"]:
            raise AirflowSkipException("there are no rows to send")
        if context["params"][DRY_RUN_PARAM]:
            context["ti"].xcom_push(key="dry_run", value=result)
            self.log.info("%s", json.dumps(counts))
            if first:
                self.log.info("start of the first batch: %s", first[:SHOWN_CHARACTERS])
            raise AirflowSkipException("dry run: nothing is sent")
        return result


def wrong_rows(declaration: Declaration, counts: Mapping[str, int]) -> list[str]:
    """Return a message per problem of a snapshot's rows, from the result of `count_rows`; empty if they are valid."""
    problems = []
    key = ", ".join(declaration.key)
    if counts["without_key"]:
        problems.append(f"{counts['without_key']} rows have no {key}")
    if repeated := counts["row_count"] - counts["key_count"]:
        problems.append(f"{repeated} rows repeat the key ({key}) of another row")
    sink = declaration.sink
    if isinstance(sink, HttpSink) and counts["longest"] + 2 > sink.batch.bytes:
        problems.append(
            f"a row has {counts['longest']} bytes, but a batch at most {sink.batch.bytes}: increase sink.batch.bytes"
        )
    return problems


class ExportOperator(OutboundOperator):
    """Writes the rows to send into files. Result: their address, and the number of outstanding batches."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table of outstanding batches."""
        if isinstance(self.declaration.sink, HttpSink):
            self.ensure_work_table(warehouse, self.delivery.outstanding_id, sql.BATCH_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the statements that record the batches and extract the outstanding ones, or the rows for files."""
        delivery, sink = self.delivery, self.declaration.sink
        if isinstance(sink, FilesSink):
            uri = f"{self._files(delivery, sink)}/part-*.{sink.format}"
            return [extract_job(warehouse.reference(delivery.rows_id), uri, sink.format)]
        batches, outstanding = warehouse.name(delivery.batches_id), warehouse.name(delivery.outstanding_id)
        deliveries = warehouse.name(DELIVERIES_TABLE_ID)
        at = context["dag_run"].run_after.astimezone(UTC).isoformat()
        return [
            self.query("record", sql.record_batches(warehouse.name(BATCHES_TABLE_ID), batches, delivery, at)),
            self.query("outstanding", sql.replace_outstanding(outstanding, batches, deliveries, delivery)),
            extract_job(
                warehouse.reference(delivery.outstanding_id),
                f"{self._input(context, delivery)}/part-*.parquet",
                "parquet",
            ),
        ]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the batches or the rows, and the files."""
        delivery, sink = self.delivery, self.declaration.sink
        if isinstance(sink, FilesSink):
            source, uri = delivery.rows_id, self._files(delivery, sink)
        else:
            source, uri = delivery.batches_id, self._input(context, delivery)
        return Lineage([self.work_table(warehouse, source)], [dataset_at(uri)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the address of the files. For a sink of files, write the manifest."""
        delivery, sink = self.delivery, self.declaration.sink
        result: dict[str, Any] = super().done(context, warehouse, jobs)
        if isinstance(sink, FilesSink):
            return {**result, **self._write_manifest(context, delivery, sink)}
        written = jobs[1].dml_stats
        return {
            **result,
            "input": self._input(context, delivery),
            "outstanding": written.inserted_row_count if written else 0,
        }

    def _files(self, delivery: Delivery, sink: FilesSink) -> str:
        bucket = sink.bucket or settings(BucketSettings).gcs_exported_data_bucket_name
        return f"gs://{bucket}/{sink.prefix.strip('/')}/{delivery.name}"

    def _input(self, context: Context, delivery: Delivery) -> str:
        """Return a folder per try, so that files of two extractions never mix."""
        return f"{delivery_uri(delivery)}/batches-{context['ti'].try_number}"

    def _write_manifest(self, context: Context, delivery: Delivery, sink: FilesSink) -> dict[str, Any]:
        bucket, folder = bucket_of(self._files(delivery, sink))
        stored = bucket.stored(folder)
        files = [
            {"name": name.removeprefix(f"{folder}/"), "bytes": one.size, "crc32c": one.crc32c}
            for name, one in sorted(stored.items())
            if not name.endswith(f"/{MANIFEST}")
        ]
        rows = pull_result(context, COUNT_TASK)["row_count"]
        manifest = {
            "export": delivery.export,
            "snapshot": delivery.snapshot,
            "format": sink.format,
            "columns": list(self.declaration.columns),
            "rows": rows,
            "files": files,
        }
        bucket.write(f"{folder}/{MANIFEST}", json.dumps(manifest, indent=2))
        return {"manifest": f"{self._files(delivery, sink)}/{MANIFEST}", "files": files}


class LoadReceiptsOperator(OutboundOperator):
    """Loads the receipts of a delivery, and records the outcomes of its batches."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table that receipts are loaded into.

        Raises:
            AirflowSkipException: the sink is files, which have no receipts.
        """
        delivery = self.delivery
        if isinstance(self.declaration.sink, FilesSink):
            raise AirflowSkipException("the sink is files, which have no receipts: the manifest lists the files")
        self.ensure_work_table(warehouse, delivery.receipts_id, sql.RECEIPT_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the jobs that load all receipts, and record the new ones."""
        delivery = self.delivery
        folder = f"{delivery_uri(delivery)}/state/receipts"
        bucket, prefix = bucket_of(folder)
        if not bucket.names(prefix):
            return []
        load = {
            "sourceUris": [f"{folder}/*.json"],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "destinationTable": warehouse.reference(delivery.receipts_id),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
            "ignoreUnknownValues": False,
            "maxBadRecords": 0,
        }
        recorded = sql.record_deliveries(
            warehouse.name(DELIVERIES_TABLE_ID), warehouse.name(delivery.receipts_id), delivery
        )
        return [Job("load", {"load": load}), self.query("record", recorded)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the receipts, and the deliveries."""
        receipts = dataset_at(f"{delivery_uri(self.delivery)}/state/receipts")
        return Lineage([receipts], [warehouse.table_dataset(DELIVERIES_TABLE_ID, DELIVERIES_TABLE_ID)])


class CheckOperator(OutboundOperator):
    """Compares the sent batches with the snapshot. Result: the counts."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Check whether the export ran. For sinks of files, this task also runs after skipped tasks.

        Raises:
            AirflowSkipException: there was nothing to send.
        """
        if find_result(context, FILES_TASK) is None:
            raise AirflowSkipException("there was nothing to send")

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query; none for files, whose manifest is compared with the bucket."""
        delivery = self.delivery
        if isinstance(self.declaration.sink, FilesSink):
            return []
        expected = delivery.outstanding_id if delivery.is_repeated else delivery.batches_id
        checked = sql.check_deliveries(warehouse.name(expected), warehouse.name(DELIVERIES_TABLE_ID), delivery)
        return [self.query("check", checked)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the deliveries."""
        return Lineage([warehouse.table_dataset(DELIVERIES_TABLE_ID, DELIVERIES_TABLE_ID)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the counts.

        Raises:
            AirflowFailException: batches have no outcome or a wrong one; the message names them and the remedy.
        """
        delivery, sink, result = self.delivery, self.declaration.sink, super().done(context, warehouse, jobs)
        if isinstance(sink, FilesSink):
            return {**result, **self._check_files(context)}
        counts = dict(next(iter(jobs[0].result())).items())
        self.log.info("%s", counts)
        if problems := wrong_endings(sink, counts):
            raise AirflowFailException(f"snapshot {delivery.snapshot} of {delivery.export!r}: {'; '.join(problems)}")
        return {**result, **counts}

    def _check_files(self, context: Context) -> dict[str, Any]:
        found = pull_result(context, FILES_TASK)
        bucket, folder = bucket_of(found["manifest"].removesuffix(f"/{MANIFEST}"))
        stored = bucket.stored(folder)
        wrong = [
            file["name"]
            for file in found["files"]
            if (one := stored.get(f"{folder}/{file['name']}")) is None
            or (one.size, one.crc32c) != (file["bytes"], file["crc32c"])
        ]
        if wrong or not found["files"]:
            raise AirflowFailException(
                f"{found['manifest']}: {', '.join(wrong) or 'all files'} are missing or differ: clear the task 'export'"
            )
        rows = pull_result(context, COUNT_TASK)["row_count"]
        return {"batch_count": len(found["files"]), "delivered": len(found["files"]), "delivered_rows": rows}


def wrong_endings(sink: HttpSink, counts: Mapping[str, Any]) -> list[str]:
    """Return a message per problem of a delivery, from the result of `check_deliveries`; empty if it is complete."""
    problems = []
    if counts["missing"]:
        problems.append(
            f"{counts['missing']} batches have no outcome ({counts['missing_batches']}): clear the task "
            f"{FILES_TASK!r} with its downstream tasks, which sends only these"
        )
    for key, text in (
        ("wrong", "batches were sent with another key or other bytes"),
        ("foreign_count", "outcomes are of batches that are not in the snapshot"),
        ("repeated", "batches have more than one outcome"),
    ):
        if counts[key]:
            problems.append(f"{counts[key]} {text}: see outbound_deliveries")
    if counts["dead"] > sink.max_dead_batches:
        problems.append(
            f"the receiver rejected {counts['dead']} batches ({counts['dead_batches']}), and sink.max_dead_batches is "
            f"{sink.max_dead_batches}: see outbound_deliveries for the status of each; correct the receiver or the "
            f"rows, then run outbound_redeliver"
        )
    if counts["in_doubt"]:
        problems.append(
            f"{counts['in_doubt']} batches have an unknown outcome ({counts['doubted']}): ask the receiver for their "
            f"keys, and send missing ones with outbound_redeliver"
        )
    return problems


class ReportOperator(OutboundOperator):
    """Records a delivery in `outbound_runs`, and deletes the files of its batches."""

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one merge."""
        self.row = self._row(context, self._figures(warehouse))
        return [self.query("run", sql.record_run(warehouse.name(RUNS_TABLE_ID), self.delivery, self.row))]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the table of runs."""
        return Lineage(outputs=[warehouse.table_dataset(RUNS_TABLE_ID, RUNS_TABLE_ID)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Delete the files; the receipts remain. Return the jobs' result and the row."""
        delivery = self.delivery
        if isinstance(self.declaration.sink, HttpSink):
            bucket, folder = bucket_of(delivery_uri(delivery))
            bucket.delete([name for name in bucket.names(folder) if name.startswith(f"{folder}/batches-")])
        return {**super().done(context, warehouse, jobs), "run": self.row}

    def _figures(self, warehouse: Warehouse) -> dict[str, Any]:
        """Return the combined metrics of the jobs."""
        if isinstance(self.declaration.sink, FilesSink):
            return {"job_count": 0}
        dataflow = DataflowJobs(warehouse.project, self.declaration.engine.region)
        jobs = dataflow.numbered(self.delivery.job_base)
        return {**added_figures([job_figures(dataflow.metrics(job)) for job in jobs]), "job_count": len(jobs)}

    def _row(self, context: Context, figures: Mapping[str, Any]) -> dict[str, Any]:
        declaration, checked = self.declaration, pull_result(context, CHECK_TASK)
        results = [
            found
            for task_id in (SNAPSHOT_TASK, COUNT_TASK, FILES_TASK, RECEIPTS_TASK, CHECK_TASK)
            if (found := find_result(context, task_id)) is not None
        ]
        billed = bytes_together(results)["bytes_billed"]
        usage = used(figures)
        files = find_result(context, FILES_TASK) or {}
        of_files = sum(file["bytes"] for file in files.get("files", []))
        cost = Decimal(estimated_cost(billed, settings(CostSettings).price_per_tib))
        return {
            "run_id": context["dag_run"].run_id,
            "mode": declaration.mode,
            "sink": declaration.sink.kind,
            "started_at": context["dag_run"].run_after.astimezone(UTC).isoformat(),
            "finished_at": checked["ended_at"],
            "row_count": checked["delivered_rows"],
            "batch_count": checked["batch_count"],
            "byte_count": of_files or int(figures.get("bytes", 0)),
            "delivered": checked["delivered"],
            "dead": checked.get("dead", 0),
            "in_doubt": checked.get("in_doubt", 0),
            "retries": int(figures.get("retries", 0)),
            "throttled_seconds": int(figures.get("cumulativeThrottlingSeconds", 0)),
            **spread("batch_bytes", figures),
            **spread("latency_ms", figures),
            "job_count": figures["job_count"],
            **usage,
            "bytes_billed": billed,
            "estimated_cost": f"{cost + job_cost(usage, settings(OutboundSettings).outbound_prices):.9f}",
        }


def spread(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return minimum, mean and maximum of a distribution; None if there is none."""
    found = figures.get(name) or {}
    mean = found["sum"] / found["count"] if found.get("count") else None
    return {f"{name}_min": found.get("min"), f"{name}_mean": mean, f"{name}_max": found.get("max")}


def used(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return Dataflow's billed usage from its metrics: vCPU hours, GB hours, and GB of shuffle."""
    return {
        "vcpu_hours": float(figures.get("TotalVcpuTime", 0)) / 3600,
        "gb_hours": float(figures.get("TotalMemoryUsage", 0)) / 1024 / 3600,
        "shuffle_gb": float(figures.get("BillableShuffleDataProcessed", 0)) / (1 << 30),
    }


def job_cost(usage: Mapping[str, float], prices: Prices) -> Decimal:
    """Return the cost of the jobs."""
    parts = (
        (usage["vcpu_hours"], prices.vcpu_hour),
        (usage["gb_hours"], prices.gb_hour),
        (usage["shuffle_gb"], prices.shuffle_gb),
    )
    return sum((Decimal(str(amount)) * Decimal(str(price)) for amount, price in parts), Decimal(0))


def build_snapshot_task() -> SnapshotOperator:
    """Return the task that takes the snapshot of a run."""
    return SnapshotOperator(task_id=SNAPSHOT_TASK)


def build_choose_task() -> ChooseOperator:
    """Return the task that chooses batches to send again."""
    return ChooseOperator(task_id=CHOOSE_TASK)


def build_count_task() -> CountOperator:
    """Return the task that makes the batches, and ends a run that must not send them."""
    return CountOperator(task_id=COUNT_TASK)


def build_export_files_task() -> ExportOperator:
    """Return the task that writes files."""
    return ExportOperator(task_id=FILES_TASK)


def build_load_receipts_task() -> LoadReceiptsOperator:
    """Return the task that records the outcomes of batches."""
    return LoadReceiptsOperator(task_id=RECEIPTS_TASK)


def build_check_task() -> CheckOperator:
    """Return the task that compares the sent batches with the snapshot. For files, the task before it is skipped."""
    return CheckOperator(task_id=CHECK_TASK, trigger_rule="none_failed")


def build_report_task() -> ReportOperator:
    """Return the task that records a delivery."""
    return ReportOperator(task_id=REPORT_TASK)
