"""Recorded ledgers of the public network on the shared stack: published rows equal the reference exporter's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.stack.layout import PROJECT, dataset_of
from local.stack.stack import laptop_variables
from tests.end_to_end.conftest import Sample
from tests.end_to_end.golden import END, LAKE, START, assert_golden_rows_are_published
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.shared import needs_shared

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow, needs_shared]

DAGS = ("history_archive_without_captive_core", "history_archive_with_captive_core")


@pytest.fixture
def dataset(sample: Sample) -> Iterator[str]:
    """A dataset for these ledgers, and the Variables of a stack with this lake."""
    stack, name = sample.stack, dataset_of(str(LAKE))
    stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": PROJECT, "datasetId": name}})
    usual = laptop_variables({}, stack.options)
    for_lake = laptop_variables({}, replace(stack.options, lake=str(LAKE), dataset=name))
    changed = {key: value for key, value in for_lake.items() if value != usual[key]}

    def set_variables(values: dict[str, Any]) -> None:
        for key in changed:
            set_variable(stack, key, values[key])

    set_variables(for_lake)
    yield name
    set_variables(usual)


def test_published_rows_equal_the_reference_exporters(sample: Sample, dataset: str) -> None:
    stack = sample.stack
    for dag_id in DAGS:
        trigger(stack, dag_id, "golden", {"start_time": START, "end_time": END})
    for dag_id in DAGS:
        assert wait_for(stack, f"dags/{dag_id}/dagRuns/golden", "success", "failed") == "success"
    assert_golden_rows_are_published(stack, dataset)
