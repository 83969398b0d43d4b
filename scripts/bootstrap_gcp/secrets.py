"""Secret Manager as Airflow's secrets backend, and the secrets in it.

Values go from a file or standard input to gcloud's standard input: they are in no argument and no other file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.bootstrap_gcp.cloud import Cloud, SetupError
from scripts.bootstrap_gcp.wanted import Wanted
from stellar_etl_airflow.settings.groups import known_keys

BACKEND = "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend"
PREFIXES = {"connections": "airflow-connections", "variables": "airflow-variables"}
SEPARATOR = "-"


def read_secrets(path: str) -> dict[str, str]:
    """Return the values of a file by the names of their secrets; `-` is standard input.

    The file holds `{"variables": {KEY: VALUE}, "connections": {ID: URI or object}}`. A value that is not text is
    stored as JSON, as Airflow reads it.

    Raises:
        SetupError: it can't be read, or has another form; no message shows a value.
    """
    try:
        given = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not JSON"
        raise SetupError(f"--secrets {path}: {reason}") from None
    if not isinstance(given, dict) or not all(isinstance(part, dict) for part in given.values()):
        raise SetupError(f"--secrets {path}: it must contain objects, by {' and '.join(PREFIXES)}")
    wrong = [*(given.keys() - PREFIXES.keys()), *(given.get("variables", {}).keys() - known_keys().keys())]
    if wrong:
        raise SetupError(f"--secrets {path}: unknown: {', '.join(sorted(wrong))}")
    return {
        f"{PREFIXES[kind]}{SEPARATOR}{key}": value if isinstance(value, str) else json.dumps(value)
        for kind, values in given.items()
        for key, value in values.items()
    }


def backend_configs(wanted: Wanted) -> Mapping[str, str]:
    """Return Airflow's configuration for reading Secret Manager before its database.

    https://cloud.google.com/composer/docs/composer-3/configure-secret-manager
    """
    if not wanted.secret_manager:
        return {}
    arguments = {f"{kind}_prefix": prefix for kind, prefix in PREFIXES.items()}
    arguments |= {"project_id": wanted.project, "sep": SEPARATOR}
    return {"secrets-backend": BACKEND, "secrets-backend_kwargs": json.dumps(arguments, sort_keys=True)}


def seed_secrets(cloud: Cloud, wanted: Wanted) -> None:
    """Create missing secrets, and add a version to those with another value."""
    for name, value in wanted.secrets.items():
        if cloud.see(cloud.gcloud("secrets", "describe", name)) is None:
            options = ["--replication-policy=automatic", "--data-file=-"]
            cloud.change(cloud.gcloud("secrets", "create", name, *options), value)
        elif cloud.read(cloud.gcloud("secrets", "versions", "access", "latest", f"--secret={name}")) != value:
            cloud.change(cloud.gcloud("secrets", "versions", "add", name, "--data-file=-"), value)
