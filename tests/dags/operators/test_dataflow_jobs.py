"""Lists of Dataflow's jobs: a region that did not answer is no proof that a job does not exist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stellar_etl_airflow.operators import dataflow_jobs
from stellar_etl_airflow.operators.dataflow_jobs import DataflowError, DataflowJobs


class _Jobs:
    """Google's client for `projects.locations.jobs`, with one response."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    def list(self, **_: object) -> SimpleNamespace:
        return SimpleNamespace(execute=lambda num_retries: self.answer)

    def list_next(self, *_: object) -> None:
        return None


@pytest.fixture
def jobs(monkeypatch):
    def connect(**answer: Any) -> DataflowJobs:
        locations = SimpleNamespace(jobs=lambda: _Jobs(answer))
        service = SimpleNamespace(projects=lambda: SimpleNamespace(locations=lambda: locations))
        monkeypatch.setattr(
            dataflow_jobs, "DataflowHook", lambda gcp_conn_id: SimpleNamespace(get_conn=lambda: service)
        )
        return DataflowJobs("p", "us-east1")

    return connect


def test_a_region_that_did_not_answer_is_an_error_and_starts_no_second_job(jobs):
    failed = [{"name": "us-east1"}]
    with pytest.raises(DataflowError, match="did not list the jobs of us-east1: a retry"):
        jobs(failedLocation=failed).find_or_start("sends", "gs://b/o", lambda name: pytest.fail(f"{name} was started"))


def test_a_region_that_answers_without_jobs_has_none(jobs):
    assert jobs().numbered("sends") == []
