"""The dbt project in dbt/, run by released dbt-core and dbt-bigquery on the laptop's warehouse."""

from __future__ import annotations

import os
import subprocess
from datetime import date

import pytest

from tests.local import emulators
from tests.shared import REPO

DBT = REPO / ".venv-dbt" / "bin" / "dbt"


@pytest.fixture(scope="module")
def dbt():
    """Return the command of a separate environment, which the first call creates from requirements/dbt.txt."""
    subprocess.run([str(REPO / "scripts" / "make_venv.sh"), "dbt"], check=True)
    return str(DBT)


@pytest.fixture
def warehouse(tmp_path):
    with emulators.running(emulators.warehouse(tmp_path / "stack")) as server:
        client = emulators.bigquery_client(server)
        for dataset in ("stellar", "models"):
            client.create_dataset(dataset)
        columns = "closed_at TIMESTAMP, asset STRING, event_topic STRING, amount_raw STRING"
        client.query(f"CREATE TABLE stellar.token_transfers ({columns})").result()
        yield server, client


def transfer(client, moment, amount, topic="transfer"):
    values = f"(TIMESTAMP '{moment}', 'native', '{topic}', '{amount}')"
    into = "INSERT INTO stellar.token_transfers (closed_at, asset, event_topic, amount_raw)"
    client.query(f"{into} VALUES {values}").result()


@pytest.mark.slow
def test_models_are_built_on_the_laptop_and_a_repeated_run_replaces_days(dbt, warehouse, tmp_path):
    server, client = warehouse
    own = {
        "DBT_TARGET": "laptop",
        "DBT_API_ENDPOINT": server.url,
        "DBT_PROJECT": "local",
        "DBT_SOURCE_DATASET": "stellar",
        "DBT_DATASET": "models",
        "DBT_FROM_DAY": "2026-01-02",
    }
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | own
    folders = ("--project-dir", REPO / "dbt", "--profiles-dir", REPO / "dbt", "--log-path", tmp_path / "logs")

    def build():
        command = [dbt, "build", "--select", "tag:stellar", "--target-path", tmp_path / "target", *folders]
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        rows = client.query("SELECT day, transfer_count, amount_raw FROM models.transfers_daily ORDER BY day").result()
        return [(row.day, row.transfer_count, int(row.amount_raw)) for row in rows]

    transfer(client, "2026-01-01 01:00:00", 5)
    transfer(client, "2026-01-02 01:00:00", 7)
    transfer(client, "2026-01-02 01:00:00", 9, topic="fee")
    assert build() == [(date(2026, 1, 1), 1, 5), (date(2026, 1, 2), 1, 7)]
    transfer(client, "2026-01-02 02:00:00", 3)
    for _ in range(2):
        assert build() == [(date(2026, 1, 1), 1, 5), (date(2026, 1, 2), 2, 10)]
