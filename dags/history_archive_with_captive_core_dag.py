"""
# Load transactions, operations, effects, trades and events

Copies transactions, operations, effects, trades, contract events and token transfers of each interval's ledgers into
tables. One pod finds the interval's ledgers, and one pod exports them. The files are compared with their manifest. Each
table is loaded into staging, checked, published by one statement, and recorded in `history_archives_dag_runs`. The name
is historical: these rows once needed a captive stellar-core, and now come from the lake of ledgers.

**Who runs it**: the schedule, every ten minutes; for past intervals `airflow backfill create --dag-id
history_archive_with_captive_core …`; or a user, with the params `start_time` and `end_time`, or `start_ledger` and
`end_ledger`, for a range. Runs can be repeated in any order: rows are replaced by ledger, never duplicated.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG

from stellar_etl_airflow.model.tables import WITH_CAPTIVE_CORE, loaded_by
from stellar_etl_airflow.operators.defaults import (
    get_default_dag_args,
    get_range_params,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_batch import WHEN_A_BATCH_FAILS, build_batch

with DAG(
    WITH_CAPTIVE_CORE,
    description="Loads transactions, operations, effects, trades and events of each interval into BigQuery",
    doc_md=__doc__ + WHEN_A_BATCH_FAILS,
    default_args=get_default_dag_args(),
    params=get_range_params(),
    tags=["history"],
    **get_schedule_args(),
) as dag:
    build_batch(loaded_by(WITH_CAPTIVE_CORE))
