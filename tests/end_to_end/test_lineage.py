"""Lineage in a backend after the main job: each published table comes from the lake through the bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable

import pytest

from local.lineage import name_of, read_events
from stellar_etl_airflow.model.schema import column_names, read_schema
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS, LEDGERS, OPERATIONS, TRANSACTIONS
from tests.end_to_end.conftest import Sample
from tests.lineage_graph import DATASET, EXPORTED, assert_each_table_comes_from_the_lake, made_of
from tests.shared import REPO

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def events(sample: Sample) -> list[dict]:
    """The events of the main job's successful tasks, without those of other tests on the stack."""
    read = list(read_events(sample.stack.layout.lineage))
    return [
        event
        for event in read
        if event["eventType"] == "COMPLETE"
        and event["run"]["facets"].get("airflow", {}).get("dagRun", {}).get("run_type") == "backfill"
    ]


def test_each_table_comes_from_the_lake_through_an_object_and_a_staging_table(
    sample: Sample, events: list[dict]
) -> None:
    assert_each_table_comes_from_the_lake(events, str(sample.stack.sample_lake), sample.intervals)


def test_enriched_operations_come_from_the_joined_tables(events: list[dict]) -> None:
    made = made_of(events)
    staged = made[f"{DATASET}.{ENRICHED_OPERATIONS.table_id}"]
    assert staged
    for name in staged:
        assert made[name] == {f"{DATASET}.{table.table_id}" for table in (LEDGERS, TRANSACTIONS, OPERATIONS)}


def test_columns_equal_the_schema_files_and_each_has_a_source(events: list[dict]) -> None:
    seen = set()
    for event in events:
        if not event["inputs"] or not event["outputs"]:
            continue
        for dataset in event["outputs"]:
            name = name_of(dataset)
            table = name.rpartition(".")[2].partition("_staging_")[0]
            columns = {field["name"] for field in dataset["facets"]["schema"]["fields"]}
            if name.startswith("gs://"):
                continue
            seen.add(name)
            assert columns == set(column_names(read_schema(str(REPO / "schemas"), table))), name
            sources = set(dataset["facets"]["columnLineage"]["fields"])
            is_derived = table == ENRICHED_OPERATIONS.table_id and "_staging_" in name
            own = {"batch_id", "batch_run_date", "batch_insert_ts"} if is_derived else set()
            assert sources == columns - own, name
    assert seen >= {f"{DATASET}.{table}" for table in [*EXPORTED, ENRICHED_OPERATIONS.table_id]}


def test_staging_tables_are_reported_as_dropped(events: list[dict]) -> None:
    def staged(selected: Iterable[dict]) -> set[str]:
        return {name_of(one) for event in selected for one in event["outputs"] if "_staging_" in one["name"]}

    deletions = [event for event in events if event["job"]["name"].endswith(".delete_staging")]
    dropped = staged(deletions)
    assert dropped and dropped == staged(event for event in events if event not in deletions)


def test_no_event_contains_a_secret_of_the_stack(sample: Sample) -> None:
    layout = sample.stack.layout
    secrets = [
        *json.loads(layout.secrets.read_text()).values(),
        layout.token.read_text(),
        layout.database_password.read_text(),
    ]
    for path in layout.lineage.glob("*.json"):
        text = path.read_text()
        assert not [secret for secret in secrets if secret in text], path.name


def test_the_graph_is_drawn(sample: Sample) -> None:
    drawn = subprocess.run(
        [sys.executable, "-m", "local", "lineage", "--dir", str(sample.stack.layout.root)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    for table in [*EXPORTED, ENRICHED_OPERATIONS.table_id]:
        assert f"{DATASET}.{table}  " in drawn.stdout, table
