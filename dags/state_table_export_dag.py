"""
# What became of ledger entries

Copies every change of accounts, signers, trust lines, offers, liquidity pools, claimable balances, contract data and
code, network settings and times to live, and every entry that was restored, of each data interval's ledgers. One pod
exports them all. Each type is loaded into staging and checked; then one task publishes it twice: into the table of
changes, whose ledger range is replaced, and into the point-in-time table `<table>_state`, which holds the newest row of
each entry and is never set back. The view `<table>_current` shows what there is now.

**Who runs it**: the schedule, every ten minutes; for intervals that passed,
`airflow backfill create --dag-id state_table_export …`; a person, with the params `start_time` and `end_time`, or
`start_ledger` and `end_ledger`, for a range of their own. Any run can be repeated, in any order: changes are replaced
by ledger, and an older batch that runs late changes nothing that is newer.
"""

from __future__ import annotations

from airflow.sdk import DAG

from stellar_etl_airflow.model.tables import STATE_TABLES, loaded_by
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tasks.build_batch import WHEN_A_BATCH_FAILS, build_batch

with DAG(
    STATE_TABLES,
    description="Every change of ledger entries, and what there is now, into BigQuery",
    doc_md=__doc__ + WHEN_A_BATCH_FAILS,
    default_args=get_default_dag_args(),
    params=get_range_params(),
    tags=["state"],
    **get_schedule_args(),
) as dag:
    build_batch(loaded_by(STATE_TABLES))
