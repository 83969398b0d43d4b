"""
# All ledger entries at one checkpoint

Begins the point-in-time tables with a full load: all accounts, signers, trust lines, offers, liquidity pools, claimable
balances, contract data and code, network settings and times to live as they are at one checkpoint of the network, read
from a history archive's bucket list by one pod. In each type's group the rows are loaded into staging, checked, kept as
`<table>_base`, and merged into `<table>_state`: what the table has of that ledger and before gives way, what is newer
stays. From then on changes up to that ledger stay out of `<table>_state`; the tables of changes are left as they are.

**Who runs it**: a person, and rarely: once, to have the state of now without loading every ledger since the network
began; or where changes were lost for good. `airflow dags trigger bucket_list_export --conf
'{"checkpoint_ledger": 63}'`; every 64th ledger is a checkpoint. Then `state_table_export` goes on from the ledger after
it, and may have gone on before: the order doesn't matter. A load older than the one that a table begins with changes
nothing. The exporter must be this project's: the Go program can't read bucket lists any more.

**When it fails**: look at the first red task. `export` or `verify_export`: clear it with its downstream tasks; the
archive may not have that checkpoint yet. `check`: the tables are as they were, the message says which rows are wrong
and where they are kept. `load`, `keep`, `merge`, `batch_stats`: clear the task; a job that is still running is found
and waited for.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TaskGroup, chain

from stellar_etl_airflow.export.exports import FullLoad
from stellar_etl_airflow.model.ranges import CHECKPOINT_PARAM
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task

TABLES = tuple(STATES.values())

with DAG(
    "bucket_list_export",
    description="All ledger entries at a checkpoint into the point-in-time tables",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    params={
        CHECKPOINT_PARAM: Param(
            type="integer", minimum=63, description="the ledger of the checkpoint: 63, 127, 191 and so on"
        )
    },
    tags=["state"],
) as dag:
    verify = build_verify_task(TABLES, FullLoad)
    stats, delete_staging = build_batch_stats(TABLES, full_load=True), build_delete_staging_task(TABLES)
    chain(build_export_task(TABLES, FullLoad), verify)
    for table in TABLES:
        with TaskGroup(table.data_type):
            load = build_gcs_to_bq_task(table)
            check = build_check_task(table)
            keep = build_keep_full_load_task(table)
            merge = build_merge_full_load_task(table)
        chain(verify, load, check, keep, merge, [stats, delete_staging])
    chain(stats, delete_staging)
