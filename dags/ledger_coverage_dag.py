"""
# Check loaded history

Checks all tables for missing and wrong ledgers. Each finding is a row of `ledger_coverage`. The first 100 findings of a
run are also events in Sentry and lines in the message of `report`. The checks find:

- ledgers that are missing, or whose previous hash is not the hash of the ledger before;
- transactions and operations whose number differs from the header;
- ledgers that were never loaded into a table, or whose row count differs from the load's;
- rows with another close time than their ledger, and duplicates;
- versions of ledger entries that differ from their changes;
- the lag of each table behind the network's latest ledger in the lake.

Rows without `event_index`, of older releases and of the Go image, cannot be checked for duplicates. Their number is
recorded in `ledger_coverage` too (`unidentified`). This causes no alert and no reload.

The first scheduled run of a day, and each manual run without a range, also sums the lumens of all entries at the latest
ledger that all tables have: accounts, claimable balances, liquidity pools and contracts, including evicted entries. If
the sum differs from `total_coins - fee_pool` in the ledger's header, there is a finding `lumens` of `accounts`, with
the
difference in stroops. It does not name the wrong entries: load gaps first, then run `state_audit`. The tables must have
all entries, from the network's first ledgers or from a full load. Lumens that were evicted before a full load are in no
table: the amount that the full load lacked may be missing.

`check_schedules` checks that DAGs that are not paused still create runs, because a missing run has no failure and no
deadline alert. `check_retention` checks that the bucket deletes exported files after `export_days`.

The run checks all loads in the batch stats, and the rows of the last loaded days (Variable `coverage_days`), in the
private and the public dataset; or the window in the run's params. Rows are compared with the last load of each ledger.
The queries read only keys, ledgers and close times of the window's partitions.

`summarize` writes the summary for the page *Ledger coverage* of Airflow's UI after each check, whatever its result.
`summarize_repairs` writes it while ledgers are reloaded.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_COVERAGE_SCHEDULE`); or a user, with the params `start_time` and
`end_time`, or `start_ledger` and `end_ledger`. With the param `auto_heal`, or the Variable `coverage_auto_heal`,
exactly
the ledgers of the findings are loaded or derived again; the run waits for a paused DAG. Reloaded ledgers are pending
for
the DAGs of derived tables, whose next runs derive them.

**When it fails**: `report` fails on purpose: its message names the problems and their ledgers. Reload them with
`auto_heal` or by manual runs. Then clear the run: it checks again. For a lag: check whether the DAG that loads the
table
is paused or failing, and whether the lake is stalled. `check_schedules`: a DAG that is not paused has created no run
for
two intervals; the message names it, and the runbook has the remedy. `check_retention`: set the bucket's lifecycle rule
or the Variable, as the message says. `load_again`, `rebuild_again`, `derive_again`: find the run that it triggered, and
fix the cause there. Then clear the task, which clears that run if it failed. A run times out after a day, and the runs
that it triggered continue; the next run checks again.
"""

from __future__ import annotations

import os
from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.hooks.gcs
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, chain

from stellar_etl_airflow.operators.defaults import (
    COVERAGE_SCHEDULE,
    END_DATE,
    get_default_dag_args,
    get_periods,
    get_range_params,
    get_schedule,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAL_PARAM,
    build_coverage_check_task,
    build_newest_ledger_task,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
    build_retention_task,
    build_schedules_task,
    get_heal_param,
)
from stellar_etl_airflow.tasks.build_summary_tasks import build_repairing_summary_task, build_summary_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

with DAG(
    "ledger_coverage",
    description="Finds missing and wrong ledgers in loaded history, and the lag",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        **get_range_params(),
        HEAL_PARAM: get_heal_param(),
    },
    tags=["maintenance"],
    # A task that waits for another DAG's run ignores its own timeout, and would block the next checks.
    dagrun_timeout=timedelta(days=1),
    **{
        **get_schedule_args(),
        "schedule": get_schedule(COVERAGE_SCHEDULE),
        "catchup": False,
        "max_active_runs": 1,
    },
) as dag:
    build_schedules_task(get_periods(), ends=bool(os.environ.get(END_DATE)))
    build_retention_task()
    look, plan = build_coverage_check_task(), build_plan_healing_task()
    record, repairing = build_record_task(), build_repairing_summary_task()
    chain(build_newest_ledger_task(), look, [record, build_report_task(), plan])
    chain([record, plan], repairing)
    loads = build_trigger_tasks("load_again", plan, "loads")
    rebuilds = build_trigger_tasks("rebuild_again", plan, "rebuilds", after=loads)
    derived = build_trigger_tasks("derive_again", plan, "derived", after=rebuilds)
    chain([repairing, derived], build_summary_task())
