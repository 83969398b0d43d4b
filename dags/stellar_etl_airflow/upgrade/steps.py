"""The registry of upgrade steps, in the order in which they run.

A new step is a function from the deployment to its changes, and a line in `STEPS`. The function only reads. Each
`Change` describes one change in a line, and makes it when it is called. After its changes are made, the function must
return nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stellar_etl_airflow.bigquery.tables import ensure_table, ensure_view, growth, stored_query
from stellar_etl_airflow.bigquery.versions import every_version
from stellar_etl_airflow.model.tables import POOLS, STATE_TABLES
from stellar_etl_airflow.settings.groups import known_keys, shown
from stellar_etl_airflow.upgrade.deployment import Deployment

LONGEST = 60
"""Maximum length of a new Variable's value in a line."""


@dataclass(frozen=True)
class Change:
    """One change of a deployment.

    Attributes:
        text: its description, in one line.
        make: makes the change; can be repeated.
    """

    text: str
    make: Callable[[], object]


@dataclass(frozen=True)
class Step:
    """One part of an upgrade.

    Attributes:
        name: the objects that it upgrades.
        changes: returns the changes for a deployment.
        paused: the DAGs that must be paused, without active runs, while the changes are made.
    """

    name: str
    changes: Callable[[Deployment], Iterator[Change]]
    paused: Sequence[str] = ()


def new_variables(deployment: Deployment) -> Iterator[Change]:
    """Set the Variables that are not set."""
    stored, known = deployment.stored(), known_keys()
    for key, value in deployment.new.items():
        if key not in stored:
            text = shown(key, value)
            text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
            yield Change(f"set {key} to {text}", partial(deployment.airflow.add_variable, key, value, known[key]))


def new_pools(deployment: Deployment) -> Iterator[Change]:
    """Create missing pools. The slots of existing pools are kept."""
    existing: Mapping[str, Any] = deployment.airflow.pools()
    for name, pool in POOLS.items():
        if name not in existing:
            slots = "1 slot" if pool["slots"] == 1 else f"{pool['slots']} slots"
            yield Change(f"create pool {name} with {slots}", partial(deployment.airflow.add_pool, name, pool))


def new_columns(deployment: Deployment) -> Iterator[Change]:
    """Add missing columns to existing tables. Missing tables are created by the load that needs them."""
    warehouse = deployment.warehouse
    for name, layout in warehouse.layouts():
        if columns := growth(warehouse.client, name, layout):
            yield Change(f"{name}: add {', '.join(columns)}", partial(ensure_table, warehouse.client, name, layout))


def old_states(deployment: Deployment) -> Iterator[Change]:
    """Replace the point-in-time tables of earlier releases, `<table>_state`, by versions.

    Each line has the number of wrong entries in the old table, which reloading corrected ledgers did not repair.
    """
    for versions in every_version(deployment.warehouse):
        if deployment.warehouse.has(versions.old_id, versions.target):
            found = versions.old_differences()
            wrong = ", ".join(f"{count} {kind}" for kind, count in found.items() if count) or "no wrong"
            yield Change(
                f"{versions.target.dataset_id}.{versions.old_id} has {wrong} entries: replace it by {versions.full_id}",
                versions.migrate,
            )


def new_views(deployment: Deployment) -> Iterator[Change]:
    """Update the queries of views to this release."""
    warehouse = deployment.warehouse
    for versions in every_version(warehouse):
        if warehouse.has(versions.old_id, versions.target) or not versions.exists():
            continue
        for name, query in versions.views().items():
            current = stored_query(warehouse.client, name)
            if current is not None and current != query:
                yield Change(f"{name}: change the view's query", partial(ensure_view, warehouse.client, name, query))


STEPS = (
    Step("Variables", new_variables),
    Step("pools", new_pools),
    Step("columns", new_columns),
    Step("point-in-time tables", old_states, (STATE_TABLES, "bucket_list_export", "state_fold", "state_rebuild")),
    Step("views", new_views),
)
"""All steps. Variables are first, because later steps use their values."""
