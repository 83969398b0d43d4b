"""The graph of lineage from events, and the expected graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from local.lineage import name_of
from stellar_etl_airflow.model.tables import PUBLISHED

DATASET = "local.stellar"

EXPORTED = {table.table_id: table.data_type for table in PUBLISHED.values() if table.derivation is None}
"""The tables that are loaded from an export, with their data types."""


def made_of(events: Iterable[dict]) -> dict[str, set[str]]:
    """Return the direct sources of each dataset."""
    found: dict[str, set[str]] = {}
    for event in events:
        for output in event["outputs"]:
            found.setdefault(name_of(output), set()).update(map(name_of, event["inputs"]))
    return found


def _paths(name: str, sources: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Return all paths to a dataset from datasets without a source."""
    if not sources.get(name):
        yield (name,)
    for source in sources.get(name, ()):
        for path in _paths(source, sources):
            yield (*path, name)


def assert_each_table_comes_from_the_lake(events: Iterable[dict], lake: str, runs: int) -> None:
    """Check that each run leads through a separate object and staging table, and that there is no other path."""
    sources = made_of(events)
    for table, data_type in EXPORTED.items():
        found = list(_paths(f"{DATASET}.{table}", sources))
        assert len(found) == runs, table
        for first, uri, staging, _ in found:
            assert first == lake
            assert uri.startswith("gs://stellar-etl-local/dag-exported/")
            assert uri.endswith(f"-{data_type}.txt"), table
            assert staging.startswith(f"{DATASET}.{PUBLISHED[data_type].table_id}_staging_"), table
