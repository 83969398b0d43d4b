"""Job ids that a retry finds again: no second job for the same work, and a cleared task runs again."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import google.cloud.bigquery as bq
import pytest
from airflow.providers.google.cloud.links.bigquery import BigQueryTableLink
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferralTimeout, TaskDeferred

from local.recording import RECORD_VARIABLE
from stellar_etl_airflow.bigquery import warehouse as warehouse_module
from stellar_etl_airflow.bigquery import writers
from stellar_etl_airflow.bigquery.jobs import TARGET_LABEL, Job, fingerprint, job_id_base, query_job
from stellar_etl_airflow.model.tables import LEDGERS
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.sql.statement import Parameter, Statement
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.dags.task_process import Supervisor, run_task
from tests.local import emulators
from tests.waiting import PATIENCE, wait_until

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


def begin(make_context, run_id, deferrable=False):
    """Begin a try of a task, up to the moment before it executes."""
    task = Insert(task_id="insert", deferrable=deferrable)
    context = make_context("insert", run_id=run_id)
    task.pre_execute(context)
    return task, context


def run(make_context, run_id):
    task, context = begin(make_context, run_id)
    return task, task.execute(context)


def test_the_jobs_run_in_sequence_and_return_their_ids(table, make_context):
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
    """BigQuery creates the job, its reply is lost, and the client repeats the request with the same id."""
    task, context = begin(make_context, "run-3")
    submit, lost = task._submit_job, []

    def submit_and_lose(hook, job_id):
        job = submit(hook, job_id)
        if not lost:
            lost.append(job_id)
            return submit(hook, job_id)
        return job

    monkeypatch.setattr(task, "_submit_job", submit_and_lose)
    result = task.execute(context)
    assert table() == 2
    assert result["jobs"][0] == lost[0]


def test_a_failed_job_fails_the_task_with_its_message(table, make_context, client):
    client.delete_table("local.stellar.t")
    with pytest.raises(Exception, match="(?i)table.*local.*stellar.*t"):
        run(make_context, "run-4")


def test_the_variable_sets_the_time_out(table, make_context, warehouse_environment):
    warehouse_environment(task_timeout={"build_batch_stats": 77})
    task, _ = run(make_context, "run-5")
    assert task.execution_timeout.total_seconds() == 77


def test_a_missing_variable_fails_the_task_and_is_named(make_context, client, warehouse_environment):
    warehouse_environment(bq_dataset=None)
    with pytest.raises(ValueError, match="Airflow Variable 'bq_dataset' is not set"):
        run(make_context, "run-6")


# One writer per table -------------------------------------------------------------------------------------------------

ENDLESS = Statement(
    "INSERT INTO `local.stellar.t` (n) SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS a, "
    "UNNEST(GENERATE_ARRAY(1, 10000000)) AS b WHERE a < b"
)
"""A job that runs until it is cancelled."""


class InsertForEver(Insert):
    def jobs(self, context, warehouse):
        return [query_job("endless", ENDLESS, 1 << 40)]


@pytest.fixture(scope="module")
def warehouse_server(tmp_path_factory, record):
    """A server that does not wait two seconds for each endless job."""
    folder = tmp_path_factory.mktemp("stack")
    options = {RECORD_VARIABLE: str(record)}
    with emulators.running(emulators.warehouse(folder, "--answer-after", "0.2", **options)) as server:
        yield server, folder / "gcs"


@pytest.fixture
def jobs_of(client):
    """Return the jobs of a run that write the table, oldest first."""

    def jobs_of(*run_ids):
        listed = [job for job in client.list_jobs(all_users=True) if TARGET_LABEL in job.labels]
        found = [job for job in listed if any(f"_{run_id}_" in job.job_id for run_id in run_ids)]
        return sorted(found, key=lambda job: job.created)

    return jobs_of


@pytest.fixture
def endless(table, client, make_context, monkeypatch):
    """Start a task with an endless job and abandon it, as a lost worker does; return the job."""
    monkeypatch.setattr(writers, "PAUSES", (0.05,))
    started = []

    def endless(run_id):
        task = InsertForEver(task_id="insert", deferrable=True)
        context = make_context("insert", run_id=run_id)
        task.pre_execute(context)
        with pytest.raises(TaskDeferred):
            task.execute(context)
        started.append(task.job_id)
        return task, context, client.get_job(task.job_id)

    yield endless
    for job_id in started:
        client.cancel_job(job_id)


def test_a_write_waits_for_the_job_of_a_lost_worker(endless, table, make_context, client, jobs_of, caplog):
    """The job belongs to another run, whose pool slot is free again."""
    _, _, lost = endless("lost-1")
    task, context = begin(make_context, "waits-1")
    with ThreadPoolExecutor() as pool, caplog.at_level("INFO"):
        ended = pool.submit(task.execute, context)
        wait_until(lambda: f"waiting for the jobs that write the same table: {lost.job_id}" in caplog.text, "no wait")
        assert jobs_of("waits-1") == []
        client.cancel_job(lost.job_id)
        ended.result(PATIENCE)
    assert table() == 2
    jobs = jobs_of("lost-1", "waits-1")
    assert jobs[0].job_id == lost.job_id
    assert all(before.ended <= after.created for before, after in itertools.pairwise(jobs))


def test_a_retry_adopts_the_job_of_the_killed_try(endless, client, jobs_of):
    """It does not wait for its own job, as that would never end."""
    _, _, first = endless("killed-1")
    _, _, second = endless("killed-1")
    assert (first.job_id, first.state) == (second.job_id, "RUNNING")
    assert len(jobs_of("killed-1")) == 1


def test_a_trigger_that_fails_during_the_job_fails_the_try(endless):
    task, context, job = endless("trigger-1")
    with pytest.raises(AirflowException, match="quota"):
        task.execute_complete(context, {"status": "error", "message": "quota"}, job.job_id)


@pytest.mark.parametrize("way", ["cleared", "timed out"])
def test_a_job_ends_before_its_task_ends(endless, table, client, make_context, way):
    """Airflow calls `on_kill` for a killed or cleared task, and resumes with an error after a deferral's time-out."""
    run_id = f"{way.replace(' ', '-')}-1"
    task, context, job = endless(run_id)
    if way == "timed out":
        again = InsertForEver(task_id="insert", deferrable=True)  # another process, which does not know the job
        again.pre_execute(context)
        with pytest.raises(TaskDeferralTimeout):
            again.resume_execution("__fail__", {"error": "Trigger timeout"}, context)
    else:
        task.on_kill()
    after = client.get_job(job.job_id)
    assert (after.state, after.error_result["reason"]) == ("DONE", "stopped")
    run(make_context, run_id)
    assert table() == 2


def test_a_kill_before_the_job_exists_succeeds(table, make_context):
    task, _ = begin(make_context, "killed-2")
    task.job_id = "no_such_job"
    task.on_kill()


def test_the_later_of_two_simultaneous_jobs_yields(endless, table, client, make_context, jobs_of, monkeypatch):
    """Neither saw the other job. The later one is cancelled, and runs again once the earlier one has ended."""
    task, context = begin(make_context, "later-1")
    submit, rival = task._submit_job, []

    def submit_after_another(hook, job_id):
        if not rival:
            rival.append(endless("earlier-1")[2])
        return submit(hook, job_id)

    monkeypatch.setattr(task, "_submit_job", submit_after_another)
    cancelled = task.warehouse.cancel

    def cancel(job_id, retry):
        """On the laptop a pending job ends when its turn comes, which is after the earlier job here."""
        client.cancel_job(job_id)
        client.cancel_job(rival[0].job_id)
        cancelled(job_id, retry)

    monkeypatch.setattr(task.warehouse, "cancel", cancel)
    result = task.execute(context)
    assert table() == 2
    assert [job_id.rsplit("_", 1)[1] for job_id in result["jobs"]] == ["2", "1"]
    first = jobs_of("later-1")[0]
    assert (first.job_id.rsplit("_", 1)[1], first.error_result["reason"]) == ("1", "stopped")


def test_a_job_that_succeeded_beside_an_earlier_one_runs_again(endless, table, client, make_context):
    """It succeeded before the cancellation. Its rows are written again, after the other job."""
    task, context = begin(make_context, "beside-1")
    answers = itertools.chain([["another_job"]], itertools.repeat([]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warehouse_module, "earlier_writers", lambda *_: next(answers))
        result = task.execute(context)
    assert [job_id.rsplit("_", 1)[1] for job_id in result["jobs"]] == ["2", "1"]


def test_a_second_deployment_is_refused_before_it_writes(table, make_context, client, warehouse_environment):
    run(make_context, "ours-1")
    warehouse_environment(environment="second")
    with pytest.raises(AirflowFailException, match="stellar is written by the deployment 'unnamed'.*this is 'second'"):
        run(make_context, "theirs-1")
    assert table() == 2


def test_a_target_in_another_location_is_refused(table, make_context, client, warehouse_environment):
    """The task refuses it before any write."""
    client.delete_dataset("elsewhere", not_found_ok=True)
    dataset = bq.Dataset("local.elsewhere")
    dataset.location = "EU"
    client.create_dataset(dataset)
    warehouse_environment(public_dataset="elsewhere")
    with pytest.raises(
        AirflowFailException, match="local.elsewhere is in EU, but local.stellar is in US.*one location"
    ):
        run(make_context, "located-1")
    assert table() == 0


def test_job_ids_have_allowed_characters_and_differ_if_names_differ():
    ids = {
        job_id_base("dag", "manual__2026-01-01T00:10:00+00:00", "t.load", "load"),
        job_id_base("dag", "manual__2026-01-01T00 10 00 00 00", "t.load", "load"),
        job_id_base("dag" * 500, "r", "t", "l"),
    }
    assert len(ids) == 3
    assert all(len(job_id) < 1000 and job_id.replace("_", "").replace("-", "").isalnum() for job_id in ids)


def test_different_work_has_different_fingerprints():
    one, two = Job("x", {"query": {"query": "SELECT 1"}}), Job("x", {"query": {"query": "SELECT 2"}})
    assert fingerprint(one.configuration) == fingerprint(dict(one.configuration)) != fingerprint(two.configuration)


def test_after_a_task_airflow_looks_for_no_missing_link(airflow_environment):
    """Airflow logs an error for each missing link."""
    with DAG("loading", schedule=None):
        task = build_gcs_to_bq_task(LEDGERS)
    ours, providers = Supervisor(), Supervisor()
    assert run_task(task, ours) == "failed", "nothing is exported"
    task.operator_extra_links = (BigQueryTableLink(),)
    assert run_task(task, providers) == "failed"
    assert "bigquery_table" in providers.requested
    assert "bigquery_table" not in ours.requested
