"""
# Outbound export: a table's rows, sent to another system

Sends the rows of one export of `dags/outbound/` to its receiver: `snapshot` freezes the rows, `count` makes and checks
the batches, `export` writes what is outstanding into files, and a Dataflow job sends them. `load_receipts` and `check`
compare what was sent with the snapshot batch by batch; `report` records the delivery in `outbound_runs`. An export of
files has no job: its files and their manifest are the delivery.

**Who runs it**: the DAG `outbound_schedule`, for exports that declare a `schedule`; anyone, manually: `airflow dags
trigger outbound_export --conf '{"export": "asset_holders"}'`. With `"dry_run": true` a run stops after `count`, whose
log shows the first batch. Runs follow one another: a newer snapshot must not overtake an older one.

**When it fails**: the message names the export and says what to do. Nothing is sent before `start`. Clear `export` with
what follows it to send the batches that have no receipt; batches with a receipt are never sent again. Batches that the
receiver refused: correct the cause, then run the DAG outbound_redeliver. See docs/outbound.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.settings.outbound import declared
from stellar_etl_airflow.tasks.build_outbound_job_tasks import build_delivery
from stellar_etl_airflow.tasks.build_outbound_tasks import (
    DRY_RUN_PARAM,
    EXPORT_PARAM,
    build_count_task,
    build_snapshot_task,
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
        EXPORT_PARAM: Param(type="string", enum=[*declared()], description="the export, as its file is named"),
        DRY_RUN_PARAM: Param(False, type="boolean", description="stop after the batches are made, and show the first"),
    },
    tags=["outbound"],
) as dag:
    chain(
        build_snapshot_task(),
        build_count_task(),
        *build_delivery(),
    )
