"""The cost of a run: labels of jobs and pods, and bytes with their price in the batch stats."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import models as k8s

from stellar_etl_airflow.bigquery.jobs import TASK_LABEL, task_label
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.costs import (
    GIB,
    MOST_CHARACTERS,
    TIB,
    Usage,
    cost_labels,
    estimated_cost,
    label_value,
    quantity,
)
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSETS, BATCH_STATS_TABLE_ID
from stellar_etl_airflow.operators.pods import used_by
from stellar_etl_airflow.operators.runtime import EXPORT_TASK, TIME_TASK, USAGE_KEY, VERIFY_TASK
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import CoverageCheckOperator
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.shared import REPO

BOTH = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
"""Values that both BigQuery and Kubernetes accept for a label."""


@given(st.text())
def test_any_text_becomes_a_label_that_bigquery_and_kubernetes_accept(text):
    value = label_value(text)
    assert not value or BOTH.fullmatch(value)
    assert len(value) <= MOST_CHARACTERS


def test_long_texts_with_the_same_beginning_have_different_labels():
    one, two = (label_value("history_archive_" * 5 + end) for end in ("one", "two"))
    assert one != two
    assert len(one) == MOST_CHARACTERS
    assert one[:50] == two[:50] == ("history_archive_" * 5)[:50]
    assert label_value("history_archive_with_captive_core") == "history_archive_with_captive_core"


def test_a_part_without_a_value_has_no_label():
    assert cost_labels(dag="A.dag", environment="") == {"stellar_dag": "a_dag"}


@pytest.fixture
def run(client, warehouse_server, make_context, warehouse_environment):
    """Load, check, publish and record an asset; return the ids of the jobs."""
    _, folder = warehouse_server

    def run():
        row = {
            "asset_code": "USD",
            "asset_issuer": "G",
            "asset_type": "credit_alphanum4",
            "asset_id": 1,
            "ledger_sequence": 10,
            "closed_at": "2026-01-01T00:00:00Z",
            "batch_id": "run",
            "batch_run_date": "2026-01-01T00:00:00",
            "batch_insert_ts": "2026-01-01T00:00:00Z",
        }
        line = json.dumps(row) + "\n"
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "assets.txt").write_text(line)
        attempt = ExportAttempt(LedgerRange(10, 12), "prefix", "2026-01-01T00:00:00Z")
        file = ExportedFile("gs://exports/assets.txt", 1, len(line))
        batch = Batch(attempt, "a network", 3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", {"assets": file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        jobs = []
        builders = (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task)
        for task in (*(build(ASSETS) for build in builders), build_batch_stats([ASSETS])):
            task.deferrable = False
            context = make_context(task.task_id, dag_id="A DAG")
            task.pre_execute(context)
            result = task.execute(context)
            make_context.xcoms[f"{ASSETS.data_type}.{task.task_id}", "return_value"] = result
            jobs += result["jobs"]
        return jobs

    return run


def test_jobs_and_pods_have_labels_of_their_dag_and_task(client, run, warehouse_environment, make_context):
    warehouse_environment(environment="Staging EU")
    expected = {"stellar_dag": "a_dag", "stellar_environment": "staging_eu"}
    labels = [client.get_job(job_id).labels for job_id in run()]
    assert [one["stellar_task"] for one in labels] == ["load", "check", "merge", "batch_stats", "batch_stats"]
    assert [one["stellar_job"] for one in labels] == ["load", "check", "merge_private", "stats", "note"]
    assert [one["stellar_table"] for one in labels] == [*3 * ["history_assets"], *2 * [BATCH_STATS_TABLE_ID]]
    for one in labels:
        assert one.items() >= expected.items()
        assert len(one["stellar_fingerprint"]) == 40
    pod = build_time_task()
    pod.pre_execute(make_context(pod.task_id))
    assert pod.labels.items() >= {**expected, "stellar_task": "get_ledger_range_from_times"}.items()


def test_small_queries_of_coverage_are_labelled_too(client, warehouse_environment, make_context):
    task = CoverageCheckOperator(task_id="look")
    context = make_context("look")
    task.pre_execute(context)
    task.warehouse.query(Statement("SELECT 1 AS of_coverage"))
    job = next(job for job in client.list_jobs(max_results=20) if "of_coverage" in job.query)
    task_instance = task_label("a_dag", context["run_id"], "look")
    expected = {"stellar_dag": "a_dag", "stellar_task": "look", "stellar_dataset": "local_stellar"}
    assert job.labels == {**expected, TASK_LABEL: task_instance}


def test_batch_stats_have_the_cost_of_a_range(client, run, warehouse_environment):
    warehouse_environment(price_per_tib=TIB)
    check, merge = map(client.get_job, run()[1:3])
    stats = "SELECT bytes_processed, bytes_billed, estimated_cost FROM local.stellar.history_archives_dag_runs"
    (row,) = client.query(stats).result()
    assert row.bytes_processed == check.total_bytes_processed + merge.total_bytes_processed > 0
    assert row.bytes_billed == check.total_bytes_billed + merge.total_bytes_billed >= 20 << 20
    assert row.estimated_cost == row.bytes_billed  # one per byte
    warehouse_environment(price_per_tib=0)
    run()
    assert [row.estimated_cost for row in client.query(stats).result()] == [0]


def test_resource_prices_set_the_cost_of_pods_and_storage(client, run, warehouse_environment, make_context):
    """The cost covers the pods of both tasks, and the rows of both targets with their file."""
    client.create_dataset("public", exists_ok=True)
    hour = Usage(2 * 3600, 4 * 3600).to_json()
    for task_id in (TIME_TASK, EXPORT_TASK):
        make_context.xcoms[task_id, USAGE_KEY] = hour
    prices = {"vcpu_hour": 3, "gib_hour": 5, "stored_gib_month": GIB}
    warehouse_environment(resource_prices=prices, public_dataset="public")
    run()
    (row,) = client.query("SELECT * FROM local.stellar.history_archives_dag_runs").result()
    assert (row.cpu_seconds, row.memory_gib_seconds) == (4 * 3600, 8 * 3600)
    assert row.pod_cost == 4 * 3 + 8 * 5
    assert row.stored_bytes > 0
    assert row.stored_bytes % 2 == 0
    assert row.storage_cost == row.stored_bytes + row.byte_count
    client.delete_dataset("public", delete_contents=True)


def test_a_pods_use_is_its_containers_requests_until_the_last_container_ends():
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def ended(seconds):
        return k8s.V1ContainerState(terminated=k8s.V1ContainerStateTerminated(exit_code=0, finished_at=start + seconds))

    def status(name, state):
        return k8s.V1ContainerStatus(name=name, state=state, image="", image_id="", ready=True, restart_count=0)

    def container(name, **requests):
        return k8s.V1Container(name=name, resources=k8s.V1ResourceRequirements(requests=requests or None))

    spec = k8s.V1PodSpec(containers=[container("base", cpu="500m", memory="2Gi"), container("sidecar", cpu="1")])
    statuses = [status("base", ended(timedelta(seconds=20))), status("sidecar", ended(timedelta(seconds=30)))]
    pod = k8s.V1Pod(spec=spec, status=k8s.V1PodStatus(start_time=start, container_statuses=statuses))
    later = start + timedelta(minutes=1)
    assert used_by(pod, later) == Usage(45, 60)
    statuses[1].state = k8s.V1ContainerState(running=k8s.V1ContainerStateRunning())
    assert used_by(pod, later) == Usage(90, 120)
    pod.status.start_time = None
    assert used_by(pod, later) == Usage()


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("250m", 0.25), ("1Gi", GIB), ("1.5G", 1.5e9), ("2e3", 2000)])
def test_kubernetes_quantities_are_parsed(text, number):
    assert quantity(text) == number


def test_an_invalid_quantity_is_named():
    with pytest.raises(ValueError, match="'1 Gi' is not a Kubernetes quantity"):
        quantity("1 Gi")


def test_the_price_is_per_tib():
    assert estimated_cost(TIB, 6.25) == "6.250000000"
    assert Decimal(estimated_cost(10 << 20, 6.25)) == Decimal("0.000059605")


def test_the_documented_query_returns_the_cost_per_dag_and_day(client, run):
    run()
    text = (REPO / "docs" / "production.md").read_text()
    query = re.search(r"```sql\n(SELECT DATE\(published_at\).*?)```", text, re.DOTALL)[1]
    (row,) = client.query(query.replace("my-project.stellar", "local.stellar")).result()
    assert (row.dag_id, row.loads) == ("A DAG", 1)
    assert row.gib_billed > 0
    assert row.cost > 0
