"""Airflow's own API server on an empty database, without a scheduler: `airflow_server.py --port N`.

It has the DAGs of the folder in its environment, by default an empty one. The database is an SQLite file in
AIRFLOW_HOME. Every user is an administrator, as in the laptop stack.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from tests.local.emulators import Server

BUNDLE = "dags-folder"
"""Airflow's name for the folder of DAGs."""


def airflow(folder: Path, **environment: str) -> Server:
    """Return the server; the caller starts it."""
    (folder / "dags").mkdir(parents=True)
    settings: Mapping[str, str] = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four characters for tests on loopback only",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    return Server(["tests.local.airflow_server"], "/api/v2/version", {**settings, **environment})


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    os.environ["AIRFLOW__API__BASE_URL"] = f"http://127.0.0.1:{port}"

    import uvicorn
    from airflow.api_fastapi.app import create_app
    from airflow.configuration import conf
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    folder = Path(conf.get_mandatory_value("core", "dags_folder"))
    if any(folder.iterdir()):
        bag = DagBag(folder, bundle_path=folder, bundle_name=BUNDLE)
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(bag, BUNDLE, None)
    uvicorn.run(create_app(apps="core"), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
