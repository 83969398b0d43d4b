"""Outbound exports from a table to a receiver: the DAGs' tasks run with warehouse, bucket, Dataflow and receiver.

The tasks run in sequence, as on a worker; the stand-ins are those of the laptop stack.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from datetime import timedelta
from types import SimpleNamespace

import google.cloud.bigquery as bq
import pyarrow.parquet as parquet
import pytest
import requests
import yaml
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from local.recording import RECORD_VARIABLE
from stellar_etl_airflow.bigquery.jobs import job_id_base
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings import outbound as declarations
from stellar_etl_airflow.settings.outbound import OutboundSettings
from stellar_etl_airflow.tasks import build_outbound_job_tasks as jobs
from stellar_etl_airflow.tasks import build_outbound_tasks as tasks
from tests.dags.conftest import START
from tests.google_api import Request, assert_right, methods_of, read_record
from tests.local import emulators
from tests.outbound.receiver import make_python, receiving
from tests.shared import REPO
from tests.waiting import wait_until

EXPORT = {
    "description": "Accounts, for a test",
    "query": "people.sql",
    "key": ["account_id"],
    "columns": ["account_id", "balance"],
    "mode": "full",
    "sink": {
        "kind": "http",
        "connection": "people",
        "batch": {"rows": 10, "bytes": 2000},
        "lanes": 3,
        "tries": 6,
        "timeout": 1,
    },
}
QUERY = "SELECT account_id, balance, ledger_sequence, 'a new column' AS added FROM {accounts}"
ROWS = 95


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory, record):
    """Warehouse and bucket on one folder, and Dataflow."""
    folder, recorded = tmp_path_factory.mktemp("outbound"), {RECORD_VARIABLE: str(record)}
    make_python()
    with contextlib.ExitStack() as servers:
        warehouse = servers.enter_context(emulators.running(emulators.warehouse(folder, **recorded)))
        bucket = servers.enter_context(emulators.running(emulators.bucket(folder, **recorded)))
        environment = {"STORAGE_EMULATOR_HOST": bucket.url, "NO_GCE_CHECK": "true", **recorded}
        arguments = ["local.dataflow", "--root", str(folder / "dataflow"), "--flexrs-seconds", "0.2"]
        dataflow = servers.enter_context(emulators.running(emulators.Server(arguments, "/healthz", environment)))
        yield SimpleNamespace(warehouse=warehouse, bucket=bucket, dataflow=dataflow, folder=folder)


@pytest.fixture
def client(stand_ins):
    client = emulators.bigquery_client(stand_ins.warehouse)
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")
    shutil.rmtree(stand_ins.folder / "gcs" / emulators.BUCKET / "dag-exported", ignore_errors=True)
    return client


@pytest.fixture
def environment(monkeypatch, stand_ins, client, airflow_environment):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", stand_ins.warehouse.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", stand_ins.bucket.url)
    monkeypatch.setenv("DATAFLOW_EMULATOR_HOST", stand_ins.dataflow.url)
    extra = {"project": "local", "is_anonymous": True, "num_retries": 0}
    google = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION", json.dumps(google))
    airflow_environment(
        bq_project="local",
        bq_dataset="stellar",
        schema_filepath=str(REPO / "schemas"),
        gcs_exported_data_bucket_name=emulators.BUCKET,
    )
    return airflow_environment


def closed(ledger):
    """Return the close time of a ledger."""
    return (START + timedelta(days=ledger)).isoformat()


def fill(client, rows=ROWS, ledger=1, first=0):
    fields = [bq.SchemaField("account_id", "STRING"), bq.SchemaField("balance", "FLOAT")]
    fields += [bq.SchemaField("ledger_sequence", "INTEGER"), bq.SchemaField("closed_at", "TIMESTAMP")]
    client.create_table(bq.Table("local.stellar.accounts", schema=fields), exists_ok=True)
    sql = f"INSERT INTO stellar.accounts (account_id, balance, ledger_sequence, closed_at) \
SELECT CONCAT('G', CAST(n AS STRING)), n / 3, {ledger}, TIMESTAMP '{closed(ledger)}' \
FROM UNNEST(GENERATE_ARRAY({first + 1}, {first + rows})) AS n"
    client.query(sql).result()


class Export:
    """One declared export, and the runs of its DAGs."""

    def __init__(self, folder, monkeypatch, request, name="people"):
        self.folder, self.name, self.request = folder, name, request
        self.monkeypatch = monkeypatch
        self.numbers = iter(range(1, 1000))
        monkeypatch.setattr(declarations, "FOLDER", folder)
        (folder / "people.sql").write_text(QUERY)
        self.declare()

    def declare(self, sink=None, engine=None, **changes):
        declared = {
            **EXPORT,
            **changes,
            "sink": {**EXPORT["sink"], **(sink or {})},
            "engine": engine or {"max_workers": 1},
        }
        (self.folder / f"{self.name}.yaml").write_text(yaml.safe_dump(declared))

    def leads_to(self, address):
        connection = {"conn_type": "http", "host": address}
        self.monkeypatch.setenv("AIRFLOW_CONN_PEOPLE", json.dumps(connection))


@pytest.fixture
def export(tmp_path, monkeypatch, request):
    folder = tmp_path / "declared"
    folder.mkdir()
    return Export(folder, monkeypatch, request)


@pytest.fixture
def run(environment, make_context, export):
    """Begin a run; return a function that runs its tasks by name."""

    def run(builders=None, **params):
        make_context.xcoms.clear()
        run_id = f"{export.request.node.name}_{next(export.numbers)}"
        given = {"export": export.name, "dry_run": False, "snapshot": None, "batches": None, **params}

        def execute(*names, try_number=1):
            result = None
            for name in names:
                task = (builders or BUILDERS)[name]()
                context = make_context(task.task_id, given, run_id=run_id, try_number=try_number)
                context["dag_run"].run_after = START
                task.pre_execute(context)
                if name == "wait":
                    wait_until(lambda task=task, context=context: task.poke(context), "the job did not end")
                else:
                    task.deferrable = False
                    result = task.execute(context)
                    context["ti"].xcom_push("return_value", result)
            return result

        return execute

    return run


BUILDERS = {
    "snapshot": tasks.build_snapshot_task,
    "choose": tasks.build_choose_task,
    "count": tasks.build_count_task,
    "export": tasks.build_export_files_task,
    "start": jobs.build_start_task,
    "wait": jobs.build_wait_task,
    "load_receipts": tasks.build_load_receipts_task,
    "check": tasks.build_check_task,
    "report": tasks.build_report_task,
}
ALL = ("snapshot", "count", "export", "start", "wait", "load_receipts", "check", "report")
SENDING = ALL[2:]


def rows_of(client, sql):
    return [dict(row.items()) for row in client.query(sql, job_retry=None).result()]


def test_every_row_is_delivered_once_with_the_declared_columns(client, run, export, tmp_path, record, stand_ins):
    fill(client)
    with receiving(tmp_path) as receiver:
        export.leads_to(receiver.address)
        reported = run()(*ALL)
        seen = receiver.stats()
    assert (seen["rows"], seen["batches"], seen["requests"]) == (ROWS, 10, 10)
    assert seen["peak"] <= 3
    (delivery,) = rows_of(client, "SELECT * FROM stellar.outbound_runs")
    assert (delivery["row_count"], delivery["delivered"], delivery["dead"], delivery["retries"]) == (ROWS, 10, 0, 0)
    assert delivery["estimated_cost"] > 0
    assert reported["run"]["job_count"] == 1
    batches = rows_of(client, "SELECT * FROM stellar.outbound_batches ORDER BY batch")
    assert [batch["batch"] for batch in batches] == [*range(1, 11)]
    assert {batch["key"] for batch in batches} == set(seen["keys"])
    ended = rows_of(client, "SELECT * FROM stellar.outbound_deliveries ORDER BY batch")
    assert [(one["batch"], one["ending"], one["http_status"]) for one in ended] == [
        (number, "delivered", 200) for number in range(1, 11)
    ]
    assert {"dataflow.projects.locations.flexTemplates.launch", "dataflow.projects.locations.jobs.list"} <= methods_of(
        read_record(record)
    ).keys()


@pytest.mark.parametrize("name", ["snapshot", "report"])
def test_a_task_resumes_from_the_triggerer_with_the_same_result(client, run, export, make_context, tmp_path, name):
    fill(client)
    with receiving(tmp_path) as receiver:
        export.leads_to(receiver.address)
        execute = run()
        execute(*ALL[: ALL.index(name)])
    context = make_context(name, {"export": export.name}, run_id=f"{export.request.node.name}_1")
    context["dag_run"].run_after = START
    task = BUILDERS[name]()
    task.pre_execute(context)
    task.deferrable = False
    done = task.execute(context)
    back = BUILDERS[name]()
    back.pre_execute(context)
    event = {"status": "success", "job_id": done["jobs"][-1]}
    again = back.execute_complete(context, event, done["jobs"][-1], done["jobs"][:-1])
    assert again["jobs"] == done["jobs"]
    assert again.get("delivery") == done.get("delivery")
    assert again.get("run") == done.get("run")


@pytest.mark.slow
def test_statements_of_a_killed_try_that_run_after_all_double_no_row_and_send_nothing_twice(
    client, run, export, tmp_path, monkeypatch
):
    """The worker dies after it sent each job's request, and BigQuery runs the job while the next try is at work."""
    fill(client, ledger=5)
    follow_accounts(client, export)
    load(client, 1, 9, "2026-01-01T00:10:00Z")

    def before(operator, context, warehouse, number):
        job, ti = operator.jobs(context, warehouse)[number], context["ti"]
        if "query" in job.configuration and job.target:
            warehouse.run(job, job_id_base(ti.dag_id, ti.run_id, ti.task_id, job.label))

    monkeypatch.setattr(tasks.OutboundOperator, "before", before)
    with receiving(tmp_path) as receiver:
        export.leads_to(receiver.address)
        execute = run()
        execute("snapshot", "count")
        assert execute("export")["outstanding"] == 10
        reported = execute(*SENDING[1:])
        seen = receiver.stats()
    assert (seen["rows"], seen["batches"], seen["requests"]) == (ROWS, 10, 10)
    assert (reported["run"]["delivered"], reported["run"]["row_count"]) == (10, ROWS)
    counts = {"loads": 1, "batches": 10, "deliveries": 10, "runs": 1}
    for table, count in counts.items():
        (found,) = rows_of(client, f"SELECT COUNT(*) AS n FROM stellar.outbound_{table}")
        assert found["n"] == count, table


def state_of(stand_ins, job_id):
    url = f"{stand_ins.dataflow.url}/v1b3/projects/local/locations/us-central1/jobs/{job_id}"
    return requests.get(url, timeout=60).json()["currentState"]


def kill(stand_ins, job_id):
    requests.post(f"{stand_ins.dataflow.url}/control/jobs/{job_id}/kill", timeout=60).raise_for_status()


def test_two_tries_share_one_job_and_a_new_job_sends_the_rest_of_a_killed_one(client, run, export, tmp_path, stand_ins):
    fill(client)
    faults = "throttle=7:1,unavailable=7:2,lost=7:3,reset=7:4,error=7:5"
    with receiving(tmp_path, faults=faults, latency=0.2, lost_seconds=1.5) as receiver:
        export.leads_to(receiver.address)
        execute = run()
        execute("snapshot", "count", "export")
        first = execute("start")
        assert execute("start", try_number=2) == first
        wait_until(lambda: receiver.stats()["batches"] >= 2, "nothing was sent")
        kill(stand_ins, first["id"])
        wait_until(lambda: state_of(stand_ins, first["id"]) == "JOB_STATE_FAILED", "the job did not fail")
        reported = execute("wait", "load_receipts", "check", "report")
        seen = receiver.stats()
    assert (seen["rows"], seen["batches"], seen["conflicts"]) == (ROWS, 10, 0)
    assert reported["run"]["job_count"] == 2
    assert (reported["run"]["delivered"], reported["run"]["row_count"]) == (10, ROWS)
    (recorded,) = rows_of(client, "SELECT COUNT(*) AS n, COUNT(DISTINCT batch) AS b FROM stellar.outbound_deliveries")
    assert recorded == {"n": 10, "b": 10}


def test_a_killed_task_cancels_its_job_if_declared_and_the_next_try_starts_another(
    client, run, export, make_context, stand_ins
):
    fill(client)
    export.declare(engine={"max_workers": 1, "on_kill": "cancel"})
    export.leads_to("http://127.0.0.1:1/v1/batches")
    execute = run()
    execute("snapshot", "count", "export")
    started = []
    for number in (1, 2):
        task = jobs.build_start_task()
        run_id = f"{export.request.node.name}_1"
        context = make_context("start", {}, run_id=run_id, try_number=number)
        task.pre_execute(context)
        started.append(task.execute(context))
        context["ti"].xcom_push("return_value", started[-1])
        task.on_kill()
        wait_until(lambda: state_of(stand_ins, started[-1]["id"]) == "JOB_STATE_CANCELLED", "the job was not cancelled")
    assert [job["name"][-2:] for job in started] == ["-1", "-2"]
    with pytest.raises(AirflowFailException, match="was cancelled: clear the task 'start'"):
        execute("wait")


@pytest.mark.slow
def test_refused_batches_fail_the_check_and_are_redelivered_on_demand(client, run, export, tmp_path):
    fill(client)
    with receiving(tmp_path, faults="reject=5:2") as receiver:
        export.leads_to(receiver.address)
        execute = run()
        execute(*ALL[:6])
        with pytest.raises(AirflowFailException, match=r"rejected 2 batches \(2, 7\).*run outbound_redeliver"):
            execute("check")
        refused = rows_of(client, "SELECT DISTINCT snapshot FROM stellar.outbound_deliveries WHERE http_status = 422")
        assert receiver.stats()["batches"] == 8
    with receiving(tmp_path) as receiver:  # the receiver accepts them now
        export.leads_to(receiver.address)
        reported = run(snapshot=refused[0]["snapshot"])("choose", *SENDING)
        seen = receiver.stats()
    assert (seen["batches"], seen["rows"], seen["requests"]) == (10, ROWS, 2)
    assert (reported["run"]["batch_count"], reported["run"]["delivered"]) == (2, 2)


def test_a_missing_declared_column_is_an_error_before_the_first_delivery(client, run, export):
    fill(client)
    export.declare(columns=["account_id", "balance", "flags"])
    with pytest.raises(AirflowFailException, match="the query has no column flags.*Nothing was sent"):
        run()("snapshot")


def test_rows_without_a_unique_key_are_not_sent(client, run, export):
    fill(client)
    fill(client, rows=2)
    execute = run()
    execute("snapshot")
    with pytest.raises(AirflowFailException, match=r"2 rows repeat the key \(account_id\)"):
        execute("count")


def test_a_dry_run_stops_after_the_count_and_shows_the_first_batch(client, run, export):
    fill(client)
    execute = run(dry_run=True)
    execute("snapshot")
    with pytest.raises(AirflowSkipException, match="dry run"):
        execute("count")
    (batch,) = rows_of(client, f"SELECT body, row_count FROM stellar.{batches_table(client)} WHERE batch = 1")
    assert len(json.loads(batch["body"])) == batch["row_count"]
    with pytest.raises(AirflowSkipException):
        execute("check")  # Airflow runs it after skipped tasks


def batches_table(client):
    names = [table.table_id for table in client.list_tables("stellar")]
    (name,) = (name for name in names if name.startswith("outbound_people_") and name.endswith("_batches"))
    return name


def test_batches_respect_their_limits_and_are_reproducible(client, run, export):
    fill(client)
    export.declare(sink={"batch": {"rows": 7, "bytes": 1000}})

    def batches():
        execute = run()
        execute("snapshot", "count")
        name = batches_table(client)
        found = rows_of(client, f"SELECT batch, row_count, byte_count, body FROM stellar.{name} ORDER BY batch")
        client.delete_table(f"local.stellar.{name}")
        return found

    first = batches()
    assert all(one["row_count"] <= 7 and one["byte_count"] <= 1000 for one in first)
    assert sum(one["row_count"] for one in first) == ROWS
    assert [one["body"] for one in batches()] == [one["body"] for one in first]


def test_files_have_the_declared_columns_and_a_manifest_lists_them(client, run, export, stand_ins, tmp_path):
    fill(client)
    sink = {"kind": "files", "format": "parquet", "prefix": "partners/people"}
    (export.folder / "people.yaml").write_text(yaml.safe_dump({**EXPORT, "sink": sink}))
    execute = run()
    found = execute("snapshot", "count", "export")
    for skipped in ("start", "load_receipts"):
        with pytest.raises(AirflowSkipException):
            execute(skipped)
    reported = execute("check", "report")
    assert (reported["run"]["row_count"], reported["run"]["sink"]) == (ROWS, "files")
    folder = stand_ins.folder / "gcs" / found["manifest"].removeprefix("gs://").rpartition("/")[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["columns"]) == (ROWS, ["account_id", "balance"])
    (file,) = manifest["files"]
    table = parquet.read_table(folder / file["name"])
    assert (table.column_names, table.num_rows) == (["account_id", "balance"], ROWS)
    (folder / file["name"]).write_bytes(b"")
    with pytest.raises(AirflowFailException, match="missing or differ"):
        execute("check")


def load(client, start, end, published_at, with_times=True):
    first, last = (f"TIMESTAMP '{closed(ledger)}'" if with_times else "NULL" for ledger in (start, end))
    client.query(
        f"DELETE FROM stellar.history_archives_dag_runs WHERE start_ledger = {start} AND end_ledger = {end}"
    ).result()
    client.query(
        "INSERT INTO stellar.history_archives_dag_runs "
        "(table_id, start_ledger, end_ledger, published_at, first_closed_at, last_closed_at) "
        f"VALUES ('accounts', {start}, {end}, TIMESTAMP '{published_at}', {first}, {last})"
    ).result()


def follow_accounts(client, export, **changes):
    """Create the batch stats, and declare a delta export of the accounts."""
    fields = [("table_id", "STRING"), ("start_ledger", "INTEGER"), ("end_ledger", "INTEGER")]
    fields += [(name, "TIMESTAMP") for name in ("published_at", "first_closed_at", "last_closed_at")]
    stats = [bq.SchemaField(*field) for field in fields]
    client.create_table(bq.Table("local.stellar.history_archives_dag_runs", schema=stats))
    declared = {**EXPORT, "mode": "delta", "delta": {"table": "accounts", "ledger": "ledger_sequence"}, **changes}
    (export.folder / "people.yaml").write_text(yaml.safe_dump(declared))
    (export.folder / "people.sql").write_text(f"{QUERY} WHERE closed_at BETWEEN @first_closed_at AND @last_closed_at")


@pytest.fixture
def sent(client, run, export, stand_ins):
    """Return a function that runs a delta export, and returns the accounts that it sent."""
    follow_accounts(client, export, sink={"kind": "files", "format": "ndjson", "prefix": "partners/people"})

    def sent():
        execute = run()
        try:
            execute("snapshot")
            found = execute("count", "export")
        except AirflowSkipException:
            return []
        execute("check", "report")
        folder = stand_ins.folder / "gcs" / found["manifest"].removeprefix("gs://").rpartition("/")[0]
        lines = [line for file in folder.glob("*.ndjson") for line in file.read_text().splitlines()]
        return sorted(json.loads(line)["account_id"] for line in lines)

    return sent


def test_a_delta_sends_new_loads_and_corrections_once(client, sent):
    fill(client, rows=3, ledger=5)
    load(client, 1, 9, "2026-01-01T00:10:00Z")
    assert sent() == ["G1", "G2", "G3"]
    assert sent() == []
    fill(client, rows=2, ledger=15, first=3)
    load(client, 10, 19, "2026-01-01T00:20:00Z")
    assert sent() == ["G4", "G5"]
    client.query("UPDATE stellar.accounts SET balance = 7 WHERE account_id = 'G1'").result()
    load(client, 1, 9, "2026-01-02T00:00:00Z")  # the range is repaired
    assert sent() == ["G1", "G2", "G3"]


def test_loads_without_close_times_are_sent(client, sent):
    fill(client, rows=1, ledger=5)
    load(client, 1, 9, "2026-01-01T00:10:00Z", with_times=False)
    assert sent() == ["G1"]


def test_rows_loaded_during_a_snapshot_are_sent_with_it_or_with_the_next_one(client, sent, monkeypatch):
    fill(client, rows=1, ledger=5)
    load(client, 1, 9, "2026-01-01T00:10:00Z")
    planned = tasks.SnapshotOperator.jobs

    def load_first(operator, context, warehouse):
        fill(client, rows=1, ledger=15, first=1)
        load(client, 10, 19, "2026-01-01T00:20:00Z")
        return planned(operator, context, warehouse)

    with monkeypatch.context() as patched:
        patched.setattr(tasks.SnapshotOperator, "jobs", load_first)
        assert sent() == ["G1"]
    assert sent() == ["G2"]


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ({"host": "https://crm.example/v1", "password": "p"}, "must only have an address"),
        ({"host": "https://crm.example/v1", "extra": {"token": "t"}}, "must only have an address"),
        ({"host": "http://crm.example/v1"}, "only HTTPS is supported"),
        ({"host": ""}, "its host must be an address"),
    ],
)
def test_a_connection_has_an_address_and_no_secret(monkeypatch, connection, message):
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE", json.dumps({"conn_type": "http", **connection}))
    with pytest.raises(AirflowFailException, match=message):
        jobs.receiver_url("people")


def test_the_variables_set_template_image_and_account_of_a_job(environment, export):
    """outbound_template, outbound_image, outbound_service_account."""
    environment(outbound_template="gs://b/t.json", outbound_image="eu/i:1", outbound_service_account="w@p")
    export.declare(engine={"flexrs": True, "max_workers": 3})
    shared = settings(OutboundSettings)
    declared = declarations.find_declaration("people")
    parameter = jobs.launch_parameter("name-1", {"lanes": "3"}, declared, shared, {"label": "l"})
    assert parameter["containerSpecGcsPath"] == "gs://b/t.json"
    assert parameter["parameters"] == {"lanes": "3", "job": "name-1"}
    assert parameter["environment"] == {
        "maxWorkers": 3,
        "flexrsGoal": "FLEXRS_COST_OPTIMIZED",
        "sdkContainerImage": "eu/i:1",
        "serviceAccountEmail": "w@p",
        "additionalUserLabels": {"label": "l"},
    }
    path = "/v1b3/projects/p/locations/l/flexTemplates:launch"
    assert_right([Request("dataflow", "POST", path, {}, {"launchParameter": parameter})])


def test_outbound_prices_set_the_cost_of_a_job(environment):
    environment(outbound_prices={"vcpu_hour": 2, "gb_hour": 3, "shuffle_gb": 5})
    usage = tasks.used(
        {"TotalVcpuTime": 3600, "TotalMemoryUsage": 1024 * 7200, "BillableShuffleDataProcessed": 1 << 30}
    )
    assert tasks.job_cost(usage, settings(OutboundSettings).outbound_prices) == 2 + 6 + 5
