"""What a run costs, and whose cost it is: labels of jobs and pods, bytes and their price in the batch stats."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.costs import MOST_CHARACTERS, TIB, cost_labels, estimated_cost, label_value
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSETS, BATCH_STATS_TABLE_ID
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import LookOperator
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.shared import REPO

BOTH = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
"""What BigQuery and Kubernetes both take for a label's value."""


@given(st.text())
def test_any_text_makes_a_label_that_bigquery_and_kubernetes_take(text):
    value = label_value(text)
    assert not value or BOTH.fullmatch(value)
    assert len(value) <= MOST_CHARACTERS


def test_long_texts_that_begin_alike_have_labels_of_their_own():
    one, two = (label_value("history_archive_" * 5 + end) for end in ("one", "two"))
    assert one != two
    assert len(one) == MOST_CHARACTERS
    assert one[:50] == two[:50] == ("history_archive_" * 5)[:50]
    assert label_value("history_archive_with_captive_core") == "history_archive_with_captive_core"


def test_a_part_without_a_value_has_no_label():
    assert cost_labels(dag="A.dag", environment="") == {"stellar_dag": "a_dag"}


@pytest.fixture
def run(client, warehouse_server, make_context, warehouse_environment):
    """Loads, checks, publishes and notes an asset; gives the ids of the jobs."""
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


def test_jobs_and_pods_say_whose_cost_they_are(client, run, warehouse_environment, make_context):
    warehouse_environment(environment="Staging EU")
    whose = {"stellar_dag": "a_dag", "stellar_environment": "staging_eu"}
    labels = [client.get_job(job_id).labels for job_id in run()]
    assert [one["stellar_task"] for one in labels] == ["load", "check", "merge", "batch_stats"]
    assert [one["stellar_job"] for one in labels] == ["load", "check", "merge_private", "stats"]
    assert [one["stellar_table"] for one in labels] == [*3 * ["history_assets"], BATCH_STATS_TABLE_ID]
    for one in labels:
        assert one.items() >= whose.items()
        assert len(one["stellar_fingerprint"]) == 40
    pod = build_time_task()
    pod.pre_execute(make_context(pod.task_id))
    assert pod.labels.items() >= {**whose, "stellar_task": "get_ledger_range_from_times"}.items()


def test_small_queries_of_coverage_are_labelled_too(client, warehouse_environment, make_context):
    task = LookOperator(task_id="look")
    task.pre_execute(make_context("look"))
    task.warehouse.query(Statement("SELECT 1 AS of_coverage"))
    job = next(job for job in client.list_jobs(max_results=20) if "of_coverage" in job.query)
    assert job.labels == {"stellar_dag": "a_dag", "stellar_task": "look"}


def test_batch_stats_say_what_a_range_cost(client, run, warehouse_environment):
    warehouse_environment(price_per_tib=TIB)
    check, merge = map(client.get_job, run()[1:3])
    stats = "SELECT bytes_processed, bytes_billed, estimated_cost FROM local.stellar.history_archives_dag_runs"
    (row,) = client.query(stats).result()
    assert row.bytes_processed == check.total_bytes_processed + merge.total_bytes_processed > 0
    assert row.bytes_billed == check.total_bytes_billed + merge.total_bytes_billed >= 20 << 20
    assert row.estimated_cost == row.bytes_billed  # one for each byte
    warehouse_environment(price_per_tib=0)
    run()
    assert [row.estimated_cost for row in client.query(stats).result()] == [0]


def test_the_price_is_that_of_a_tib():
    assert estimated_cost(TIB, 6.25) == "6.250000000"
    assert Decimal(estimated_cost(10 << 20, 6.25)) == Decimal("0.000059605")


def test_the_query_of_the_docs_gives_the_cost_of_each_dag_and_day(client, run):
    run()
    text = (REPO / "docs" / "production.md").read_text()
    query = re.search(r"```sql\n(SELECT DATE\(published_at\).*?)```", text, re.DOTALL)[1]
    (row,) = client.query(query.replace("my-project.stellar", "local.stellar")).result()
    assert (row.dag_id, row.loads) == ("A DAG", 1)
    assert row.gib_billed > 0
    assert row.cost > 0
