"""
# Load all ledger entries at a checkpoint

Begins the point-in-time views with a full load: all accounts, signers, trust lines, offers, liquidity pools, claimable
balances, contract data and code, network settings and times to live at one checkpoint. One pod reads them from a
history archive's bucket list. Each type has a group of tasks. It loads the rows into staging, checks them, stores them
as
`<table>_base`, and merges them into `<table>_versions`: at that ledger, versions that the load lacks end, and versions
that it has begin. Equal versions and newer versions are kept. From then on, the views ignore changes up to that ledger.
The change logs are not changed.

**Who runs it**: a user, rarely: once, to get the current state without loading every ledger since the network began,
or if changes are lost. `airflow dags trigger bucket_list_export --conf '{"checkpoint_ledger": 63}'`; every 64th
ledger is a checkpoint. `state_table_export` continues from the next ledger, and may also have run before. If a table
begins with a later load, an older load changes nothing. The image must be this project's exporter: the Go program no
longer reads bucket lists.

**When it fails**: find the first failed task. `export` or `verify_export`: clear it with its downstream tasks; the
archive may not have that checkpoint yet. `check`: the tables are unchanged, and the message says which rows are wrong
and where they are kept. `load`, `keep`, `merge`, `batch_stats`: clear the task; it finds a job that is still running.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.export.exports import FullLoad
from stellar_etl_airflow.model.ranges import CHECKPOINT_PARAM, LAST_LEDGER
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_batch import build_exported_tables
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task

TABLES = tuple(STATES.values())

with DAG(
    "bucket_list_export",
    description="All ledger entries at a checkpoint into the point-in-time views",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    params={
        CHECKPOINT_PARAM: Param(
            type="integer",
            minimum=63,
            maximum=LAST_LEDGER,
            description="the ledger of the checkpoint: 63, 127, 191 and so on",
        )
    },
    tags=["state"],
) as dag:
    stats, delete_staging = build_batch_stats(TABLES, full_load=True), build_delete_staging_task(TABLES)
    build_exported_tables(
        TABLES,
        (build_gcs_to_bq_task, build_check_task, build_keep_full_load_task, build_merge_full_load_task),
        [stats, delete_staging],
        kind=FullLoad,
    )
    chain(stats, delete_staging)
