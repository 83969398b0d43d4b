"""The local Dataflow: one active job per name, final states, and the options of its template."""

from __future__ import annotations

import json
import re

import pytest
import requests

from local.dataflow.jobs import PARAMETERS
from tests.local import emulators
from tests.shared import REPO
from tests.waiting import wait_until

PLACE = "/v1b3/projects/p/locations/us-central1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Jobs of FlexRS stay in the queue, because none of these tests needs a pipeline."""
    root = tmp_path_factory.mktemp("dataflow")
    with emulators.running(
        emulators.Server(["local.dataflow", "--root", str(root), "--flexrs-seconds", "3600"], "/healthz")
    ) as server:
        yield server


def launch(server, name, flexrs=True, **parameters):
    environment = {"flexrsGoal": "FLEXRS_COST_OPTIMIZED"} if flexrs else {}
    environment["additionalUserLabels"] = {"a": "b"}
    body = {"launchParameter": {"jobName": name, "parameters": parameters, "environment": environment}}
    return requests.post(f"{server.url}{PLACE}/flexTemplates:launch", json=body, timeout=60)


def jobs(server, name):
    answer = requests.get(f"{server.url}{PLACE}/jobs", params={"name": name, "filter": "ALL"}, timeout=60)
    return answer.json().get("jobs", [])


def job(server, job_id):
    return requests.get(f"{server.url}{PLACE}/jobs/{job_id}", timeout=60)


def cancel(server, job_id):
    body = {"requestedState": "JOB_STATE_CANCELLED"}
    return requests.put(f"{server.url}{PLACE}/jobs/{job_id}", json=body, timeout=60)


def test_a_job_of_flexrs_waits_and_is_the_only_active_one_of_its_name(server):
    first = launch(server, "one").json()["job"]
    assert (first["currentState"], first["labels"]) == ("JOB_STATE_QUEUED", {"a": "b"})
    again = launch(server, "one")
    assert (again.status_code, again.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert [one["id"] for one in jobs(server, "one")] == [first["id"]]
    assert jobs(server, "on") == []


def test_a_cancelled_job_frees_its_name(server):
    first = launch(server, "two").json()["job"]
    assert cancel(server, first["id"]).json()["currentState"] == "JOB_STATE_CANCELLED"
    assert launch(server, "two").status_code == 200
    assert len(jobs(server, "two")) == 2
    assert job(server, first["id"]).json()["currentState"] == "JOB_STATE_CANCELLED"


def test_jobs_survive_a_restart_of_the_server_without_their_processes(server):
    queued = launch(server, "three").json()["job"]
    server.kill()
    server.start()
    assert job(server, queued["id"]).json()["currentState"] == "JOB_STATE_FAILED"
    assert launch(server, "three").status_code == 200


def test_a_job_whose_pipeline_fails_has_failed(server):
    started = launch(server, "four", flexrs=False, lanes="3").json()["job"]
    wait_until(lambda: job(server, started["id"]).json()["currentState"] == "JOB_STATE_FAILED", "the job did not fail")
    metrics = requests.get(f"{server.url}{PLACE}/jobs/{started['id']}/metrics", timeout=60)
    assert metrics.json() == {"metrics": []}


def test_unknown_jobs_and_templates_are_refused(server):
    assert job(server, "none").status_code == 404
    refused = launch(server, "five", no_such="x")
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_the_template_has_the_workers_options():
    metadata = json.loads((REPO / "outbound" / "metadata.json").read_text())
    parameters = {parameter["name"] for parameter in metadata["parameters"]}
    options = set(re.findall(r'add_argument\("--(\w+)"', (REPO / "outbound" / "pipeline.py").read_text()))
    assert parameters == PARAMETERS == options - {"metrics"}
