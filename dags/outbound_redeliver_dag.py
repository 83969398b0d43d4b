"""
# Send outbound batches again

Sends batches of an earlier snapshot again, with the same bytes and keys: those in the param `batches`, or all batches
that the receiver rejected and did not accept later.

**Who runs it**: a user, after correcting the cause: `airflow dags trigger outbound_redeliver --conf
'{"export": "asset_holders", "snapshot": "20260101t001000_ab12cd34"}'`; `outbound_runs` has the names of snapshots. A
receiver that supports idempotency keys applies each batch only once. Batches with an unknown outcome are sent only if
they are named: ask the receiver for their keys first.

**When it fails**: the message has the remedy, as for the export itself; clear `export` with its downstream tasks.
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
    BATCHES_PARAM,
    SNAPSHOT_PARAM,
    build_choose_task,
    export_params,
)

with DAG(
    "outbound_redeliver",
    description="Sends rejected or selected batches of an outbound export again",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=3),
    params={
        **export_params(),
        SNAPSHOT_PARAM: Param(
            type="string", pattern=r"^\d{8}t\d{6}_[0-9a-f]{8}$", description="the snapshot, see outbound_runs"
        ),
        BATCHES_PARAM: Param(
            None,
            type=["null", "array"],
            items={"type": "integer", "minimum": 1},
            description="the numbers of the batches; null: all batches that were rejected and not delivered later",
        ),
    },
    tags=["outbound"],
) as dag:
    chain(
        build_choose_task(),
        *build_delivery(),
    )
