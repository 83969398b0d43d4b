"""Vault as Airflow's secrets backend: the provider's own backend and client, on a server with Vault's API."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import hvac
import pytest

from tests import vault as vault_module
from tests.shared import REPO
from tests.vault import TOKEN

READ = """
import json
from airflow.sdk import BaseHook
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.alerts import AlertSettings
from stellar_etl_airflow.settings.warehouse import CostSettings
google = BaseHook.get_connection("google_cloud_platform_connection")
slack = BaseHook.get_connection("slack_default")
print(json.dumps({
    "sentry_dsn": settings(AlertSettings).sentry_dsn,
    "price_per_tib": settings(CostSettings).price_per_tib,
    "project": google.extra_dejson["project"],
    "slack": slack.password,
}))
"""


@pytest.fixture
def vault():
    with vault_module.running() as vault:
        yield vault


def documented(vault, token_path):
    """Return the documented backend and its arguments, for a server and a token of the test."""
    text = (REPO / "docs" / "production.md").read_text()
    backend, arguments = re.search(
        r"backend = (airflow\.providers\.hashicorp\S+)\nbackend_kwargs = (\{.*?\})\n", text
    ).groups()
    given = json.loads(arguments)
    assert given.keys() >= {"url", "token_path"}
    return backend, json.dumps({**given, "url": vault.url, "token_path": str(token_path)})


@pytest.mark.slow
def test_vault_is_read_first_and_other_sources_serve_as_fallback(vault, tmp_path, airflow_environment):
    client = hvac.Client(vault.url, token=TOKEN)
    write = client.secrets.kv.v2.create_or_update_secret
    write("airflow/variables/sentry_dsn", {"value": "https://a-key@sentry.example/1"})
    write("airflow/connections/google_cloud_platform_connection", {"conn_uri": "google-cloud-platform://?project=ours"})
    write("airflow/connections/slack_default", {"conn_type": "slack", "password": "an older token"})
    write("airflow/connections/slack_default", {"conn_type": "slack", "password": "xoxb-a-token"})
    airflow_environment(price_per_tib=7.5)
    (tmp_path / "token").write_text(TOKEN)
    backend, arguments = documented(vault, tmp_path / "token")

    def read():
        environment = {
            **os.environ,
            "AIRFLOW__SECRETS__BACKEND": backend,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": arguments,
            "PYTHONPATH": str(REPO / "dags"),
        }
        done = subprocess.run(
            [sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=False
        )
        return done, done.stdout + done.stderr

    done, _ = read()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "sentry_dsn": "https://a-key@sentry.example/1",
        "price_per_tib": 7.5,
        "project": "ours",
        "slack": "xoxb-a-token",
    }
    assert "airflow/variables/price_per_tib" in vault.requested, "Airflow reads Vault first"
    (tmp_path / "token").write_text("hvs.revoked")
    done, printed = read()
    assert done.returncode != 0, "only Vault has the connections"
    assert TOKEN not in printed
