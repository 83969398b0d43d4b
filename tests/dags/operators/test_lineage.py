"""Lineage of operators: they run on the laptop's services, and a backend receives the events."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from local import lineage as drawn
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model import lineage
from stellar_etl_airflow.model.batch import Batch, ExportedFile, staging_table_id
from stellar_etl_airflow.model.lineage import dataset_at, selected_columns, table_at
from stellar_etl_airflow.model.schema import column_names, read_schema
from stellar_etl_airflow.model.tables import (
    BATCH_COLUMNS,
    CHANGES,
    DERIVED,
    ENRICHED_OPERATIONS,
    LEDGERS,
    OFFERS,
    STATE_TABLES,
    WITH_CAPTIVE_CORE,
    WITHOUT_CAPTIVE_CORE,
    sources_of,
)
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import EXPORT_TASK, VERIFY_TASK, Run
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_bq_insert_job_task import QUERIES, build_bq_insert_job_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_state_fold_task import build_state_fold_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests import listener
from tests.lineage_graph import assert_each_table_comes_from_the_lake
from tests.local import emulators
from tests.shared import MODULES, REPO

pytest.importorskip("airflow.providers.openlineage")

RUN_ID = "00000000-0000-0000-0000-000000000000"


def columns(table):
    return tuple(column_names(read_schema(str(REPO / "schemas"), table.table_id)))


@pytest.fixture
def emit(tmp_path, monkeypatch):
    """Emit the event of a successful task as Airflow's listener does; return it as a backend reads it."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.file import FileConfig, FileTransport

    def emit(task):
        with monkeypatch.context() as cut_off:  # lineage uses the task's data and sends no request
            cut_off.setattr(socket.socket, "connect", lambda *_: pytest.fail("lineage sent a request to a service"))
            found = DefaultExtractor(task).extract_on_complete(None)
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        transport = FileTransport(FileConfig(str(folder / "event"), debug_mode=True))
        OpenLineageAdapter(OpenLineageClient(transport=transport)).complete_task(
            run_id=RUN_ID,
            job_name=f"a_dag.{task.task_id}",
            end_time="2026-01-01T00:00:00Z",
            task=found,
            nominal_start_time=None,
            nominal_end_time=None,
            owners=None,
            tags=None,
            job_description=None,
        )
        (event,) = drawn.read_events(folder)
        return event

    return emit


@pytest.fixture
def load(start, bucket, warehouse_environment, warehouse_server, client, make_context, request, emit):
    """Run the tasks of a batch for a table; return the event of each, and the bucket's objects by type."""

    def load(table):
        events, uris, exported = {}, {}, CHANGES.values() if table.data_type in CHANGES else [table]

        def run(task):
            task, context = start(task)
            task.deferrable = False
            make_context.xcoms[task.task_id, "return_value"] = task.execute(context)
            events[task.task_id] = emit(task)

        for build in (build_export_task, build_verify_task):
            run(build(exported))
        for data_type, file in make_context.xcoms[VERIFY_TASK, "return_value"]["files"].items():
            name = file["uri"].removeprefix(f"gs://{emulators.BUCKET}/")
            path = warehouse_server[1] / emulators.BUCKET / name  # path that the warehouse reads
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(emulators.storage_client(bucket).bucket(emulators.BUCKET).blob(name).download_as_bytes())
            uris[data_type] = file["uri"]
        for build in (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task):
            run(build(table))
        run(build_delete_staging_task([table]))
        return events, uris

    return load


def names(datasets):
    return sorted(drawn.name_of(dataset) for dataset in datasets)


def facets(event, kind):
    return {drawn.name_of(dataset): dataset["facets"] for dataset in event[kind]}


def schema(facets):
    return tuple(field["name"] for field in facets["schema"]["fields"])


@pytest.mark.parametrize("table", [LEDGERS, OFFERS])
def test_lineage_leads_from_the_lake_to_the_published_table(load, lake, request, table):
    events, uris = load(table)
    objects, own = sorted(uris.values()), uris[table.data_type]
    staging = f"local.stellar.{staging_table_id(table.table_id, 'a_dag', request.node.name)}"
    published = f"local.stellar.{table.table_id}"
    read_and_written = {name: (names(event["inputs"]), names(event["outputs"])) for name, event in events.items()}
    assert read_and_written == {
        EXPORT_TASK: ([str(lake)], objects),
        VERIFY_TASK: (objects, []),
        "load": ([own], [staging]),
        "check": (sorted([staging, published]), []),
        "merge": ([staging], [published]),
        "delete_staging": ([], [staging]),
    }
    graph = drawn.read_graph(events.values())
    assert len(graph.jobs) == len(objects) + 2, "and no other edge"
    assert graph.sources == [str(lake)]
    for name, described in (facets(events["load"], "inputs") | facets(events["merge"], "outputs")).items():
        assert schema(described) == columns(table), name
    assert schema(facets(events[EXPORT_TASK], "outputs")[own]) == columns(table)


def test_each_column_comes_from_the_column_of_the_same_name(load, request):
    events, uris = load(LEDGERS)
    staging = staging_table_id(LEDGERS.table_id, "a_dag", request.node.name)
    for task, source in (("load", uris["ledgers"].removeprefix(f"gs://{emulators.BUCKET}/")), ("merge", staging)):
        (described,) = facets(events[task], "outputs").values()
        found = {
            column: [(one["name"].rpartition("local.stellar.")[2], one["field"]) for one in made_of["inputFields"]]
            for column, made_of in described["columnLineage"]["fields"].items()
        }
        assert found == {column: [(source, column)] for column in columns(LEDGERS)}
    (dropped,) = facets(events["delete_staging"], "outputs").values()
    assert dropped["lifecycleStateChange"]["lifecycleStateChange"] == "DROP"


def test_a_second_target_has_lineage_too(warehouse_environment, make_context):
    warehouse_environment(public_project="open", public_dataset="data")
    task = build_apply_gcs_changes_to_bq_task(OFFERS)
    context = make_context(task.task_id)
    task.warehouse = a_warehouse()
    found = task.reads_and_writes(context, task.warehouse)
    assert [one.name for one in found.outputs] == [
        "local.stellar.offers",
        "open.data.offers",
    ]
    fold = build_state_fold_task(OFFERS)
    fold.warehouse = task.warehouse
    fold.warehouse.base_ledger = lambda *_: 0
    found = fold.reads_and_writes(make_context(fold.task_id), fold.warehouse)
    assert [one.name for one in found.inputs] == ["local.stellar.offers", "open.data.offers"]
    assert [one.name for one in found.outputs] == ["local.stellar.offers_versions", "open.data.offers_versions"]


def a_warehouse():
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, settings
    from stellar_etl_airflow.settings.warehouse import WarehouseSettings

    return Warehouse(BigQueryHook(gcp_conn_id=GOOGLE_CONNECTION), settings(WarehouseSettings))


def test_files_on_a_volume_have_the_volumes_path(start, airflow_environment, lake):
    airflow_environment(
        volume_config={"hostPath": {"path": "/a"}},
        volume_name="exports",
        image_output_path="/out",
        local_output_path="/seen",
        output_path="/done",
    )
    task, context = start(build_export_task([LEDGERS]))
    task._run(context, [])
    assert [(one.namespace, one.name) for one in task.lineage.outputs] == [
        ("file", f"/done/{task.attempt.prefix}/9-26-ledgers.txt")
    ]


def test_a_derived_table_comes_from_its_sources(warehouse_environment, make_context, emit):
    task = build_bq_insert_job_task(ENRICHED_OPERATIONS)
    task.warehouse = a_warehouse()
    task.lineage = task.reads_and_writes(make_context(task.task_id), task.warehouse)
    event = emit(task)
    assert names(event["inputs"]) == sorted(
        f"local.stellar.{table.table_id}" for table in sources_of(ENRICHED_OPERATIONS).values()
    )
    assert [name.partition("_staging_")[0] for name in names(event["outputs"])] == [
        f"local.stellar.{ENRICHED_OPERATIONS.table_id}"
    ]
    (described,) = facets(event, "outputs").values()
    made_of = described["columnLineage"]["fields"]
    assert made_of.keys() == set(columns(ENRICHED_OPERATIONS)) - set(BATCH_COLUMNS)
    (source,) = made_of["txn_account"]["inputFields"]
    assert (source["name"], source["field"]) == ("local.stellar.history_transactions", "account")


def test_columns_of_a_query_are_columns_of_its_sources():
    for derived in DERIVED.values():
        path = QUERIES / f"{derived.table_id}.sql"
        letters = {letter: table_at(table.table_id) for letter, table in sources_of(derived).items()}
        for table, column in selected_columns(path.read_text(), letters).values():
            assert column in column_names(read_schema(str(REPO / "schemas"), table.name)), (path.name, column)


def test_the_time_pod_reads_the_lake_and_a_run_by_ledgers_has_no_time_pod(start, lake):
    task, _ = start(build_time_task())
    assert [one.name for one in task.lineage.inputs] == [str(lake)]
    task, _ = start(build_time_task(), {"start_ledger": 9, "end_ledger": 26})
    assert task.lineage == lineage.Lineage()


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        ("gs://bucket/pubnet/v2", "gs://bucket", "pubnet/v2"),
        ("gs://bucket", "gs://bucket", "/"),
        ("s3://bucket/a?b#c", "s3://bucket", "a?b#c"),
        ("https://me:secret@host:8443/lake/?token=secret#x", "https://host:8443", "lake"),
        ("file:///srv/lake", "file", "/srv/lake"),
        ("/srv/lake", "file", "/srv/lake"),
    ],
)
def test_datasets_have_openlineage_names(address, namespace, name):
    place = dataset_at(address)
    assert (place.namespace, place.name) == (namespace, name)


@pytest.fixture(scope="module")
def dags():
    return DagBag(str(REPO / "dags"), load_op_links=False).dags


def test_every_operator_with_jobs_declares_its_inputs_and_outputs(dags):
    """Otherwise the provider would query BigQuery's hook, and parse the SQL."""
    silent = {
        type(task).__name__
        for dag in dags.values()
        for task in dag.tasks
        if isinstance(task, BigQueryJobsOperator)
        and type(task).reads_and_writes is BigQueryJobsOperator.reads_and_writes
    }
    assert silent == {
        "ChooseCheckpointOperator",
        "ChooseOperator",
        "ChooseRangeOperator",
        "ForgetNetworkOperator",
    }, "these operators have no job"


def test_each_table_of_the_registry_comes_from_the_lake(dags, start, warehouse_environment, make_context, lake, emit):
    """This uses the tasks of the DAG files without running them."""
    events = []
    for dag_id in (WITHOUT_CAPTIVE_CORE, WITH_CAPTIVE_CORE, STATE_TABLES):
        dag = dags[dag_id]
        export, context = start(dag.get_task(EXPORT_TASK), dag_id=dag_id)
        export._run(context, [])
        files = {
            data_type: ExportedFile(f"gs://{emulators.BUCKET}/{export.attempt.object_name(name)}", 0, 0)
            for data_type, name in export.export.file_names.items()
        }
        batch = Batch(export.attempt, "a network", 0, "", "", files)
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        merges = [task for task in dag.tasks if task.task_id.endswith((".load", ".merge"))]
        for task in merges:
            task.warehouse = a_warehouse()
            task.lineage = task.reads_and_writes(make_context(task.task_id, dag_id=dag_id), task.warehouse)
        events += [emit(task) for task in (export, *merges)]
    assert_each_table_comes_from_the_lake(events, str(lake), runs=1)


@pytest.fixture
def hung():
    """A backend that accepts requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def events_of(run_id, server):
    """Return the events of a run in the requests that wait at a server."""
    server.settimeout(0)
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = server.accept()
            connection.settimeout(5)
            with connection, connection.makefile("rb") as request, contextlib.suppress(OSError, ValueError):
                request.readline()
                length = http.client.parse_headers(request).get("Content-Length", "0")
                event = json.loads(request.read(int(length)))
                if event["run"]["facets"]["airflow"]["dagRun"]["run_id"] == run_id:
                    found.append(event)
    return found


@pytest.mark.parametrize("in_thread", ["True", "False"])
@pytest.mark.parametrize("backend", ["hung", "down"])
def test_a_backend_that_does_not_answer_fails_no_task_and_receives_no_more_requests(
    start, airflow_environment, monkeypatch, hung, backend, in_thread, caplog, request
):
    address = f"http://127.0.0.1:{hung.getsockname()[1] if backend == 'hung' else 9}"
    transport = {"type": "http", "url": address, "timeout": 60, "retry": {"total": 0}}
    listener.options(monkeypatch, transport=transport, execution_timeout="1", execute_in_thread=in_thread)
    task, context = start(build_time_task(), {"start_ledger": 9, "end_ledger": 26})
    assert task.execute(context) == {"start": 9, "end": 27}
    listener.notify(task, context)
    if backend == "hung":
        gave_up = re.findall("expired and will be terminated|will be abandoned", caplog.text)
        assert len(gave_up) == 2, "events for the start and the end"
    received = sorted(event["eventType"] for event in events_of(request.node.name, hung))
    assert received == (["COMPLETE", "START"] if backend == "hung" else [])


def test_the_key_that_airflow_adds_to_triggered_runs_is_not_reported_as_misspelt(make_context):
    assert Run.of(make_context("a_task", {"openlineage": {"parentRunId": RUN_ID}})).requested


@pytest.mark.slow
def test_the_projects_modules_import_without_openlineage():
    code = (
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['openlineage', 'airflow.providers.openlineage.extractors']))\n"
        f"for name in {MODULES!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO / "dags", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
