"""The comparison with Google's documents accepts valid requests, and finds each kind of fault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from google.cloud import bigquery

from local.recording import RECORD_VARIABLE, recorder_of
from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.sql.statement import Parameter, Statement
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import load_job
from tests.google_api import (
    VALUES_IN_TEXT,
    Api,
    Request,
    assert_right,
    methods_of,
    problems,
    read_record,
    values_in_text,
)

JOBS = "/bigquery/v2/projects/p/jobs"
TABLE = {"projectId": "p", "datasetId": "d", "tableId": "t"}
LOAD = load_job("gs://b/o", TABLE).configuration["load"]
QUERY = query_job("q", Statement("SELECT @n", (Parameter("n", "INT64", "1"),)), 1 << 40).configuration["query"]


def request(method: str, path: str, body: Any = None, service: str = "warehouse", **query: str) -> Request:
    return Request(service, method, path, {name: [value] for name, value in query.items()}, body)


def load(**changes: Any) -> Request:
    """Return a load job as the DAGs send it, with changes; None omits a field."""
    described = {name: value for name, value in {**LOAD, **changes}.items() if value is not None}
    return request("POST", JOBS, {"configuration": {"load": described}})


def upload(body: Any = None, method: str = "POST", **query: str) -> Request:
    return request(method, "/upload/storage/v1/b/b/o", body, "bucket", **query)


TINY = bigquery.ScalarQueryParameter("n", "FLOAT64", 1e-05).to_api_repr()


def number(kind: str, value: Any) -> dict[str, Any]:
    """Return a query with one parameter, as its text or number."""
    parameter = {"name": "n", "parameterType": {"type": kind}, "parameterValue": {"value": value}}
    return {"configuration": {"query": {**QUERY, "queryParameters": [parameter]}}}


RIGHT = [
    load(),
    request("POST", JOBS, number("FLOAT64", TINY["parameterValue"]["value"])),
    request("POST", JOBS, {"configuration": {"query": QUERY, "labels": {"a": "b"}}}),
    request("GET", f"{JOBS}/an-id", location="US", projection="full"),
    request("GET", "/bigquery/v2/projects/p/queries/an-id", **{"formatOptions.useInt64Timestamp": "True"}),
    request("GET", JOBS, projection="full", maxResults="7", minCreationTime="1700000000000"),
    request("GET", JOBS, fields="nextPageToken,unreachable,jobs(state,configuration/labels,statistics/endTime)"),
    request("PATCH", "/bigquery/v2/projects/p/datasets/d", {"labels": {"gone": None}}),
    request("GET", "/storage/v1/b/b/o", service="bucket", prefix="a/", prettyPrint="false", maxResults="7"),
    request("GET", "/storage/v1/b/b/o", service="bucket", fields="items(name,size),nextPageToken"),
    request("GET", "/download/storage/v1/b/b/o/a%2Fb", service="bucket", alt="media", generation="12"),
    upload({"name": "a/b", "crc32c": "AAAAAA=="}, uploadType="multipart"),
    upload(method="PUT", uploadType="resumable", upload_id="***"),
    request(
        "POST",
        "/v1/projects/p/locations/l/environments",
        {"name": "n", "config": {"environmentSize": "ENVIRONMENT_SIZE_SMALL", "nodeCount": 3}},
        "composer",
    ),
    request(
        "POST",
        "/v1b3/projects/p/locations/l/flexTemplates:launch",
        {"launchParameter": {"jobName": "j", "containerSpecGcsPath": "gs://b/t", "environment": {"maxWorkers": 2}}},
        "dataflow",
    ),
]


@pytest.mark.parametrize("right", RIGHT, ids=lambda one: f"{one.method} {one.path}")
def test_a_valid_request_passes(right: Request) -> None:
    assert problems(right) == []
    assert methods_of([right]).total() == 1


WRONG = [
    (load(ignoreUnknownValue=True), "unknown field 'configuration.load.ignoreUnknownValue'"),
    (load(ignoreUnknownValues="false"), "'configuration.load.ignoreUnknownValues' must be of type boolean"),
    (load(maxBadRecords=1 << 31), "'configuration.load.maxBadRecords' is 2147483648, which does not fit into int32"),
    (load(sourceUris="gs://b/o"), "'configuration.load.sourceUris' must be an array"),
    (load(sourceUris=[7]), r"'configuration.load.sourceUris\[0\]' must be of type string"),
    (load(destinationTable="d.t"), "'configuration.load.destinationTable' must be an object"),
    (load(destinationTable={**TABLE, "tableId": None}), "'configuration.load.destinationTable.tableId' is missing"),
    (load(destinationTable=None), "required field 'configuration.load.destinationTable' is missing"),
    (load(writeDisposition="WRITE_OVER"), "'configuration.load.writeDisposition' is 'WRITE_OVER', not one of"),
    (load(schemaUpdateOptions=["ALLOW_ALL"]), r"'configuration.load.schemaUpdateOptions\[0\]' is 'ALLOW_ALL'"),
    (load(jsonExtension="GEO"), "'configuration.load.jsonExtension' is 'GEO', not one of"),
    (load(schema={"fields": [{"name": "n", "type": "INT"}]}), r"schema.fields\[0\].type' is 'INT', not one of"),
    (load(timePartitioning={"type": "DAY", "expirationMs": "1 day"}), "'.*expirationMs' must be an integer"),
    (request("POST", JOBS), "bigquery.jobs.insert: the body is missing"),
    (request("POST", JOBS, {}), "the required field 'configuration' is missing"),
    (request("GET", JOBS, {"a": 1}), "a body, which the method does not take"),
    (request("GET", JOBS, maxResult="3"), "unknown parameter 'maxResult'"),
    (request("GET", JOBS, maxResults="many"), "parameter 'maxResults' must be a number"),
    (request("GET", JOBS, projection="all"), "parameter 'projection' is 'all', not one of"),
    (request("GET", "/bigquery/v2/projects/p/queries/an-id", projection="full"), "unknown parameter 'projection'"),
    (
        request("GET", JOBS, fields="unreachable,jobs(state,statistics/ended)"),
        "'fields' has 'ended', which the response",
    ),
    (request("GET", JOBS, fields="jobs(state)"), "'fields' omits 'unreachable'"),
    (request("GET", JOBS, allUsers="yes"), "parameter 'allUsers' must be true or false"),
    (replace(request("GET", JOBS), query={"maxResults": ["1", "2"]}), "'maxResults' is given 2 times"),
    (request("GET", "/bigquery/v2/projects/p/job"), "bigquery v2 has no method GET /bigquery/v2/projects/p/job"),
    (request("PUT", JOBS, {}), "has no method PUT"),
    (request("POST", "/storage/v1/b", {"name": "b"}, "bucket"), "the required parameter 'project' is missing"),
    (request("POST", "/storage/v1/b", {}, "bucket", project="p"), "the required field 'name' is missing"),
    (upload({"name": "a"}), "'uploadType' must be one of"),
    (upload({"name": "a", "metaData": {}}, uploadType="multipart"), "unknown field 'metaData'"),
    (upload({"metadata": {"a": 1}}, uploadType="multipart"), "'metadata.a' must be of type string"),
    (upload(method="PUT", uploadType="resumable"), "without the session's 'upload_id'"),
    (
        request(
            "POST", "/v1/projects/p/locations/l/environments", {"config": {"environmentSize": "SMALL"}}, "composer"
        ),
        "'config.environmentSize' is 'SMALL', not one of",
    ),
    (
        request("POST", "/v1b3/projects/p/locations/l/flexTemplates:launch", {"launchParameter": {}}, "dataflow"),
        "the required field 'launchParameter.jobName' is missing",
    ),
    (
        request("POST", "/v1/projects/p/locations/l/environments", {"config": {"nodeCount": 2.5}}, "composer"),
        r"'config.nodeCount' must be an integer \(int32\), not 2.5",
    ),
    (request("POST", JOBS, number("INT64", 3)), r"parameterValue.value' must be of type string, not 3"),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG, ids=[expected for _, expected in WRONG])
def test_a_fault_is_found(wrong: Request, expected: str) -> None:
    with pytest.raises(AssertionError, match=expected):
        assert_right([wrong])


def test_a_problem_is_listed_once_with_its_number_of_requests() -> None:
    with pytest.raises(AssertionError, match="3 requests: bigquery.jobs.insert: unknown field"):
        assert_right([*RIGHT, *[load(unheardOf=1)] * 3])


@pytest.mark.parametrize("name", sorted(VALUES_IN_TEXT))
def test_descriptions_list_the_values(name: str) -> None:
    schema, field = name.split(".")
    assert len(set(values_in_text(Api.of("warehouse").schemas[schema]["properties"][field]["description"]))) >= 2


def test_a_record_has_no_credential_and_no_health_check(tmp_path, monkeypatch) -> None:
    assert recorder_of("bucket") is None
    monkeypatch.setenv(RECORD_VARIABLE, str(tmp_path / "requests"))
    recorder = recorder_of("bucket")
    recorder.record("GET", "/healthz", {})
    recorder.record("GET", "/storage/v1/b/b/o", {"access_token": ["hidden"], "prefix": ["a"]}, {"k": "v"}, 3)
    (file,) = (tmp_path / "requests").iterdir()
    assert (file.stat().st_mode & 0o777, "hidden" in file.read_text()) == (0o600, False)
    assert json.loads(file.read_text())["query"] == {"access_token": ["***"], "prefix": ["a"]}
    expected = Request("bucket", "GET", "/storage/v1/b/b/o", {"access_token": ["***"], "prefix": ["a"]}, {"k": "v"}, 3)
    assert read_record(tmp_path / "requests") == [expected]
