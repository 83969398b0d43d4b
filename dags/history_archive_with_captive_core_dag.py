"""
# What happened in the ledgers

Copies transactions, operations, effects, trades, contract events and token transfers of each data interval's ledgers
into tables of their own: one pod finds the interval's ledgers, one pod exports them, the files are held against their
manifest, and each table is loaded into staging, checked, published by one statement, and noted in
`history_archives_dag_runs`. The name is the one it has always had: these rows once needed a captive stellar-core, and
now come from the lake of ledgers.

**Who runs it**: the schedule, every ten minutes; for intervals that passed,
`airflow backfill create --dag-id history_archive_with_captive_core …`; a person, with the params `start_time` and
`end_time`, or `start_ledger` and `end_ledger`, for a range of their own. Any run can be repeated, in any order: rows
are replaced by ledger, never added twice.

**When it fails**: look at the first red task. `export` or `verify_export`: clear it with its downstream tasks, a new
attempt writes below a prefix of its own. `check`: the published table is as it was, the message says which rows are
wrong and where they are kept. `load`, `merge`, `batch_stats`: clear the task; a job that is still running is found
and waited for.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup, chain

from stellar_etl_airflow.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.build_batch_stats import build_batch_stats
from stellar_etl_airflow.build_check_task import build_check_task
from stellar_etl_airflow.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.build_time_task import build_time_task
from stellar_etl_airflow.default import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tables import CONTRACT_EVENTS, EFFECTS, OPERATIONS, TOKEN_TRANSFERS, TRADES, TRANSACTIONS

TABLES = (OPERATIONS, TRANSACTIONS, EFFECTS, TRADES, CONTRACT_EVENTS, TOKEN_TRANSFERS)

with DAG(
    "history_archive_with_captive_core",
    description="Transactions, operations, effects, trades and events of each interval, into BigQuery",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params=get_range_params(),
    tags=["history"],
    **get_schedule_args(),
):
    find_ledgers = build_time_task()
    export = build_export_task(TABLES)
    verify = build_verify_task(TABLES)
    delete_staging = build_delete_staging_task(TABLES)

    chain(find_ledgers, export, verify)
    for table in TABLES:
        with TaskGroup(table.data_type):
            load = build_gcs_to_bq_task(table)
            check = build_check_task(table)
            merge = build_apply_gcs_changes_to_bq_task(table)
            stats = build_batch_stats(table)
        chain(verify, load, check, merge, stats, delete_staging)
