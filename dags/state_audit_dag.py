"""
# Compare ledger entries with a history archive

Compares the views `<table>_history` at a checkpoint of the network with all ledger entries of a history archive: entry
by entry, in all columns that describe the entry, in each dataset. Each difference names the ledgers to reload. It is a
row of `ledger_coverage` (`not_as_archive`) and an event in Sentry.

One pod reads the archive's bucket list; each type is loaded into staging, checked and compared. The tables are only
read. With the param `auto_heal`, or the Variable `coverage_auto_heal`, the ledgers of the differences are reloaded, and
their types are folded.

**Who runs it**: the schedule, every week (`STELLAR_ETL_AUDIT_SCHEDULE`), for the latest checkpoint that all tables of
changes have; or a user, with the param `checkpoint_ledger`. The image must be this project's exporter.

**When it fails**: `report` fails on purpose: its message names the ledgers of entries that differ. Reload them
with `auto_heal` or by manual runs. Entries that still differ changed in ledgers that were never loaded: close
the gaps that `ledger_coverage` reports, or begin with `bucket_list_export`. Other tasks: clear the first failed task
with its downstream tasks.
"""

from __future__ import annotations

from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, chain

from stellar_etl_airflow.export.exports import FullLoad
from stellar_etl_airflow.model.ranges import CHECKPOINT_PARAM
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import (
    AUDIT_SCHEDULE,
    get_default_dag_args,
    get_ledger_param,
    get_schedule,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_audit_tasks import build_checkpoint_task, build_collect_task, build_compare_task
from stellar_etl_airflow.tasks.build_batch import build_exported_tables
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAL_PARAM,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
    get_heal_param,
)
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

TABLES = tuple(STATES.values())

with DAG(
    "state_audit",
    description="Compares ledger entries with a history archive at a checkpoint",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        CHECKPOINT_PARAM: get_ledger_param(
            "the ledger of the checkpoint: 63, 127, 191 and so on; null: the latest loaded checkpoint", minimum=63
        ),
        HEAL_PARAM: get_heal_param(),
    },
    tags=["state"],
    # A task that waits for another DAG's run ignores its own timeout.
    dagrun_timeout=timedelta(days=1),
    **{
        **get_schedule_args(),
        "schedule": get_schedule(AUDIT_SCHEDULE, exports=True),
        "catchup": False,
        "max_active_runs": 1,
        "deadline": None,  # reading the public network's bucket list takes longer
    },
) as dag:
    look, plan, delete_staging = build_collect_task(), build_plan_healing_task(), build_delete_staging_task(TABLES)
    build_exported_tables(
        TABLES,
        (build_gcs_to_bq_task, build_check_task, build_compare_task),
        [look, delete_staging],
        first=build_checkpoint_task(),
        kind=FullLoad,
    )
    chain(look, build_record_task(), build_report_task())
    chain(look, plan)
    loads = build_trigger_tasks("load_again", plan, "loads")
    build_trigger_tasks("fold_again", plan, "folds", after=loads)
