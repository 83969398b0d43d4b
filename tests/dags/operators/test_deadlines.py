"""Airflow's deadlines for runs of a DAG whose version changes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.shared import REPO

DAG_FILE = "history_archive_without_captive_core_dag.py"
DAG = DAG_FILE.removesuffix("_dag.py")
DEADLINES_OF_LAST_RUN = """
SELECT (SELECT max(version_number) FROM dag_version), count(deadline.id)
FROM (SELECT id FROM dag_run ORDER BY id DESC LIMIT 1) AS run LEFT JOIN deadline ON dagrun_id = run.id
"""


class Deployment:
    """A separate metadata database and DAG folder; `airflow` runs Airflow's commands."""

    def __init__(self, folder: Path) -> None:
        self.database, self.dags = folder / "airflow.db", folder / "dags"
        shutil.copytree(REPO / "dags" / "stellar_etl_airflow", self.dags / "stellar_etl_airflow")
        shutil.copy(REPO / "dags" / DAG_FILE, self.dags)
        self.environment = os.environ | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
        }

    def airflow(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def new_run(self, logical_date: str) -> tuple[int, int]:
        """Create a run after the DAG folder was read; return the DAG's version and the run's deadlines."""
        self.airflow("dags", "reserialize")
        self.airflow("dags", "trigger", DAG, "--logical-date", logical_date)
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(DEADLINES_OF_LAST_RUN).fetchone()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_runs_of_every_version_of_a_dag_have_a_deadline(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deployment.airflow("db", "migrate")
    assert deployment.new_run("2026-01-01T00:00:00Z") == (1, 1)
    assert deployment.new_run("2026-01-02T00:00:00Z") == (1, 1), "an unchanged DAG has no new version"
    file = deployment.dags / DAG_FILE
    file.write_text(file.read_text().replace('tags=["', 'tags=["changed", "'))
    assert deployment.new_run("2026-01-03T00:00:00Z") == (2, 1)
