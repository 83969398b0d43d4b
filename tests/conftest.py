"""What all tests share: an Airflow home of their own, and no Variable, connection or emulator of the developer's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Before anything imports Airflow: it reads these once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
for name in list(os.environ):
    if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_", "STELLAR_ETL_")) or name in (
        "BIGQUERY_EMULATOR_HOST",
        "STORAGE_EMULATOR_HOST",
        "KUBECONFIG",
    ):
        del os.environ[name]
