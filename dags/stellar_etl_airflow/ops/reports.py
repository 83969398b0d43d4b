"""Reports on a deployment's Airflow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stellar_etl_airflow.model.tables import POOLS
from stellar_etl_airflow.ops.airflow_api import AirflowApi

Rows = list[dict[str, Any]]

WAITING = ("queued", "running")
HEALTHY = "healthy"


def dag_rows(dags: Mapping[str, Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> Rows:
    """Return a row per DAG: whether it is paused, its latest run, and the number of runs by state.

    Args:
        dags: the DAGs by id, in the format of Airflow's API.
        runs: their runs, latest first.
    """
    rows = []
    for dag_id, dag in dags.items():
        own = [run for run in runs if run["dag_id"] == dag_id]
        states = Counter(run["state"] for run in own)
        rows.append(
            {
                "dag": dag_id,
                "state": "paused" if dag["is_paused"] else "active",
                "success": states["success"],
                "failed": states["failed"],
                "waiting": sum(states[state] for state in WAITING),
                "newest_run": own[0]["run_after"] if own else None,
                "its_state": own[0]["state"] if own else None,
            }
        )
    return rows


def problems(airflow: AirflowApi, missing_variables: Sequence[str], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line per required action."""
    parts = [f"{part} is {state}" for part, state in airflow.health().items() if state not in (HEALTHY, "unknown")]
    files = [f"{name} can't be imported: {error}" for name, error in airflow.import_errors().items()]
    pools = [f"pool {name} is missing: run the command upgrade" for name in POOLS if name not in airflow.pools()]
    variables = [f"Variable {key} is not set: run the command upgrade" for key in missing_variables]
    failed = Counter(run["dag_id"] for run in runs if run["state"] == "failed")
    return [*parts, *files, *pools, *variables, *(f"{dag}: {count} failed runs" for dag, count in failed.items())]
