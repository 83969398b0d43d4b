"""
# Audit published rows against a new export

Proves on a sample that the tables hold what the network's ledgers say. Each run chooses a random range of complete
ledgers, exports it again in two pods (one for history, one for changes of ledger entries), loads the rows into staging,
checks them, and compares them row by row with each published table of each dataset: missing rows, extra rows, and rows
that differ, with the columns in which they differ. The tables are only read.

The run's id is the seed of the choice, and each complete ledger is chosen with the same probability. The Variable
`audit_ledgers` is the length of the range; the schedule says how many ranges there are. The log of `report` states how
likely a year of such audits finds damage, and the assumption behind it.

**What is covered**: all tables that are exported, with the change logs of ledger entries. The columns that describe
the load do not count. Of `history_assets`, which keeps the oldest row of each asset, a row is wrong if the range has an
older one, or if the table names a ledger of the range that does not bring it. **What is not**: derived tables and
point-in-time views, which are made of audited tables; `ledger_coverage` checks the first, `state_audit` the second.

Each finding is a row of `ledger_coverage` (`missing_rows`, `extra_rows`, `different_rows`), lowers the watermark until
the ledgers are published again, and is an event in Sentry. Each run is one row per table and dataset in
`ledger_audits`. A load inserts and corrects rows of `history_assets`, and deletes none: later ledgers may have the same
asset. So an extra row of that table is the finding `kept_rows`, which lowers the watermark until a later audit of these
ledgers does not find it.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_LEDGER_AUDIT_SCHEDULE`); or a user, with the params
`start_ledger` and `end_ledger`, for a range of at most 5,000 ledgers. With the param `auto_heal`, or the Variable
`coverage_auto_heal`, the run publishes exactly the ledgers that findings name again.

**When it fails**: `report` fails on purpose: its message names tables, ledgers, counts and columns. The rows of the new
export stay in staging for 7 days, so that you can compare them. Find out who changed the rows, then publish the ledgers
again: the message has the params. A new release of the exporter may make other rows than an older one: load these
ledgers again. Rows that loads keep: delete them, then audit the ledgers again. Other tasks: clear the first failed task
with its downstream tasks; the run keeps its ledgers unless you clear its first task.
"""

from __future__ import annotations

from datetime import timedelta

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
        "start_ledger": get_ledger_param("the first ledger to audit; none: random ledgers"),
        "end_ledger": get_ledger_param("the last ledger to audit"),
        HEAL_PARAM: get_heal_param(),
    },
    tags=["maintenance"],
    # A task that waits for another DAG's run heeds no time-out of its own.
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
    # The rows of the new export stay where findings are not healed.
    chain(look, build_record_audit_task(), report, build_delete_staging_task(TABLES))
    chain(look, plan)
    build_trigger_tasks("load_again", plan, "loads")
