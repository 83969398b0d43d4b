"""Jobs of the local warehouse: ids, states, statistics, and recovery of a killed server."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import itertools
import json
import threading
import time
import urllib.error
import urllib.request

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound

from tests.local.emulators import DATASET, bigquery_client, running, warehouse
from tests.waiting import PATIENCE, wait_until

ENDLESS = """
    SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS a, UNNEST(GENERATE_ARRAY(1, 10000000)) AS b
    WHERE a < b"""
ONCE = {"retry": None, "job_retry": None}


def test_a_job_id_can_be_used_once(client):
    first = client.query("SELECT 1", job_id="once", **ONCE)
    with pytest.raises(Conflict):
        client.query("SELECT 2", job_id="once", **ONCE)
    assert client.get_job("once").query == first.query


def test_the_id_of_a_failed_job_cannot_be_reused(client):
    with pytest.raises(BadRequest):
        client.query("SELECT nope", job_id="failed", **ONCE).result()
    with pytest.raises(Conflict):
        client.query("SELECT 1", job_id="failed", **ONCE)
    found = client.get_job("failed")
    assert (found.state, found.error_result["reason"]) == ("DONE", "invalidQuery")
    with pytest.raises(BadRequest):
        found.result()


def test_an_unknown_job_is_not_found(client):
    with pytest.raises(NotFound):
        client.get_job("never-ran")


def test_a_job_keeps_its_configuration_and_its_times(client):
    before = dt.datetime.now(dt.UTC)
    config = bq.QueryJobConfig(
        labels={"dag": "history", "task": "merge"},
        maximum_bytes_billed=10**9,
        query_parameters=[bq.ScalarQueryParameter("a", "INT64", 1)],
    )
    client.query("SELECT @a", job_id="configured", job_config=config, **ONCE).result()
    job = client.get_job("configured")
    assert job.labels == {"dag": "history", "task": "merge"}
    assert job.maximum_bytes_billed == 10**9
    assert job.query_parameters == config.query_parameters
    assert before - dt.timedelta(seconds=1) <= job.created <= job.started <= job.ended <= dt.datetime.now(dt.UTC)


def test_a_running_job_is_listed_and_blocks_only_later_jobs_until_it_is_cancelled(client, server):
    submitted = client.query(ENDLESS, job_id="running", **ONCE)
    assert submitted.state == "RUNNING"
    urllib.request.urlopen(f"{server.url}/healthz", timeout=PATIENCE).close()
    found = client.get_job("running", timeout=PATIENCE)
    assert (found.state, found.ended) == ("RUNNING", None)
    with pytest.raises(Conflict):
        client.query("SELECT 1", job_id="running", **ONCE)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        result = pool.submit(found.result, retry=None)
        assert not concurrent.futures.wait([result], timeout=0.5).done
        bigquery_client(server).cancel_job("running")
        assert isinstance(result.exception(timeout=PATIENCE), GoogleAPICallError)
    after = client.get_job("running")
    assert (after.state, after.error_result["reason"]) == ("DONE", "stopped")
    assert [row[0] for row in client.query("SELECT 1").result()] == [1]


def test_a_waiting_job_is_pending_and_runs_in_its_turn(client, server):
    client.query(ENDLESS, job_id="first", **ONCE)
    second = client.query("SELECT 2", job_id="second", **ONCE)
    assert second.state == "PENDING"
    client.cancel_job("first")
    assert [row[0] for row in second.result(retry=None)] == [2]


def test_jobs_run_one_at_a_time(client, server):
    client.query(f"CREATE TABLE `{DATASET}.serial` (id INT64)", **ONCE).result()

    def insert(number: int) -> bq.QueryJob:
        job = bigquery_client(server).query(f"INSERT INTO `{DATASET}.serial` (id) VALUES ({number})", **ONCE)
        job.result()
        return job

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = sorted(pool.map(insert, range(24)), key=lambda job: job.started)
    assert all(job.ended <= following.started for job, following in itertools.pairwise(jobs))
    assert client.get_table(f"{DATASET}.serial").num_rows == 24


def test_a_stop_does_not_wait_for_a_running_job(tmp_path):
    with running(warehouse(tmp_path)) as server:
        client = bigquery_client(server)
        client.create_dataset(DATASET)
        client.query(ENDLESS, job_id="endless", **ONCE)
        assert server.stop() == 0


def test_a_dry_run_is_not_listed_as_a_job(client):
    client.query(f"CREATE TABLE `{DATASET}.dry` (id INT64)", **ONCE).result()
    client.query(f"INSERT INTO `{DATASET}.dry` (id) VALUES (1)", job_config=bq.QueryJobConfig(dry_run=True), **ONCE)
    assert client.get_table(f"{DATASET}.dry").num_rows == 0


def test_finished_jobs_and_their_tables_survive_a_stop(tmp_path):
    with running(warehouse(tmp_path)) as server:
        client = bigquery_client(server)
        client.create_dataset(DATASET)
        table = bq.Table(f"{DATASET}.t", [bq.SchemaField("id", "INTEGER", description="the key")])
        table.expires = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
        table.time_partitioning = None
        client.create_table(table)
        client.query(f"INSERT INTO `{DATASET}.t` (id) VALUES (1)", job_id="insert", **ONCE).result()
        client.query("SELECT 1", job_id="select", **ONCE).result()
        with pytest.raises(BadRequest):
            client.query("SELECT nope", job_id="failed", **ONCE).result()
        assert server.stop() == 0
        server.start()
        made = client.get_table(f"{DATASET}.t")
        assert (made.num_rows, made.expires, made.schema) == (1, table.expires, table.schema)
        job = client.get_job("insert")
        assert (job.state, job.num_dml_affected_rows, job.dml_stats.inserted_row_count) == ("DONE", 1, 1)
        assert list(job.result()) == []
        assert client.get_job("failed").error_result["reason"] == "invalidQuery"
        assert client.get_job("select").state == "DONE"
        with pytest.raises(NotFound, match="no longer"):
            list(client.get_job("select").result(retry=None))
        with pytest.raises(Conflict):
            client.query("SELECT 1", job_id="insert", **ONCE)


def test_after_a_kill_each_job_is_done_or_unknown(tmp_path):
    """A job that was DONE has its rows, and an unknown job has left none: each job replaces a range."""
    replace = f"""
        MERGE `{DATASET}.t` AS T USING (SELECT @seq AS seq, i FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS i) AS S
        ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq = @seq THEN DELETE
        WHEN NOT MATCHED THEN INSERT (seq, i) VALUES (S.seq, S.i)"""
    with running(warehouse(tmp_path)) as server:
        client = bigquery_client(server)
        client.create_dataset(DATASET)
        client.query(f"CREATE TABLE `{DATASET}.t` (seq INT64, i INT64)", **ONCE).result()
        reported: list[int] = []
        for life in range(3):
            stop = threading.Event()

            def work(life=life, stop=stop) -> None:
                for number in range(life * 100, life * 100 + 100):
                    config = bq.QueryJobConfig(query_parameters=[bq.ScalarQueryParameter("seq", "INT64", number)])
                    with contextlib.suppress(Exception):
                        client.query(replace, job_config=config, job_id=f"job{number}", timeout=PATIENCE, **ONCE)
                        reported.append(number)
                    if stop.is_set():
                        return

            worker = threading.Thread(target=work)
            worker.start()
            enough = len(reported) + 2
            wait_until(lambda enough=enough: len(reported) >= enough, "no job was done")
            time.sleep(life * 0.11)  # three moments of a job
            stop.set()
            server.kill()
            worker.join()
            server.start()
        counts = dict(client.query(f"SELECT seq, COUNT(*) FROM `{DATASET}.t` GROUP BY seq").result(retry=None))
        known = set()
        for number in range(300):
            with contextlib.suppress(NotFound):
                assert client.get_job(f"job{number}").error_result is None
                known.add(number)
        assert len(reported) > 3
        assert set(reported) <= known
        assert counts == dict.fromkeys(known, 20000)


def test_a_query_is_billed_for_the_tables_that_it_names(client):
    """The first rows give an estimate: for equal rows it is the length of their text, for any columns."""
    table = bq.Table(f"{DATASET}.read", schema=[bq.SchemaField("n", "INTEGER"), bq.SchemaField("s", "STRING")])
    client.create_table(table, exists_ok=True)
    empty = client.query(f"SELECT n FROM {DATASET}.read")
    assert (empty.result().total_rows, empty.total_bytes_processed, empty.total_bytes_billed) == (0, 0, 10 << 20)
    client.query(f"INSERT INTO {DATASET}.read SELECT 1, 'abcd' FROM UNNEST(GENERATE_ARRAY(1, 1000))").result()
    job = client.query(f"SELECT n FROM {DATASET}.read")
    job.result()
    assert (job.total_bytes_processed, job.total_bytes_billed) == (5000, 10 << 20)
    merge = client.query(
        f"MERGE {DATASET}.read AS t USING {DATASET}.read AS s ON FALSE WHEN NOT MATCHED THEN INSERT (n) VALUES (n)"
    )
    merge.result()
    assert merge.total_bytes_processed > job.total_bytes_processed
    nested = client.query(f"CREATE TABLE {DATASET}.nested AS SELECT 1 AS n, [1, 2] AS list, STRUCT(1 AS a) AS record")
    nested.result()
    assert client.query(f"SELECT * FROM {DATASET}.nested").result().total_rows == 1
    constant = client.query("SELECT 1")
    constant.result()
    assert (constant.total_bytes_processed, constant.total_bytes_billed) == (0, 0)


def test_jobs_are_listed_newest_first_with_unfinished_ones(client):
    """The requests are those of a writer for its table: by state, and by creation time, over several pages."""
    for number in range(3):
        client.query("SELECT 1", job_id=f"listed{number}", **ONCE).result()
    client.query(ENDLESS, job_id="listed-running", **ONCE)
    config = bq.QueryJobConfig(labels={"target": "t"})
    client.query("SELECT 2", job_id="listed-pending", job_config=config, **ONCE)
    try:
        states = {state: client.list_jobs(all_users=True, state_filter=state) for state in ("pending", "running")}
        assert {state: [job.job_id for job in jobs] for state, jobs in states.items()} == {
            "pending": ["listed-pending"],
            "running": ["listed-running"],
        }
        since = client.get_job("listed0").created
        listed = list(client.list_jobs(all_users=True, page_size=2, min_creation_time=since))
        assert [job.job_id for job in listed[:2]] == ["listed-pending", "listed-running"]
        assert {job.job_id for job in listed[2:]} >= {f"listed{number}" for number in range(3)}
        assert sorted((job.created for job in listed), reverse=True) == [job.created for job in listed]
        assert listed[0].labels == {"target": "t"}
        before = client.list_jobs(all_users=True, max_creation_time=since)
        assert not {"listed-pending", "listed-running"} & {job.job_id for job in before}
    finally:
        client.cancel_job("listed-pending")
        client.cancel_job("listed-running")
    ended = client.get_job("listed-pending")
    with pytest.raises(GoogleAPICallError):
        ended.result(retry=None)
    assert client.get_job("listed-pending").error_result["reason"] == "stopped"


def test_a_list_has_only_the_requested_fields(client, server):
    config = bq.QueryJobConfig(labels={"target": "t"})
    client.query("SELECT 1", job_id="partly-listed", job_config=config, **ONCE).result()
    jobs = f"{server.url}/bigquery/v2/projects/local/jobs?projection=full&maxResults=1&fields="
    with urllib.request.urlopen(f"{jobs}jobs(jobReference/jobId,configuration/labels,state,no_such)") as answer:
        assert json.load(answer) == {
            "jobs": [
                {
                    "jobReference": {"jobId": "partly-listed"},
                    "configuration": {"labels": {"target": "t"}},
                    "state": "DONE",
                }
            ]
        }
    for wrong in ("jobs(state", "jobs)", "jobs,", "/state"):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(jobs + wrong)
