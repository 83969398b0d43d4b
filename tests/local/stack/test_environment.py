"""What the stack's Airflow is told by its environment."""

from __future__ import annotations

from local.stack.environment import airflow_environment
from local.stack.layout import PORTS, Options, StackLayout, ensure_secrets

BACKEND = {"AIRFLOW__SECRETS__BACKEND": "a.Backend", "AIRFLOW__SECRETS__BACKEND_KWARGS": "{}"}


def test_the_callers_secrets_backend_reaches_airflow_and_nothing_else_of_theirs(tmp_path):
    layout, theirs = StackLayout(tmp_path), {"AIRFLOW_VAR_OWNER": "theirs", "AIRFLOW__CORE__EXECUTOR": "theirs"}
    keys = ensure_secrets(layout)
    made = airflow_environment(layout, dict.fromkeys(PORTS, 1), Options("lake"), keys, {**BACKEND, **theirs})
    assert BACKEND.items() <= made.items()
    assert "theirs" not in made.values()
