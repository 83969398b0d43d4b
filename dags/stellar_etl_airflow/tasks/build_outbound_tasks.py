"""The BigQuery side of outbound exports: snapshot, batches, files, receipts, check and report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import Context
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
"""The XCom key under which a try leaves when the ledgers of its loads closed: it comes back from the triggerer with the
same times."""

MANIFEST = "manifest.json"
"""The name of the object that lists the files of an export with the sink `files`; it is written last."""

FORMATS = {"parquet": "PARQUET", "avro": "AVRO", "ndjson": "NEWLINE_DELIMITED_JSON"}
"""The formats of files, as extract jobs name them."""

SHOWN_CHARACTERS = 2000
"""How much of the first batch a dry run shows."""


def delivery_of(context: Context) -> Delivery:
    """Return the delivery of this run, as its first task left it."""
    for task_id in (SNAPSHOT_TASK, CHOOSE_TASK):
        if (found := find_result(context, task_id)) is not None:
            return Delivery.from_json(found["delivery"])
    return Delivery.from_json(pull_result(context, SNAPSHOT_TASK)["delivery"])


def declaration_of(delivery: Delivery) -> Declaration:
    """Return the declaration that a delivery was begun with: a change of the file applies to the next run."""
    return Declaration.model_validate(delivery.declaration)


def delivery_uri(delivery: Delivery) -> str:
    """Return the folder of a delivery's objects in the bucket of exports."""
    place = settings(BucketSettings)
    prefix = "/".join(filter(None, [place.gcs_exported_object_prefix, delivery.folder]))
    return f"gs://{place.gcs_exported_data_bucket_name}/{prefix}"


def bucket_of(uri: str) -> tuple[Bucket, str]:
    """Return the bucket of an address, and the name behind it."""
    name, _, folder = uri.removeprefix("gs://").partition("/")
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), name), folder


def extract_job(source: Mapping[str, str], uri: str, file_format: str) -> Job:
    """Return a job that writes a table into files.

    Args:
        source: the table's name as job configurations spell it.
        uri: the files' address, with a `*` where their numbers go.
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
    """What the tasks of an outbound export have in common."""

    builder = "build_outbound_tasks"
    waits_for_budget = False

    def apply_settings(self, context: Context) -> None:
        """Find the delivery too, at each entry: a task that comes back from the triggerer is another object."""
        super().apply_settings(context)
        self.delivery = self.find_delivery(context)
        self.declaration = declaration_of(self.delivery)

    def find_delivery(self, context: Context) -> Delivery:
        """Return the delivery of this run."""
        return delivery_of(context)

    def cost_parts(self) -> dict[str, str]:
        """All queries of outbound exports bear one label."""
        return {"table": "outbound"}

    def query(self, label: str, statement: Statement) -> Job:
        """Return a job that runs a statement, within the limit of bytes."""
        return query_job(label, statement, self.warehouse.config.maximum_bytes_billed)

    def ensure_tables(self, warehouse: Warehouse) -> None:
        """Make the tables that describe all exports, or add the columns that they lack."""
        for table_id, cluster in OUTBOUND_CLUSTERS.items():
            layout = TableLayout(warehouse.schema(table_id), cluster_fields=cluster)
            ensure_table(warehouse.client, f"{warehouse.dataset_id}.{table_id}", layout)

    def ensure_work_table(self, warehouse: Warehouse, table_id: str, fields: Sequence[Mapping[str, Any]]) -> None:
        """Make a table of one snapshot or delivery, which BigQuery deletes when it is no longer needed."""
        expires = datetime.now(UTC) + timedelta(days=SNAPSHOT_DAYS)
        layout = TableLayout(fields, expires=expires, description="Work of an outbound export")
        ensure_table(warehouse.client, f"{warehouse.dataset_id}.{table_id}", layout)

    def work_table(self, warehouse: Warehouse, table_id: str) -> Dataset:
        """Return a table of one snapshot or delivery, as lineage names it."""
        return table_at(f"{warehouse.dataset_id}.{table_id}")


class SnapshotOperator(OutboundOperator):
    """Freezes the rows that a run sends; result: the delivery."""

    waits_for_budget = True

    def find_delivery(self, context: Context) -> Delivery:
        """Begin a delivery: read the declaration and its query.

        Raises:
            AirflowFailException: the declaration is wrong.
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
        """Make the table of rows, with the columns that the query gives; find when a delta export's ledgers closed.

        Raises:
            AirflowFailException: the query lacks a column.
        """
        self.ensure_tables(warehouse)
        self.ensure_work_table(warehouse, self.delivery.rows_id, self._fields(warehouse))
        if self.declaration.delta is not None:
            context["ti"].xcom_push(CLOSED_KEY, self._loads_closed(warehouse, self.declaration.delta))

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Write down the loads of a delta export, then the rows."""
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
        """The tables and views of the query, into the rows."""
        names = source_names(warehouse)
        sources = [table_at(names[source].strip("`")) for source in self.declaration.sources()]
        return Lineage(sources, [self.work_table(warehouse, self.delivery.rows_id)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the delivery, and when the snapshot was taken."""
        result: dict[str, Any] = super().done(context, warehouse, jobs)
        return {**result, "delivery": self.delivery.as_json()}

    def _followed(self, warehouse: Warehouse, delta: Delta) -> tuple[str, str, str, str]:
        """Where the loads of a delta export are: the tables of loads, of runs and of batch stats, and its table."""
        loads, runs, stats = map(warehouse.name, (LOADS_TABLE_ID, RUNS_TABLE_ID, BATCH_STATS_TABLE_ID))
        return loads, runs, stats, warehouse.config.table_id(delta.table)

    def _loads_closed(self, warehouse: Warehouse, delta: Delta) -> list[str]:
        """Between which times the ledgers of the loads closed that are to be sent."""
        statement = sql.loads_closed(*self._followed(warehouse, delta), self.delivery)
        (row,) = warehouse.query(statement, **self.cost_parts())
        return [(row[name] or BEGINNING).isoformat() for name in sql.CLOSED_BETWEEN]

    def _fields(self, warehouse: Warehouse) -> list[dict[str, Any]]:
        """The schema of the rows, by a dry run: BigQuery says what a query gives, without running it."""
        given = {field.name.lower(): field.to_api_repr() for field in warehouse.schema_of(self._plain())}
        columns, delta = self.declaration.columns, self.declaration.delta
        needed = [*columns, *([delta.ledger] if delta else [])]
        if missing := [column for column in needed if column.lower() not in given]:
            raise AirflowFailException(
                f"outbound export {self.delivery.export!r}: the query gives no column {', '.join(missing)}; it gives "
                f"{', '.join(given)}. Nothing was sent"
            )
        # The columns are nullable whatever the sources' are: the table is filled by a statement.
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
    """Chooses batches of an earlier snapshot to be sent again; result: the delivery."""

    def find_delivery(self, context: Context) -> Delivery:
        """Begin a delivery of an earlier snapshot.

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
        """Look for the snapshot.

        Raises:
            AirflowFailException: it is gone.
        """
        snapshot = self.delivery.snapshot
        if not warehouse.has(self.delivery.batches_id):
            raise AirflowFailException(
                f"there are no batches of snapshot {snapshot!r} of {self.delivery.export!r}: they are kept for "
                f"{SNAPSHOT_DAYS} days, and outbound_runs has the names of snapshots"
            )
        self.ensure_tables(warehouse)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """None: what is chosen is known."""
        return []

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the delivery."""
        return {**super().done(context, warehouse, jobs), "delivery": self.delivery.as_json()}


class CountOperator(OutboundOperator):
    """Makes the batches, and stops the run if they must not be sent; result: what there is to send."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Make the table of batches."""
        if isinstance(self.declaration.sink, HttpSink):
            self.ensure_work_table(warehouse, self.delivery.batches_id, sql.BATCH_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Count the rows; make and count the batches."""
        delivery, declaration = self.delivery, self.declaration
        rows, key, columns = warehouse.name(delivery.rows_id), declaration.key, declaration.columns
        jobs = [self.query("count_rows", sql.count_rows(rows, key, columns))]
        if isinstance(declaration.sink, HttpSink):
            batches, limits = warehouse.name(delivery.batches_id), declaration.sink.batch
            made = sql.make_batches(batches, rows, key, columns, {"rows": limits.rows, "bytes": limits.bytes}, delivery)
            jobs += [self.query("batches", made), self.query("count_batches", sql.count_batches(batches))]
        return jobs

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The rows, into the batches."""
        delivery = self.delivery
        made = [delivery.batches_id] if isinstance(self.declaration.sink, HttpSink) else []
        outputs = [self.work_table(warehouse, table_id) for table_id in made]
        return Lineage([self.work_table(warehouse, delivery.rows_id)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the counts.

        Raises:
            AirflowFailException: keys are missing or not unique, or a row is larger than a batch may be.
            AirflowSkipException: there is nothing to send, or the run is a dry run.
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
            raise AirflowSkipException("there is nothing to send")
        if context["params"][DRY_RUN_PARAM]:
            context["ti"].xcom_push(key="dry_run", value=result)
            self.log.info("%s", json.dumps(counts))
            if first:
                self.log.info("the first batch begins: %s", first[:SHOWN_CHARACTERS])
            raise AirflowSkipException("a dry run: nothing is sent")
        return result


def wrong_rows(declaration: Declaration, counts: Mapping[str, int]) -> list[str]:
    """Return what is wrong with a snapshot's rows, given the result of `count_rows`; empty if nothing is."""
    problems = []
    key = ", ".join(declaration.key)
    if counts["without_key"]:
        problems.append(f"{counts['without_key']} rows have no {key}")
    if repeated := counts["row_count"] - counts["key_count"]:
        problems.append(f"{repeated} rows repeat the key ({key}) of another row")
    sink = declaration.sink
    if isinstance(sink, HttpSink) and counts["longest"] + 2 > sink.batch.bytes:
        problems.append(
            f"a row has {counts['longest']} bytes, and a batch may have {sink.batch.bytes}: raise sink.batch.bytes"
        )
    return problems


class ExportOperator(OutboundOperator):
    """Writes what has to be sent into files; result: where they are, and how many batches they hold."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Make the table of outstanding batches."""
        if isinstance(self.declaration.sink, HttpSink):
            self.ensure_work_table(warehouse, self.delivery.outstanding_id, sql.BATCH_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Record the batches and extract the outstanding ones; for a sink of files extract the rows."""
        delivery, sink = self.delivery, self.declaration.sink
        if isinstance(sink, FilesSink):
            uri = f"{self._files(delivery, sink)}/part-*.{sink.format}"
            return [extract_job(warehouse.reference(delivery.rows_id), uri, sink.format)]
        batches, outstanding = warehouse.name(delivery.batches_id), warehouse.name(delivery.outstanding_id)
        deliveries = warehouse.name(DELIVERIES_TABLE_ID)
        at = context["dag_run"].run_after.astimezone(UTC).isoformat()
        return [
            self.query("record", sql.record_batches(warehouse.name(BATCHES_TABLE_ID), batches, delivery, at)),
            self.query("clear", sql.clear(outstanding)),
            self.query("outstanding", sql.fill_outstanding(outstanding, batches, deliveries, delivery)),
            extract_job(
                warehouse.reference(delivery.outstanding_id),
                f"{self._input(context, delivery)}/part-*.parquet",
                "parquet",
            ),
        ]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The batches or the rows, into files."""
        delivery, sink = self.delivery, self.declaration.sink
        if isinstance(sink, FilesSink):
            source, uri = delivery.rows_id, self._files(delivery, sink)
        else:
            source, uri = delivery.batches_id, self._input(context, delivery)
        return Lineage([self.work_table(warehouse, source)], [dataset_at(uri)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return where the files are; write the manifest of a sink of files."""
        delivery, sink = self.delivery, self.declaration.sink
        result: dict[str, Any] = super().done(context, warehouse, jobs)
        if isinstance(sink, FilesSink):
            return {**result, **self._write_manifest(context, delivery, sink)}
        return {
            **result,
            "input": self._input(context, delivery),
            "outstanding": jobs[2].num_dml_affected_rows or 0,
        }

    def _files(self, delivery: Delivery, sink: FilesSink) -> str:
        bucket = sink.bucket or settings(BucketSettings).gcs_exported_data_bucket_name
        return f"gs://{bucket}/{sink.prefix.strip('/')}/{delivery.name}"

    def _input(self, context: Context, delivery: Delivery) -> str:
        """Each try has a folder of its own: files of two extractions must not mix."""
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
    """Loads the receipts of a delivery, and records how its batches ended."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Make the table that receipts are loaded into.

        Raises:
            AirflowSkipException: files have no receipts.
        """
        delivery = self.delivery
        if isinstance(self.declaration.sink, FilesSink):
            raise AirflowSkipException("files have no receipts: the manifest lists them")
        self.ensure_work_table(warehouse, delivery.receipts_id, sql.RECEIPT_FIELDS)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Load all receipts there are, then record those that are new."""
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
        """The receipts, into the deliveries."""
        receipts = dataset_at(f"{delivery_uri(self.delivery)}/state/receipts")
        return Lineage([receipts], [warehouse.table_dataset(DELIVERIES_TABLE_ID, DELIVERIES_TABLE_ID)])


class CheckOperator(OutboundOperator):
    """Compares what was sent with the snapshot, batch by batch; result: the counts."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Look whether there is something to check: this task runs after skipped ones too, for files have no job.

        Raises:
            AirflowSkipException: nothing was to be sent.
        """
        if find_result(context, FILES_TASK) is None:
            raise AirflowSkipException("nothing was to be sent")

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One query; none for files, whose manifest is compared with the bucket."""
        delivery = self.delivery
        if isinstance(self.declaration.sink, FilesSink):
            return []
        expected = delivery.outstanding_id if delivery.is_repeated else delivery.batches_id
        checked = sql.check_deliveries(warehouse.name(expected), warehouse.name(DELIVERIES_TABLE_ID), delivery)
        return [self.query("check", checked)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The deliveries."""
        return Lineage([warehouse.table_dataset(DELIVERIES_TABLE_ID, DELIVERIES_TABLE_ID)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the counts.

        Raises:
            AirflowFailException: naming batches that have no ending, or a wrong one, and what to do.
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
    """Return what is wrong with the endings of a delivery, given the result of `check_deliveries`."""
    problems = []
    if counts["missing"]:
        problems.append(
            f"{counts['missing']} batches have no ending ({counts['missing_batches']}): clear the task "
            f"{FILES_TASK!r} with what follows it, which sends these alone"
        )
    for key, text in (
        ("wrong", "batches were sent with another key or other bytes"),
        ("foreign_count", "endings are of batches that are not in the snapshot"),
        ("repeated", "batches have more than one ending"),
    ):
        if counts[key]:
            problems.append(f"{counts[key]} {text}: see outbound_deliveries")
    if counts["dead"] > sink.max_dead_batches:
        problems.append(
            f"the receiver refused {counts['dead']} batches ({counts['dead_batches']}), and sink.max_dead_batches is "
            f"{sink.max_dead_batches}: outbound_deliveries has the status of each; correct the receiver or the rows, "
            f"then run outbound_redeliver"
        )
    if counts["in_doubt"]:
        problems.append(
            f"{counts['in_doubt']} batches are in doubt ({counts['doubted']}): ask the receiver for their keys, and "
            f"send those that it lacks by outbound_redeliver"
        )
    return problems


class ReportOperator(OutboundOperator):
    """Records a delivery in `outbound_runs`, and deletes the files of its batches."""

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge."""
        self.row = self._row(context, self._figures(warehouse))
        return [self.query("run", sql.record_run(warehouse.name(RUNS_TABLE_ID), self.delivery, self.row))]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The runs."""
        return Lineage(outputs=[warehouse.table_dataset(RUNS_TABLE_ID, RUNS_TABLE_ID)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> dict[str, Any]:
        """Return the row; delete the files, which the receipts outlive."""
        delivery = self.delivery
        if isinstance(self.declaration.sink, HttpSink):
            bucket, folder = bucket_of(delivery_uri(delivery))
            bucket.delete([name for name in bucket.names(folder) if name.startswith(f"{folder}/batches-")])
        return {**super().done(context, warehouse, jobs), "run": self.row}

    def _figures(self, warehouse: Warehouse) -> dict[str, Any]:
        """What the jobs say of themselves, added up."""
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
    """Return minimum, mean and maximum of a distribution; None where there is none."""
    found = figures.get(name) or {}
    mean = found["sum"] / found["count"] if found.get("count") else None
    return {f"{name}_min": found.get("min"), f"{name}_mean": mean, f"{name}_max": found.get("max")}


def used(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return what Dataflow bills, from its own metrics: seconds of vCPUs, seconds of megabytes, bytes of shuffle."""
    return {
        "vcpu_hours": float(figures.get("TotalVcpuTime", 0)) / 3600,
        "gb_hours": float(figures.get("TotalMemoryUsage", 0)) / 1024 / 3600,
        "shuffle_gb": float(figures.get("BillableShuffleDataProcessed", 0)) / (1 << 30),
    }


def job_cost(usage: Mapping[str, float], prices: Prices) -> Decimal:
    """Return what the jobs cost."""
    parts = (
        (usage["vcpu_hours"], prices.vcpu_hour),
        (usage["gb_hours"], prices.gb_hour),
        (usage["shuffle_gb"], prices.shuffle_gb),
    )
    return sum((Decimal(str(amount)) * Decimal(str(price)) for amount, price in parts), Decimal(0))


def build_snapshot_task() -> SnapshotOperator:
    """Build the task that freezes the rows of a run."""
    return SnapshotOperator(task_id=SNAPSHOT_TASK)


def build_choose_task() -> ChooseOperator:
    """Build the task that chooses batches to be sent again."""
    return ChooseOperator(task_id=CHOOSE_TASK)


def build_count_task() -> CountOperator:
    """Build the task that makes the batches and stops a run that must not send them."""
    return CountOperator(task_id=COUNT_TASK)


def build_export_files_task() -> ExportOperator:
    """Build the task that writes files."""
    return ExportOperator(task_id=FILES_TASK)


def build_load_receipts_task() -> LoadReceiptsOperator:
    """Build the task that records how batches ended."""
    return LoadReceiptsOperator(task_id=RECEIPTS_TASK)


def build_check_task() -> CheckOperator:
    """Build the task that compares what was sent with the snapshot; files have no receipts before it."""
    return CheckOperator(task_id=CHECK_TASK, trigger_rule="none_failed")


def build_report_task() -> ReportOperator:
    """Build the task that records a delivery."""
    return ReportOperator(task_id=REPORT_TASK)
