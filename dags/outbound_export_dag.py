"""
# Outbound export: send a table's rows to another system

Sends the rows of one export of `dags/outbound/` to its receiver. `snapshot` takes a snapshot of the rows, `count` makes
and checks the batches, `export` writes outstanding batches into files, and a Dataflow job sends them. `load_receipts`
and `check` compare the sent batches with the snapshot; `report` records the delivery in `outbound_runs`. An export of
files needs no job: its files and their manifest are the delivery.

**Who runs it**: the DAG `outbound_schedule`, for exports that declare a `schedule`; or a user: `airflow dags
trigger outbound_export --conf '{"export": "asset_holders"}'`. With `"dry_run": true` a run stops after `count`, whose
log shows the first batch. Only one run is active at a time, so that a newer snapshot never overtakes an older one.

**When it fails**: the message names the export and the remedy. Nothing is sent before `start`. Clear `export` with its
downstream tasks to send the batches without a receipt; batches with a receipt are never sent again. If the receiver
rejected batches: correct the cause, then run the DAG outbound_redeliver. See docs/outbound.md.
"""

from __future__ import annotations

from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_outbound_job_tasks import build_delivery
from stellar_etl_airflow.tasks.build_outbound_tasks import (
    DRY_RUN_PARAM,
    build_count_task,
    build_snapshot_task,
    export_params,
)

with DAG(
    "outbound_export",
    description="Sends the rows of one outbound export to its receiver",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=3),
    params={
        **export_params(),
        DRY_RUN_PARAM: Param(False, type="boolean", description="stop after making the batches, and show the first"),
    },
    tags=["outbound"],
) as dag:
    chain(
        build_snapshot_task(),
        build_count_task(),
        *build_delivery(),
    )
