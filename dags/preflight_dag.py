"""
# Check a deployment before its first run

Checks the requirements of the loading DAGs, and loads nothing. Each task checks one part and names every problem:
`check_variables` reads every Airflow Variable. `check_datasets_and_bucket` reads the network and location of
datasets, and the location and lifecycle rule of the bucket. `check_triggerer` runs in the triggerer, where it imports
the function that reports missed deadlines and opens the Kubernetes connection. `run_image` runs `stellar-etl version`
in a pod; its log shows the version.

**Who runs it**: a user, after set-up and after an upgrade: `airflow dags trigger preflight`.

**When it fails**: the log of the failed task names each problem and its remedy. Fix them, then clear the task.
`ModuleNotFoundError` in `check_triggerer`: the triggerer does not have the folder `dags/`; upload the DAGs, and restart
it.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG

from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_preflight_tasks import build_preflight_tasks

with DAG(
    "preflight",
    description="Checks the requirements of the loading DAGs before their first run",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    tags=["maintenance"],
) as dag:
    build_preflight_tasks()
