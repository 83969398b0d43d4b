"""scripts/smoke_gcp.sh against the stand-ins: its checks, and the deletion of all its resources."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.cloud import bigquery

from scripts.smoke_gcp import __main__ as command
from scripts.smoke_gcp import steps
from scripts.smoke_gcp.jobs import LEAST_BILLED, MEGABYTE, judge
from scripts.smoke_gcp.options import SmokeError
from tests.google_api import assert_right, read_record
from tests.local import emulators
from tests.shared import REPO
from tests.waiting import wait_until

PROJECT = "smoke-project"


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Iterator[Path]:
    """The folder of the recorded requests, which are compared with Google's documents at the end."""
    folder = tmp_path_factory.mktemp("requests")
    yield folder
    assert_right(read_record(folder))


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory, record) -> Iterator[dict[str, str]]:
    """The environment of a separate warehouse and bucket for this file."""
    folder, recording = tmp_path_factory.mktemp("cloud"), {"STELLAR_ETL_RECORD_REQUESTS": str(record)}
    with (
        emulators.running(emulators.warehouse(folder, **recording)) as warehouse,
        emulators.running(emulators.bucket(folder, **recording)) as bucket,
    ):
        yield {"BIGQUERY_EMULATOR_HOST": warehouse.url, "STORAGE_EMULATOR_HOST": bucket.url}


@pytest.fixture
def left(stand_ins, monkeypatch):
    """Return a function that lists the existing datasets and buckets."""
    for name, url in stand_ins.items():
        monkeypatch.setenv(name, url)

    def left():
        server = SimpleNamespace(url=stand_ins["BIGQUERY_EMULATOR_HOST"])
        datasets = [one.dataset_id for one in emulators.bigquery_client(server).list_datasets(PROJECT)]
        storage = emulators.storage_client(SimpleNamespace(url=stand_ins["STORAGE_EMULATOR_HOST"]))
        buckets = [one.name for one in storage.list_buckets(project=PROJECT) if "smoke" in one.name]
        return datasets, buckets

    return left


def test_a_dry_run_lists_the_steps_and_creates_nothing(left, capsys, tmp_path):
    assert command.main(["--project", PROJECT, "--dry-run", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(step.name in printed for step in steps.STEPS)
    assert left() == ([], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("raised", "status"), [(SmokeError("rows are missing"), 1), (KeyboardInterrupt(), 130)], ids=["failure", "Ctrl-C"]
)
def test_everything_is_deleted_after_success_and_failure(raised, status, left, monkeypatch, capsys, tmp_path):
    def fail(options, cloud):
        cloud.storage.bucket(options.bucket).blob("a/b").upload_from_string("x")
        cloud.query(f"CREATE TABLE {options.dataset}.t AS SELECT 1 AS n")
        assert [len(each) for each in left()] == [1, 1]
        raise raised

    monkeypatch.setattr(command, "_do", fail)
    assert command.main(["--project", PROJECT, "--folder", str(tmp_path)]) == status
    assert left() == ([], [])
    assert (str(raised) or "interrupted") in capsys.readouterr().err


def test_keep_leaves_both_and_prints_how_to_delete_them(left, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "_do", lambda options, cloud: None)
    assert command.main(["--project", PROJECT, "--keep", "--folder", str(tmp_path)]) == 0
    (dataset,), (bucket,) = left()
    printed = capsys.readouterr().out
    assert f"bq rm -r -f --dataset {PROJECT}:{dataset}" in printed
    assert f"gcloud storage rm --recursive gs://{bucket} --project={PROJECT}" in printed
    cloud = command.Cloud(command.Options(PROJECT, "us-central1", 1.0, False, dataset.partition("smoke_")[2], tmp_path))
    assert cloud.delete() == []
    assert left() == ([], [])


def test_a_single_stand_in_is_refused(left, monkeypatch, capsys):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    assert command.main(["--project", PROJECT]) == 1
    assert "BIGQUERY_EMULATOR_HOST is set: set both" in capsys.readouterr().err


SQL = "SELECT a FROM `p.d.t` JOIN `p.d.u` USING (a)"


def job(billed=0, estimate=None, error=None):
    resource = {
        "jobReference": {"projectId": "p", "jobId": "j"},
        "configuration": {"query": {"query": SQL}, "labels": {"stellar_dag": "a_dag", "stellar_task": "a.merge"}},
        "statistics": {"query": {"totalBytesBilled": str(billed)}},
        "status": {"state": "DONE", **({"errorResult": error} if error else {})},
    }
    if estimate is not None:
        resource["statistics"]["query"]["estimatedBytesProcessed"] = str(estimate)
    return bigquery.QueryJob.from_api_repr(resource, client=SimpleNamespace(project="p"))


@pytest.mark.parametrize(
    ("billed", "estimate", "problem"),
    [
        (2 * LEAST_BILLED, 5, None),
        (100 * MEGABYTE, 99 * MEGABYTE, None),
        (
            200 * MEGABYTE,
            99 * MEGABYTE,
            "a_dag a.merge is billed for 209715200 bytes, and BigQuery predicted 103809024",
        ),
    ],
)
def test_billed_bytes_are_compared_with_the_prediction(billed, estimate, problem):
    for verdict in (judge(job(billed, estimate), lambda _: None), judge(job(billed), lambda _: estimate)):
        assert [text.partition(":")[0] for text in verdict.problems] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("message", "conflict"),
    [
        ("Could not serialize access to table p:d.t due to concurrent update", True),
        ("Syntax error: Unexpected keyword WITHIN", False),
    ],
)
def test_a_refused_statement_is_distinguished_from_a_conflict(message, conflict):
    verdict = judge(job(error={"reason": "invalidQuery", "message": message}), lambda _: None)
    assert verdict.conflict == conflict
    assert bool(verdict.problems) != conflict


def script(stand_ins, folder):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
    return subprocess.Popen(
        ["scripts/smoke_gcp.sh", "--project", PROJECT, "--folder", str(folder)],
        cwd=REPO,
        env={**environment, **stand_ins},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_all_steps_pass_against_the_stand_ins(stand_ins, left, tmp_path):
    process = script(stand_ins, tmp_path)
    printed, _ = process.communicate(timeout=2900)
    assert process.returncode == 0, printed
    assert "all steps passed" in printed
    assert left() == ([], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_ctrl_c_stops_all_programs_and_deletes_everything(stand_ins, left, tmp_path):
    process = script(stand_ins, tmp_path)
    wait_until(lambda: list(tmp_path.glob("*/airflow/logs/01-*")), "no run began")
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=200)
    assert (process.returncode, "interrupted" in printed) == (130, True), printed
    assert left() == ([], [])
    assert not subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
