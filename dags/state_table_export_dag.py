"""
# Load changes of ledger entries

Copies every change of accounts, signers, trust lines, offers, liquidity pools, claimable balances, contract data and
code, network settings and times to live, and every restored entry, of each interval's ledgers. One pod exports all of
them. Each type is loaded into staging and checked; then one task replaces the ledger range in the change log. The view
`<table>_current` shows the current entries. The view `<table>_history` shows every version of each entry with the
ledgers in which it was valid. Both are correct immediately, also after corrections.

**Who runs it**: the schedule, every ten minutes; for past intervals `airflow backfill create --dag-id
state_table_export …`; or a user, with the params `start_time` and `end_time`, or `start_ledger` and `end_ledger`, for
a range. Runs can be repeated in any order: rows are replaced by ledger, never duplicated. Ledgers that are more than 30
days older than the last fold appear in the views with the next fold.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG

from stellar_etl_airflow.model.tables import STATE_TABLES, loaded_by
from stellar_etl_airflow.operators.defaults import (
    get_default_dag_args,
    get_range_params,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_batch import WHEN_A_BATCH_FAILS, build_batch

with DAG(
    STATE_TABLES,
    description="Loads every change of ledger entries into BigQuery, with views of the current state",
    doc_md=__doc__ + WHEN_A_BATCH_FAILS,
    default_args=get_default_dag_args(),
    params=get_range_params(),
    tags=["state"],
    **get_schedule_args(),
) as dag:
    build_batch(loaded_by(STATE_TABLES))
