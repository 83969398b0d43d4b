"""Lineage as a backend has it after the main job: each published table is made of the lake, by way of the bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from local.lineage import name_of, read_events
from stellar_etl_airflow.schema import column_names, read_schema
from stellar_etl_airflow.tables import (
    CHANGES,
    ENRICHED_OPERATIONS,
    LEDGERS,
    OPERATIONS,
    PUBLISHED,
    STATES,
    TRANSACTIONS,
)
from tests.end_to_end.conftest import Sample
from tests.shared import REPO

pytestmark = pytest.mark.end_to_end

RUNS = 3
DATASET = "local.stellar"


@pytest.fixture(scope="module")
def events(sample: Sample) -> list[dict]:
    """What the tasks of the main job told when they ended well; other tests of the stack start runs of their own."""
    told = list(read_events(sample.stack.layout.lineage))
    return [
        event
        for event in told
        if event["eventType"] == "COMPLETE"
        and event["run"]["facets"].get("airflow", {}).get("dagRun", {}).get("run_type") == "backfill"
    ]


def sources(events: Iterable[dict]) -> dict[str, set[str]]:
    """By dataset what it is made of, straight."""
    found: dict[str, set[str]] = {}
    for event in events:
        for output in event["outputs"]:
            found.setdefault(name_of(output), set()).update(map(name_of, event["inputs"]))
    return found


def paths(name: str, made_of: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """All ways to a dataset from what has no source."""
    if not made_of.get(name):
        yield (name,)
    for source in made_of.get(name, ()):
        for path in paths(source, made_of):
            yield (*path, name)


def published_tables() -> dict[str, str]:
    """What is loaded from an export, with its data type: tables and point-in-time tables."""
    tables = {table.table_id: table.data_type for table in PUBLISHED.values() if table is not ENRICHED_OPERATIONS}
    return tables | {f"{table.table_id}_state": table.data_type for table in STATES.values()}


def file_of(data_type: str, sample: Sample) -> str:
    variables = json.loads(sample.stack.layout.variables.read_text())
    return f"{data_type}.txt" if data_type in CHANGES else variables["output_file_names"][data_type]


def test_each_table_comes_from_the_lake_by_an_object_and_a_staging_table(sample: Sample, events: list[dict]) -> None:
    made_of = sources(events)
    for table, data_type in published_tables().items():
        found = list(paths(f"{DATASET}.{table}", made_of))
        assert len(found) == RUNS, table
        for lake, uri, staging, _ in found:  # and no way is longer or shorter
            assert lake == str(sample.stack.sample_lake)
            assert uri.startswith("gs://stellar-etl-local/dag-exported/"), table
            assert uri.endswith(f"-{file_of(data_type, sample)}"), table
            assert staging.startswith(f"{DATASET}.{PUBLISHED[data_type].table_id}_staging_"), table


def test_enriched_operations_come_from_the_tables_that_they_join(events: list[dict]) -> None:
    made_of = sources(events)
    assert made_of[f"{DATASET}.{ENRICHED_OPERATIONS.table_id}"] == {
        f"{DATASET}.{table.table_id}" for table in (LEDGERS, TRANSACTIONS, OPERATIONS)
    }


def test_columns_are_those_of_the_schema_files_and_each_has_a_source(events: list[dict]) -> None:
    seen = set()
    for event in events:
        if not event["inputs"] or not event["outputs"]:
            continue
        for dataset in event["outputs"]:
            name = name_of(dataset)
            table = name.rpartition(".")[2].partition("_staging_")[0].removesuffix("_state")
            columns = {field["name"] for field in dataset["facets"]["schema"]["fields"]}
            if name.startswith("gs://"):
                continue
            seen.add(name)
            assert columns == set(column_names(read_schema(str(REPO / "schemas"), table))), name
            made_of = set(dataset["facets"]["columnLineage"]["fields"])
            own = {"batch_id", "batch_run_date", "batch_insert_ts"} if table == ENRICHED_OPERATIONS.table_id else set()
            assert made_of == columns - own, name
    assert seen >= {f"{DATASET}.{table}" for table in [*published_tables(), ENRICHED_OPERATIONS.table_id]}


def test_staging_tables_are_told_to_be_gone(events: list[dict]) -> None:
    def staged(told: Iterable[dict]) -> set[str]:
        return {name_of(one) for event in told for one in event["outputs"] if "_staging_" in one["name"]}

    deletions = [event for event in events if event["job"]["name"].endswith(".delete_staging")]
    dropped = staged(deletions)
    assert dropped and dropped == staged(event for event in events if event not in deletions)


def test_no_secret_of_the_stack_is_in_an_event(sample: Sample) -> None:
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
    for table in [*published_tables(), ENRICHED_OPERATIONS.table_id]:
        assert f"{DATASET}.{table}  " in drawn.stdout, table
