"""The alert policies are valid for Google's Monitoring API, and query metrics that the DAGs send."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from stellar_etl_airflow.model.digest import RUNBOOK
from stellar_etl_airflow.model.metrics import METRICS
from tests.google_api import Request, problems
from tests.runbook import procedures
from tests.shared import REPO

FOLDER = REPO / "monitoring"
POLICIES = sorted((FOLDER / "alert_policies").glob("*.json"))
PAGE = (REPO / "docs" / "metrics.md").read_text()
NAME = re.compile(r"\b(\w+):airflow_stellar_etl_(\w+)")


def wrong(policy: dict) -> list[str]:
    return problems(Request("monitoring", "POST", "/v3/projects/my-project/alertPolicies", {}, policy))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_api_accepts_each_policy(path):
    policy = json.loads(path.read_text())
    assert wrong(policy) == []
    (condition,) = policy["conditions"]
    query = condition["conditionPrometheusQueryLanguage"]["query"]
    assert {metric for _, metric in NAME.findall(query)} <= METRICS.keys()
    assert query.count("(") == query.count(")")
    (heading,) = re.findall(rf"{RUNBOOK}#([a-z-]+)", policy["documentation"]["content"])
    assert heading in procedures()
    assert f"`{path.name}`" in PAGE


def test_an_invalid_policy_is_found():
    policy = json.loads(POLICIES[0].read_text())
    assert wrong({**policy, "combiner": "SOME"})
    assert wrong({**policy, "threshold": 3})


def test_each_name_in_promql_is_the_collectors():
    """The first slash becomes a colon, and all other characters an underscore.

    See https://cloud.google.com/monitoring/promql/promql-mapping.
    """
    collector = yaml.safe_load((FOLDER / "collector.yaml").read_text())
    domain = collector["exporters"]["googlecloud"]["metric"]["prefix"]
    for path in POLICIES:
        found = NAME.findall(path.read_text())
        assert found, path
        assert {prefix for prefix, _ in found} == {re.sub(r"\W", "_", domain)}


def test_the_page_names_every_metric():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `stellar_etl.")]
    named = {name.removeprefix("stellar_etl.") for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}
    assert named == METRICS.keys()
