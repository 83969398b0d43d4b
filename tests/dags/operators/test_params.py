"""Params of a ledger range, checked as the UI's form, the command line and REST check them."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from stellar_etl_airflow.operators.defaults import get_range_params
from stellar_etl_airflow.operators.runtime import Run


@pytest.fixture(scope="module")
def stored():
    """Return the params as the API server stores them."""
    with DAG("a_dag", schedule=None, params=get_range_params()) as dag:
        pass
    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).params


@pytest.fixture
def trigger(stored):
    """Return the params of a run that is triggered with a `conf`."""
    return lambda **conf: stored.deep_merge(conf).validate()


def test_all_params_are_optional(trigger):
    assert trigger() == dict.fromkeys(("start_time", "end_time", "start_ledger", "end_ledger"))


@pytest.mark.parametrize(
    "moment",
    ["2026-01-01T00:10:00Z", "2026-01-01T00:10:00.000Z", "2026-01-01T00:10:00+00:00", "2026-01-01T05:40:00+05:30"],
)
def test_times_with_a_zone_are_accepted_in_common_forms(trigger, moment, make_context):
    params = trigger(start_time=moment, end_time="2026-01-01T00:20:00Z")
    assert Run.of(make_context("a_task", params)).batch_run_date == "2026-01-01T00:10:00"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"start_time": "2026-01-01T00:10:00", "end_time": "2026-01-01T00:20:00Z"}, "param start_time: '2026-01-01T00"),
        ({"start_time": "yesterday"}, "param start_time: 'yesterday' does not match"),
        ({"end_time": 7}, "param end_time: 7 is not of type 'null', 'string'"),
        ({"start_ledger": 0}, "param start_ledger: 0 is less than the minimum of 1"),
        ({"end_ledger": "7"}, "param end_ledger: '7' is not of type 'null', 'integer'"),
        ({"start_ledger": 1.5}, "param start_ledger: 1.5 is not of type"),
        ({"end_ledger": 2**32}, "param end_ledger: 4294967296 is greater than the maximum of 4294967295"),
        ({"end_ledger": 10**30}, "is greater than the maximum of 4294967295"),
    ],
)
def test_an_invalid_value_is_refused_before_a_run_is_created(trigger, conf, words):
    with pytest.raises(ParamValidationError, match=words):
        trigger(**conf)


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"start_ledger": 7}, "this run has start_ledger"),
        ({"end_time": "2026-01-01T00:20:00Z"}, "this run has end_time"),
        (
            {
                "start_time": "2026-01-01T00:10:00Z",
                "end_time": "2026-01-01T00:20:00Z",
                "start_ledger": 3,
                "end_ledger": 4,
            },
            "set the params start_time and end_time, or start_ledger and end_ledger, or none",
        ),
        ({"start_legder": 3, "end_legder": 9}, "unknown param 'end_legder'; did you mean 'end_ledger'?"),
        ({"start_ledger": 9, "end_ledger": 3}, "at most end_ledger"),
        ({"start_time": "2026-01-01T00:20:00Z", "end_time": "2026-01-01T00:10:00Z"}, "must be before end_time"),
    ],
)
def test_params_that_are_not_a_range_fail_the_first_task_without_a_retry(trigger, make_context, conf, words):
    with pytest.raises(AirflowFailException, match=words):
        Run.of(make_context("a_task", trigger(**conf)))


def test_the_form_has_a_calendar_for_times_and_number_fields_for_ledgers(stored):
    fields = {name: stored.get_param(name) for name in stored}
    assert {name: field.schema.get("format") for name, field in fields.items() if "time" in name} == {
        "start_time": "date-time",
        "end_time": "date-time",
    }
    assert {tuple(field.schema["type"]) for name, field in fields.items() if "ledger" in name} == {("null", "integer")}
    assert all(field.description for field in fields.values())
