"""
# Audit published rows against a new export

Compares a sample of the tables with the network's ledgers. Each run chooses a random range of complete ledgers, exports
it again in two pods (one for history, one for changes of ledger entries), loads the rows into staging, checks them, and
compares them row by row with each published table of each dataset. It finds missing rows, extra rows, and different
rows with the columns in which they differ. The tables are only read.

The run's id is the seed of the choice, and each complete ledger is chosen with the same probability. The Variable
`audit_ledgers` is the length of the range; the schedule sets the number of ranges. The log of `report` has the
probability that a year of such audits finds damage, and the assumption behind it.

**What is covered**: all exported tables, including the change logs of ledger entries. Columns that describe the load
are ignored. `history_assets` keeps the oldest row of each asset: a row is wrong if the range has an older one, or if
the table names a ledger of the range that does not contain the asset. **What is not**: derived tables and point-in-time
views, which are made of audited tables; `ledger_coverage` checks the former, `state_audit` the latter.

Each finding is a row of `ledger_coverage` (`missing_rows`, `extra_rows`, `different_rows`) and an event in Sentry. It
lowers the watermark until the ledgers are published again. Each run writes one row per table and dataset to
`ledger_audits`. A load inserts and corrects rows of `history_assets`, but deletes none, because later ledgers may have
the same asset. So an extra row of that table is the finding `kept_rows`. It lowers the watermark until a later audit of
these ledgers does not find it.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_LEDGER_AUDIT_SCHEDULE`); or a user, with the params
`start_ledger` and `end_ledger`, for a range of at most 5,000 ledgers. With the param `auto_heal`, or the Variable
`coverage_auto_heal`, the run publishes exactly the ledgers of its findings again.

**When it fails**: `report` fails on purpose: its message names tables, ledgers, counts and columns. The rows of the new
export stay in staging for 7 days, so that you can compare them. Find out who changed the rows, then publish the ledgers
again with the params in the message. If a new release of the exporter makes other rows than an older one, load these
ledgers again. Rows that loads keep: delete them, then audit the ledgers again. Other tasks: clear the first failed task
with its downstream tasks; the run keeps its ledgers unless you clear its first task.
"""

from __future__ import annotations

from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, chain

from stellar_etl_airflow.operators.defaults import (
    LEDGER_AUDIT_SCHEDULE,
    get_default_dag_args,
    get_ledger_param,
    get_period,
    get_schedule,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_batch import build_exported_tables
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import HEAL_PARAM, build_plan_healing_task, get_heal_param
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_ledger_audit_tasks import (
    AUDITED,
    build_choose_range_task,
    build_collect_audit_task,
    build_compare_rows_task,
    build_load_audited_task,
    build_record_audit_task,
    build_report_audit_task,
)
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

TABLES = tuple(AUDITED.values())

with DAG(
    "ledger_audit",
    description="Compares published rows of random ledgers with a new export",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        "start_ledger": get_ledger_param("the first ledger to audit; null: random ledgers"),
        "end_ledger": get_ledger_param("the last ledger to audit"),
        HEAL_PARAM: get_heal_param(),
    },
    tags=["maintenance"],
    # A task that waits for another DAG's run ignores its own timeout.
    dagrun_timeout=timedelta(days=1),
    **{
        **get_schedule_args(),
        "schedule": get_schedule(LEDGER_AUDIT_SCHEDULE, exports=True),
        "catchup": False,
        "max_active_runs": 1,
    },
) as dag:
    look, report, plan = build_collect_audit_task(), build_report_audit_task(), build_plan_healing_task()
    build_exported_tables(
        TABLES,
        (build_load_audited_task, build_check_task, build_compare_rows_task),
        [look],
        first=build_choose_range_task(get_period(LEDGER_AUDIT_SCHEDULE)),
    )
    # Findings that are not fixed fail the report, and the rows of the new export stay.
    chain(look, build_record_audit_task(), report, build_delete_staging_task(TABLES))
    chain(look, plan)
    build_trigger_tasks("load_again", plan, "loads")
