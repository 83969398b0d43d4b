"""Jobs under ids that a retry finds again: no second job for the same work, and a cleared task runs again."""

from __future__ import annotations

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowException

from stellar_etl_airflow.bigquery.jobs import Job, fingerprint, job_id_base, query_job
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.sql.statement import Parameter, Statement

INSERT = Statement("INSERT INTO `local.stellar.t` (n) VALUES (@n)", (Parameter("n", "INT64", "1"),))


class Insert(BigQueryJobsOperator):
    builder = "build_batch_stats"

    def jobs(self, context, warehouse):
        return [query_job("one", INSERT, 1 << 40), query_job("two", INSERT, 1 << 40)]


@pytest.fixture
def table(client, warehouse_environment):
    client.create_table(bq.Table("local.stellar.t", schema=[bq.SchemaField("n", "INTEGER")]))

    def count():
        (row,) = client.query("SELECT COUNT(*) AS n FROM `local.stellar.t`").result()
        return row.n

    return count


def run(make_context, run_id):
    task = Insert(task_id="insert", deferrable=False)
    context = make_context("insert", run_id=run_id)
    task.pre_execute(context)
    return task, task.execute(context)


def test_the_jobs_run_in_turn_and_leave_their_ids(table, make_context):
    _, result = run(make_context, "run-1")
    assert table() == 2
    assert [job_id.rsplit("_", 1)[1] for job_id in result["jobs"]] == ["1", "1"]
    assert all("a_dag_run-1_insert" in job_id for job_id in result["jobs"])


def test_a_cleared_task_takes_the_next_counter(table, make_context):
    run(make_context, "run-2")
    _, result = run(make_context, "run-2")
    assert table() == 4
    assert [job_id.rsplit("_", 1)[1] for job_id in result["jobs"]] == ["2", "2"]


def test_a_lost_reply_starts_no_second_job(table, make_context, client, monkeypatch):
    """The insert goes through, its reply is lost, and the client asks again under the same id."""
    task = Insert(task_id="insert", deferrable=False)
    submit, lost = task._submit_job, []

    def submit_and_lose(hook, job_id):
        job = submit(hook, job_id)
        if not lost:
            lost.append(job_id)
            return submit(hook, job_id)
        return job

    monkeypatch.setattr(task, "_submit_job", submit_and_lose)
    context = make_context("insert", run_id="run-3")
    task.pre_execute(context)
    result = task.execute(context)
    assert table() == 2
    assert result["jobs"][0] == lost[0]


def test_a_job_that_failed_fails_the_task_with_its_message(table, make_context, client):
    client.delete_table("local.stellar.t")
    with pytest.raises(Exception, match="(?i)table.*local.*stellar.*t"):
        run(make_context, "run-4")


def test_the_time_out_comes_from_the_variable(table, make_context, warehouse_environment):
    warehouse_environment(task_timeout={"build_batch_stats": 77})
    task, _ = run(make_context, "run-5")
    assert task.execution_timeout.total_seconds() == 77


def test_a_missing_variable_fails_the_task_by_name(make_context, client, warehouse_environment):
    warehouse_environment(bq_dataset=None)
    with pytest.raises(ValueError, match="Airflow Variable 'bq_dataset' is not set"):
        run(make_context, "run-6")


def test_a_trigger_that_reports_an_error_fails_the_task(table, make_context):
    task = Insert(task_id="insert", deferrable=True)
    context = make_context("insert", run_id="run-7")
    task.pre_execute(context)
    with pytest.raises(AirflowException, match="quota"):
        task.execute_complete(context, {"status": "error", "message": "quota"})


def test_job_ids_are_made_of_allowed_characters_and_differ_where_the_names_do():
    ids = {
        job_id_base("dag", "manual__2026-01-01T00:10:00+00:00", "t.load", "load"),
        job_id_base("dag", "manual__2026-01-01T00 10 00 00 00", "t.load", "load"),
        job_id_base("dag" * 500, "r", "t", "l"),
    }
    assert len(ids) == 3
    assert all(len(job_id) < 1000 and job_id.replace("_", "").replace("-", "").isalnum() for job_id in ids)


def test_a_fingerprint_tells_work_apart():
    one, two = Job("x", {"query": {"query": "SELECT 1"}}), Job("x", {"query": {"query": "SELECT 2"}})
    assert fingerprint(one.configuration) == fingerprint(dict(one.configuration)) != fingerprint(two.configuration)
